//! What of a request goes into the audit log? Calls of tools, and why requests with a genuine token were refused.
//!
//! Never an argument, never a token. Telling costs a call well under a microsecond: it is put into a queue in memory
//! ([`crate::app::events::CallLog`]) when its answer has ended. Whoever comes without a token is not told at all: that is how
//! every client begins.

use crate::access::{Denied, GuardedServer, Operation};
use crate::app::App;
use crate::app::events::Called;
use crate::clock::Timestamp;
use crate::event::{CallOutcome, Named, Refusal, RefusedBecause};
use crate::gateway::admit;
use crate::mcp::{Asker, Posted, Said};
use crate::oauth::resource::ResourceUri;
use crate::token::{Audience, Claims, TokenRefusal};
use crate::wire::{bearer, request_context};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The calls of tools in what was posted.
#[derive(Debug)]
pub(super) struct Calls {
    tools: Vec<Box<str>>,
    began: Timestamp,
    /// Noted at the beginning: whoever lets the answer end works on no request any more.
    address: Option<IpAddr>,
}

impl Calls {
    /// Those in `posted`, which came just now.
    pub(super) fn of(app: &App, posted: &Posted<'_>) -> Self {
        let mut tools = Vec::new();
        match posted {
            Posted::One(said) => tools.extend(tool_of(said)),
            Posted::Batch(elements) => tools.extend(elements.iter().flatten().filter_map(tool_of)),
        }
        if tools.is_empty() {
            return Self { tools, began: Timestamp::EPOCH, address: None };
        }
        Self { tools, began: app.now(), address: address() }
    }

    /// Tells them, answered by `response`, which is all there.
    pub(super) fn tell(self, app: &App, asker: &Asker, response: &Response) {
        self.tell_as(app, asker, outcome_of(response.status()));
    }

    /// Tells them when `response` has gone to its end.
    pub(super) fn follow(self, app: &Arc<App>, asker: &Asker, response: Response) -> Response {
        if self.tools.is_empty() {
            return response;
        }
        let outcome = outcome_of(response.status());
        let untold = Some((Arc::clone(app), asker.clone(), self));
        response.map(|inner| Body::new(Followed { inner, outcome, untold }))
    }

    fn tell_as(self, app: &App, asker: &Asker, outcome: CallOutcome) {
        if self.tools.is_empty() {
            return;
        }
        let claims = asker.token.claims();
        let millis = u32::try_from(app.now().since(self.began).as_millis()).unwrap_or(u32::MAX);
        for tool in self.tools {
            app.live().calls().called(Called {
                at: self.began,
                millis,
                user: (claims.user, Arc::clone(&asker.user)),
                token: claims.id,
                connection: claims.client().cloned().zip(claims.grant()),
                server: asker.server.name.clone(),
                tool,
                outcome,
                address: self.address,
            });
        }
    }
}

fn tool_of(said: &Said<'_>) -> Option<Box<str>> {
    match &said.operation {
        Operation::Call(call) => Some((*call.tool).into()),
        _ => None,
    }
}

fn outcome_of(status: StatusCode) -> CallOutcome {
    if status.is_success() { CallOutcome::Answered } else { CallOutcome::Failed(status.as_u16()) }
}

fn address() -> Option<IpAddr> {
    request_context::current().map(|context| context.address).filter(|address| !address.is_unspecified())
}

/// The body of an answer, until it ends.
struct Followed {
    inner: Body,
    outcome: CallOutcome,
    untold: Option<(Arc<App>, Asker, Calls)>,
}

