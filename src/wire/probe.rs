//! What does somebody see who asks from outside? One request at a time, with its failures told apart.
//!
//! Invariants: only to the origins that the prober was made for, so that no answer leads it elsewhere; no redirect is
//! followed; an answer is read up to [`MAX_ANSWER`] and no longer than [`TIMEOUT`]; no connection is kept.

use super::tls::{self, Roots, TlsProblem};
use axum::body::Bytes;
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout, timeout_at};
use url::{Origin, Url};

/// Longest time for one answer, connection included.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer that goes on, such as an event stream, is read for so long.
const LISTEN: Duration = Duration::from_secs(2);
/// Most that is read of an answer, in bytes.
pub const MAX_ANSWER: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The name has no address.
    #[error("the name {0} has no address")]
    NoAddress(String),
    /// Nothing listens there, or the network does not lead there.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// The certificate was not made by an authority that everybody trusts.
    #[error("the certificate is not from a public authority")]
    CertificateUnknown,
    /// The certificate's time is over or has not begun.
    #[error("the certificate is not valid at this time")]
    CertificateTime,
    /// The certificate is another host's.
    #[error("the certificate is not for this name")]
    CertificateName,
    /// TLS failed in another way.
    #[error("TLS failed")]
    Tls,
    /// Not within [`TIMEOUT`].
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    TimedOut,
    /// What came is not HTTP, or ended too early.
    #[error("the answer is broken: {0}")]
    Broken(String),
    /// To a place that this prober does not ask.
    #[error("that leads to another host")]
    Elsewhere,
}

/// An answer, or as much of it as is read.
#[derive(Debug, Clone)]
pub struct ProbeAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The beginning of the body, up to [`MAX_ANSWER`] bytes.
    pub body: Bytes,
    /// From the body's first part to its last.
    pub spread: Duration,
}

/// Whom to ask.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Whoever an answer leads to: for a person on their own machine.
    Anybody,
    /// The origins of these URLs: for a server that asks on somebody's behalf.
    Only(Vec<Url>),
}

/// Asks.
pub struct Prober {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    reach: Reach,
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prober({:?})", self.reach)
    }
}

impl Prober {
    /// One that asks whom `reach` allows, and believes whom everybody believes.
    pub fn new(reach: Reach) -> Self {
        Self::trusting(reach, &Roots::public())
    }

    /// One that believes `roots`.
    pub fn trusting(reach: Reach, roots: &Roots) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(TIMEOUT));
        let tls = tls::client(roots);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .http1_max_buf_size(64 * 1024)
            .build(connector.wrap_connector(tcp));
        Self { client, reach }
    }

    /// Whom it asks.
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The addresses of the host of `url`.
    pub async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, ProbeError> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(ProbeError::NoAddress(String::new()));
        };
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let none = || ProbeError::NoAddress(host.to_owned());
        let found = timeout(TIMEOUT, lookup_host((host, port))).await.map_err(|_| ProbeError::TimedOut)?;
        let addresses: Vec<IpAddr> = found.map_err(|_| none())?.map(|address| address.ip()).take(16).collect();
        if addresses.is_empty() { Err(none()) } else { Ok(addresses) }
    }

    fn reaches(&self, url: &Url) -> bool {
        match &self.reach {
            Reach::Anybody => matches!(url.origin(), Origin::Tuple(..)),
            Reach::Only(allowed) => allowed.iter().any(|known| known.origin() == url.origin()),
        }
    }

    /// Sends `request` to `url`, whatever URI it has itself.
    pub async fn ask(&self, url: &Url, mut request: Request<Bytes>) -> Result<ProbeAnswer, ProbeError> {
        if !self.reaches(url) {
            return Err(ProbeError::Elsewhere);
        }
        let mut address = url.clone();
        address.set_fragment(None);
        let uri: Uri = address.as_str().parse().map_err(|_| ProbeError::Broken("not a URL".to_owned()))?;
        *request.uri_mut() = uri;
        let asked = self.client.request(request.map(Full::new));
        let answer = timeout(TIMEOUT, asked).await.map_err(|_| ProbeError::TimedOut)?.map_err(|error| told(&error))?;
        let (parts, mut body) = answer.into_parts();
        let (mut read, until) = (Vec::new(), Instant::now() + LISTEN);
        let (mut first, mut last) = (None, Instant::now());
        while let Ok(Some(frame)) = timeout_at(until, body.frame()).await {
            match frame {
                Ok(frame) => {
                    last = Instant::now();
                    first.get_or_insert(last);
                    read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                }
                Err(error) if read.is_empty() => return Err(told(&error)),
                Err(_) => break,
            }
            if read.len() >= MAX_ANSWER {
                read.truncate(MAX_ANSWER);
                break;
            }
        }
        let spread = first.map_or(Duration::ZERO, |first| last - first);
        Ok(ProbeAnswer { status: parts.status, headers: parts.headers, body: read.into(), spread })
    }
}

