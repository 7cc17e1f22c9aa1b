//! What did the caller send as a body? Read whole, within a size and a time, before anything looks at it; or
//! discarded.
//!
//! Each route turns a [`BodyProblem`] into an error of its own form (a page, OAuth's JSON, JSON-RPC). The size counts
//! what arrives, whatever `Content-Length` claims.

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::error::Error;
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
    match tokio::time::timeout(patience, whole(Limited::new(body, limit))).await {
        Ok(Ok(whole)) => Ok(whole),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyProblem::TooLarge { limit }),
        Ok(Err(_)) => Err(BodyProblem::Broken),
        Err(_) => Err(BodyProblem::TooSlow),
    }
}

/// All parts in one. The first is often the only one, and is not copied; what is copied is in memory once.
async fn whole(mut body: Limited<Body>) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        // Trailers mean nothing here.
        let Ok(part) = frame?.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = part;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&part);
        }
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// Reads a body that nobody wants; whether it ended within `limit` bytes and `patience`.
pub async fn discard<B>(body: B, limit: u64, patience: Duration) -> bool
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > limit {
        return false;
    }
    tokio::time::timeout(patience, ends_within(body, limit)).await.unwrap_or(false)
}

async fn ends_within<B>(mut body: B, limit: u64) -> bool
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > limit {
            return false;
        }
    }
    true
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
    use hyper::body::Frame;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    fn with(name: axum::http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    /// A body that comes in parts.
    struct Parts(VecDeque<Frame<Bytes>>);

    impl hyper::body::Body for Parts {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_whatever_is_claimed() {
        let none = HeaderMap::new();
        let large = BodyProblem::TooLarge { limit: 4 };
        assert_eq!(read(&none, Body::from("1234"), 4).await.unwrap(), "1234");
        assert_eq!(read(&none, Body::from("12345"), 4).await, Err(large));
        assert_eq!(read(&with(CONTENT_LENGTH, "5"), Body::from("1"), 4).await, Err(large));
        assert_eq!(large.status(), 413);

        let parts = |parts: &'static [&'static str]| {
            let sent = parts.iter().map(|part| Frame::data(Bytes::from_static(part.as_bytes())));
            let trailers = Frame::trailers(HeaderMap::new());
            let frames: VecDeque<_> = sent.chain([trailers]).collect();
            Body::new(Parts(frames))
        };
        assert_eq!(read(&none, parts(&["1", "", "23", "4"]), 4).await.unwrap(), "1234");
        assert_eq!(read(&none, parts(&["", "12"]), 4).await.unwrap(), "12");
        assert_eq!(read(&none, parts(&[]), 4).await.unwrap(), "");
        assert_eq!(read(&none, parts(&["12", "34", "5"]), 4).await, Err(large));
    }

    #[tokio::test]
    async fn a_body_that_nobody_wants_is_discarded_up_to_a_size() {
        let parts = |count: usize| {
            let sent = std::iter::repeat_n("1234", count).map(|part| Frame::data(Bytes::from_static(part.as_bytes())));
            Body::new(Parts(sent.collect()))
        };
        let patience = Duration::from_secs(1);
        assert!(discard(Body::empty(), 0, patience).await);
        assert!(discard(Body::from("12345678"), 8, patience).await);
        assert!(!discard(Body::from("123456789"), 8, patience).await);
        assert!(discard(parts(2), 8, patience).await);
        assert!(!discard(parts(3), 8, patience).await);
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_given_up() {
        struct Never;
        impl hyper::body::Body for Never {
            type Data = Bytes;
            type Error = Infallible;
            fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                Poll::Pending
            }
        }
        let problem = read_within(&HeaderMap::new(), Body::new(Never), 4, Duration::from_millis(5)).await;
        assert_eq!(problem, Err(BodyProblem::TooSlow));
        assert!(!discard(Body::new(Never), 4, Duration::from_millis(5)).await);
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
