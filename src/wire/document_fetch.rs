//! How does a document reach us from a URL that a stranger chose? One careful GET, for client ID metadata documents and
//! key sets (draft-ietf-oauth-client-id-metadata-document-02 §5 and §8.6, MCP 2026-07-28, RFC 7517 §5).
//!
//! Invariants: https with a checked certificate; only to public addresses ([`super::public_resolver`]), or loopback when
//! this server itself is on loopback; no redirect is followed; only 200 with JSON counts; size, time and number at once
//! are bounded; nothing of ours is sent. What was fetched and found good is kept for a while (`fresh_cache`);
//! failures to get a document are not kept, so the callers ask only for people who have signed in; key sets are fetched
//! for anybody, so their failures are kept, and clients that registered themselves have few places.

use super::fresh_cache::{FreshCache, freshness};
use super::public_resolver::{AddressLookup, HostRefusal, PublicResolver, SystemLookup, check_address};
use super::tls::{self, Roots};
use crate::clock::{Timestamp, minutes};
use crate::oauth::client::{ClientKind, ClientMetadata};
use crate::oauth::client_assertion::{AssertionRefusal, ClientAssertion};
use crate::oauth::client_authentication::{AuthenticatedClient, PendingAssertion};
use crate::oauth::client_document::{ClientDocument, DocumentError, MAX_DOCUMENT};
use crate::oauth::client_keys::{ClientKeys, ClientKeysError, MAX_KEY_SET};
use crate::oauth::document_url::DocumentUrl;
use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::oauth::known_clients::{KNOWN_CLIENTS, KnownClient};
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest time for one fetch, from the wait for a place to the last byte.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Most fetches at once.
pub const MAX_FETCHES: usize = 10;
/// Beside these, most for the key sets of clients that nobody vouches for: whoever registers one names any address, and must not
/// keep the others waiting.
pub const MAX_STRANGERS_FETCHES: usize = 2;
/// Most documents, and most key sets, in memory.
pub const MAX_CACHED: usize = 256;
/// A well-known client whose document could not be fetched is asked for again after this; until then a machine without a
/// way out answers at once.
pub const KNOWN_RETRY: Duration = minutes(1);
/// A key set that lacks a key is fetched again, but not more often than this.
pub const KEYS_RETRY: Duration = minutes(1);

/// How documents are fetched.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Whether anything is fetched at all; without it only the built-in documents are known.
    pub live: bool,
    /// Whether built-in documents stand in for those of well-known clients that cannot be fetched.
    pub built_in: bool,
    /// Whether loopback addresses are connected to: only when the issuer itself is on loopback.
    pub allow_loopback: bool,
    /// Further root certificates, as PEM, beside the public ones.
    pub roots: Roots,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { live: true, built_in: true, allow_loopback: false, roots: Roots::public() }
    }
}

/// Why a fetch failed. A message may be shown to the person who is signing in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// [`FetchOptions::live`] is off.
    #[error("fetching is switched off here")]
    Off,
    /// The host must not be connected to.
    #[error(transparent)]
    Host(#[from] HostRefusal),
    /// Longer than [`FETCH_TIMEOUT`].
    #[error("no answer within 5 seconds")]
    Timeout,
    /// No place within [`FETCH_TIMEOUT`].
    #[error("too much is being fetched at the moment")]
    NoPlace,
    /// Connection, TLS or HTTP failed; the text is for the log.
    #[error("the connection failed")]
    Connection(String),
    /// Another status than 200; redirects are not followed.
    #[error("the answer has status {0}, not 200")]
    Status(u16),
    /// Not `application/json` or `application/…+json`, or compressed.
    #[error("the answer is not JSON")]
    NotJson,
    /// Larger than this, in bytes.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The document came and is not acceptable.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The key set came and is not acceptable.
    #[error(transparent)]
    Keys(#[from] ClientKeysError),
}

impl FetchError {
    /// Whether something came that is not as it has to be: asking again does not help, only its author can.
    pub const fn is_documents_fault(&self) -> bool {
        match self {
            Self::NotJson | Self::TooLarge(_) | Self::Document(_) | Self::Keys(_) => true,
            Self::Off | Self::Host(_) | Self::Timeout | Self::NoPlace | Self::Connection(_) | Self::Status(_) => false,
        }
    }
}

/// Where a document comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentSource {
    /// From its URL, now or lately.
    Live,
    /// From the built-in table, as of this day (`YYYY-MM-DD`).
    BuiltIn(&'static str),
}

/// A client's document and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDocument {
    /// The document.
    pub document: Arc<ClientDocument>,
    /// Its source.
    pub source: DocumentSource,
}