impl Followed {
    fn tell(&mut self, outcome: CallOutcome) {
        if let Some((app, asker, calls)) = self.untold.take() {
            calls.tell_as(&app, &asker, outcome);
        }
    }
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(task);
        match &polled {
            Poll::Ready(None) => this.tell(this.outcome),
            Poll::Ready(Some(Err(_))) => this.tell(CallOutcome::BrokenOff),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Followed {
    /// A body whose end is known beforehand is not asked for it.
    fn drop(&mut self) {
        let outcome = if self.inner.is_end_stream() { self.outcome } else { CallOutcome::BrokenOff };
        self.tell(outcome);
    }
}

/// Tells why a request was not admitted to `server`.
pub(super) fn refused(app: &App, server: &GuardedServer, refusal: &admit::Refusal, headers: &HeaderMap) {
    use TokenRefusal::{
        BadClaims, BadSignature, Expired, Malformed, NotYetValid, OlderThanServer, Revoked, TooLong, UnknownKey,
        WrongAudience, WrongIssuer, WrongKind,
    };
    let presented = bearer::presented(headers).ok().flatten();
    let recall = || app.live().verifier().recall(presented?, &app.live().keys(), app.now());
    let claims = match refusal {
        admit::Refusal::NoToken | admit::Refusal::NoServer => return,
        admit::Refusal::Unreadable(_)
        | admit::Refusal::Token(
            TooLong | Malformed | WrongKind | UnknownKey | BadSignature | BadClaims | WrongIssuer,
        ) => None,
        _ => recall(),
    };
    let because = match refusal {
        admit::Refusal::NoToken | admit::Refusal::NoServer => return,
        admit::Refusal::Unreadable(_) => RefusedBecause::Unreadable,
        admit::Refusal::Token(WrongKind) => RefusedBecause::WrongKind,
        admit::Refusal::Token(TooLong | Malformed | UnknownKey | BadSignature | BadClaims | WrongIssuer) => {
            RefusedBecause::NotOurs
        }
        admit::Refusal::Token(Revoked(by)) => RefusedBecause::Revoked(*by),
        admit::Refusal::Token(Expired) => match &claims {
            Some(claims) => RefusedBecause::Expired(claims.expires_at),
            None => RefusedBecause::NotOurs,
        },
        admit::Refusal::Token(NotYetValid) => match &claims {
            Some(claims) => RefusedBecause::NotYetValid(claims.issued_at),
            None => RefusedBecause::NotOurs,
        },
        admit::Refusal::Token(WrongAudience { token, wanted }) => {
            let good_for: &[_] = match token {
                Audience::Resources(resources) => resources,
                Audience::EveryServer => &[],
            };
            RefusedBecause::wrong_server(good_for.iter().map(ResourceUri::as_str), wanted.as_str())
        }
        admit::Refusal::Token(OlderThanServer) => RefusedBecause::OlderThanServer,
        admit::Refusal::NoUser(_) => RefusedBecause::NoUser,
        admit::Refusal::NotForUser(_) => RefusedBecause::NotForUser,
        admit::Refusal::Scope(lack) => RefusedBecause::lacks_scope(lack.needed.as_str()),
    };
    tell_refusal(app, server, claims.as_ref(), None, because);
}

/// Tells why a message of `asker`'s may not go on.
pub(super) fn stopped(app: &App, asker: &Asker, said: &Said<'_>, denied: &Denied) {
    let because = match denied {
        Denied::Scope(lack) => RefusedBecause::lacks_scope(lack.needed.as_str()),
        Denied::NotForUser => RefusedBecause::NotForUser,
        Denied::NotThere => RefusedBecause::NotThere,
    };
    let asked_for = match &said.operation {
        Operation::Call(call) => Some(call.tool.to_string()),
        _ => said.method().map(str::to_owned),
    };
    tell_refusal(app, &asker.server, Some(asker.token.claims()), asked_for, because);
}

fn tell_refusal(
    app: &App,
    server: &GuardedServer,
    claims: Option<&Claims>,
    asked_for: Option<String>,
    because: RefusedBecause,
) {
    let owner = claims.map(|claims| {
        let name = app.live().user(claims.user).map(|user| user.name.clone()).unwrap_or_default();
        Named::new(claims.user, &name)
    });
    app.live().calls().refused(Refusal {
        at: app.now(),
        times: 1,
        owner,
        token: claims.map(|claims| claims.id),
        grant: claims.and_then(Claims::grant),
        client: claims.and_then(Claims::client).map(ToString::to_string),
        server: server.name.to_string(),
        asked_for,
        because,
        address: address(),
    });
}
