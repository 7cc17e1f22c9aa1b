//! `/dashboard/invitations/new`: an invitation, and its link shown this once.
//!
//! The form carries the id of the invitation that it makes, so a form that is sent again makes no second one and shows no
//! link again.

use crate::app::error::OperationError;
use crate::app::invitations::{Invited, NewInvitation};
use crate::id::InvitationId;
use crate::secret::PlainToken;
use crate::web::dashboard::Frame;
use crate::web::dashboard::users::user::read_groups;
use crate::web::dashboard::users::{GroupChoice, RoleChoice};
use crate::web::extract::{Admin, RecentForm, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::operation_error;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET` and a refused `POST` of `/dashboard/invitations/new`. Sends `form_token`, `creation`, `username`, `note`, `role` and
/// any number of `group`.
#[derive(Debug, Template)]
#[template(path = "dashboard/invitations/new.html")]
pub struct InvitationFormView {
    /// Around the page.
    pub frame: Frame,
    /// Names this one act of making.
    pub creation: String,
    /// What is written in the name field.
    pub username: String,
    /// What is written in the field of the note.
    pub note: String,
    /// Whether an admin is made.
    pub is_admin: bool,
    /// All groups, and which are chosen.
    pub groups: Vec<GroupChoice>,
    /// Why none was made, as a sentence.
    pub problem: Option<String>,
}

/// The answer to a successful `POST`: the one time that the link is shown.
#[derive(Template)]
#[template(path = "dashboard/invitations/created.html")]
pub struct InvitationCreatedView {
    /// Around the page.
    pub frame: Frame,
    /// The link; none when the browser posts the same creation again.
    pub link: Option<String>,
}

/// The form.
pub async fn get(State(state): State<WebState>, Admin(admin): Admin) -> Result<Response, Response> {
    let creation = InvitationId::generate(state.app.now(), state.app.entropy());
    let (username, note) = (String::new(), String::new());
    let form = InvitationForm { creation, username, note, role: RoleChoice::default(), group: Vec::new() };
    Ok(Page::new(form.view(&state, &admin, None).await?).into_response())
}

/// What the form sends.
#[derive(Clone, Deserialize)]
pub struct InvitationForm {
    creation: InvitationId,
    #[serde(default)]
    username: String,
    #[serde(default)]
    note: String,
    role: RoleChoice,
    #[serde(default)]
    group: Vec<String>,
}

/// Makes the invitation.
pub async fn post(
    State(state): State<WebState>,
    _: Admin,
    RecentForm(admin, form): RecentForm<InvitationForm>,
) -> Result<Response, Response> {
    let (by, wanted) = (admin.user.id, form.clone());
    match attempt(&state, move |app| app.invite(by, &wanted.read()?)).await? {
        Ok(Invited::Now(_, secret)) => Ok(created(&state, &admin, Some(&secret))),
        Ok(Invited::Before(_)) => Ok(created(&state, &admin, None)),
        Err(OperationError::Invalid(why) | OperationError::NameTaken(why)) => {
            let view = form.view(&state, &admin, Some(why)).await?;
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(operation_error(&error)),
    }
}

impl InvitationForm {
    fn read(self) -> Result<NewInvitation, OperationError> {
        let groups = read_groups(&self.group)?;
        Ok(NewInvitation { id: self.creation, role: self.role.into(), groups, name: self.username, note: self.note })
    }

    async fn view(
        self,
        state: &WebState,
        admin: &SignedIn,
        problem: Option<String>,
    ) -> Result<InvitationFormView, Response> {
        let chosen = read_groups(&self.group).unwrap_or_default();
        let groups = operate(state, move |app| Ok(GroupChoice::all(app.group_names()?, &chosen))).await?;
        Ok(InvitationFormView {
            frame: Frame::new(state, admin, Done(None)),
            creation: self.creation.to_string(),
            username: self.username,
            note: self.note,
            is_admin: self.role == RoleChoice::Admin,
            groups,
            problem,
        })
    }
}

fn created(state: &WebState, admin: &SignedIn, secret: Option<&PlainToken>) -> Response {
    let issuer = &state.app.options().issuer;
    let link = secret.map(|secret| issuer.join(&format!("{}?secret={}", paths::INVITATION, secret.expose())));
    Page::new(InvitationCreatedView { frame: Frame::new(state, admin, Done(None)), link }).into_response()
}

#[cfg(test)]
impl InvitationFormView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            creation: "inv_sample".to_owned(),
            username: String::new(),
            note: String::new(),
            is_admin: false,
            groups: GroupChoice::samples(),
            problem: None,
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            username: "ada".to_owned(),
            note: "<script>alert(1)</script>".to_owned(),
            is_admin: true,
            groups: Vec::new(),
            problem: Some("Somebody has the user name ada already. Choose another.".to_owned()),
            ..Self::sample()
        }
    }
}

#[cfg(test)]
impl InvitationCreatedView {
    pub(crate) fn sample() -> Self {
        let link = format!("https://mcp.example.org/invitation?secret=kwn_{}", "s".repeat(43));
        Self { frame: Frame::sample(), link: Some(link) }
    }

    pub(crate) fn sample_again() -> Self {
        Self { frame: Frame::sample(), link: None }
    }
}
