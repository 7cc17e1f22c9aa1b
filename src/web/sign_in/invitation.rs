//! `/invitation`: an account for whoever has the one-time link.
//!
//! A link that was used, revoked or is too old says so, and what to do, to whoever has its secret; with any other secret
//! there is nothing here.

use crate::account::invitation::InvitationState;
use crate::account::password::{MAX_PASSWORD, MIN_PASSWORD, NewPassword};
use crate::account::user::Username;
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::app::invitations::InvitationEntry;
use crate::web::error::ErrorView;
use crate::web::extract::{CsrfForm, LinkQuery, PageQuery, Visitor};
use crate::web::notice::Notice;
use crate::web::operate::{attempt_hashing, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other, with_cookie};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /invitation?secret=…`, and a refused `POST /invitation`. Sends `form_token`, `secret`, `username` (unless it is fixed),
/// `password` and `password_again`.
#[derive(Template)]
#[template(path = "sign_in/invitation.html")]
pub struct InvitationView {
    /// Bound to the browser's anonymous cookie.
    pub form_token: String,
    /// The one-time secret of the link.
    pub secret: String,
    /// Who invites.
    pub maker: String,
    /// Whether an admin has chosen the name.
    pub name_is_fixed: bool,
    /// What is written in the name field.
    pub username: String,
    /// What is wrong with it, as a sentence.
    pub username_problem: Option<String>,
    /// What is wrong with the password, as a sentence.
    pub password_problem: Option<String>,
    /// The fewest and the most characters of a password.
    pub password_length: (usize, usize),
}

/// The form, for whoever has the secret.
pub async fn get(
    State(state): State<WebState>,
    visitor: Visitor,
    PageQuery(LinkQuery { secret }): PageQuery<LinkQuery>,
) -> Result<Response, Response> {
    let entry = open(&state, &secret).await?;
    let form = InvitationForm { secret, ..InvitationForm::default() };
    Ok(form.page(&state, visitor, entry, Problems::default(), StatusCode::OK))
}

/// What the form sends.
#[derive(Default, Deserialize)]
pub struct InvitationForm {
    secret: String,
    #[serde(default)]
    username: String,
    password: String,
    password_again: String,
}

/// The account.
pub async fn post(
    State(state): State<WebState>,
    visitor: Visitor,
    caller: Caller,
    CsrfForm(form): CsrfForm<InvitationForm>,
) -> Result<Response, Response> {
    let entry = open(&state, &form.secret).await?;
    let problems = Problems::of(&form, &entry);
    if problems != Problems::default() {
        return Ok(form.page(&state, visitor, entry, problems, StatusCode::UNPROCESSABLE_ENTITY));
    }
    let (secret, name, password) = (form.secret.clone(), form.username.clone(), form.password.clone());
    let accepted =
        attempt_hashing(&state, move |app| app.accept_invitation(&secret, &name, &password, &caller)).await?;
    match accepted {
        Ok(session) => Ok(with_cookie(see_other(&Notice::Joined.at(paths::DASHBOARD)), &state.session_cookie(session))),
        // Somebody else was faster; the page says what became of the link.
        Err(OperationError::NotFound(_)) => {
            open(&state, &form.secret).await?;
            Err(over(InvitationState::Expired))
        }
        Err(OperationError::NameTaken(why)) => {
            let problems = Problems { username: Some(why), password: None };
            Ok(form.page(&state, visitor, entry, problems, StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(error) => Err(operation_error(&error)),
    }
}

/// The invitation of a link that stands; a page that says why not, otherwise.
async fn open(state: &WebState, secret: &str) -> Result<InvitationEntry, Response> {
    let presented = secret.to_owned();
    let found = operate(state, move |app| app.invitation_with(&presented)).await?;
    let entry = found.ok_or_else(|| ErrorView::not_found().into_response())?;
    match entry.state {
        InvitationState::Open => Ok(entry),
        state => Err(over(state)),
    }
}

/// The page of a link that opens nothing any more.
fn over(state: InvitationState) -> Response {
    let (title, happened) = match state {
        InvitationState::Used(_) => {
            ("This invitation was used", "Somebody made their account with this link. It works once.")
        }
        InvitationState::Revoked(_) => ("This invitation was taken back", "An admin has revoked this link."),
        _ => {
            ("This invitation is over", "The link was good for 72 hours, or as long as who made it may invite people.")
        }
    };
    let advice = match state {
        InvitationState::Used(_) => "If that was you, sign in. If not, tell an admin of this Keyward.",
        _ => "Ask an admin of this Keyward for a new one.",
    };
    ErrorView::new(StatusCode::GONE, title, happened, advice).link("To the sign-in page", paths::LOGIN).into_response()
}

/// What is wrong with which field, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
struct Problems {
    username: Option<String>,
    password: Option<String>,
}

impl Problems {
    fn of(form: &InvitationForm, entry: &InvitationEntry) -> Self {
        let fixed = entry.invitation.name.clone().map(Ok);
        let name = fixed.unwrap_or_else(|| Username::parse(&form.username));
        let canonical = name.as_ref().map(Username::canonical).unwrap_or_default();
        let weak = NewPassword::parse(&form.password, &canonical).err().map(|weak| weak.to_string());
        let differs = (form.password != form.password_again).then(|| "The two passwords differ.".to_owned());
        Self { username: name.err().map(|error| error.to_string()), password: weak.or(differs) }
    }
}

impl InvitationForm {
    fn page(
        self,
        state: &WebState,
        visitor: Visitor,
        entry: InvitationEntry,
        problems: Problems,
        status: StatusCode,
    ) -> Response {
        let fixed = entry.invitation.name.map(|name| name.to_string());
        let view = InvitationView {
            form_token: state.form_token(visitor.binding()),
            secret: self.secret,
            maker: entry.maker.unwrap_or_default(),
            name_is_fixed: fixed.is_some(),
            username: fixed.unwrap_or(self.username),
            username_problem: problems.username,
            password_problem: problems.password,
            password_length: (MIN_PASSWORD, MAX_PASSWORD),
        };
        let response = Page::new(view).status(status).into_response();
        match visitor.set_cookie {
            Some(cookie) => with_cookie(response, &cookie),
            None => response,
        }
    }
}

#[cfg(test)]
impl InvitationView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            secret: format!("kwn_{}", "s".repeat(43)),
            maker: "ada".to_owned(),
            name_is_fixed: true,
            username: "ben".to_owned(),
            username_problem: None,
            password_problem: None,
            password_length: (8, 128),
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            name_is_fixed: false,
            username: "\"><script>alert(1)</script>".to_owned(),
            username_problem: Some("Somebody has the user name ben already. Choose another.".to_owned()),
            password_problem: Some("The two passwords differ.".to_owned()),
            ..Self::sample()
        }
    }
}
