//! Whose is a session of an HTTP upstream's? (MCP 2025-11-25, Streamable HTTP, session management; security best practices,
//! session hijacking.)
//!
//! An upstream that is reached with one credential for all cannot tell users apart, so its session ids are bound here: what
//! the client gets is a mark and then the upstream's id. The mark is a MAC over user, server and id; nothing is kept.
//! Invariant: an id comes out of [`SessionBinder::open`] only for the user and the server that it was bound to.

use crate::access::server::ServerName;
use crate::id::UserId;
use crate::secret::{MasterSecret, Secret, hmac_sha256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

/// Bytes of a mark.
const MARK: usize = 16;
/// A mark in base64url.
const MARK_TEXT: usize = 22;

/// Binds sessions of upstreams to users.
#[derive(Debug)]
pub struct SessionBinder(Secret<[u8; 32]>);

/// A session and what of its client has to be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamSession<'a> {
    /// The upstream's id.
    pub id: &'a [u8],
    /// Whether the client can send its person to a URL (`elicitation.url` of its capabilities).
    pub opens_urls: bool,
}

impl SessionBinder {
    /// The binder of the installation with this master secret.
    pub fn new(master: &MasterSecret) -> Self {
        Self(master.derive("keyward/upstream-session/1"))
    }

    /// What the client of `user` gets instead of the upstream's id; the same each time.
    pub fn bind(&self, user: UserId, server: &ServerName, session: UpstreamSession<'_>) -> Vec<u8> {
        let mut bound = Vec::with_capacity(1 + MARK_TEXT + session.id.len());
        bound.push(flag(session.opens_urls));
        bound.extend_from_slice(URL_SAFE_NO_PAD.encode(self.mark(user, server, session)).as_bytes());
        bound.extend_from_slice(session.id);
        bound
    }

    /// The session that `presented` is, if it was bound to this user and server.
    pub fn open<'a>(&self, user: UserId, server: &ServerName, presented: &'a [u8]) -> Option<UpstreamSession<'a>> {
        let (flag, rest) = presented.split_first()?;
        let (mark, id) = rest.split_at_checked(MARK_TEXT)?;
        let opens_urls = match flag {
            b'u' => true,
            b's' => false,
            _ => return None,
        };
        let session = UpstreamSession { id, opens_urls };
        let mark = URL_SAFE_NO_PAD.decode(mark).ok()?;
        bool::from(mark.ct_eq(&self.mark(user, server, session))).then_some(session)
    }

    fn mark(&self, user: UserId, server: &ServerName, session: UpstreamSession<'_>) -> [u8; MARK] {
        // The user's id has one length and a server's name no zero byte, so no two sessions are one text.
        let flag = [flag(session.opens_urls)];
        let parts = [&flag[..], user.as_bytes(), server.as_str().as_bytes(), &[0], session.id];
        let mac = hmac_sha256(self.0.expose(), &parts);
        let mut mark = [0; MARK];
        mark.copy_from_slice(&mac[..MARK]);
        mark
    }
}

const fn flag(opens_urls: bool) -> u8 {
    if opens_urls { b'u' } else { b's' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn a_session_opens_for_its_user_at_its_server_as_it_was_bound() {
        let entropy = SeededEntropy::new(1);
        let binder = SessionBinder::new(&MasterSecret::generate(&entropy));
        let (ada, ben) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let (files, mail) = (ServerName::parse("files").unwrap(), ServerName::parse("mail").unwrap());
        for (id, opens_urls) in [(&b"session-1"[..], true), (b"", false), (b"\xff a", false)] {
            let session = UpstreamSession { id, opens_urls };
            let bound = binder.bind(ada, &files, session);
            assert_eq!(bound, binder.bind(ada, &files, session), "each answer names it alike");
            assert_eq!(binder.open(ada, &files, &bound), Some(session));
            assert_eq!(binder.open(ben, &files, &bound), None);
            assert_eq!(binder.open(ada, &mail, &bound), None);
            let other = SessionBinder::new(&MasterSecret::generate(&entropy));
            assert_eq!(other.open(ada, &files, &bound), None);
            for place in 0..bound.len() {
                let mut changed = bound.clone();
                changed[place] ^= 1;
                assert_eq!(binder.open(ada, &files, &changed), None, "{place}");
                assert_eq!(binder.open(ada, &files, &bound[..place]), None, "{place}");
            }
            assert_eq!(binder.open(ada, &files, id), None);
        }
    }
}
