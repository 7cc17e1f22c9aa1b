//! Which connections to an upstream are free? Those whose last answer was read to its end, the latest first.
//!
//! Invariants: no connection has two requests at once; none is handed out that has been free for its time or is known to be
//! closed; at most [`MOST_KEPT`] are kept, and soon after their time they are closed.

use axum::body::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Connections without a request that are kept for one upstream.
const MOST_KEPT: usize = 256;
/// The end of a connection that takes requests.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// The free connections to one upstream.
#[derive(Debug)]
pub(super) struct Pool {
    keep: Duration,
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    /// The longest free first.
    senders: Vec<(Sender, Instant)>,
    /// Whether somebody closes what is free for too long.
    swept: bool,
}

impl Pool {
    /// Keeps each connection for `keep` without a request.
    pub(super) fn new(keep: Duration) -> Arc<Self> {
        Arc::new(Self { keep, free: Mutex::default() })
    }

    /// A connection that is free, if there is one.
    pub(super) fn take(&self) -> Option<Sender> {
        let mut free = self.free();
        while let Some((sender, since)) = free.senders.pop() {
            if since.elapsed() >= self.keep {
                // The others have been free for longer.
                free.senders.clear();
            } else if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    /// Takes back a connection whose answer was read to its end.
    fn give_back(self: &Arc<Self>, mut sender: Sender) {
        if sender.is_ready() {
            return self.keep(sender);
        }
        // It is about to be, unless it ends or the upstream answered before it had read all.
        if let (false, Ok(runtime)) = (sender.is_closed(), Handle::try_current()) {
            let (pool, keep) = (Arc::downgrade(self), self.keep);
            runtime.spawn(async move {
                let ready = tokio::time::timeout(keep, sender.ready()).await;
                if let (Ok(Ok(())), Some(pool)) = (ready, pool.upgrade()) {
                    pool.keep(sender);
                }
            });
        }
    }

    fn keep(self: &Arc<Self>, sender: Sender) {
        let mut free = self.free();
        if free.senders.len() < MOST_KEPT {
            free.senders.push((sender, Instant::now()));
        }
        if !free.swept
            && let Ok(runtime) = Handle::try_current()
        {
            free.swept = true;
            runtime.spawn(sweep(Arc::downgrade(self), self.keep / 4));
        }
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what is free for too long, until nothing is free.
async fn sweep(pool: Weak<Pool>, often: Duration) {
    loop {
        tokio::time::sleep(often).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut free = pool.free();
        free.senders.retain(|(sender, since)| since.elapsed() < pool.keep && !sender.is_closed());
        if free.senders.is_empty() {
            free.senders = Vec::new();
            free.swept = false;
            return;
        }
    }
}

/// The body of an answer. Its connection is free again when it was read to its end, and closed when it is dropped before.
#[derive(Debug)]
pub(super) struct Answer {
    body: Incoming,
    ended: bool,
    lease: Option<(Sender, Arc<Pool>)>,
}

impl Answer {
    /// What came over `sender`, which belongs to `pool`.
    pub(super) const fn new(body: Incoming, sender: Sender, pool: Arc<Pool>) -> Self {
        Self { body, ended: false, lease: Some((sender, pool)) }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(None) = &polled {
            self.ended = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some((sender, pool)) = self.lease.take()
            && (self.ended || self.body.is_end_stream())
        {
            pool.give_back(sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use hyper::Request;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    async fn connected() -> (Sender, DuplexStream) {
        let (ours, theirs) = duplex(4096);
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
        tokio::spawn(connection);
        (sender, theirs)
    }

    /// The answer to a request, of which `body` is sent, `length` bytes long.
    async fn answer(pool: &Arc<Pool>, mut sender: Sender, upstream: &mut DuplexStream, length: usize) -> Answer {
        let asked = tokio::spawn(async move {
            let response = sender.send_request(Request::new(Full::new(Bytes::new()))).await;
            (response.unwrap(), sender)
        });
        let _ = upstream.read(&mut [0; 1024]).await.unwrap();
        upstream
            .write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nbody").as_bytes())
            .await
            .unwrap();
        let (response, sender) = asked.await.unwrap();
        Answer::new(response.into_body(), sender, Arc::clone(pool))
    }

    /// Lets the other tasks work.
    async fn settle() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn a_connection_is_free_when_its_answer_was_read_to_its_end_and_not_before() {
        let pool = Pool::new(Duration::from_secs(4));
        let (sender, mut upstream) = connected().await;
        let whole = answer(&pool, sender, &mut upstream, 4).await;
        assert!(pool.take().is_none(), "its answer is being read");
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "body");
        settle().await;
        let sender = pool.take().expect("it is free");
        assert!(pool.take().is_none(), "it is nobody else's");

        let mut part = answer(&pool, sender, &mut upstream, 5).await;
        assert_eq!(part.frame().await.unwrap().unwrap().into_data().unwrap(), "body");
        drop(part);
        settle().await;
        assert!(pool.take().is_none());
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0, "it is closed");
    }

    #[tokio::test]
    async fn what_is_free_is_closed_after_its_time_and_what_was_closed_is_not_handed_out() {
        let keep = Duration::from_millis(200);
        let pool = Pool::new(keep);
        let (sender, mut upstream) = connected().await;
        answer(&pool, sender, &mut upstream, 4).await.collect().await.unwrap();
        settle().await;
        assert!(pool.free().swept && pool.free().senders.len() == 1);
        let began = Instant::now();
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= keep * 3 / 4 && began.elapsed() < 10 * keep, "{:?}", began.elapsed());
        settle().await;
        assert!(!pool.free().swept && pool.free().senders.is_empty());

        let (sender, mut upstream) = connected().await;
        answer(&pool, sender, &mut upstream, 4).await.collect().await.unwrap();
        settle().await;
        drop(upstream);
        settle().await;
        assert!(pool.take().is_none());
    }
}
