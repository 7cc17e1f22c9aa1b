//! `/dashboard/clients/new`: a client registered by hand, and its secret shown this once.
//!
//! The form carries the id of the client that it makes, so a form that is sent again makes no second client and shows no
//! secret again.

use crate::app::clients::MadeClient;
use crate::app::error::OperationError;
use crate::oauth::claimed_metadata::{MAX_REDIRECT_URIS, parse_client_name};
use crate::oauth::client::{AuthMethod, Client, ClientId, ClientMetadata};
use crate::oauth::redirect_uri::RedirectUri;
use crate::secret::PlainToken;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, RecentForm, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::attempt;
use crate::web::page::Page;
use crate::web::respond::operation_error;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

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

/// The form.
pub async fn get(State(state): State<WebState>, Admin(admin): Admin) -> Response {
    let form = ClientForm {
        creation: ClientId::generate(state.app.now(), state.app.entropy()),
        name: String::new(),
        redirect_uris: String::new(),
        kind: Kind::Public,
    };
    Page::new(form.view(&state, &admin, Problems::default())).into_response()
}

/// What the form sends.
#[derive(Deserialize)]
pub struct ClientForm {
    creation: ClientId,
    name: String,
    redirect_uris: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Public,
    Confidential,
}

/// Registers the client.
pub async fn post(
    State(state): State<WebState>,
    _: Admin,
    RecentForm(admin, form): RecentForm<ClientForm>,
) -> Result<Response, Response> {
    let (id, by) = (form.creation.clone(), admin.user.id);
    let problems = match form.read() {
        Ok(metadata) => match attempt(&state, move |app| app.create_client(id, metadata, by)).await? {
            Ok(MadeClient::Now(client, secret)) => return Ok(created(&state, &admin, &client, secret.as_ref())),
            Ok(MadeClient::Before(client)) => return Ok(created(&state, &admin, &client, None)),
            Err(OperationError::Invalid(why)) => Problems { name: Some(why), ..Problems::default() },
            Err(error) => return Err(operation_error(&error)),
        },
        Err(problems) => problems,
    };
    let view = form.view(&state, &admin, problems);
    Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

/// What is wrong with which field, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
struct Problems {
    name: Option<String>,
    redirect_uris: Option<String>,
}

impl ClientForm {
    fn read(&self) -> Result<ClientMetadata, Problems> {
        let name = match parse_client_name(&self.name) {
            Ok(Some(name)) => Ok(name),
            Ok(None) => Err("Give the client a name.".to_owned()),
            Err(_) => Err("A name has at most 100 characters, all of them visible.".to_owned()),
        };
        match (name, read_redirect_uris(&self.redirect_uris)) {
            (Ok(name), Ok(redirect_uris)) => {
                let auth_method = match self.kind {
                    Kind::Public => AuthMethod::None,
                    Kind::Confidential => AuthMethod::ClientSecretBasic,
                };
                Ok(ClientMetadata { auth_method, ..ClientMetadata::public(Some(name), redirect_uris) })
            }
            (name, redirect_uris) => Err(Problems { name: name.err(), redirect_uris: redirect_uris.err() }),
        }
    }

    fn view(self, state: &WebState, admin: &SignedIn, problems: Problems) -> ClientFormView {
        ClientFormView {
            frame: Frame::new(state, admin, Done(None)),
            creation: self.creation.to_string(),
            name: self.name,
            name_problem: problems.name,
            redirect_uris: self.redirect_uris,
            redirect_uris_problem: problems.redirect_uris,
            confidential: self.kind == Kind::Confidential,
        }
    }
}

/// One a line; the problem names the line.
fn read_redirect_uris(text: &str) -> Result<Vec<RedirectUri>, String> {
    let mut uris = Vec::new();
    for (place, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        if uris.len() == MAX_REDIRECT_URIS {
            return Err(format!("A client has at most {MAX_REDIRECT_URIS} redirect URIs."));
        }
        let uri = RedirectUri::parse(line).map_err(|error| format!("Line {}: {error}.", place + 1))?;
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    if uris.is_empty() { Err("Enter one redirect URI at least.".to_owned()) } else { Ok(uris) }
}

fn created(state: &WebState, admin: &SignedIn, client: &Client, secret: Option<&PlainToken>) -> Response {
    let view = ClientCreatedView {
        frame: Frame::new(state, admin, Done(None)),
        name: client.display_name().to_owned(),
        client_id: client.id.to_string(),
        already_shown: secret.is_none() && client.secret.is_some(),
        client_secret: secret.map(|secret| secret.expose().to_owned()),
        issuer: state.app.options().issuer.to_string(),
    };
    Page::new(view).into_response()
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
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_stand_one_a_line_and_a_problem_names_its_line() {
        let read = |text: &str| read_redirect_uris(text).map(|uris| uris.len());
        assert_eq!(read("https://a.example/cb\r\n\r\n  http://127.0.0.1/cb  \n"), Ok(2));
        assert_eq!(read("https://a.example/cb\nhttps://a.example/cb"), Ok(1), "the same one twice is one");
        assert!(read("https://a.example/cb\n\njavascript:alert(1)").unwrap_err().starts_with("Line 3: "));
        assert!(read(" \n ").is_err());
        let eleven: Vec<String> = (0..11).map(|count| format!("https://a.example/{count}")).collect();
        assert_eq!(read(&eleven[..10].join("\n")), Ok(10));
        assert!(read(&eleven.join("\n")).is_err());
    }
}
