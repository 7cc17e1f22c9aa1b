//! Who can reach what? Everybody's personal tokens and connected apps, for admins: rows, never secrets.
//!
//! A page looks at a bounded number of rows, found by the narrowest index there is; where that does not fill it, it says where
//! to go on. What an admin does about a row is an operation on its owner's behalf.

use crate::account::personal_token::{PersonalTokenEntry, Reach, TokenState};
use crate::app::App;
use crate::app::connections::Connection;
use crate::app::error::OperationError;
use crate::id::{GrantId, TokenId, UserId};
use crate::oauth::grant::Grant;
use crate::oauth::resource::ResourceUri;
use crate::secret::TokenDigest;
use crate::store::tables::{
    GRANTS, GRANTS_BY_CLIENT, GRANTS_BY_USER, PERSONAL_TOKENS, PERSONAL_TOKENS_BY_OWNER, USERS,
};
use crate::store::{Reads, Scan};

/// Rows of one page.
const PER_PAGE: usize = 50;
/// Rows that one page looks at.
const MOST_LOOKED_AT: usize = 2_000;

/// Which rows are meant. Each part narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFilter {
    /// Of this person.
    pub user: Option<UserId>,
    /// Through this client; then no personal token is meant.
    pub client: Option<String>,
    /// That reach this server.
    pub server: Option<ResourceUri>,
}

/// Something of somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned<T> {
    /// Whose it is.
    pub owner: UserId,
    /// What they are called.
    pub owner_name: String,
    /// What it is.
    pub what: T,
}

/// A page, the newest first, and where to go on if there may be more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPage<T, I> {
    /// The rows.
    pub rows: Vec<Owned<T>>,
    /// The last row that was looked at.
    pub older: Option<I>,
}

impl App {
    /// Personal tokens that work, made before `older`.
    pub fn everyones_tokens(
        &self,
        filter: &AccessFilter,
        older: Option<TokenId>,
    ) -> Result<AccessPage<PersonalTokenEntry, TokenId>, OperationError> {
        let now = self.now();
        if filter.client.is_some() {
            return Ok(AccessPage { rows: Vec::new(), older: None });
        }
        self.store.read(|tx| {
            let ids: Vec<TokenId> = if let Some(user) = filter.user {
                let scan = Scan::prefix(&user).backwards();
                let scan = older.into_iter().fold(scan, |scan, id| scan.after(&(user, id)));
                let keys = tx.keys(PERSONAL_TOKENS_BY_OWNER, scan.limit(MOST_LOOKED_AT))?;
                keys.into_iter().map(|(_, id)| id).collect()
            } else {
                let scan = older.into_iter().fold(Scan::all().backwards(), |scan, id| scan.after(&id));
                tx.keys(PERSONAL_TOKENS, scan.limit(MOST_LOOKED_AT))?
            };
            let mut rows = Vec::new();
            let mut last = None;
            for id in &ids {
                if rows.len() == PER_PAGE {
                    return Ok(AccessPage { rows, older: last });
                }
                last = Some(*id);
                let Some(token) = tx.get(PERSONAL_TOKENS, id)? else { continue };
                let reaches = |server: &ResourceUri| match &token.reach {
                    Reach::AllServers => true,
                    Reach::Servers(resources) => resources.contains(server),
                };
                if token.state(now) == TokenState::Live && filter.server.as_ref().is_none_or(reaches) {
                    let owner = token.owner;
                    rows.push(owned(tx, owner, self.entry(tx, token, now)?)?);
                }
            }
            let older = last.filter(|_| ids.len() == MOST_LOOKED_AT);
            Ok(AccessPage { rows, older })
        })
    }

    /// Connected apps, allowed before `older`.
    pub fn everyones_connections(
        &self,
        filter: &AccessFilter,
        older: Option<GrantId>,
    ) -> Result<AccessPage<Connection, GrantId>, OperationError> {
        self.store.read(|tx| {
            let ids: Vec<GrantId> = match (filter.user, &filter.client) {
                (Some(user), _) => {
                    let scan =
                        older.into_iter().fold(Scan::prefix(&user).backwards(), |scan, id| scan.after(&(user, id)));
                    let keys = tx.keys(GRANTS_BY_USER, scan.limit(MOST_LOOKED_AT))?;
                    keys.into_iter().map(|(_, id)| id).collect()
                }
                (None, Some(client)) => {
                    let client = TokenDigest::of(client);
                    let scan = Scan::prefix(&client).backwards();
                    let scan = older.into_iter().fold(scan, |scan, id| scan.after(&(client, id)));
                    let keys = tx.keys(GRANTS_BY_CLIENT, scan.limit(MOST_LOOKED_AT))?;
                    keys.into_iter().map(|(_, id)| id).collect()
                }
                (None, None) => {
                    let scan = older.into_iter().fold(Scan::all().backwards(), |scan, id| scan.after(&id));
                    tx.keys(GRANTS, scan.limit(MOST_LOOKED_AT))?
                }
            };
            let mut rows = Vec::new();
            let mut last = None;
            for id in &ids {
                if rows.len() == PER_PAGE {
                    return Ok(AccessPage { rows, older: last });
                }
                last = Some(*id);
                let fits = |grant: &Grant| {
                    grant.is_connected()
                        && filter.client.as_ref().is_none_or(|client| grant.client.as_str() == client)
                        && filter.server.as_ref().is_none_or(|server| grant.resource == *server)
                };
                if let Some(grant) = tx.get(GRANTS, id)?.filter(fits) {
                    let owner = grant.user;
                    rows.push(owned(tx, owner, self.connection_of(tx, grant)?)?);
                }
            }
            let older = last.filter(|_| ids.len() == MOST_LOOKED_AT);
            Ok(AccessPage { rows, older })
        })
    }
}

fn owned<T>(tx: &impl Reads, owner: UserId, what: T) -> Result<Owned<T>, OperationError> {
    let owner_name = tx.get(USERS, &owner)?.map(|user| user.name.to_string()).unwrap_or_default();
    Ok(Owned { owner, owner_name, what })
}
