//! `/logout`: the end of this browser's session.

use crate::web::cookies::CookieKind;
use crate::web::extract::{AnySignedIn, Confirmed, CsrfForm, PreviousSession};
use crate::web::notice::Notice;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::{see_other, with_cookie};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /logout`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "sign_in/logout.html")]
pub struct LogoutView {
    /// Bound to the session.
    pub form_token: String,
    /// Who is signed in.
    pub username: String,
}

/// The question.
pub async fn get(State(state): State<WebState>, signed_in: AnySignedIn) -> Response {
    let view =
        LogoutView { form_token: state.form_token(&signed_in.binding()), username: signed_in.user.name.to_string() };
    Page::new(view).into_response()
}

/// The answer. The cookie goes even if its session had ended before.
pub async fn post(
    State(state): State<WebState>,
    PreviousSession(session): PreviousSession,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    if let Some(session) = session {
        operate(&state, move |app| app.sign_out(session)).await?;
    }
    let response = see_other(&Notice::SignedOut.at(paths::LOGIN));
    Ok(with_cookie(response, &state.cookies().clear(CookieKind::Session)))
}

#[cfg(test)]
impl LogoutView {
    pub(crate) fn sample() -> Self {
        Self { form_token: "v4.local.sample".to_owned(), username: "ada".to_owned() }
    }
}
