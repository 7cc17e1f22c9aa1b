//! `/dashboard/security/passkeys/new`: a passkey, with a name that its owner gives it. The first factor brings recovery codes,
//! shown this once.
//!
//! Like the page of the authenticator app it stands apart, because whoever must add a factor is shown nothing else.

use super::recovery_codes::RecoveryCodesView;
use crate::account::passkey::MAX_PASSKEY_NAME;
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::web::error::ErrorView;
use crate::web::extract::{AnySignedIn, NextQuery, PageQuery, RecentForm, Recently};
use crate::web::notice::Notice;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::passkey::{PasskeyAnswer, PasskeyAsk};
use crate::web::respond::{LocalPath, operation_error, see_other, with_cookie};
use crate::web::sign_in::login::AuthorizationPath;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// `GET` and a refused `POST` of `/dashboard/security/passkeys/new`. Sends `form_token`, `name`, `next` and what the
/// authenticator answers.
#[derive(Debug, Template)]
#[template(path = "dashboard/second_factor/passkey.html")]
pub struct PasskeyNewView {
    /// Of the session.
    pub form_token: String,
    /// Who is signed in.
    pub username: String,
    /// Whether they can do nothing else before.
    pub must: bool,
    /// Where to go afterwards: a path of this origin; may be empty.
    pub next: String,
    /// What is written in the name field.
    pub name: String,
    /// What the authenticator is asked.
    pub ask: PasskeyAsk,
    /// Why it was not added, as a sentence.
    pub problem: Option<String>,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    person: Recently<AnySignedIn>,
    PageQuery(query): PageQuery<NextQuery>,
) -> Result<Response, Response> {
    let next = LocalPath::parse(&query.next);
    page(&state, &person, next.as_ref(), String::new(), None).await
}

/// Adds it.
pub async fn post(
    State(state): State<WebState>,
    caller: Caller,
    RecentForm(person, answer): RecentForm<PasskeyAnswer, AnySignedIn>,
) -> Result<Response, Response> {
    let (next, session, user) = (LocalPath::parse(&answer.next), person.session.clone(), person.user.clone());
    let (name, question) = (answer.name.clone(), answer.question.clone());
    let added = match answer.made() {
        Some(made) => {
            attempt(&state, move |app| app.add_passkey(&session, &user, &question, &name, &made, &caller)).await?
        }
        None => Err(OperationError::invalid("The browser did not answer. Try again.")),
    };
    match added {
        Ok(added) => {
            let on = next.map_or_else(|| Notice::FactorAdded.at(paths::SECURITY), |next| next.as_str().to_owned());
            let response = if added.codes.is_empty() {
                see_other(&on)
            } else {
                RecoveryCodesView::new(&added.codes, false, on).page()
            };
            Ok(with_cookie(response, &state.session_cookie(added.session)))
        }
        Err(OperationError::Invalid(problem)) => {
            let name = answer.name.chars().take(MAX_PASSKEY_NAME).collect();
            page(&state, &person, next.as_ref(), name, Some(problem)).await
        }
        Err(error) => Err(operation_error(&error)),
    }
}

async fn page(
    state: &WebState,
    person: &AnySignedIn,
    next: Option<&LocalPath>,
    name: String,
    problem: Option<String>,
) -> Result<Response, Response> {
    let user = person.user.clone();
    let factors = operate(state, move |app| app.factors(&user)).await?;
    let ask = PasskeyAsk::to_add(&state.app, &person.binding(), &person.user, &factors.all);
    let ask = ask.ok_or_else(|| no_host_name().into_response())?;
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let view = PasskeyNewView {
        form_token: state.form_token(&person.binding()),
        username: person.user.name.to_string(),
        must: person.must_add_factor,
        next: next.map(|next| next.as_str().to_owned()).unwrap_or_default(),
        name,
        ask,
        problem,
    };
    let on_the_way = next.map(AuthorizationPath::of).unwrap_or_default();
    Ok(Page::new(view).status(status).form_action(on_the_way.form_action()).into_response())
}

/// 404: where the public URL is an address, there are no passkeys.
fn no_host_name() -> ErrorView {
    let happened = "This Keyward is reached by an address of numbers, and browsers make passkeys for a host name only.";
    let advice = "Give it a public URL with a host name, or add an authenticator app instead.";
    ErrorView::new(StatusCode::NOT_FOUND, "No passkeys here", happened, advice)
        .link("Add an authenticator app", paths::AUTHENTICATOR)
}

#[cfg(test)]
impl PasskeyNewView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            username: "ada".to_owned(),
            must: false,
            next: String::new(),
            name: String::new(),
            ask: PasskeyAsk::sample(),
            problem: None,
        }
    }

    pub(crate) fn sample_refused() -> Self {
        let problem = "The passkey could not be added. Try again, or use another device.".to_owned();
        let name = "\"><script>alert(1)</script>".to_owned();
        Self { must: true, name, problem: Some(problem), ..Self::sample() }
    }
}
