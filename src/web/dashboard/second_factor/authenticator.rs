//! `/dashboard/security/authenticator`: an app that shows codes, added once it has shown one. The first factor brings recovery
//! codes, shown this once.
//!
//! Nothing is stored before the app has shown a code: the form carries the secret, sealed for its user. The page stands
//! apart from the others, because whoever must add a factor is shown nothing else.

use super::recovery_codes::RecoveryCodesView;
use crate::account::factor::TypedCode;
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::app::second_factor::Enrolment;
use crate::web::extract::{AnySignedIn, NextQuery, PageQuery, RecentForm, Recently};
use crate::web::notice::Notice;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::qr::Qr;
use crate::web::respond::{LocalPath, on_the_way, operation_error, see_other, with_cookie};
use crate::web::sign_in::login::AuthorizationPath;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET` and a refused `POST` of `/dashboard/security/authenticator`. Sends `form_token`, `enrolment`, `code` and `next`.
#[derive(Template)]
#[template(path = "dashboard/second_factor/authenticator.html")]
pub struct AuthenticatorView {
    /// Of the session.
    pub form_token: String,
    /// Who is signed in.
    pub username: String,
    /// Whether they can do nothing else before.
    pub must: bool,
    /// Where to go afterwards: a path of this origin; may be empty.
    pub next: String,
    /// The secret, sealed.
    pub enrolment: String,
    /// The secret, in groups, to be typed.
    pub secret: String,
    /// The address that apps on this device open.
    pub address: String,
    /// The same as a QR code.
    pub qr: Option<Qr>,
    /// Whether a passkey could be added instead.
    pub or_passkey: bool,
    /// Why the app was not added, as a sentence.
    pub problem: Option<String>,
}

/// A new secret, to be scanned or typed.
pub async fn get(
    State(state): State<WebState>,
    person: Recently<AnySignedIn>,
    PageQuery(query): PageQuery<NextQuery>,
) -> Result<Response, Response> {
    let next = LocalPath::parse(&query.next);
    let user = person.user.clone();
    let factors = operate(&state, move |app| app.factors(&user)).await?;
    if factors.has_authenticator() {
        return Ok(see_other(next.as_ref().map_or(paths::SECURITY, LocalPath::as_str)));
    }
    let enrolment = state.app.begin_authenticator(&person.user);
    Ok(page(&state, &person, next.as_ref(), &enrolment, None))
}

/// What the form sends.
#[derive(Deserialize)]
pub struct AuthenticatorForm {
    enrolment: String,
    code: String,
    #[serde(default)]
    next: String,
}

/// Adds the app.
pub async fn post(
    State(state): State<WebState>,
    caller: Caller,
    RecentForm(person, form): RecentForm<AuthenticatorForm, AnySignedIn>,
) -> Result<Response, Response> {
    let (session, user) = (person.session.id, person.user.clone());
    let (next, code, sealed) = (LocalPath::parse(&form.next), TypedCode::parse(&form.code), form.enrolment.clone());
    let added = attempt(&state, move |app| app.add_authenticator(session, &user, &sealed, &code, &caller)).await?;
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
            let app = &state.app;
            let resumed = app.resume_authenticator(&person.user, &form.enrolment);
            let enrolment = resumed.unwrap_or_else(|| app.begin_authenticator(&person.user));
            Ok(page(&state, &person, next.as_ref(), &enrolment, Some(problem)))
        }
        // The same form came before: the app is there.
        Err(OperationError::NameTaken(_)) => Ok(see_other(next.as_ref().map_or(paths::SECURITY, LocalPath::as_str))),
        Err(error) => Err(operation_error(&error)),
    }
}

fn page(
    state: &WebState,
    person: &AnySignedIn,
    next: Option<&LocalPath>,
    enrolment: &Enrolment,
    problem: Option<String>,
) -> Response {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let letters: Vec<char> = enrolment.secret.chars().collect();
    let view = AuthenticatorView {
        form_token: state.form_token(&person.binding()),
        username: person.user.name.to_string(),
        must: person.must_add_factor,
        next: next.map(|next| next.as_str().to_owned()).unwrap_or_default(),
        enrolment: enrolment.sealed.clone(),
        secret: letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" "),
        qr: Qr::of(&enrolment.address),
        address: enrolment.address.to_string(),
        or_passkey: state.app.relying_party().is_some(),
        problem,
    };
    let on_the_way = next.map(AuthorizationPath::of).unwrap_or_default();
    Page::new(view).status(status).form_action(on_the_way.form_action()).into_response()
}

impl AuthenticatorView {
    /// The page of the other kind of factor, on the same way.
    fn passkey_url(&self) -> String {
        LocalPath::parse(&self.next)
            .map_or_else(|| paths::PASSKEY_NEW.to_owned(), |next| on_the_way(paths::PASSKEY_NEW, &next))
    }
}

#[cfg(test)]
impl AuthenticatorView {
    pub(crate) fn sample() -> Self {
        let address = "otpauth://totp/Keyward%20mcp.example.org:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                       &issuer=Keyward%20mcp.example.org&algorithm=SHA1&digits=6&period=30";
        Self {
            form_token: "v4.local.sample".to_owned(),
            username: "ada".to_owned(),
            must: false,
            next: String::new(),
            enrolment: "v4.local.sample".to_owned(),
            secret: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned(),
            qr: Qr::of(address),
            address: address.to_owned(),
            or_passkey: true,
            problem: None,
        }
    }

    pub(crate) fn sample_demanded() -> Self {
        let problem = "This code is not right, or it was used before. Wait for the next one and try again.";
        let next = "/authorize?client_id=\"><script>alert(1)</script>".to_owned();
        Self { must: true, next, problem: Some(problem.to_owned()), ..Self::sample() }
    }
}
