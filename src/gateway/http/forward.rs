//! In which order does a call go to its upstream, and the answer back?
//!
//! The whole message is there, and it was decided that it may go on. Then: link, session, headers, who calls, credential; one
//! exchange; the head of the answer is judged; the rest flows. The bytes of messages are passed as they came.

use super::error::Failure;
use super::headers;
use super::identity;
use super::link::{Link, LinkCredential, Links, Unsendable};
use super::own_key::{self, Asked, NeedsKey};
use super::revision::{self, Retold};
use super::session::{self, NoSuchSession};
use super::stream::AnswerStream;
use crate::access::{GuardedServer, HttpUpstream};
use crate::app::App;
use crate::clock::Timestamp;
use crate::gateway::call::Call;
use crate::mcp::{Asker, RpcError};
use crate::token::{Addressee, AssertionMaker, Caller};
use crate::wire::tls::Roots;
use axum::body::{Body, Bytes};
use axum::http::header::HOST;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use std::sync::Arc;

/// The MCP servers that are reached over HTTP.
#[derive(Debug)]
pub(in crate::gateway) struct HttpUpstreams {
    app: Arc<App>,
    links: Links,
    assertions: AssertionMaker,
}

impl HttpUpstreams {
    /// Nothing is connected to before it is needed.
    pub(in crate::gateway) fn new(app: Arc<App>, roots: &Roots) -> Self {
        let assertions = AssertionMaker::new(app.options().issuer.clone());
        Self { app, links: Links::new(roots), assertions }
    }

    /// A link for a test, kept nowhere.
    pub(super) fn link_apart(&self, server: &Arc<GuardedServer>, upstream: &HttpUpstream) -> Result<Link, Unsendable> {
        self.links.apart(server, upstream)
    }

    /// The operations.
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// Passes a call that may go on to `upstream`, which stands behind the server that was asked, and its answer back.
    pub(in crate::gateway) async fn answer(&self, asker: &Asker, upstream: &HttpUpstream, mut call: Call) -> Response {
        let (body, era) = (call.body.clone(), call.passed().era);
        let session = match session::open(self.app.session_binder(), asker, era, &mut call.headers) {
            Ok(session) => session,
            Err(NoSuchSession) => return Call::refuse(&body, &no_such_session(asker)),
        };
        match self.exchange(asker, upstream, call).await {
            Ok(Answered::Passed(mut response)) => {
                let headers = response.headers_mut();
                session::bind(self.app.session_binder(), asker, era, session.as_ref(), &body, headers);
                response
            }
            Ok(Answered::NeedsKey(why)) => {
                why.log(asker);
                let opens_urls = session.is_some_and(|session| session.opens_urls);
                why.told(&self.app, asker, &Asked { body: &body, era, opens_urls })
            }
            Ok(Answered::Retold(error)) => Call::refuse(&body, &error),
            Err(failure) => {
                failure.log(&asker.server);
                Call::refuse(&body, &failure.told())
            }
        }
    }

    async fn exchange(&self, asker: &Asker, upstream: &HttpUpstream, call: Call) -> Result<Answered, Failure> {
        let link = self.links.of(&asker.server, upstream, &self.app.live().servers())?;
        let limit = match call.method {
            // A stream may have nothing to say for a while, and some servers send no head before they have.
            Method::GET => link.timeouts.first_byte.max(link.timeouts.idle),
            _ => link.timeouts.first_byte,
        };
        let request = match self.request(&link, asker, upstream, call)? {
            Ok(request) => request,
            Err(needs_key) => return Ok(Answered::NeedsKey(needs_key)),
        };
        let response = match tokio::time::timeout(limit, link.client.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Failure::of(&error)),
            Err(_) => return Err(Failure::TooSlow(limit)),
        };
        let (mut head, body) = response.into_parts();
        let is_json = headers::is_json(&head.headers);
        head.headers = headers::to_client(head.headers);
        let body = match head.status {
            StatusCode::UNAUTHORIZED if matches!(link.credential, Some(LinkCredential::PerUser(..))) => {
                return Ok(Answered::NeedsKey(NeedsKey::Refused));
            }
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
                return Err(Failure::Refused(status));
            }
            status if status.is_redirection() => return Err(Failure::Redirect(status)),
            status if status.is_informational() || (status.is_server_error() && !is_json) => {
                return Err(Failure::Status(status));
            }
            StatusCode::BAD_REQUEST if is_json => match revision::retell(body, link.timeouts.idle).await? {
                Retold::InOurName(error) => return Ok(Answered::Retold(error)),
                Retold::AsItCame(bytes) => Body::from(bytes),
            },
            _ => Body::new(AnswerStream::new(body, link.timeouts.idle, asker.server.name.clone())),
        };
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(Answered::Passed(response))
    }

    fn request(
        &self,
        link: &Link,
        asker: &Asker,
        upstream: &HttpUpstream,
        call: Call,
    ) -> Result<Result<Request<Bytes>, NeedsKey>, Failure> {
        let Call { method, headers, body, .. } = call;
        let mut headers = headers::to_upstream(headers);
        headers.insert(HOST, link.host.clone());
        let scopes = identity::scopes_of(asker);
        identity::add(&mut headers, asker, &scopes)?;
        if link.assertion {
            let caller = Caller { username: &asker.user.name, scopes: &scopes };
            let to = Addressee { server: asker.server.name.as_str(), audience: upstream.url.as_str() };
            let (keys, now) = (self.app.live().keys(), self.app.now());
            let assertion = self.assertions.assertion(keys.signer(), &asker.token, caller, to, now);
            identity::add_assertion(&mut headers, &assertion)?;
        }
        match &link.credential {
            Some(LinkCredential::Fixed(name, value)) => headers::put(&mut headers, name, value.clone()),
            Some(LinkCredential::PerUser(name, prefix)) => {
                match own_key::header_value(&self.app, asker, &upstream.url, prefix) {
                    Ok(value) => headers::put(&mut headers, name, value?),
                    Err(needs_key) => return Ok(Err(needs_key)),
                }
            }
            None => {}
        }
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = link.target.clone();
        *request.headers_mut() = headers;
        Ok(Ok(request))
    }
}

/// 404 as an upstream would answer that does not know the session: the client begins a new one.
fn no_such_session(asker: &Asker) -> RpcError {
    let (server, user) = (asker.server.name.as_str(), asker.token.claims().user);
    tracing::info!(server, %user, "refused: no session of this user's");
    RpcError::http(StatusCode::NOT_FOUND, "There is no such session. Begin a new one with initialize.")
}

/// How an exchange went that did not fail.
enum Answered {
    /// The upstream's answer.
    Passed(Response),
    /// What it says, in our name.
    Retold(RpcError),
    /// The caller's own key is missing or not good.
    NeedsKey(NeedsKey),
}
