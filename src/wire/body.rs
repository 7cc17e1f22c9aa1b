//! What did the caller send as a body? Read whole, within a size and a time, before anything looks at it.
//!
//! Each route turns a [`BodyProblem`] into an error of its own form (a page, OAuth's JSON, JSON-RPC). The size counts
//! what arrives, whatever `Content-Length` claims.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;

/// Longest time a body may take to arrive.
pub const BODY_PATIENCE: Duration = Duration::from_secs(20);

/// Why a body cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyProblem {
    /// More bytes than the route takes.
    #[error("The request body is larger than {limit} bytes, which is the most that this address takes.")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// It did not arrive within [`BODY_PATIENCE`].
    #[error("The request body took too long to arrive.")]
    TooSlow,
    /// The connection failed or the encoding of the body is wrong.
    #[error("The request body ended early or is malformed.")]
    Broken,
}

impl BodyProblem {
    /// The status that fits (RFC 9110 §15.5).
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a whole body of at most `limit` bytes.
pub async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, BodyProblem> {
    read_within(headers, body, limit, BODY_PATIENCE).await
}

async fn read_within(headers: &HeaderMap, body: Body, limit: usize, patience: Duration) -> Result<Bytes, BodyProblem> {
    let claimed = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if claimed.is_some_and(|length| length > limit as u64) {
        return Err(BodyProblem::TooLarge { limit });
    }
    match tokio::time::timeout(patience, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyProblem::TooLarge { limit }),
        Ok(Err(_)) => Err(BodyProblem::Broken),
        Err(_) => Err(BodyProblem::TooSlow),
    }
}

/// Says it is JSON: `application/json` or `application/*+json` (RFC 6839 §3.1), parameters ignored.
pub fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers)
        .is_some_and(|kind| kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")))
}

/// Says it is a form: `application/x-www-form-urlencoded`.
pub fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind == "application/x-www-form-urlencoded")
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(name: axum::http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_whatever_is_claimed() {
        let none = HeaderMap::new();
        let large = BodyProblem::TooLarge { limit: 4 };
        assert_eq!(read(&none, Body::from("1234"), 4).await.unwrap(), "1234");
        assert_eq!(read(&none, Body::from("12345"), 4).await, Err(large));
        assert_eq!(read(&with(CONTENT_LENGTH, "5"), Body::from("1"), 4).await, Err(large));
        assert_eq!(large.status(), 413);
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_given_up() {
        struct Never;
        impl hyper::body::Body for Never {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
                std::task::Poll::Pending
            }
        }
        let problem = read_within(&HeaderMap::new(), Body::new(Never), 4, Duration::from_millis(5)).await;
        assert_eq!(problem, Err(BodyProblem::TooSlow));
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        assert!(is_json(&with(CONTENT_TYPE, "Application/JSON; charset=utf-8")));
        assert!(is_json(&with(CONTENT_TYPE, "application/problem+json")));
        assert!(!is_json(&with(CONTENT_TYPE, "text/plain")));
        assert!(!is_json(&with(CONTENT_TYPE, "application/jsonp")));
        assert!(!is_json(&HeaderMap::new()));
        assert!(is_form(&with(CONTENT_TYPE, "application/x-www-form-urlencoded;charset=UTF-8")));
        assert!(!is_form(&with(CONTENT_TYPE, "multipart/form-data")));
    }
}