/// Fetches documents and key sets, and keeps them for a while.
pub struct DocumentFetcher {
    client: Client<HttpsConnector<HttpConnector<PublicResolver>>, Empty<Bytes>>,
    options: FetchOptions,
    places: Semaphore,
    strangers_places: Semaphore,
    timeout: Duration,
    documents: FreshCache<ClientDocument>,
    keys: FreshCache<ClientKeys>,
    /// Why key sets could not be had a moment ago: anybody may ask for them, signed in or not.
    failures: FreshCache<FetchError>,
    /// Built-in documents that stand in for a while.
    stand_ins: FreshCache<ClientDocument>,
}

impl std::fmt::Debug for DocumentFetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DocumentFetcher")
    }
}

impl DocumentFetcher {
    /// A fetcher that asks the system's resolver.
    pub fn new(options: FetchOptions) -> Self {
        Self::with_lookup(options, Arc::new(SystemLookup))
    }

    /// A fetcher that asks `lookup` for addresses.
    pub fn with_lookup(options: FetchOptions, lookup: Arc<dyn AddressLookup>) -> Self {
        let resolver = PublicResolver::new(lookup, options.allow_loopback);
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(FETCH_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(&options.roots))
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        // No connection is kept, so every fetch resolves and checks anew.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .http1_max_buf_size(16 * 1024)
            .build(connector);
        let places = Semaphore::new(MAX_FETCHES);
        let strangers_places = Semaphore::new(MAX_STRANGERS_FETCHES);
        Self {
            client,
            options,
            places,
            strangers_places,
            timeout: FETCH_TIMEOUT,
            documents: FreshCache::new(MAX_CACHED),
            keys: FreshCache::new(MAX_CACHED),
            failures: FreshCache::new(MAX_CACHED),
            stand_ins: FreshCache::new(KNOWN_CLIENTS.len()),
        }
    }

    /// The document of the client whose id is `url`: kept, fetched, or, if it cannot be fetched, built in. A document
    /// that came and is not acceptable is an error also for a client of the built-in table.
    pub async fn document(&self, url: &DocumentUrl, now: Timestamp) -> Result<FoundDocument, FetchError> {
        let live = DocumentSource::Live;
        let known = KnownClient::find(url).filter(|_| self.options.built_in);
        if let Some(document) = self.documents.get(url.as_str(), now) {
            return Ok(FoundDocument { document, source: live });
        }
        if let (Some(known), Some(document)) = (known, self.stand_ins.get(url.as_str(), now)) {
            return Ok(FoundDocument { document, source: DocumentSource::BuiltIn(known.as_of) });
        }
        match self.fetch(url, MAX_DOCUMENT).await {
            Ok((json, fresh_for)) => {
                let document = Arc::new(ClientDocument::parse(url, &json)?);
                self.documents.keep(url.as_str(), Arc::clone(&document), now, fresh_for);
                Ok(FoundDocument { document, source: live })
            }
            Err(error) => {
                if error != FetchError::Off {
                    tracing::info!(%url, ?error, "client document not fetched");
                }
                let known = known.ok_or(error)?;
                let document = Arc::new(known.document());
                self.stand_ins.keep(url.as_str(), Arc::clone(&document), now, KNOWN_RETRY);
                Ok(FoundDocument { document, source: DocumentSource::BuiltIn(known.as_of) })
            }
        }
    }

    /// The key set at `url` (a `jwks_uri`): kept or fetched.
    pub async fn keys(&self, url: &DocumentUrl, now: Timestamp) -> Result<Arc<ClientKeys>, FetchError> {
        self.keys_of(ClientKind::Document, url, now).await
    }

    async fn keys_of(
        &self,
        kind: ClientKind,
        url: &DocumentUrl,
        now: Timestamp,
    ) -> Result<Arc<ClientKeys>, FetchError> {
        match self.keys.get(url.as_str(), now) {
            Some(keys) => Ok(keys),
            None => self.fetch_keys(kind, url, now).await,
        }
    }

