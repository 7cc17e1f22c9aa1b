//! How does an answer flow, and when is it given up? Part by part as it comes, no faster than the client takes it.
//!
//! If nothing comes for the server's idle time, or the upstream hangs up in the midst, the answer ends with an error: the
//! connection to the client breaks, so that nobody takes the part for the whole. If the client leaves, the stream is
//! dropped, and with it the connection to the upstream.

use super::connection::{Answer, Broken};
use super::error::with_causes;
use crate::access::ServerName;
use crate::id::RequestId;
use crate::wire::request_context;
use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The body of an upstream's answer on its way to the client.
pub(super) struct AnswerStream {
    inner: Answer,
    idle: Duration,
    /// Made when the stream has to wait for the first time: most answers are there at once.
    patience: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    server: ServerName,
    /// Only its id: more of it would keep the bytes of the request's head in memory for as long as the stream lasts.
    request: Option<RequestId>,
}

/// Why an answer ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    /// Nothing came for that long.
    #[error("nothing came for {} seconds", .0.as_secs())]
    Idle(Duration),
    /// The upstream hung up, or what it sent is no HTTP.
    #[error("{}", with_causes(.0))]
    Broken(Broken),
}

impl AnswerStream {
    /// The answer `inner` of `server`, which may pause for `idle`.
    pub(super) fn new(inner: Answer, idle: Duration, server: ServerName) -> Self {
        let request = request_context::current().map(|context| context.id);
        Self { inner, idle, patience: None, waiting: false, server, request }
    }

    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let idle = self.idle;
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        if !std::mem::replace(&mut self.waiting, true) {
            patience.set(tokio::time::sleep(idle));
        }
        patience.as_mut().poll(context)
    }

    fn interrupted(&self, why: Interrupted) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        let (server, request) = (self.server.as_str(), self.request.map(tracing::field::display));
        tracing::warn!(server, reason = %why, request, "the MCP server's answer broke off");
        Poll::Ready(Some(Err(why)))
    }
}

impl Body for AnswerStream {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.interrupted(Interrupted::Broken(error)),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.poll_patience(context) {
                Poll::Ready(()) => self.interrupted(Interrupted::Idle(self.idle)),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
