//! When does a connection end that asks for nothing? What is watched of each, and what is made of that.
//!
//! A request is in flight from its head to the last byte of its answer, streams included; that is limited elsewhere. In
//! between a connection may rest for [`Limits::idle_timeout`], so that clients and proxies can use it again. The head of a
//! request, once begun, has [`Limits::header_read_timeout`], and so has the first one, from the beginning. hyper's own limit
//! for heads also runs while a connection rests, which would end each after some seconds: it is not used.

use crate::wire::limits::Limits;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Version;
use hyper::body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What one connection is doing.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// Since when nothing is in flight.
    quiet_since: Instant,
    /// When the first byte came after that.
    heard_at: Option<Instant>,
    /// The version of the last request, if there was one.
    spoke: Option<Version>,
}

/// What to do about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again after this time.
    Wait(Duration),
    /// It has rested for too long: close it as the protocol wants.
    WindUp,
    /// A head is late: close it.
    Cut,
}

impl Activity {
    /// Of a connection that begins now.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::new(Instant::now()))))
    }

    /// A request's head has come.
    pub(super) fn begin(&self, version: Version) -> InFlight {
        self.state().begin(version);
        InFlight(self.clone())
    }

    /// What to do now.
    pub(super) fn judge(&self, limits: &Limits) -> Verdict {
        self.state().judge(limits, Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn new(now: Instant) -> Self {
        Self { in_flight: 0, quiet_since: now, heard_at: None, spoke: None }
    }

    fn begin(&mut self, version: Version) {
        self.in_flight += 1;
        self.heard_at = None;
        self.spoke = Some(version);
    }

    fn end(&mut self, now: Instant) {
        self.in_flight -= 1;
        self.quiet_since = now;
        self.heard_at = None;
    }

    fn hear(&mut self, now: Instant) {
        if self.in_flight == 0 {
            self.heard_at.get_or_insert(now);
        }
    }

    fn judge(&self, limits: &Limits, now: Instant) -> Verdict {
        if self.in_flight > 0 {
            return Verdict::Wait(limits.header_read_timeout);
        }
        // HTTP/2 has more to say than heads: bytes alone begin none there.
        let head_since = match (self.spoke, self.heard_at) {
            (None, _) => Some(self.quiet_since),
            (Some(Version::HTTP_2), _) => None,
            (Some(_), heard_at) => heard_at,
        };
        let (end, verdict) = match head_since {
            Some(since) => (since + limits.header_read_timeout, Verdict::Cut),
            None => (self.quiet_since + limits.idle_timeout, Verdict::WindUp),
        };
        match end.saturating_duration_since(now) {
            Duration::ZERO => verdict,
            // A head may begin at any moment.
            wait => Verdict::Wait(wait.min(limits.header_read_timeout)),
        }
    }
}

/// A request until its answer is whole.
#[derive(Debug)]
pub(super) struct InFlight(Activity);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state().end(Instant::now());
    }
}

/// The body of an answer; its request is in flight until it has been sent or given up.
#[derive(Debug)]
pub(super) struct Answering {
    body: Body,
    _request: InFlight,
}

impl Answering {
    /// The body that answers `request`.
    pub(super) const fn new(body: Body, request: InFlight) -> Self {
        Self { body, _request: request }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose incoming bytes are noted.
#[derive(Debug)]
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) activity: Activity,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.state().hear(Instant::now());
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn heads_are_awaited_for_seconds_and_requests_for_minutes() {
        let (limits, begun) = (Limits::default(), Instant::now());
        let at = |count: u64| begun + seconds(count);
        let mut state = State::new(at(0));
        state.hear(at(1));
        assert_eq!(state.judge(&limits, at(9)), Verdict::Wait(seconds(1)), "the first head");
        assert_eq!(state.judge(&limits, at(10)), Verdict::Cut);

        state.begin(Version::HTTP_11);
        state.hear(at(3_000));
        assert_eq!(state.judge(&limits, at(3_600)), Verdict::Wait(seconds(10)), "a stream is as long as it likes");
        state.end(at(4_000));
        assert_eq!(state.judge(&limits, at(4_175)), Verdict::Wait(seconds(5)));
        state.hear(at(4_175));
        state.hear(at(4_184));
        assert_eq!(state.judge(&limits, at(4_184)), Verdict::Wait(seconds(1)), "the next head, once begun");
        assert_eq!(state.judge(&limits, at(4_185)), Verdict::Cut);
        state.begin(Version::HTTP_11);
        state.end(at(4_186));
        assert_eq!(state.judge(&limits, at(4_365)), Verdict::Wait(seconds(1)));
        assert_eq!(state.judge(&limits, at(4_366)), Verdict::WindUp);
    }

    #[test]
    fn on_http2_rest_is_what_counts_whatever_is_said() {
        let (limits, begun) = (Limits::default(), Instant::now());
        let at = |count: u64| begun + seconds(count);
        let mut state = State::new(at(0));
        state.begin(Version::HTTP_2);
        state.begin(Version::HTTP_2);
        state.end(at(1));
        assert_eq!(state.judge(&limits, at(500)), Verdict::Wait(seconds(10)));
        state.end(at(500));
        for count in 0..18 {
            state.hear(at(500 + 10 * count));
            assert_eq!(state.judge(&limits, at(500 + 10 * count)), Verdict::Wait(seconds(10)));
        }
        assert_eq!(state.judge(&limits, at(680)), Verdict::WindUp);
    }
}