    /// Checks a client's assertion (RFC 7523 §3) with its `jwks`, or with the keys at its `jwks_uri`; these are fetched
    /// again if the assertion's key is not among those that are kept, because keys rotate. `audiences`: the issuer and
    /// the token endpoint. The caller refuses an assertion whose id the client used before.
    pub async fn check_assertion(
        &self,
        pending: &PendingAssertion,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<(AuthenticatedClient, ClientAssertion), ProtocolError> {
        let ClientMetadata { jwks, jwks_uri, .. } = &pending.client().metadata;
        let unusable = |_| ProtocolError::invalid_client("the client's registered keys cannot be used");
        if let Some(jwks) = jwks {
            let keys = ClientKeys::parse(jwks.as_bytes()).map_err(unusable)?;
            return Ok(pending.verify(&keys, audiences, now)?);
        }
        let uri = jwks_uri.as_deref().ok_or_else(|| ProtocolError::invalid_client("the client has no keys"))?;
        let uri = DocumentUrl::parse(uri)
            .map_err(|_| ProtocolError::invalid_client("the client's jwks_uri cannot be fetched"))?;
        let kind = pending.client().kind;
        let first = pending.verify(&*self.keys_of(kind, &uri, now).await.map_err(no_keys)?, audiences, now);
        match first {
            Err(AssertionRefusal::UnknownKey) if self.keys.get_younger(uri.as_str(), KEYS_RETRY, now).is_none() => {
                let keys = self.fetch_keys(kind, &uri, now).await.map_err(no_keys)?;
                Ok(pending.verify(&keys, audiences, now)?)
            }
            other => Ok(other?),
        }
    }

    async fn fetch_keys(
        &self,
        kind: ClientKind,
        url: &DocumentUrl,
        now: Timestamp,
    ) -> Result<Arc<ClientKeys>, FetchError> {
        if let Some(failure) = self.failures.get_younger(url.as_str(), KEYS_RETRY, now) {
            return Err((*failure).clone());
        }
        let places = if kind == ClientKind::Dynamic { &self.strangers_places } else { &self.places };
        let fetched = self.fetch_in(places, url, MAX_KEY_SET).await;
        let parsed = fetched.and_then(|(json, life)| Ok((Arc::new(ClientKeys::parse(&json)?), life)));
        match parsed {
            Ok((keys, life)) => {
                self.keys.keep(url.as_str(), Arc::clone(&keys), now, life);
                Ok(keys)
            }
            Err(error) => {
                if error != FetchError::NoPlace {
                    self.failures.keep(url.as_str(), Arc::new(error.clone()), now, KEYS_RETRY);
                }
                Err(error)
            }
        }
    }

    async fn fetch(&self, url: &DocumentUrl, limit: usize) -> Result<(Bytes, Duration), FetchError> {
        self.fetch_in(&self.places, url, limit).await
    }

    async fn fetch_in(
        &self,
        places: &Semaphore,
        url: &DocumentUrl,
        limit: usize,
    ) -> Result<(Bytes, Duration), FetchError> {
        if !self.options.live {
            return Err(FetchError::Off);
        }
        // The connector asks no resolver about an IP address.
        if let Ok(address) = url.host().trim_matches(['[', ']']).parse::<IpAddr>() {
            check_address(address, self.options.allow_loopback)?;
        }
        let begun = AtomicBool::new(false);
        let exchange = async {
            let _place = places.acquire().await.map_err(|_| FetchError::Off)?;
            begun.store(true, Ordering::Relaxed);
            self.exchange(url, limit).await
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(fetched) => fetched,
            Err(_) if begun.load(Ordering::Relaxed) => Err(FetchError::Timeout),
            Err(_) => Err(FetchError::NoPlace),
        }
    }

    async fn exchange(&self, url: &DocumentUrl, limit: usize) -> Result<(Bytes, Duration), FetchError> {
        let uri: Uri = url.as_str().parse().map_err(|error| FetchError::Connection(format!("{error}")))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("Keyward"));
        let response = self.client.request(request).await.map_err(|error| connection(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        if !is_json(response.headers()) {
            return Err(FetchError::NotJson);
        }
        let life = freshness(response.headers());
        let body = Limited::new(response.into_body(), limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { FetchError::TooLarge(limit) } else { connection(error.as_ref()) }
        })?;
        Ok((body.to_bytes(), life))
    }
}

/// A client whose keys cannot be had now keeps its registration: `invalid_client` would make it register anew.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn no_keys(error: FetchError) -> ProtocolError {
    ProtocolError::new(ErrorCode::TemporarilyUnavailable, format!("the client's jwks_uri: {error}"))
}

/// `application/json` or `application/…+json` (RFC 6839 §3.1), not compressed: compression was not asked for.
fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json"
        || essence
            .strip_prefix("application/")
            .and_then(|kind| kind.strip_suffix("+json"))
            .is_some_and(|kind| !kind.is_empty());
    json && matches!(text(CONTENT_ENCODING), "" | "identity")
}

fn connection(error: &(dyn Error + 'static)) -> FetchError {
    let (mut texts, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<HostRefusal>() {
            return FetchError::Host(refusal.clone());
        }
        texts.push(error.to_string());
        next = error.source();
    }
    FetchError::Connection(texts.join(": "))
}

#[cfg(test)]
mod tests;
