//! The pages behind sign-in. Each view holds a [`Frame`]: what stands around the page.

pub mod home;
pub mod personal_tokens;
pub mod connections;
pub mod signing_keys;
pub mod clients;
pub mod security;

use crate::access::ServerDirectory;
use crate::account::usage::LastUse;
use crate::clock::Timestamp;
use crate::oauth::client::{ClientId, ClientKind};
use crate::oauth::resource::ResourceUri;
use crate::web::extract::SignedIn;
use crate::web::notice::Done;
use crate::web::state::WebState;
use crate::web::when::When;

/// What stands around every page of the dashboard.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Who is signed in.
    pub username: String,
    /// Whether the pages for admins are shown in the navigation.
    pub is_admin: bool,
    /// Of the session; every form sends it as `form_token`.
    pub form_token: String,
    /// What was just done, as a full sentence.
    pub notice: Option<String>,
}

impl Frame {
    /// Around a page of this person's.
    pub fn new(state: &WebState, signed_in: &SignedIn, notice: Done) -> Self {
        Self {
            username: signed_in.user.name.to_string(),
            is_admin: signed_in.user.is_admin(),
            form_token: state.form_token(&signed_in.binding()),
            notice: notice.sentence(),
        }
    }
}

/// The latest use of a token or connection.
#[derive(Debug, Clone)]
pub struct LastUsed {
    /// When.
    pub at: When,
    /// From which address.
    pub address: String,
    /// With which client, as it calls itself; may be empty.
    pub client: String,
}

impl LastUsed {
    fn new(last_use: LastUse, now: Timestamp) -> Self {
        let address = last_use.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        Self { at: When::new(last_use.at, now), address, client: last_use.user_agent }
    }
}

/// Who says that a client is what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// This host publishes the client's metadata document.
    ByHost(String),
    /// An admin registered it here.
    ByAdmin,
    /// Nobody: it registered itself (RFC 7591).
    Nobody,
}

impl Vouched {
    /// For the client with this id, of this kind if it is still known.
    pub fn of(id: &ClientId, kind: Option<ClientKind>) -> Self {
        match (id.document_url(), kind) {
            (Some(url), _) => {
                let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
                host.map_or(Self::Nobody, Self::ByHost)
            }
            (None, Some(ClientKind::Admin)) => Self::ByAdmin,
            (None, _) => Self::Nobody,
        }
    }
}

/// What people call the server with this resource; its URL if it is no longer there.
fn server_title(servers: &ServerDirectory, resource: &ResourceUri) -> String {
    servers.by_resource(resource).map_or_else(|| resource.to_string(), |server| server.title.clone())
}

#[cfg(test)]
impl Frame {
    pub(crate) fn sample() -> Self {
        Self { username: "ada".to_owned(), is_admin: true, form_token: "v4.local.sample".to_owned(), notice: None }
    }
}

#[cfg(test)]
impl LastUsed {
    pub(crate) fn sample() -> Self {
        Self { at: When::sample(-180), address: "203.0.113.7".to_owned(), client: "claude-code/2.1.4 (cli)".to_owned() }
    }
}
