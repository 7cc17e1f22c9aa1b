//! Over which connections? Kept ones where there are any (HTTP/1.1, RFC 9112), TLS with the public certificate authorities.
//!
//! A request is sent a second time in one case only: when it had been handed to a kept connection that turned out to be
//! closed before the connection took up the request, so that no byte of it was written. Whatever may have been written is
//! not sent again. Kept connections end before common servers end them ([`super::pool`]), so that hardly any request meets a
//! server that hangs up.

use super::pool::{Answer, Pool, Sender};
use crate::wire::tls;
use axum::body::Bytes;
use axum::http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tower::Service as _;

/// How long a connection without a request is kept: less than the 5 seconds of Node.js and uvicorn.
const KEEP: Duration = Duration::from_secs(4);
/// Largest head of an answer, and most that is read at once, in bytes.
const BUFFER: usize = 64 * 1024;

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
    Broken(#[source] hyper::Error),
}

impl Connector {
    /// One for http and https.
    pub(super) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = tls::client(&[]).expect("the public certificates are part of the program");
        Self(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp))
    }

    /// A client of the upstream at `to` that gives up to connect after `limit`, TLS included.
    pub(super) fn client(&self, to: Uri, limit: Duration) -> UpstreamClient {
        UpstreamClient { connector: self.clone(), to, limit, pool: Pool::new(KEEP) }
    }
}

impl UpstreamClient {
    /// Sends a request whose target is in origin form and that names its host; gives the head of the answer, with the body
    /// to come. Dropped before, it closes the connection.
    pub(super) async fn request(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Answer>, Unanswered> {
        loop {
            let kept = self.pool.take();
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => Box::pin(self.connect()).await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(|body| Answer::new(body, sender, Arc::clone(&self.pool)))),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err(Unanswered::Broken(error.into_error())),
                },
            }
        }
    }

    async fn connect(&self) -> Result<Sender, Unanswered> {
        let mut connector = self.connector.0.clone();
        let connecting = async {
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(self.to.clone()).await
        };
        let connected = tokio::time::timeout(self.limit, connecting).await;
        match connected.map_err(|_| Unanswered::ConnectTimeout(self.limit))?.map_err(Unanswered::Connect)? {
            MaybeHttpsStream::Http(stream) => begin(stream).await,
            MaybeHttpsStream::Https(stream) => begin(Box::new(stream)).await,
        }
    }
}

/// Begins to speak HTTP/1.1 on a connection, which works until it ends.
async fn begin(stream: impl Read + Write + Unpin + Send + 'static) -> Result<Sender, Unanswered> {
    let handshake = http1::Builder::new().max_buf_size(BUFFER).handshake(stream).await;
    let (sender, connection) = handshake.map_err(Unanswered::Broken)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to an MCP server ended");
        }
    });
    Ok(sender)
}
