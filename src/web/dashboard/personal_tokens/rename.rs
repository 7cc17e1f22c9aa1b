//! `/dashboard/api-keys/{id}/rename`: another name for the same token.

use crate::app::error::OperationError;
use crate::id::TokenId;
use crate::web::dashboard::Frame;
use crate::web::extract::{CsrfForm, PathId, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET` and a refused `POST` of `/dashboard/api-keys/{id}/rename`. Sends `form_token` and `name`.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/rename.html")]
pub struct TokenRenameView {
    /// Around the page.
    pub frame: Frame,
    /// Which token.
    pub id: TokenId,
    /// Its name now.
    pub name: String,
    /// What is written in the field.
    pub new_name: String,
    /// What is wrong with it, as a sentence.
    pub problem: Option<String>,
}

/// The form.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<TokenId>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let name = operate(&state, move |app| app.personal_token(user, id)).await?.token.name.to_string();
    let frame = Frame::new(&state, &signed_in, Done(None));
    let view = TokenRenameView { frame, id, new_name: name.clone(), name, problem: None };
    Ok(Page::new(view).into_response())
}

/// What the form sends.
#[derive(Deserialize)]
pub struct RenameForm {
    name: String,
}

/// Renames.
pub async fn post(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<TokenId>,
    CsrfForm(RenameForm { name: new_name }): CsrfForm<RenameForm>,
) -> Result<Response, Response> {
    let (user, typed) = (signed_in.user.id, new_name.clone());
    match attempt(&state, move |app| app.rename_personal_token(user, id, &typed)).await? {
        Ok(()) => Ok(see_other(&Notice::TokenRenamed.at(paths::PERSONAL_TOKENS))),
        Err(OperationError::Invalid(why) | OperationError::NameTaken(why)) => {
            let name = operate(&state, move |app| app.personal_token(user, id)).await?.token.name.to_string();
            let frame = Frame::new(&state, &signed_in, Done(None));
            let view = TokenRenameView { frame, id, name, new_name, problem: Some(why) };
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(operation_error(&error)),
    }
}

#[cfg(test)]
impl TokenRenameView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            id: TokenId::from_bytes([0x5a; 16]),
            name: "Backup job".to_owned(),
            new_name: "Workshop".to_owned(),
            problem: Some("You already have a token with this name. Choose another.".to_owned()),
        }
    }
}
