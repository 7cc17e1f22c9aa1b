//! What does a client hold of its session at an upstream? An id of ours, which only its user's calls can use
//! ([`crate::access::SessionBinder`]); the upstream sees its own.
//!
//! MCP 2025-11-25, Streamable HTTP, session management. Nothing is kept here. 2026-07-28 has no sessions: the header means
//! nothing there and does not go on.

use super::own_key;
use crate::access::{SessionBinder, UpstreamSession};
use crate::mcp::{Asker, Era};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// The session that a request belongs to.
#[derive(Debug)]
pub(super) struct Session {
    /// As the client names it.
    presented: HeaderValue,
    /// As the upstream does.
    id: HeaderValue,
    /// Whether the client can send its person to a URL.
    pub(super) opens_urls: bool,
}

/// The request names a session that is not its user's, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoSuchSession;

/// Puts the upstream's name of the session into the headers of a request.
pub(super) fn open(
    binder: &SessionBinder,
    asker: &Asker,
    era: Era,
    headers: &mut HeaderMap,
) -> Result<Option<Session>, NoSuchSession> {
    if era == Era::Modern {
        headers.remove(SESSION_ID);
        return Ok(None);
    }
    let mut presented = headers.get_all(SESSION_ID).iter();
    let (presented, another) = (presented.next().cloned(), presented.next());
    let Some(presented) = presented else { return Ok(None) };
    if another.is_some() {
        return Err(NoSuchSession);
    }
    let (user, server) = (asker.token.claims().user, &asker.server.name);
    let session = binder.open(user, server, presented.as_bytes()).ok_or(NoSuchSession)?;
    let id = HeaderValue::from_bytes(session.id).map_err(|_| NoSuchSession)?;
    let opens_urls = session.opens_urls;
    headers.insert(SESSION_ID, id.clone());
    Ok(Some(Session { presented, id, opens_urls }))
}

/// Puts our name of the session into the headers of an answer to the request with `body`.
pub(super) fn bind(
    binder: &SessionBinder,
    asker: &Asker,
    era: Era,
    session: Option<&Session>,
    body: &[u8],
    headers: &mut HeaderMap,
) {
    let Some(id) = headers.remove(SESSION_ID).filter(|_| era == Era::Legacy) else { return };
    let ours = match session {
        Some(session) if session.id == id => session.presented.clone(),
        _ => {
            let opens_urls = session.map_or_else(|| own_key::opens_urls(body), |session| session.opens_urls);
            let (user, server) = (asker.token.claims().user, &asker.server.name);
            let bound = binder.bind(user, server, UpstreamSession { id: id.as_bytes(), opens_urls });
            HeaderValue::try_from(bound).expect("letters before what was a header's value make one")
        }
    };
    headers.insert(SESSION_ID, ours);
}
