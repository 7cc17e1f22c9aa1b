//! Which connections to an upstream are free? Those whose last answer was read to its end, the latest first.
//!
//! Invariants: no connection has two requests at once; none is handed out that has been free for its time, is known to be
//! closed or has said something unasked; at most [`MOST_KEPT`] are kept, and soon after their time they are closed.

use super::connection::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Connections without a request that are kept for one upstream.
const MOST_KEPT: usize = 256;

/// The free connections to one upstream.
#[derive(Debug)]
pub(super) struct Pool {
    keep: Duration,
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    /// The longest free first.
    connections: Vec<(Connection, Instant)>,
    /// Whether somebody closes what is free for too long.
    swept: bool,
}

impl Pool {
    /// Keeps each connection for `keep` without a request.
    pub(super) fn new(keep: Duration) -> Arc<Self> {
        Arc::new(Self { keep, free: Mutex::default() })
    }

    /// A connection that is free, if there is one.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut free = self.free();
        while let Some((mut connection, since)) = free.connections.pop() {
            if since.elapsed() >= self.keep {
                // The others have been free for longer.
                free.connections.clear();
            } else if connection.is_silent() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer was read to its end.
    pub(super) fn keep(self: &Arc<Self>, connection: Connection) {
        let mut free = self.free();
        if free.connections.len() < MOST_KEPT {
            free.connections.push((connection, Instant::now()));
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
        free.connections.retain_mut(|(connection, since)| since.elapsed() < pool.keep && connection.is_silent());
        if free.connections.is_empty() {
            free.connections = Vec::new();
            free.swept = false;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::http::connection::{Answer, written};
    use axum::body::Bytes;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    fn connected() -> (Connection, DuplexStream) {
        let (ours, theirs) = duplex(4096);
        (Connection::new(Box::new(ours)), theirs)
    }

    /// The answer to a request, of which four bytes come and `length` are told of.
    async fn answer(
        pool: &Arc<Pool>,
        mut connection: Connection,
        upstream: &mut DuplexStream,
        length: usize,
    ) -> Answer {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nbody");
        let request = written(Request::new(Bytes::new()));
        let answering = async {
            let _ = upstream.read(&mut [0; 1024]).await.unwrap();
            upstream.write_all(head.as_bytes()).await.unwrap();
        };
        let (answered, ()) = tokio::join!(connection.ask(&request), answering);
        let (response, rest) = answered.unwrap();
        Answer::new(response.into_body(), rest, connection, Arc::clone(pool))
    }

    #[tokio::test]
    async fn a_connection_is_free_when_its_answer_was_read_to_its_end_and_not_before() {
        let pool = Pool::new(Duration::from_secs(4));
        let (connection, mut upstream) = connected();
        let whole = answer(&pool, connection, &mut upstream, 4).await;
        assert!(pool.take().is_none(), "its answer is being read");
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "body");
        let connection = pool.take().expect("it is free");
        assert!(pool.take().is_none(), "it is nobody else's");

        let mut part = answer(&pool, connection, &mut upstream, 5).await;
        assert_eq!(part.frame().await.unwrap().unwrap().into_data().unwrap(), "body");
        drop(part);
        assert!(pool.take().is_none());
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0, "it is closed");
    }

    #[tokio::test]
    async fn what_is_free_is_closed_after_its_time_and_what_was_closed_or_speaks_is_not_handed_out() {
        let keep = Duration::from_millis(200);
        let pool = Pool::new(keep);
        let (connection, mut upstream) = connected();
        drop(answer(&pool, connection, &mut upstream, 4).await.collect().await.unwrap());
        assert!(pool.free().swept && pool.free().connections.len() == 1);
        let began = Instant::now();
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= keep * 3 / 4 && began.elapsed() < 10 * keep, "{:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!pool.free().swept && pool.free().connections.is_empty());

        for says in [None, Some("HTTP/1.1 408 Too late\r\n\r\n")] {
            let (connection, mut upstream) = connected();
            drop(answer(&pool, connection, &mut upstream, 4).await.collect().await.unwrap());
            match says {
                Some(says) => upstream.write_all(says.as_bytes()).await.unwrap(),
                None => upstream.shutdown().await.unwrap(),
            }
            assert!(pool.take().is_none());
        }
        let (connection, mut upstream) = connected();
        let part = answer(&pool, connection, &mut upstream, 3).await;
        assert_eq!(part.collect().await.unwrap().to_bytes(), "bod");
        assert!(pool.take().is_none(), "what came behind belongs to no answer");
    }
}
