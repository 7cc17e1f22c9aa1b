//! How does an admin keep the clients? Sees who registered, registers one by hand, pins a document, removes one.

pub mod list;
pub mod new;
pub mod pin;
pub mod remove;

pub use list::ClientsView;
pub use new::{ClientCreatedView, ClientFormView};
pub use pin::ClientPinView;
pub use remove::ClientRemoveView;

use crate::app::clients::ClientEntry;
use crate::clock::Timestamp;
use crate::oauth::client::{AuthMethod, ClientKind};
use crate::oauth::redirect_uri::RedirectUri;
use crate::web::dashboard::Vouched;
use crate::web::when::When;

/// One registered client.
#[derive(Debug, Clone)]
pub struct ClientRow {
    /// Its id: `cli_…` or the URL of its metadata document.
    pub client_id: String,
    /// The name it calls itself.
    pub name: String,
    /// Who vouches for it.
    pub vouched: Vouched,
    /// Whether an admin pinned its document.
    pub pinned: bool,
    /// Where it may receive codes.
    pub redirect_uris: Vec<String>,
    /// Whether it has a secret or a key of its own.
    pub confidential: bool,
    /// How many grants it has.
    pub connections: usize,
    /// When it came.
    pub created: When,
}

impl ClientRow {
    fn of(ClientEntry { client, grants }: ClientEntry, now: Timestamp) -> Self {
        Self {
            client_id: client.id.to_string(),
            name: client.display_name().to_owned(),
            vouched: Vouched::of(&client.id, Some(client.kind)),
            pinned: client.kind == ClientKind::Document && client.created_by.is_some(),
            redirect_uris: client.metadata.redirect_uris.iter().map(RedirectUri::to_string).collect(),
            confidential: client.metadata.auth_method != AuthMethod::None,
            connections: grants,
            created: When::new(client.created_at, now),
        }
    }
}

#[cfg(test)]
impl ClientRow {
    fn sample(client_id: &str, name: &str, vouched: Vouched) -> Self {
        Self {
            client_id: client_id.to_owned(),
            name: name.to_owned(),
            pinned: false,
            redirect_uris: vec!["http://localhost/callback".to_owned(), "http://127.0.0.1/callback".to_owned()],
            confidential: vouched == Vouched::ByAdmin,
            vouched,
            connections: 2,
            created: When::sample(-86_400 * 3),
        }
    }
}
