//! Does the token of this request open this server? Asked of every request, whatever its method, before anything else.
//!
//! The hot path: it runs on the reactor, reads only what is in memory, takes no lock and waits for nobody. Order: one
//! readable bearer token, genuine and good now, for this server, of a user who still has an account and may use the server,
//! with a scope that opens something there. What a message asks for is decided again, when it has been read. Only somebody who got through all of it holds an [`Asker`]; a check that is left out does not compile.

use crate::access::{Denied, GuardedServer, InsufficientScope, Operation, decide};
use crate::app::App;
use crate::app::live::Live;
use crate::app::usage::CallerRef;
use crate::clock::Timestamp;
use crate::id::UserId;
use crate::mcp::Asker;
use crate::token::{GenuineToken, TokenRefusal};
use crate::wire::bearer::{self, BearerProblem};
use crate::wire::client_address::ClientAddress;
use axum::http::Extensions;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use std::net::IpAddr;
use std::sync::Arc;

/// Why a request may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It presents no token.
    NoToken,
    /// It presents something that cannot be read.
    Unreadable(BearerProblem),
    /// The token is not good here.
    Token(TokenRefusal),
    /// The token is good, but its user is disabled or gone.
    NoUser(UserId),
    /// The token is good, but the server is not for its user.
    NotForUser(UserId),
    /// The token is good but does not reach that far.
    Scope(InsufficientScope),
    /// The server is gone or another, since the request was admitted.
    NoServer,
}

/// Admits a request to `server`, or says why not. Records the use of a token that is good.
pub(super) fn admit(
    app: &App,
    server: &Arc<GuardedServer>,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Asker, Refusal> {
    let presented = bearer::presented(headers).map_err(Refusal::Unreadable)?.ok_or(Refusal::NoToken)?;
    let (live, now) = (app.live(), app.now());
    let genuine = live.verifier().verify(presented, &live.keys(), live.revoked(), now).map_err(Refusal::Token)?;
    let asker = asker(live, &genuine, server)?;
    let claims = asker.token.claims();
    let caller = CallerRef { address: address_of(extensions), user_agent: user_agent_of(headers) };
    match claims.grant() {
        Some(grant) => live.usage().grants.record(grant, now, caller),
        None => live.usage().tokens.record(claims.id, now, caller),
    }
    check_reach(&asker)?;
    Ok(asker)
}

/// Whether the request of `asker` would be admitted once more by what holds now, if it were `at`: it was, and goes on.
pub(super) fn admit_again(app: &App, asked: &Asker, at: Timestamp) -> Result<(), Refusal> {
    let live = app.live();
    let genuine = live.verifier().verify_again(&asked.token, &live.keys(), live.revoked(), at);
    let genuine = genuine.map_err(Refusal::Token)?;
    let servers = live.servers();
    let server = servers.by_path(&asked.server.path).filter(|server| server.is_same_place(&asked.server));
    check_reach(&asker(live, &genuine, server.ok_or(Refusal::NoServer)?)?)
}

/// Who asks `server`, with a token that is good now.
fn asker(live: &Live, genuine: &GenuineToken, server: &Arc<GuardedServer>) -> Result<Asker, Refusal> {
    let token = server.verify(genuine).map_err(Refusal::Token)?;
    let user = token.claims().user;
    let user = live.user(user).ok_or(Refusal::NoUser(user))?;
    Ok(Asker { token, user, server: Arc::clone(server) })
}

/// Whether anything is open to `asker`.
fn check_reach(asker: &Asker) -> Result<(), Refusal> {
    let Asker { token, user, server } = asker;
    let decided = decide(token, user.person(), server, &Operation::Housekeeping);
    decided.map(drop).map_err(|denied| Refusal::of(denied, token.claims().user))
}

impl Refusal {
    /// What it means for `user` that something was denied.
    pub(super) fn of(denied: Denied, user: UserId) -> Self {
        match denied {
            Denied::Scope(lack) => Self::Scope(lack),
            Denied::NotForUser | Denied::NotThere => Self::NotForUser(user),
        }
    }

    /// Writes it down, for whoever wonders why a client does not get in: ids and reasons only. What anybody can make us
    /// write is written at debug level.
    pub(super) fn log(&self, server: &GuardedServer) {
        let server = server.name.as_str();
        match self {
            // What every client does first.
            Self::NoToken => tracing::debug!(server, "refused: no token"),
            Self::Unreadable(problem) => tracing::debug!(server, %problem, "refused: unreadable authorization"),
            Self::Token(refusal) if is_strangers(refusal) => {
                tracing::debug!(server, reason = refusal.code(), "refused: not a token of ours");
            }
            Self::Token(refusal) => {
                tracing::info!(server, reason = refusal.code(), "refused: {}", refusal.description());
            }
            Self::NoUser(user) => tracing::info!(server, %user, "refused: the user is disabled or gone"),
            Self::NotForUser(user) => tracing::info!(server, %user, "refused: the server is not for this user"),
            Self::Scope(lack) => tracing::info!(server, needed = %lack.needed, "refused: insufficient scope"),
            Self::NoServer => tracing::info!(server, "refused: the server was changed, switched off or removed"),
        }
    }
}

/// Whether no signature of ours was seen on the token.
const fn is_strangers(refusal: &TokenRefusal) -> bool {
    use TokenRefusal::{BadSignature, Malformed, TooLong, UnknownKey, WrongKind};
    matches!(refusal, TooLong | Malformed | WrongKind | UnknownKey | BadSignature)
}

fn address_of(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get().map(|ClientAddress(address)| *address).filter(|address| !address.is_unspecified())
}

fn user_agent_of(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