/// Finds in an error and its causes what a person can do something about.
fn told(error: &(dyn Error + 'static)) -> ProbeError {
    if let Some(problem) = tls::problem(error) {
        return match problem {
            TlsProblem::Untrusted => ProbeError::CertificateUnknown,
            TlsProblem::OtherName => ProbeError::CertificateName,
            TlsProblem::Expired => ProbeError::CertificateTime,
            TlsProblem::NotTls | TlsProblem::Other => ProbeError::Tls,
        };
    }
    let (mut last, mut next) = (String::new(), Some(error));
    let mut connecting = false;
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            connecting = error.is_connect();
        }
        last = error.to_string();
        // An io::Error that holds another error does not name it as its source.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source());
    }
    if connecting { ProbeError::NoConnection(last) } else { ProbeError::Broken(last) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use std::io::Write as _;
    use tokio::net::TcpListener;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    async fn ask(text: &str) -> Result<ProbeAnswer, ProbeError> {
        Prober::new(Reach::Anybody).ask(&url(text), Request::new(Bytes::new())).await
    }

    #[tokio::test]
    async fn an_answer_is_read_as_it_is_and_not_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/there", get(|| async { "yes" }))
            .route("/long", get(|| async { vec![b'x'; MAX_ANSWER + 70_000] }))
            .route("/moved", get(|| async { axum::response::Redirect::to("/there") }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let there = ask(&format!("{origin}/there")).await.unwrap();
        assert_eq!((there.status, &there.body[..]), (StatusCode::OK, &b"yes"[..]));
        assert_eq!(ask(&format!("{origin}/moved")).await.unwrap().status, StatusCode::SEE_OTHER);
        assert_eq!(ask(&format!("{origin}/long")).await.unwrap().body.len(), MAX_ANSWER);
        let prober = Prober::new(Reach::Only(vec![url("http://127.0.0.1:1/")]));
        let elsewhere = prober.ask(&url(&origin), Request::new(Bytes::new())).await;
        assert_eq!(elsewhere.unwrap_err(), ProbeError::Elsewhere);
    }

    #[tokio::test]
    async fn what_keeps_an_answer_away_is_told_apart() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = ask(&format!("http://{nobody}/")).await.unwrap_err();
        assert!(matches!(refused, ProbeError::NoConnection(_)), "{refused:?}");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = (&stream).write_all(b"SSH-2.0-OpenSSH_9.9\r\n");
            }
        });
        let broken = ask(&format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(broken, ProbeError::Broken(_)), "{broken:?}");
        let tls = ask(&format!("https://{address}/")).await.unwrap_err();
        assert_eq!(tls, ProbeError::Tls);
    }

    #[test]
    fn a_certificate_that_is_not_believed_says_why() {
        use rustls::CertificateError;
        let of = |bad| told(&io::Error::other(rustls::Error::InvalidCertificate(bad)));
        assert_eq!(of(CertificateError::UnknownIssuer), ProbeError::CertificateUnknown);
        assert_eq!(of(CertificateError::Expired), ProbeError::CertificateTime);
        assert_eq!(of(CertificateError::NotValidForName), ProbeError::CertificateName);
    }
}
