//! What happens to every request first and last? It gets an id and an address, which every log line of its tells, and in
//! the end a line in the log; a panic becomes a plain 500.
//!
//! The line is written at debug level, from status 500 on at info level; see [`crate::wire::request_context`] for what the
//! log tells of a request. The layer is written by hand, without a box more than it needs, because every request
//! passes it.

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::id::RequestId;
use crate::wire::client_address::{ClientAddress, PeerAddress, TrustedProxies};
use crate::wire::request_context::{self, RequestContext};
use crate::wire::request_id::{REQUEST_ID, RequestIds};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;
use tower::{Layer, Service};
use tracing::Level;

/// The outermost layer of the router.
#[derive(Debug, Clone)]
pub struct EntryLayer(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    clock: Arc<dyn Clock>,
    ids: RequestIds,
    proxies: TrustedProxies,
    told_of_proxy: AtomicBool,
}

impl EntryLayer {
    /// A layer that names requests by `clock` and `entropy` and believes what `proxies` say.
    pub fn new(clock: Arc<dyn Clock>, entropy: &dyn Entropy, proxies: TrustedProxies) -> Self {
        let (ids, told_of_proxy) = (RequestIds::new(entropy), AtomicBool::new(false));
        Self(Arc::new(Entry { clock, ids, proxies, told_of_proxy }))
    }
}

impl<S> Layer<S> for EntryLayer {
    type Service = EntryService<S>;

    fn layer(&self, inner: S) -> EntryService<S> {
        EntryService { entry: Arc::clone(&self.0), inner }
    }
}

/// What [`EntryLayer`] puts around a service.
#[derive(Debug, Clone)]
pub struct EntryService<S> {
    entry: Arc<Entry>,
    inner: S,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<Request> for EntryService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Answer {
        let id = self.entry.ids.next(self.entry.clock.now());
        let address = self.entry.address(&request);
        request.extensions_mut().insert(id);
        request.extensions_mut().insert(address);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let context = Arc::new(RequestContext::new(id, method, uri, address.0));
        let began = began();
        let entered = request_context::enter(Some(Arc::clone(&context)));
        let inner = catch_unwind(AssertUnwindSafe(|| self.inner.call(request)));
        drop(entered);
        Box::pin(async move {
            let answered = match inner {
                Ok(inner) => answer_or_panic(inner, &context).await,
                Err(panic) => Err(panic),
            };
            let _entered = request_context::enter(Some(context));
            let mut response = answered.unwrap_or_else(|panic| after_panic(panic.as_ref(), id));
            if let Ok(value) = HeaderValue::try_from(id.to_string()) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            log_answer(response.status(), began);
            Ok(response)
        })
    }
}

impl Entry {
    fn address(&self, request: &Request) -> ClientAddress {
        match request.extensions().get() {
            Some(PeerAddress(peer)) => {
                let address = ClientAddress(self.proxies.client_address(peer.ip(), request.headers()));
                if address == ClientAddress::UNKNOWN && !self.told_of_proxy.swap(true, Ordering::Relaxed) {
                    tracing::warn!(proxy = %peer.ip(), "requests come through a proxy that is not in trusted_proxies: \
                        callers have no address, and wrong passwords are slowed by account only");
                }
                address
            }
            None => ClientAddress::UNKNOWN,
        }
    }
}

type Panic = Box<dyn Any + Send>;

async fn answer_or_panic<F>(inner: F, context: &Arc<RequestContext>) -> Result<Response, Panic>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    let mut inner = pin!(inner);
    poll_fn(move |task| {
        let _entered = request_context::enter(Some(Arc::clone(context)));
        match catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => Poll::Ready(Ok(response)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn after_panic(panic: &(dyn Any + Send), id: RequestId) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
    tracing::error!(panic = text, "a handler panicked: this is a defect in Keyward");
    let sentence = format!("Something went wrong inside the server. Its log says more under {id}.\n");
    (StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response()
}

fn log_answer(status: StatusCode, began: Option<Instant>) {
    let duration_us = began.map_or(0, |began| u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    let status_code = status.as_u16();
    if status.is_server_error() {
        tracing::info!(status = status_code, duration_us, "answered");
    } else {
        tracing::debug!(status = status_code, duration_us, "answered");
    }
}

#[expect(clippy::disallowed_methods, reason = "measures how long an answer takes, decides nothing")]
fn began() -> Option<Instant> {
    tracing::enabled!(Level::INFO).then(Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::entropy::SeededEntropy;
    use crate::wire::blocking;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use std::net::SocketAddr;
    use tower::ServiceExt;

    async fn defect() -> &'static str {
        panic!("a secret detail")
    }

    fn router() -> Router {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_790_000_000)));
        let proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()]);
        Router::new()
            .route("/address", get(|client: ClientAddress| async move { client.0.to_string() }))
            .route("/panic", get(defect))
            .layer(EntryLayer::new(clock, &SeededEntropy::new(1), proxies))
    }

    async fn get_from(peer: Option<&str>, target: &str) -> (StatusCode, HeaderValue, String) {
        let mut request = Request::builder().uri(target).header("x-forwarded-for", "203.0.113.9");
        request = request.header("x-request-id", "chosen by a stranger");
        if let Some(peer) = peer {
            request = request.extension(PeerAddress(peer.parse::<SocketAddr>().unwrap()));
        }
        let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let id = response.headers()[REQUEST_ID].clone();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, id, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_answer_has_an_id_of_ours_and_every_request_an_address() {
        let (status, id, address) = get_from(Some("127.0.0.1:9"), "/address").await;
        assert_eq!((status, address.as_str()), (StatusCode::OK, "203.0.113.9"));
        assert!(id.to_str().unwrap().parse::<RequestId>().is_ok());
        assert_eq!(get_from(Some("198.51.100.1:9"), "/address").await.2, "198.51.100.1");
        assert_eq!(get_from(None, "/address").await.2, "0.0.0.0");
        assert_eq!(get_from(None, "/nowhere").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let (status, id, body) = get_from(None, "/panic").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body.contains("secret detail"), "{body}");
        assert!(body.contains(id.to_str().unwrap()), "{body}");
    }

    #[tokio::test]
    async fn a_handler_and_its_operations_know_their_request_for_the_log() {
        let app = Arc::new(());
        let handler = async move || {
            tokio::task::yield_now().await;
            let here = request_context::current().map(|context| context.path().to_owned());
            let off_the_reactor = blocking::run(&app, |()| request_context::current().map(|context| context.id)).await;
            assert!(off_the_reactor.unwrap().is_some());
            here.unwrap()
        };
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_790_000_000)));
        let layer = EntryLayer::new(clock, &SeededEntropy::new(1), TrustedProxies::default());
        let router = Router::new().route("/here", get(handler)).layer(layer);
        let request = Request::builder().uri("/here?code=secret").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "/here");
        assert!(request_context::current().is_none());
    }
}
