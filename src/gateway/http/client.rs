//! Over which connections? Kept ones where there are any (HTTP/1.1, RFC 9112), TLS with the public certificate authorities.
//!
//! hyper's pool sends a request a second time in one case only: when it had been handed to a kept connection that turned
//! out to be closed before the connection took up the request, so that no byte of it was written. Whatever may have
//! been written is not sent again. Kept connections end before common servers end them ([`KEEP`]), so that hardly any request
//! meets a server that hangs up.

use crate::wire::tls;
use axum::body::Bytes;
use axum::http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower::Service;

/// How long a connection without a request is kept: less than the 5 seconds of Node.js and uvicorn.
const KEEP: Duration = Duration::from_secs(4);
/// Connections without a request that are kept for one upstream.
const MOST_KEPT: usize = 256;
/// Largest head of an answer, and most that is read at once, in bytes.
const BUFFER: usize = 64 * 1024;

/// A client with connections of its own.
pub(super) type UpstreamClient = Client<TimedConnector, Full<Bytes>>;

/// Makes connections over TCP and TLS.
#[derive(Debug, Clone)]
pub(super) struct Connector(HttpsConnector<HttpConnector>);

impl Connector {
    /// One for http and https.
    pub(super) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = tls::client(&[]).expect("the public certificates are part of the program");
        Self(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp))
    }

    /// A client that gives up to connect after `limit`, TLS included.
    pub(super) fn client(&self, limit: Duration) -> UpstreamClient {
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP)
            .pool_max_idle_per_host(MOST_KEPT)
            .http1_max_buf_size(BUFFER)
            .set_host(false)
            .build(TimedConnector { inner: self.0.clone(), limit })
    }
}

/// A connector that does not wait for ever.
#[derive(Debug, Clone)]
pub(super) struct TimedConnector {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

/// There is no connection within the limit.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no connection within {} seconds", .0.as_secs())]
pub(super) struct ConnectTimeout(Duration);

type AnyError = Box<dyn Error + Send + Sync>;
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for TimedConnector {
    type Response = Connection;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, AnyError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, limit) = (self.inner.call(uri), self.limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectTimeout(limit).into()),
            }
        })
    }
}
