//! `/dashboard/users/{id}/revoke`: one token or connected app of somebody's, after a question. Which, says the query, and
//! then the form.

use crate::app::App;
use crate::app::error::OperationError;
use crate::id::{GrantId, TokenId, UserId};
use crate::web::dashboard::Frame;
use crate::web::error::ErrorView;
use crate::web::extract::{Admin, CsrfForm, PageQuery, PathId};
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

/// `GET /dashboard/users/{id}/revoke?token=…` or `?connection=…`. Posts `form_token` and the same field to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/users/revoke.html")]
pub struct UserRevokeView {
    /// Around the page.
    pub frame: Frame,
    /// Whose it is.
    pub id: UserId,
    /// Their name.
    pub username: String,
    /// What its owner, or the app, calls it.
    pub name: String,
    /// The field of the form: `token` or `connection`.
    pub field: &'static str,
    /// The id in it.
    pub value: String,
}

/// Which one is meant.
#[derive(Clone, Copy, Deserialize)]
pub struct Which {
    token: Option<TokenId>,
    connection: Option<GrantId>,
}

#[derive(Clone, Copy)]
enum What {
    Token(TokenId),
    Connection(GrantId),
}

impl Which {
    fn read(self) -> Option<What> {
        match (self.token, self.connection) {
            (Some(token), None) => Some(What::Token(token)),
            (None, Some(connection)) => Some(What::Connection(connection)),
            _ => None,
        }
    }
}

impl What {
    /// Its name, if it is this user's.
    fn name(self, app: &App, owner: UserId) -> Result<String, OperationError> {
        match self {
            Self::Token(id) => Ok(app.personal_token(owner, id)?.token.name.to_string()),
            Self::Connection(id) => Ok(app.connection(owner, id)?.grant.client_name),
        }
    }

    fn revoke(self, app: &App, owner: UserId) -> Result<(), OperationError> {
        match self {
            Self::Token(id) => app.revoke_personal_token(owner, id).map(drop),
            Self::Connection(id) => app.revoke_connection(owner, id),
        }
    }

    fn field(self) -> (&'static str, String) {
        match self {
            Self::Token(id) => ("token", id.to_string()),
            Self::Connection(id) => ("connection", id.to_string()),
        }
    }
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<UserId>,
    PageQuery(which): PageQuery<Which>,
) -> Result<Response, Response> {
    let what = which.read().ok_or_else(|| ErrorView::not_found().into_response())?;
    let found = operate(&state, move |app| Ok((app.user_entry(id)?.user.name.to_string(), what.name(app, id)?)));
    let ((username, name), (field, value)) = (found.await?, what.field());
    let view = UserRevokeView { frame: Frame::new(&state, &admin, Done(None)), id, username, name, field, value };
    Ok(Page::new(view).into_response())
}

/// Revokes it.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<UserId>,
    CsrfForm(which): CsrfForm<Which>,
) -> Result<Response, Response> {
    let what = which.read().ok_or_else(|| ErrorView::not_found().into_response())?;
    operate(&state, move |app| what.revoke(app, id)).await?;
    let (field, value) = what.field();
    tracing::info!(user = %id, by = %admin.user.id, field, value, "revoked by an admin");
    let notice = if field == "token" { Notice::TokenRevoked } else { Notice::ConnectionRevoked };
    Ok(see_other(&notice.at(&paths::user(&id))))
}

impl UserRevokeView {
    fn is_token(&self) -> bool {
        self.field == "token"
    }
}

#[cfg(test)]
impl UserRevokeView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            id: UserId::from_bytes([0x44; 16]),
            username: "ben".to_owned(),
            name: "<script>Laptop</script>".to_owned(),
            field: "token",
            value: TokenId::from_bytes([0x5a; 16]).to_string(),
        }
    }
}
