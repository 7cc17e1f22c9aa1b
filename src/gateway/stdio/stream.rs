//! How does an answer reach the client? As JSON if it comes at once and alone, else as a stream of events (Server-Sent Events)
//! that begins when there is something to say.
//!
//! Invariants: what a client has not read is bounded by the source's own queue; a stream is never silent for longer than
//! [`KEEP_ALIVE`], so that nobody on the way takes it for dead; whoever drops the response drops its source.

use crate::gateway::stdio::call::Told;
use crate::mcp::answer;
use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Longest silence on a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a source of messages does next.
pub(super) enum Step {
    /// Says something, and goes on.
    Message(Bytes, Steps),
    /// Says the last thing: the answer, and its status if it is alone.
    Last(StatusCode, Bytes),
    /// Ends without a word.
    End,
}

/// What is awaited for the next step. Dropping it drops the source.
pub(super) type Steps = Pin<Box<dyn Future<Output = Step> + Send>>;

/// What a client takes (RFC 9110 §12.5.1). Weights are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepts {
    /// `application/json`.
    pub(super) json: bool,
    /// `text/event-stream`.
    pub(super) events: bool,
}

impl Accepts {
    /// Reads `Accept`. Without it JSON is welcome.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(ACCEPT).iter().peekable();
        if values.peek().is_none() {
            return Self { json: true, events: false };
        }
        let mut accepts = Self { json: false, events: false };
        let texts = values.filter_map(|value| value.to_str().ok());
        for range in texts.flat_map(|value| value.split(',')) {
            let range = range.split(';').next().unwrap_or_default().trim();
            let is = |known: &str| range.eq_ignore_ascii_case(known);
            accepts.json |= is("application/json") || is("application/*") || is("*/*");
            accepts.events |= is("text/event-stream") || is("text/*") || is("*/*");
        }
        accepts
    }
}

/// The response to a request whose answer comes from `steps`.
pub(super) async fn respond(mut steps: Steps, accepts: Accepts) -> Response {
    if !accepts.events {
        loop {
            match steps.await {
                Step::Message(_, next) => steps = next,
                Step::Last(status, body) => return answer::json(status, body),
                Step::End => return answer::accepted(),
            }
        }
    }
    let first = tokio::select! {
        first = &mut steps => first,
        () = tokio::time::sleep(KEEP_ALIVE) => return events(None, Some(steps)),
    };
    match first {
        Step::Message(message, next) => events(Some(event(&message)), Some(next)),
        Step::Last(status, body) if accepts.json => answer::json(status, body),
        Step::Last(_, body) => events(Some(event(&body)), None),
        Step::End => events(None, None),
    }
}

/// A stream of what comes from `steps`, begun at once.
pub(super) fn stream(steps: Steps) -> Response {
    events(None, Some(steps))
}

/// Refuses a client that takes nothing that could be sent.
pub(super) fn not_acceptable() -> Response {
    let message = "The answer is JSON or a stream of events: send Accept: application/json, text/event-stream.";
    Told::http(StatusCode::NOT_ACCEPTABLE, message).response("null")
}

fn events(ready: Option<Bytes>, steps: Option<Steps>) -> Response {
    let silence = Box::pin(tokio::time::sleep(KEEP_ALIVE));
    let mut response = Response::new(Body::new(Events { ready, steps, silence }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// A message, which is one line, as an event.
fn event(message: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(message.len() + 24);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend_from_slice(message);
    event.extend_from_slice(b"\n\n");
    event.freeze()
}

struct Events {
    ready: Option<Bytes>,
    steps: Option<Steps>,
    silence: Pin<Box<Sleep>>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let bytes = if let Some(ready) = this.ready.take() {
            ready
        } else {
            let Some(steps) = &mut this.steps else { return Poll::Ready(None) };
            match steps.as_mut().poll(context) {
                Poll::Ready(Step::Message(message, next)) => {
                    this.steps = Some(next);
                    event(&message)
                }
                Poll::Ready(Step::Last(_, body)) => {
                    this.steps = None;
                    event(&body)
                }
                Poll::Ready(Step::End) => {
                    this.steps = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => match this.silence.as_mut().poll(context) {
                    Poll::Ready(()) => Bytes::from_static(b": still here\n\n"),
                    Poll::Pending => return Poll::Pending,
                },
            }
        };
        this.silence.set(tokio::time::sleep(KEEP_ALIVE));
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn answered(steps: Steps, accept: &'static str) -> (u16, String, String) {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        let response = respond(steps, Accepts::of(&headers)).await;
        let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    fn last() -> Steps {
        Box::pin(async { Step::Last(StatusCode::NOT_FOUND, Bytes::from_static(b"{}")) })
    }

    fn message_then_last() -> Steps {
        Box::pin(async { Step::Message(Bytes::from_static(b"[1]"), last()) })
    }

    #[tokio::test]
    async fn an_answer_that_comes_alone_is_json_and_others_are_streams() {
        let (json, events) = ("application/json".to_owned(), "text/event-stream".to_owned());
        let both = "application/json, text/event-stream";
        assert_eq!(answered(last(), both).await, (404, json.clone(), "{}".to_owned()));
        let streamed = "event: message\ndata: [1]\n\nevent: message\ndata: {}\n\n".to_owned();
        assert_eq!(answered(message_then_last(), both).await, (200, events.clone(), streamed));
        assert_eq!(answered(message_then_last(), "application/json").await, (404, json, "{}".to_owned()));
        let only = answered(last(), "text/event-stream;q=1").await;
        assert_eq!(only, (200, events, "event: message\ndata: {}\n\n".to_owned()));
    }

    #[test]
    fn what_a_client_takes_is_read_leniently() {
        let of = |accept| Accepts::of(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        assert_eq!(of("*/*"), Accepts { json: true, events: true });
        assert_eq!(of("text/html"), Accepts { json: false, events: false });
        assert_eq!(Accepts::of(&HeaderMap::new()), Accepts { json: true, events: false });
    }
}
