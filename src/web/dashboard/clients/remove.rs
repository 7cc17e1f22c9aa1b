//! `/dashboard/clients/remove`: a client and all its connections go, after a question.

use super::ClientRow;
use crate::oauth::client::ClientId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, CsrfForm, PageQuery};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /dashboard/clients/remove?client_id=…`. Posts `form_token` and `client_id` to `/dashboard/clients/remove`.
#[derive(Debug, Template)]
#[template(path = "dashboard/clients/remove.html")]
pub struct ClientRemoveView {
    /// Around the page.
    pub frame: Frame,
    /// The client to remove.
    pub client: ClientRow,
}

/// Which client: in the address of the question and in the form of the answer.
#[derive(Deserialize)]
pub struct WhichClient {
    client_id: ClientId,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PageQuery(which): PageQuery<WhichClient>,
) -> Result<Response, Response> {
    let entry = operate(&state, move |app| app.client_entry(which.client_id.as_str())).await?;
    let client = ClientRow::of(entry, state.app.now());
    let view = ClientRemoveView { frame: Frame::new(&state, &admin, Done(None)), client };
    Ok(Page::new(view).into_response())
}

/// Removes it.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    CsrfForm(which): CsrfForm<WhichClient>,
) -> Result<Response, Response> {
    let by = admin.user.id;
    operate(&state, move |app| app.remove_client(which.client_id.as_str(), by)).await?;
    Ok(see_other(&Notice::ClientRemoved.at(paths::CLIENTS)))
}

#[cfg(test)]
impl ClientRemoveView {
    pub(crate) fn sample() -> Self {
        let client =
            ClientRow::sample("cli_0123456789abcdefghjkmnpqrs", "Cursor", crate::web::dashboard::Vouched::Nobody);
        Self { frame: Frame::sample(), client }
    }
}
