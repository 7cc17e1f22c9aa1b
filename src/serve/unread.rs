//! What becomes of a body that its handler did not read? It is read here, and discarded, before the answer goes out.
//!
//! Many clients send the head of a request and its body one after the other. An answer to the head alone, as a 401 is, leaves
//! a body on its way, and hyper then closes the connection without a word in the answer: a client that keeps it for its
//! next request loses that. A body of another size or pace than [`MOST`] and [`PATIENCE`] is not awaited; the answer then
//! says that the connection ends (RFC 9112 §9.6). HTTP/2 needs none of this: a stream ends without its connection.

use crate::wire::body;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Request, Version};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Most bytes that are discarded for one answer.
const MOST: u64 = 16 * 1024 * 1024;

/// Longest time in which they arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the request at hand left unread, on one connection of HTTP/1: there is one request at a time.
#[derive(Debug, Default, Clone)]
pub(super) struct Unread(Arc<Mutex<Option<Left>>>);

#[derive(Debug)]
enum Left {
    /// The rest of a body, which comes by itself.
    Rest(Incoming),
    /// All of a body that its client keeps until it hears that it is wanted (RFC 9110 §10.1.1).
    KeptBack,
}

impl Unread {
    /// Hands out a request whose body comes back if it is not read to its end.
    pub(super) fn lend(&self, request: Request<Incoming>) -> Request<Body> {
        if request.version() == Version::HTTP_2 || request.body().is_end_stream() {
            return request.map(Body::new);
        }
        let kept_back = request.headers().contains_key(EXPECT);
        request.map(|body| Body::new(Lent { body: Some(body), kept_back, owner: self.clone() }))
    }

    /// Makes `response` fit for its connection: nothing is left to read, or the client is told that it ends.
    pub(super) async fn settle(&self, response: &mut Response) {
        let Some(left) = self.swap(None) else { return };
        let discarded = match left {
            // Boxed: rare, and larger than what else an answer takes.
            Left::Rest(rest) => Box::pin(body::discard(rest, MOST, PATIENCE)).await,
            Left::KeptBack => false,
        };
        if !discarded {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    fn swap(&self, left: Option<Left>) -> Option<Left> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), left)
    }
}

/// A body on loan.
struct Lent {
    body: Option<Incoming>,
    kept_back: bool,
    owner: Unread,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.kept_back = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        self.owner.swap(Some(if self.kept_back { Left::KeptBack } else { Left::Rest(body) }));
    }
}
