//! `/dashboard/clients/pin`: a client metadata document as the admin has it, instead of fetching it.

use crate::oauth::client_document::ClientDocument;
use crate::oauth::document_url::DocumentUrl;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, CsrfForm, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

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

/// The form.
pub async fn get(State(state): State<WebState>, Admin(admin): Admin) -> Response {
    Page::new(PinForm::default().view(&state, &admin, Problems::default())).into_response()
}

/// What the form sends.
#[derive(Default, Deserialize)]
pub struct PinForm {
    url: String,
    document: String,
}

/// Pins the document.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    CsrfForm(form): CsrfForm<PinForm>,
) -> Result<Response, Response> {
    match form.read() {
        Ok(document) => {
            let by = admin.user.id;
            operate(&state, move |app| app.pin_client(&document, by)).await?;
            Ok(see_other(&Notice::ClientPinned.at(paths::CLIENTS)))
        }
        Err(problems) => {
            let view = form.view(&state, &admin, problems);
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

/// What is wrong with which field, as sentences.
#[derive(Debug, Default)]
struct Problems {
    url: Option<String>,
    document: Option<String>,
}

impl PinForm {
    fn read(&self) -> Result<ClientDocument, Problems> {
        let url = DocumentUrl::parse(self.url.trim()).map_err(|error| Problems {
            url: Some(format!("This cannot be a client's address: {error}.")),
            document: None,
        })?;
        ClientDocument::parse(&url, self.document.trim().as_bytes())
            .map_err(|error| Problems { url: None, document: Some(format!("The document cannot be used: {error}.")) })
    }

    fn view(self, state: &WebState, admin: &SignedIn, problems: Problems) -> ClientPinView {
        ClientPinView {
            frame: Frame::new(state, admin, Done(None)),
            url: self.url,
            url_problem: problems.url,
            document: self.document,
            document_problem: problems.document,
        }
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
