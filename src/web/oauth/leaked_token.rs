//! `POST /leaked-token`: whoever found a token ends it. As a form or JSON with `token`, or as the bare text.
//!
//! No session, any origin. The answer is the same whether or not there was such a token, and takes the same time: what it costs
//! to end one is far less than that.

use crate::app::Caller;
use crate::app::error::OperationError;
use crate::oauth::error::ProtocolError;
use crate::web::oauth::respond::{bad_body, busy, json, refusal};
use crate::web::state::WebState;
use crate::wire::{blocking, body};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long every answer takes.
const ANSWERED_AFTER: Duration = Duration::from_millis(300);
/// The largest body: a token and its wrapping.
const MAX_BODY: usize = 16 * 1024;

#[derive(Deserialize)]
struct Report {
    token: String,
}

#[derive(Serialize)]
struct Thanks {
    message: &'static str,
}

/// Ends a token that somebody found.
pub async fn post(State(state): State<WebState>, caller: Caller, request: Request) -> Result<Response, Response> {
    let answered = tokio::time::sleep(ANSWERED_AFTER);
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, MAX_BODY).await.map_err(bad_body)?;
    let Some(token) = token_of(&parts.headers, &bytes) else {
        let text = "send the token as the form field or JSON member “token”, or as plain text";
        return Err(refusal(&ProtocolError::invalid_request(text), false));
    };
    let ended = blocking::run(&state.app, move |app| {
        app.admit_report(caller.address)?;
        app.end_found_token(&token)
    });
    let ended = ended.await.map_err(busy)?;
    answered.await;
    match ended {
        Ok(()) => {
            let message = "Thank you. If this token worked here, it works no more, and its owner is told.";
            Ok(json(StatusCode::OK, &Thanks { message }))
        }
        Err(error @ (OperationError::TooSoon(_) | OperationError::Unavailable(_))) => {
            Err(refusal(&error.into(), false))
        }
        Err(error) => {
            tracing::error!(error = error.with_causes(), "a found token could not be ended");
            Err(refusal(&error.into(), false))
        }
    }
}

/// The token in a body, whatever form it has.
fn token_of(headers: &HeaderMap, bytes: &[u8]) -> Option<String> {
    let text = if body::is_form(headers) {
        let mut fields = url::form_urlencoded::parse(bytes).filter(|(name, _)| name == "token");
        fields.next().map(|(_, value)| value.into_owned())
    } else if body::is_json(headers) {
        serde_json::from_slice::<Report>(bytes).ok().map(|report| report.token)
    } else {
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    };
    let text = text?.trim().to_owned();
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_TYPE;

    #[test]
    fn a_token_is_read_from_a_form_from_json_and_from_plain_text() {
        let of = |kind: &'static str, body: &str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            token_of(&headers, body.as_bytes())
        };
        assert_eq!(of("application/x-www-form-urlencoded", "a=b&token=e%79J").as_deref(), Some("eyJ"));
        assert_eq!(of("application/json", r#"{"token":" eyJ ","url":"x"}"#).as_deref(), Some("eyJ"));
        assert_eq!(of("text/plain", "eyJ.a.b\n").as_deref(), Some("eyJ.a.b"));
        assert_eq!(token_of(&HeaderMap::new(), b"eyJ").as_deref(), Some("eyJ"));
        for (kind, body) in [
            ("application/json", "{}"),
            ("application/x-www-form-urlencoded", "x=y"),
            ("text/plain", "two words"),
            ("text/plain", ""),
        ] {
            assert_eq!(of(kind, body), None, "{kind} {body}");
        }
    }
}
