//! Do streams of events arrive as they are written, or does something on the way hold them back? An answer with a pause in it,
//! for whoever wants to know: headers and form are those of a stream of an MCP server.
//!
//! It is open to everybody, tells nothing, ends by itself and is given to few at once.

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as Stream, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Sleep, sleep};

/// From the first event to the second.
pub const STREAM_PAUSE: Duration = Duration::from_secs(1);

/// Streams at once.
static PLACES: Semaphore = Semaphore::const_new(32);

/// Two events, [`STREAM_PAUSE`] apart; 503 if too many ask.
pub async fn stream() -> Response {
    let Ok(place) = PLACES.try_acquire() else {
        let text = "Too many ask for this at once. Try again in a minute.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(CACHE_CONTROL, "no-store")], text).into_response();
    };
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::new(Events { state: State::First, _place: place })).into_response()
}

struct Events {
    state: State,
    _place: SemaphorePermit<'static>,
}

enum State {
    First,
    Paused(Pin<Box<Sleep>>),
    Over,
}

impl Stream for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (next, event) = match &mut self.state {
            State::First => (State::Paused(Box::pin(sleep(STREAM_PAUSE))), "data: a pause follows\n\n"),
            State::Paused(pause) => {
                std::task::ready!(pause.as_mut().poll(cx));
                (State::Over, "data: that was the pause\n\n")
            }
            State::Over => return Poll::Ready(None),
        };
        self.state = next;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(event.as_bytes())))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use tokio::time::{Instant, timeout};

    #[tokio::test]
    async fn two_events_come_a_pause_apart_and_few_have_them_at_once() {
        let mut body = stream().await.into_body();
        let first = timeout(Duration::ZERO, body.frame()).await.unwrap().unwrap().unwrap();
        assert!(first.into_data().unwrap().ends_with(b"\n\n"));
        let before = Instant::now();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(before.elapsed() > STREAM_PAUSE / 2);
        assert!(body.frame().await.is_none());

        let mut open = vec![body];
        while open.len() < 32 {
            open.push(stream().await.into_body());
        }
        assert_eq!(stream().await.status(), StatusCode::SERVICE_UNAVAILABLE);
        open.pop();
        assert_eq!(stream().await.status(), StatusCode::OK);
    }
}
