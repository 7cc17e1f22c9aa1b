//! The pages behind sign-in. Each view holds a [`Frame`]: what stands around the page.

pub mod home;
pub mod personal_tokens;
pub mod connections;
pub mod servers;
pub mod signing_keys;
pub mod users;
pub mod groups;
pub mod access;
pub mod invitations;
pub mod clients;
pub mod check;
pub mod second_factor;
pub mod security;
pub mod sessions;
pub mod upstream_key;
pub mod events;

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
    /// As much of the client's name as a list has room for.
    pub fn short_client(&self) -> &str {
        self.client.char_indices().nth(32).map_or(&self.client, |(end, _)| &self.client[..end])
    }

    fn new(last_use: LastUse, now: Timestamp) -> Self {
        let address = last_use.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        Self { at: When::new(last_use.at, now), address, client: last_use.user_agent }
    }
}

/// Who says that a client is what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// This host, with its port if that is not the usual one, publishes the client's metadata document.
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
                let host = url::Url::parse(url).ok().and_then(|url| {
                    let host = url.host_str()?;
                    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
                });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_vouches_with_its_port_unless_that_is_the_usual_one() {
        for (url, host) in [
            ("https://claude.ai/oauth/client.json", "claude.ai"),
            ("https://claude.ai:443/oauth/client.json", "claude.ai"),
            ("https://localhost:8443/client.json", "localhost:8443"),
        ] {
            let id = ClientId::parse(url).unwrap();
            assert_eq!(Vouched::of(&id, Some(ClientKind::Document)), Vouched::ByHost(host.to_owned()), "{url}");
        }
    }
}
