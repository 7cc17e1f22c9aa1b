//! How does an admin keep the clients? Sees who registered, registers one by hand, pins a document, removes one.

use crate::web::dashboard::{Frame, Vouched};
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;

/// `GET /dashboard/clients`.
#[derive(Debug, Template)]
#[template(path = "dashboard/clients/list.html")]
pub struct ClientsView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub clients: Vec<ClientRow>,
    /// Whether there are more than the page shows.
    pub truncated: bool,
}

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

/// `GET` and a refused `POST` of `/dashboard/clients/new`.
///
/// Sends `form_token`, `creation`, `name`, `redirect_uris` (one a line) and `kind` (`public` or `confidential`).
#[derive(Debug, Template)]
#[template(path = "dashboard/clients/new.html")]
pub struct ClientFormView {
    /// Around the page.
    pub frame: Frame,
    /// Names this one act of making, so that a repeated post makes no second client.
    pub creation: String,
    /// What is written in the name field.
    pub name: String,
    /// What is wrong with it, as a sentence.
    pub name_problem: Option<String>,
    /// What is written in the field of redirect URIs.
    pub redirect_uris: String,
    /// What is wrong with them, as a sentence.
    pub redirect_uris_problem: Option<String>,
    /// Whether it shall have a secret.
    pub confidential: bool,
}

/// The answer to a successful `POST /dashboard/clients/new`: the one time that the secret is shown.
#[derive(Template)]
#[template(path = "dashboard/clients/created.html")]
pub struct ClientCreatedView {
    /// Around the page.
    pub frame: Frame,
    /// Its name.
    pub name: String,
    /// Its id.
    pub client_id: String,
    /// Its secret; none for a public client, and none when the browser posts the same creation again.
    pub client_secret: Option<String>,
    /// Whether it has a secret that was shown before.
    pub already_shown: bool,
    /// The issuer, which most clients ask for.
    pub issuer: String,
}

/// `GET` and a refused `POST` of `/dashboard/clients/pin`. Sends `form_token`, `url` and `document`.
#[derive(Debug, Template)]
#[template(path = "dashboard/clients/pin.html")]
pub struct ClientPinView {
    /// Around the page.
    pub frame: Frame,
    /// What is written in the URL field.
    pub url: String,
    /// What is wrong with it, as a sentence.
    pub url_problem: Option<String>,
    /// What is written in the document field.
    pub document: String,
    /// What is wrong with it, as a sentence.
    pub document_problem: Option<String>,
}

/// `GET /dashboard/clients/remove?client_id=…`. Posts `form_token` and `client_id` to `/dashboard/clients/remove`.
#[derive(Debug, Template)]
#[template(path = "dashboard/clients/remove.html")]
pub struct ClientRemoveView {
    /// Around the page.
    pub frame: Frame,
    /// The client to remove.
    pub client: ClientRow,
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

#[cfg(test)]
impl ClientsView {
    pub(crate) fn sample() -> Self {
        let claude = "https://claude.ai/oauth/claude-code-client-metadata";
        let clients = vec![
            ClientRow {
                pinned: true,
                ..ClientRow::sample(claude, "Claude Code", Vouched::ByHost("claude.ai".to_owned()))
            },
            ClientRow {
                connections: 0,
                ..ClientRow::sample("cli_0123456789abcdefghjkmnpqrs", "<script>alert(1)</script>", Vouched::Nobody)
            },
            ClientRow::sample("cli_1123456789abcdefghjkmnpqrs", "Team portal", Vouched::ByAdmin),
        ];
        Self { frame: Frame::sample(), clients, truncated: true }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), clients: Vec::new(), truncated: false }
    }
}

#[cfg(test)]
impl ClientFormView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            creation: "sample".to_owned(),
            name: "Team portal".to_owned(),
            name_problem: None,
            redirect_uris: "https://portal.example.org/callback\nftp://portal.example.org/".to_owned(),
            redirect_uris_problem: Some("Line 2: the scheme ftp cannot receive a code.".to_owned()),
            confidential: true,
        }
    }
}

#[cfg(test)]
impl ClientCreatedView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            name: "Team portal".to_owned(),
            client_id: "cli_1123456789abcdefghjkmnpqrs".to_owned(),
            client_secret: Some(format!("kws_{}", "s".repeat(43))),
            already_shown: false,
            issuer: "https://mcp.example.org".to_owned(),
        }
    }

    pub(crate) fn sample_again() -> Self {
        Self { client_secret: None, already_shown: true, ..Self::sample() }
    }
}

#[cfg(test)]
impl ClientPinView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            url: "https://claude.ai/oauth/claude-code-client-metadata".to_owned(),
            url_problem: None,
            document: "{\"client_id\": \"https://example.org/\"}".to_owned(),
            document_problem: Some("The client_id in the document is not the URL above.".to_owned()),
        }
    }
}

#[cfg(test)]
impl ClientRemoveView {
    pub(crate) fn sample() -> Self {
        let client = ClientRow::sample("cli_0123456789abcdefghjkmnpqrs", "Cursor", Vouched::Nobody);
        Self { frame: Frame::sample(), client }
    }
}
