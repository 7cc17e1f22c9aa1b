//! Over which connections? Kept ones where there are any (HTTP/1.1, RFC 9112), TLS with the public certificate authorities.
//!
//! A request is sent a second time in one case only: when it had been handed to a kept connection that turned out to be
//! closed before it took a byte of it. Whatever may have been written is not sent again. Kept connections end before common servers end them ([`super::pool`]), so that hardly any request meets a
//! server that hangs up.

use super::connection::{Answer, Broken, Connection, written};
use super::pool::Pool;
use crate::wire::tls::{self, Roots};
use axum::body::Bytes;
use axum::http::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tower::Service as _;

/// How long a connection without a request is kept: less than the 5 seconds of Node.js and uvicorn.
const KEEP: Duration = Duration::from_secs(4);

type AnyError = Box<dyn Error + Send + Sync>;

/// Makes connections over TCP and TLS.
#[derive(Debug, Clone)]
pub(super) struct Connector(HttpsConnector<HttpConnector>);

/// The connections to one upstream.
#[derive(Debug)]
pub(super) struct UpstreamClient {
    connector: Connector,
    /// Scheme and authority; the rest does not matter.
    to: Uri,
    /// How long to connect may take, TLS included.
    limit: Duration,
    pool: Arc<Pool>,
}

/// Why there is no head of an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// There is no connection.
    #[error("no connection")]
    Connect(#[source] AnyError),
    /// There is no connection in time.
    #[error("no connection within {} seconds", .0.as_secs())]
    ConnectTimeout(Duration),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[from] Broken),
}

impl Connector {
    /// One for http and https; the certificates of `roots` count.
    pub(super) fn new(roots: &Roots) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self(
            HttpsConnectorBuilder::new()
                .with_tls_config(tls::client(roots))
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp),
        )
    }

    /// A client of the upstream at `to` that gives up to connect after `limit`, TLS included.
    pub(super) fn client(&self, to: Uri, limit: Duration) -> UpstreamClient {
        UpstreamClient { connector: self.clone(), to, limit, pool: Pool::new(KEEP) }
    }
}

impl UpstreamClient {
    /// Sends a request that names its host; gives the head of the answer, with the content to come. Dropped before, it closes
    /// the connection.
    pub(super) async fn request(&self, request: Request<Bytes>) -> Result<Response<Answer>, Unanswered> {
        let request = written(request);
        loop {
            let kept = self.pool.take();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => Box::pin(self.connect()).await?,
            };
            match connection.ask(&request).await {
                Ok((response, rest)) => {
                    let pool = Arc::clone(&self.pool);
                    return Ok(response.map(|framing| Answer::new(framing, rest, connection, pool)));
                }
                Err(_) if is_kept && !connection.has_sent() => {}
                Err(broken) => return Err(broken.into()),
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Unanswered> {
        let mut connector = self.connector.0.clone();
        let connecting = async {
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(self.to.clone()).await
        };
        let connected = tokio::time::timeout(self.limit, connecting).await;
        match connected.map_err(|_| Unanswered::ConnectTimeout(self.limit))?.map_err(Unanswered::Connect)? {
            MaybeHttpsStream::Http(stream) => Ok(Connection::new(Box::new(stream.into_inner()))),
            MaybeHttpsStream::Https(stream) => Ok(Connection::new(Box::new(TokioIo::new(stream)))),
        }
    }
}
