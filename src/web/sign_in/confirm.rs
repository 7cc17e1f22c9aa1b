//! `/confirm`: is it still you? Asks who is signed in for the password again, a code of the second factor or a passkey, and
//! renews the session.
//!
//! The same page stands at the address of a form that waits for the proof: see [`crate::web::extract::RecentForm`].

use crate::account::factor::TypedCode;
use crate::account::session::Session;
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::app::step_up::Proof;
use crate::secret::Secret;
use crate::web::extract::recent::Present;
use crate::web::extract::{AnySignedIn, CsrfForm, NextQuery, PageQuery};
use crate::web::operate::{attempt, attempt_hashing, operate};
use crate::web::page::Page;
use crate::web::passkey::{PasskeyAnswer, PasskeyAsk};
use crate::web::respond::{LocalPath, bad_form, operation_error, see_other, with_cookie};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /confirm`, a refused `POST` of it, and the answer to a form that waits. Sends `form_token`, a [`ProofForm`], and either
/// `kept_form` to the form's address or `next` to `/confirm`.
#[derive(Debug, Template)]
#[template(path = "sign_in/confirm.html")]
pub struct ConfirmView {
    /// Bound to the session.
    pub form_token: String,
    /// Who is signed in.
    pub username: String,
    /// Whether a code does as well.
    pub takes_code: bool,
    /// What an authenticator is asked; none where the user has no passkey.
    pub passkey: Option<PasskeyAsk>,
    /// For how many minutes a proof is good.
    pub minutes: u64,
    /// What is asked for.
    pub question: Question,
    /// Why the last answer was not taken.
    pub problem: Option<ConfirmProblem>,
}

/// What waits for the proof.
#[derive(Debug, Clone)]
pub struct Question {
    /// Where the answer goes.
    pub action: String,
    /// The form that waits, sealed.
    pub kept_form: Option<String>,
    /// Where to go on to.
    pub next: Option<LocalPath>,
    /// There was a form, but it was too long to be kept.
    pub is_too_long: bool,
    /// Where to go instead.
    pub back: String,
}

/// Why an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmProblem {
    /// It is not the password, or no code that counts.
    Wrong,
    /// The passkey was not accepted.
    Passkey,
    /// Too many attempts; the next one is looked at after so many seconds.
    SlowedDown {
        /// How long to wait.
        seconds: u64,
    },
}

/// Why there is no proof.
pub enum Unproved {
    /// The page says so.
    Problem(ConfirmProblem),
    /// The answer to give.
    Otherwise(Response),
}

/// The question; for somebody who is on the way somewhere and whose last proof is good still, the way on.
pub async fn get(
    State(state): State<WebState>,
    person: AnySignedIn,
    PageQuery(query): PageQuery<NextQuery>,
) -> Response {
    let next = LocalPath::parse(&query.next);
    if !query.next.is_empty() && state.app.is_recently_proved(&person.session) {
        return see_other(next.as_ref().map_or(paths::DASHBOARD, LocalPath::as_str));
    }
    match Question::of_page(next).view(&state, &person, None).await {
        Ok(view) => Page::new(view).into_response(),
        Err(response) => response,
    }
}

/// What is sent as proof.
#[derive(Deserialize)]
pub struct ProofForm {
    password: Option<String>,
    #[serde(default)]
    code: String,
    #[serde(flatten)]
    passkey: Option<PasskeyAnswer>,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct ConfirmForm {
    #[serde(default)]
    next: String,
    #[serde(flatten)]
    proof: ProofForm,
}

/// The proof.
pub async fn post(
    State(state): State<WebState>,
    person: AnySignedIn,
    caller: Caller,
    CsrfForm(form): CsrfForm<ConfirmForm>,
) -> Response {
    let next = LocalPath::parse(&form.next);
    match prove(&state, &person.session, form.proof, caller).await {
        Ok((_, cookie)) => with_cookie(see_other(next.as_ref().map_or(paths::DASHBOARD, LocalPath::as_str)), &cookie),
        Err(Unproved::Problem(problem)) => Question::of_page(next).ask(&state, &person, Some(problem)).await,
        Err(Unproved::Otherwise(response)) => response,
    }
}

/// Takes what is given as proof; returns the renewed session and its cookie.
pub async fn prove(
    state: &WebState,
    session: &Session,
    given: ProofForm,
    caller: Caller,
) -> Result<(Session, String), Unproved> {
    let unreadable = || Unproved::Otherwise(bad_form("it has neither a password nor a code"));
    let proof = given.proof().map_err(|problem| problem.map_or_else(unreadable, Unproved::Problem))?;
    let id = session.id;
    let wrong = if matches!(proof, Proof::Passkey { .. }) { ConfirmProblem::Passkey } else { ConfirmProblem::Wrong };
    let proved = if matches!(proof, Proof::Password(_)) {
        attempt_hashing(state, move |app| app.prove_again(id, proof, &caller)).await
    } else {
        attempt(state, move |app| app.prove_again(id, proof, &caller)).await
    };
    match proved.map_err(Unproved::Otherwise)? {
        Ok(session) => {
            let cookie = state.session_cookie(session.id);
            Ok((session, cookie))
        }
        Err(OperationError::Invalid(_)) => Err(Unproved::Problem(wrong)),
        Err(OperationError::TooSoon(too_soon)) => {
            let seconds = too_soon.wait.as_secs().max(1);
            Err(Unproved::Problem(ConfirmProblem::SlowedDown { seconds }))
        }
        // It has ended meanwhile.
        Err(OperationError::NotFound(_)) => Err(Unproved::Otherwise(see_other(paths::LOGIN))),
        Err(error) => Err(Unproved::Otherwise(operation_error(&error))),
    }
}

impl ConfirmView {
    /// The field that says what waits, for the form of the passkey.
    fn waiting(&self) -> (&'static str, &str) {
        let next = || self.question.next.as_ref().map(LocalPath::as_str).unwrap_or_default();
        self.question.kept_form.as_deref().map_or_else(|| ("next", next()), |kept| ("kept_form", kept))
    }
}

impl ProofForm {
    /// What an authenticator answered if it was asked, a code if there is one, and the password otherwise.
    /// Else why it is none, if it can be read.
    fn proof(self) -> Result<Proof, Option<ConfirmProblem>> {
        match self.passkey {
            Some(passkey) => match passkey.used() {
                Some(answer) => Ok(Proof::Passkey { question: passkey.question, answer: Box::new(answer) }),
                None => Err(Some(ConfirmProblem::Passkey)),
            },
            None if !self.code.trim().is_empty() => Ok(Proof::Code(TypedCode::parse(&self.code))),
            None => self.password.map(|password| Proof::Password(Secret::new(password))).ok_or(None),
        }
    }
}

impl Question {
    fn of_page(next: Option<LocalPath>) -> Self {
        let (action, back) = (paths::CONFIRM.to_owned(), paths::DASHBOARD.to_owned());
        Self { action, kept_form: None, next, is_too_long: false, back }
    }

    /// Before a form is done that was sent to `path` from the page `back`.
    pub fn of_form(path: String, kept_form: String, back: Option<LocalPath>) -> Self {
        let back = back.map_or_else(|| paths::DASHBOARD.to_owned(), |back| back.as_str().to_owned());
        Self { action: path, kept_form: Some(kept_form), next: None, is_too_long: false, back }
    }

    /// Before a form that must be sent again from the page `back`.
    pub fn too_long(back: Option<LocalPath>) -> Self {
        Self { is_too_long: true, ..Self::of_page(back) }
    }

    /// The page that asks: 401, since nothing is done before it is answered.
    pub async fn ask(self, state: &WebState, person: &impl Present, problem: Option<ConfirmProblem>) -> Response {
        let (status, wait) = match problem {
            Some(ConfirmProblem::SlowedDown { seconds }) => (StatusCode::TOO_MANY_REQUESTS, Some(seconds)),
            _ => (StatusCode::UNAUTHORIZED, None),
        };
        let view = match self.view(state, person, problem).await {
            Ok(view) => view,
            Err(response) => return response,
        };
        let mut response = Page::new(view).status(status).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    async fn view(
        self,
        state: &WebState,
        person: &impl Present,
        problem: Option<ConfirmProblem>,
    ) -> Result<ConfirmView, Response> {
        let (user, session) = (person.user().clone(), person.session().id);
        let username = user.name.to_string();
        let factors = operate(state, move |app| app.factors(&user)).await?;
        let binding = session.to_string();
        Ok(ConfirmView {
            form_token: state.form_token(&binding),
            username,
            takes_code: factors.has_authenticator(),
            passkey: PasskeyAsk::to_prove_again(&state.app, &binding, &factors.all),
            minutes: state.app.options().sessions.proof_lasts.as_secs() / 60,
            question: self,
            problem,
        })
    }
}

#[cfg(test)]
impl ConfirmView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            username: "ada".to_owned(),
            takes_code: false,
            passkey: None,
            minutes: 10,
            question: Question::of_form(
                paths::PERSONAL_TOKEN_NEW.to_owned(),
                "v4.local.sample".to_owned(),
                LocalPath::parse(paths::PERSONAL_TOKEN_NEW),
            ),
            problem: None,
        }
    }

    pub(crate) fn sample_of_page(problem: ConfirmProblem) -> Self {
        let question = Question::of_page(LocalPath::parse(paths::SECURITY));
        Self { question, takes_code: true, problem: Some(problem), ..Self::sample() }
    }

    pub(crate) fn sample_of_passkey() -> Self {
        let (passkey, problem) = (Some(PasskeyAsk::sample()), Some(ConfirmProblem::Passkey));
        Self { passkey, problem, ..Self::sample() }
    }

    pub(crate) fn sample_too_long() -> Self {
        Self { question: Question::too_long(LocalPath::parse(paths::CLIENT_PIN)), ..Self::sample() }
    }
}
