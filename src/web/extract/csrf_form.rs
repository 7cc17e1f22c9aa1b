//! Did this form come from one of our pages in this browser? [`CsrfForm`] is proof of it.
//!
//! Three things must agree: the fetch metadata (`Sec-Fetch-Site`), the `Origin` if the browser sends one, and the form
//! token, which is bound to the session or, before signing in, to the browser's visit.

use crate::oauth::issuer::Issuer;
use crate::web::error::ErrorView;
use crate::web::extract::signed_in::{bindings_of, session_id, standing};
use crate::web::extract::visitor::Visitor;
use crate::web::respond::bad_form;
use crate::web::state::WebState;
use crate::wire::body::{self, BodyProblem};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

/// The name of the field that carries the token.
pub const FORM_TOKEN: &str = "form_token";

/// A form of ours, sent from a page of ours by the browser that got the page.
#[derive(Debug, Clone)]
pub struct CsrfForm<T>(pub T);

/// What the forms of this browser are bound to, for the extractor that proved who is there to say before the form is read.
#[derive(Debug, Clone)]
pub(super) struct FormBinding(pub(super) Vec<String>);

/// The form of a page that only asks whether to go on.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Confirmed {}

/// Why a form is not taken.
#[derive(Debug)]
pub enum FormRefusal {
    /// It was sent from another site, or its token is not this browser's.
    NotOurs {
        /// What it says, for a page that fills it in again. Anybody may have written it; empty if it came from elsewhere.
        body: Bytes,
    },
    /// It cannot be read; the answer to give.
    Unreadable(Response),
}

impl IntoResponse for FormRefusal {
    fn into_response(self) -> Response {
        match self {
            Self::NotOurs { .. } => ErrorView::stale_form().into_response(),
            Self::Unreadable(response) => response,
        }
    }
}

impl<T: DeserializeOwned> FromRequest<WebState> for CsrfForm<T> {
    type Rejection = FormRefusal;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, FormRefusal> {
        let (mut parts, body) = request.into_parts();
        let body = read(&mut parts, body, state).await?;
        fields_of(&body).map(Self).map_err(|why| unreadable(&why))
    }
}

/// The fields of a form that was read; else what is wrong with it.
pub(super) fn fields_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_html_form::from_bytes(body).map_err(|error| error.to_string())
}

/// The body of a form of ours, after every check.
pub(super) async fn read(parts: &mut Parts, body: Body, state: &WebState) -> Result<Bytes, FormRefusal> {
    if !comes_from_here(&parts.headers, &state.app.options().issuer) {
        return Err(FormRefusal::NotOurs { body: Bytes::new() });
    }
    if !body::is_form(&parts.headers) {
        return Err(unreadable("a form was expected"));
    }
    // The forms of a page for somebody who is signed in, wholly or half, are bound to that. Before that the visit counts,
    // and at signing out the session that the cookie names, good or not.
    let bindings = if let Some(FormBinding(known)) = parts.extensions.get::<FormBinding>() {
        known.clone()
    } else {
        let mut bindings: Vec<String> = session_id(parts, state).map(|id| id.to_string()).into_iter().collect();
        bindings.extend(Visitor::mark(parts, state));
        if let Ok(Some(found)) = standing(parts, state).await {
            bindings.extend(bindings_of(found.session()));
        }
        bindings
    };
    let body = body::read(&parts.headers, body, state.limits().form_body).await.map_err(bad_body)?;
    let fits = |sent: &str| {
        let same = |own: &String| bool::from(state.form_token(own).as_bytes().ct_eq(sent.as_bytes()));
        bindings.iter().any(same)
    };
    if form_token(&body).is_some_and(|sent| fits(&sent)) { Ok(body) } else { Err(FormRefusal::NotOurs { body }) }
}

fn unreadable(why: &str) -> FormRefusal {
    FormRefusal::Unreadable(bad_form(why))
}

fn bad_body(problem: BodyProblem) -> FormRefusal {
    FormRefusal::Unreadable(match problem {
        BodyProblem::TooLarge { .. } => ErrorView::too_large().into_response(),
        BodyProblem::TooSlow | BodyProblem::Broken => bad_form("it did not arrive whole"),
    })
}

/// Nothing that the browser says speaks against it.
fn comes_from_here(headers: &HeaderMap, issuer: &Issuer) -> bool {
    let fetch_site = headers.get(HeaderName::from_static("sec-fetch-site")).map(HeaderValue::as_bytes);
    let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
    // On loopback a person may have typed another name of the same machine.
    let host = headers.get(HOST).map(|host| [b"http://", host.as_bytes()].concat()).filter(|_| issuer.is_loopback());
    let ours = |origin: &[u8]| origin == issuer.as_str().as_bytes() || host.as_deref() == Some(origin);
    matches!(fetch_site, None | Some(b"same-origin")) && origin.is_none_or(ours)
}

fn form_token(body: &[u8]) -> Option<String> {
    let mut tokens = url::form_urlencoded::parse(body).filter(|(name, _)| name == FORM_TOKEN).map(|(_, value)| value);
    let token = tokens.next()?;
    tokens.next().is_none().then(|| token.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_from_elsewhere_is_told_by_its_headers() {
        let issuer = Issuer::parse("https://mcp.example.com").unwrap();
        let from = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            comes_from_here(&pairs.collect(), &issuer)
        };
        assert!(from(&[]));
        assert!(from(&[("sec-fetch-site", "same-origin"), ("origin", "https://mcp.example.com")]));
        assert!(!from(&[("sec-fetch-site", "cross-site")]));
        assert!(!from(&[("sec-fetch-site", "same-site")]));
        assert!(!from(&[("origin", "https://evil.example")]));
        assert!(!from(&[("origin", "null")]));
        assert!(!from(&[("origin", "https://mcp.example.com.evil.example")]));
    }

    #[test]
    fn the_token_stands_once_in_the_form() {
        assert_eq!(form_token(b"a=b&form_token=x%2By").as_deref(), Some("x+y"));
        assert_eq!(form_token(b"form_token=x&form_token=x"), None);
        assert_eq!(form_token(b"a=b"), None);
    }
}
