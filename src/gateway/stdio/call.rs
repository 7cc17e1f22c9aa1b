//! What becomes of one request to a child? Messages on the way, and one end: an answer or the reason why there is none.
//!
//! Invariants: an end comes after everything that was said before it; a caller that goes away takes the child's work with
//! it where its protocol says so, and is forgotten where not.

use crate::gateway::stdio::connection::Connection;
use crate::gateway::stdio::message::{self, Outcome};
use crate::mcp::answer;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::{Arc, Weak};
use tokio::sync::{mpsc, oneshot};

/// Most messages that wait for one caller; more are dropped, but never an end.
pub(super) const MAX_EVENTS: usize = 64;

/// What a child answered, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// A result.
    Result(Bytes),
    /// An error object.
    Error(Bytes),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// The child ended; how.
    Ended(Arc<str>),
    /// The answer is longer than this many bytes.
    TooLong(usize),
    /// Too many requests wait for the child.
    Busy,
    /// The child does not read.
    Stuck,
    /// It took too long.
    TimedOut,
    /// The caller has cancelled.
    Cancelled,
}

impl CallError {
    /// As what a client is told.
    pub(super) fn told(&self) -> Told {
        let (status, message): (_, Cow<'static, str>) = match self {
            Self::Ended(how) => {
                let message = format!("The program behind this server ended before it answered: {how}. Try again.");
                (StatusCode::BAD_GATEWAY, message.into())
            }
            Self::TooLong(limit) => {
                let message = format!("The program behind this server answered with more than {limit} bytes.");
                (StatusCode::BAD_GATEWAY, message.into())
            }
            Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "Too many requests wait for this server. Try again.".into())
            }
            Self::Stuck => {
                (StatusCode::GATEWAY_TIMEOUT, "The program behind this server does not read its input.".into())
            }
            Self::TimedOut => {
                (StatusCode::GATEWAY_TIMEOUT, "The program behind this server took too long to answer.".into())
            }
            Self::Cancelled => (StatusCode::OK, "The request was cancelled.".into()),
        };
        Told::http(status, message)
    }
}

/// What a client is told that gets no result: an error of JSON-RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    status: StatusCode,
    code: i32,
    message: Cow<'static, str>,
}

impl Told {
    /// What the HTTP status says; the code is the status.
    pub(super) fn http(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, i32::from(status.as_u16()), message)
    }

    /// An error with a code of its own.
    pub(super) fn new(status: StatusCode, code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The status of the answer.
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer to the request with this id, which is JSON.
    pub(super) fn body(&self, id: &str) -> Bytes {
        let error = message::error_object(self.code, &self.message);
        message::answer(id, Outcome::Error(&error)).into()
    }

    /// The same as a response.
    pub(super) fn response(&self, id: &str) -> Response {
        answer::json(self.status, self.body(id))
    }
}

/// What reaches a caller on the way.
#[derive(Debug)]
pub(super) enum Event {
    /// A message for the client, as JSON.
    Message(Bytes),
    /// Something that the child asks of a client that is asked by results ([`Ask`]).
    Ask(Ask),
}

/// A request of a child's, to be answered by a client.
#[derive(Debug)]
pub(super) struct Ask {
    /// The child's id, as JSON.
    pub(super) id: Box<str>,
    /// What it asks for.
    pub(super) method: &'static str,
    /// With what, as JSON.
    pub(super) params: Option<Box<str>>,
    /// Who asks.
    pub(super) connection: Weak<Connection>,
}

/// What comes next of a call.
#[derive(Debug)]
pub(super) enum Next {
    /// Something on the way.
    Event(Event),
    /// The end.
    End(Result<Reply, CallError>),
}

/// A request that a child works on.
#[derive(Debug)]
pub(super) struct Call {
    id: u64,
    connection: Arc<Connection>,
    events: mpsc::Receiver<Event>,
    answer: oneshot::Receiver<Result<Reply, CallError>>,
    end: Option<Result<Reply, CallError>>,
    cancels: bool,
    ended: bool,
}

impl Call {
    pub(super) fn new(
        id: u64,
        connection: Arc<Connection>,
        events: mpsc::Receiver<Event>,
        answer: oneshot::Receiver<Result<Reply, CallError>>,
        cancels: bool,
    ) -> Self {
        Self { id, connection, events, answer, end: None, cancels, ended: false }
    }

    /// The id by which the child knows it.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// The child.
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Waits for what comes next. After the end there is nothing. Nothing is lost if this is abandoned.
    pub(super) async fn next(&mut self) -> Next {
        if self.end.is_none() {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => return Next::Event(event),
                answer = &mut self.answer => {
                    self.end = Some(answer.unwrap_or_else(|_| Err(CallError::Ended("it was stopped".into()))));
                }
            }
        }
        // Said before the end, noticed after it.
        if let Ok(event) = self.events.try_recv() {
            return Next::Event(event);
        }
        self.ended = true;
        Next::End(self.end.take().unwrap_or(Err(CallError::Cancelled)))
    }

    /// Waits for the end; whatever comes before is dropped.
    pub(super) async fn end(mut self) -> Result<Reply, CallError> {
        self.until_end().await
    }

    /// The same; nothing is lost if it is abandoned. After the end there is nothing.
    pub(super) async fn until_end(&mut self) -> Result<Reply, CallError> {
        loop {
            if let Next::End(end) = self.next().await {
                return end;
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.cancels && !self.ended {
            self.connection.cancel(self.id, "the client went away");
        }
    }
}
