//! Which apps has a person let in? Lists the grants; revokes one or all.

use crate::id::GrantId;
use crate::web::dashboard::{Frame, LastUsed, Vouched};
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;

/// `GET /dashboard/connections`.
#[derive(Debug, Template)]
#[template(path = "dashboard/connections/list.html")]
pub struct ConnectionsView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub connections: Vec<ConnectionRow>,
}

/// One grant, as its owner sees it.
#[derive(Debug, Clone)]
pub struct ConnectionRow {
    /// Its id.
    pub id: GrantId,
    /// The client as it calls itself.
    pub client_name: String,
    /// Who vouches for the client.
    pub vouched: Vouched,
    /// Where the client received its code: the host of the redirect URI.
    pub redirect_host: String,
    /// Titles of the servers.
    pub servers: String,
    /// The scopes in words: "use its tools, stay connected".
    pub scopes: String,
    /// When the user agreed.
    pub created: When,
    /// The latest use; none if it was never used.
    pub last_used: Option<LastUsed>,
}

/// `GET /dashboard/connections/{id}/revoke`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/connections/revoke.html")]
pub struct ConnectionRevokeView {
    /// Around the page.
    pub frame: Frame,
    /// The connection to revoke.
    pub connection: ConnectionRow,
}

/// `GET /dashboard/connections/revoke-all`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/connections/revoke_all.html")]
pub struct ConnectionsRevokeAllView {
    /// Around the page.
    pub frame: Frame,
    /// How many there are.
    pub count: usize,
}

#[cfg(test)]
impl ConnectionRow {
    fn sample(client_name: &str, vouched: Vouched, redirect_host: &str) -> Self {
        Self {
            id: GrantId::from_bytes([0x33; 16]),
            client_name: client_name.to_owned(),
            vouched,
            redirect_host: redirect_host.to_owned(),
            servers: "Keyward".to_owned(),
            scopes: "use its tools, stay connected".to_owned(),
            created: When::sample(-86_400 * 9),
            last_used: Some(LastUsed::sample()),
        }
    }
}

#[cfg(test)]
impl ConnectionsView {
    pub(crate) fn sample() -> Self {
        let connections = vec![
            ConnectionRow::sample("Claude Code", Vouched::ByHost("claude.ai".to_owned()), "localhost"),
            ConnectionRow {
                last_used: None,
                ..ConnectionRow::sample("<i>Cursor</i>", Vouched::Nobody, "www.cursor.com")
            },
            ConnectionRow::sample("Team portal", Vouched::ByAdmin, "portal.example.org"),
        ];
        Self { frame: Frame::sample(), connections }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), connections: Vec::new() }
    }
}

#[cfg(test)]
impl ConnectionRevokeView {
    pub(crate) fn sample() -> Self {
        let connection = ConnectionRow::sample("Claude Code", Vouched::ByHost("claude.ai".to_owned()), "localhost");
        Self { frame: Frame::sample(), connection }
    }
}

#[cfg(test)]
impl ConnectionsRevokeAllView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), count: 3 }
    }
}
