//! What do people call the personal token or the client that asks? Remembered, so that the common call needs no disk.
//!
//! Names are in the store only. What was read is kept in a fixed number of slots for a minute at most, and until any
//! personal token is renamed ([`crate::app::live::Live::renames`]); a slot that two ids share is read anew in turn.

use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::{Timestamp, minutes};
use crate::id::{GrantId, TokenId};
use crate::mcp::tools::ToolError;
use crate::token::{Claims, TokenKind};
use crate::wire::blocking;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::time::Duration;

const SLOTS: usize = 1024;
/// A client may call itself otherwise when its document is fetched again.
const REMEMBERED: Duration = minutes(1);

/// The names that were asked for lately.
#[derive(Debug)]
pub(super) struct Names(Box<[ArcSwapOption<Named>]>);

/// The name of one token or client.
#[derive(Debug)]
pub(super) struct Named {
    of: Of,
    renames: u64,
    read_at: Timestamp,
    /// The name; none if the store knows nothing of it any more.
    pub(super) name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    PersonalToken(TokenId),
    ClientOf(GrantId),
}

impl Of {
    const fn bytes(&self) -> &[u8; 16] {
        match self {
            Self::PersonalToken(id) => id.as_bytes(),
            Self::ClientOf(id) => id.as_bytes(),
        }
    }
}

impl Names {
    pub(super) fn new() -> Self {
        Self((0..SLOTS).map(|_| ArcSwapOption::empty()).collect())
    }

    /// What the owner calls the personal token, or what the client calls itself that the access token was issued to.
    pub(super) async fn of(&self, app: &Arc<App>, claims: &Claims) -> Result<Arc<Named>, ToolError> {
        let of = match &claims.kind {
            TokenKind::Personal => Of::PersonalToken(claims.id),
            TokenKind::Access { grant, .. } => Of::ClientOf(*grant),
        };
        let now = app.now();
        // Before the store is read: a renaming that comes in between makes what is read here void.
        let renames = app.live().renames();
        let slot = &self.0[slot_of(of)];
        if let Some(named) = &*slot.load()
            && named.of == of
            && named.renames == renames
            && now.since(named.read_at) < REMEMBERED
        {
            return Ok(Arc::clone(named));
        }
        let (owner, id, client) = (claims.user, claims.id, claims.client().cloned());
        let name = blocking::run(app, move |app| match client {
            Some(client) => app.client(&client).map(|client| client.map(|client| client.display_name().to_owned())),
            None => match app.personal_token(owner, id) {
                Ok(entry) => Ok(Some(entry.token.name.as_str().to_owned())),
                Err(OperationError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            },
        })
        .await??;
        let named = Arc::new(Named { of, renames, read_at: now, name });
        slot.store(Some(Arc::clone(&named)));
        Ok(named)
    }
}

/// Ids end in random bits.
fn slot_of(of: Of) -> usize {
    let [.., a, b] = *of.bytes();
    usize::from(u16::from_be_bytes([a, b])) % SLOTS
}
