//! What does a user show an HTTP upstream that wants a key of each caller's own? Text that they enter once; kept sealed.
//!
//! A key was entered for one upstream. What is sealed names its owner, the server and where that server was then, so a
//! row that is moved to another place does not open, and a server that is moved to another origin gets no key that was not
//! meant for it. Invariants: a key can be sent in a header as it is; it is not printed, and wiped when it is dropped.

use crate::access::server::ServerName;
use crate::access::upstream::UpstreamUrl;
use crate::clock::Timestamp;
use crate::id::UserId;
use crate::seal::{NotSealed, Purpose, Sealer};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// Longest key, in bytes.
pub const MAX_UPSTREAM_KEY: usize = 4096;

/// A user's key for one upstream.
#[derive(Debug, Clone)]
pub struct UpstreamKey(Secret<String>);

/// Why a text cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnUpstreamKey {
    /// Nothing.
    #[error("Enter the key.")]
    Empty,
    /// More than [`MAX_UPSTREAM_KEY`].
    #[error("A key has at most {MAX_UPSTREAM_KEY} characters.")]
    TooLong,
    /// Characters that a header cannot carry.
    #[error(
        "A key has letters, digits and signs of ASCII on one line only. Copy it again, without what stands around it."
    )]
    Unsendable,
}

impl UpstreamKey {
    /// Reads a key as typed; white space around it is ignored, and so is `prefix`, which stands before each key anyway.
    pub fn parse(text: &str, prefix: &str) -> Result<Self, NotAnUpstreamKey> {
        let text = text.trim();
        let text = text.strip_prefix(prefix).unwrap_or(text).trim_start();
        match text.len() {
            0 => Err(NotAnUpstreamKey::Empty),
            1..=MAX_UPSTREAM_KEY if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                Ok(Self(Secret::new(text.to_owned())))
            }
            1..=MAX_UPSTREAM_KEY => Err(NotAnUpstreamKey::Unsendable),
            _ => Err(NotAnUpstreamKey::TooLong),
        }
    }

    /// The key itself.
    pub const fn expose(&self) -> &String {
        self.0.expose()
    }
}

/// A user's key at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedUpstreamKey {
    sealed: String,
    origin: String,
    /// When it was entered.
    pub set_at: Timestamp,
}

impl SealedUpstreamKey {
    /// Seals `key`, which `user` has entered for `server` when it was at `upstream`.
    pub fn seal(
        sealer: &Sealer,
        user: UserId,
        server: &ServerName,
        upstream: &UpstreamUrl,
        key: &UpstreamKey,
        now: Timestamp,
    ) -> Self {
        let origin = upstream.origin().to_owned();
        let payload = Secret::new(format!("{}{}", bound_to(user, server, &origin), key.expose()));
        Self { sealed: sealer.seal_text(Purpose::UpstreamKey, payload.expose()), origin, set_at: now }
    }

    /// The key, if this is the row of `user` and `server`.
    pub fn open(&self, sealer: &Sealer, user: UserId, server: &ServerName) -> Result<UpstreamKey, NotSealed> {
        let payload = Secret::new(sealer.open_text(Purpose::UpstreamKey, &self.sealed)?);
        let key = payload.expose().strip_prefix(&bound_to(user, server, &self.origin)).ok_or(NotSealed)?;
        UpstreamKey::parse(key, "").map_err(|_| NotSealed)
    }

    /// The origin of the upstream that it was entered for.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A row with these parts, of which none was sealed here.
    #[cfg(test)]
    pub(crate) fn sample(sealed: &str, origin: &str, set_at: Timestamp) -> Self {
        Self { sealed: sealed.to_owned(), origin: origin.to_owned(), set_at }
    }
}

/// What stands before the key; none of the parts has a line break.
fn bound_to(user: UserId, server: &ServerName, origin: &str) -> String {
    format!("{user}\n{server}\n{origin}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::secret::MasterSecret;

    #[test]
    fn a_key_fits_into_a_header_and_is_not_printed() {
        let key = |text: &str, prefix: &str| UpstreamKey::parse(text, prefix).map(|key| key.expose().clone());
        assert_eq!(key(" ntn_1x/+=\n", "").as_deref(), Ok("ntn_1x/+="));
        assert_eq!(key("Bearer ntn_1", "Bearer ").as_deref(), Ok("ntn_1"), "pasted with what stands before it anyway");
        assert_eq!(key("Bearer ntn_1", "").as_deref(), Ok("Bearer ntn_1"));
        assert_eq!(key(&"x".repeat(MAX_UPSTREAM_KEY), "").map(|key| key.len()), Ok(MAX_UPSTREAM_KEY));
        for (text, why) in [
            ("", NotAnUpstreamKey::Empty),
            (" \n", NotAnUpstreamKey::Empty),
            ("a\nb", NotAnUpstreamKey::Unsendable),
            ("a\r\nX-Keyward-User: root", NotAnUpstreamKey::Unsendable),
            ("a\0", NotAnUpstreamKey::Unsendable),
            ("schlüssel", NotAnUpstreamKey::Unsendable),
            (&"x".repeat(MAX_UPSTREAM_KEY + 1), NotAnUpstreamKey::TooLong),
        ] {
            assert_eq!(key(text, "Bearer "), Err(why), "{text:?}");
        }
        assert!(!format!("{:?}", UpstreamKey::parse("hunter2", "")).contains("hunter2"));
    }

    #[test]
    fn a_row_opens_in_its_place_only() {
        let entropy = SeededEntropy::new(1);
        let sealer = Sealer::new(&MasterSecret::generate(&entropy));
        let url = |text| UpstreamUrl::parse(text).unwrap();
        let (ada, ben) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let (files, mail) = (ServerName::parse("files").unwrap(), ServerName::parse("mail").unwrap());
        let key = UpstreamKey::parse("hunter2", "").unwrap();
        let row = SealedUpstreamKey::seal(&sealer, ada, &files, &url("https://files/mcp?x=1"), &key, Timestamp::EPOCH);

        assert_eq!(row.open(&sealer, ada, &files).unwrap().expose(), "hunter2");
        assert_eq!(row.origin(), "https://files");
        assert!(!format!("{row:?}").contains("hunter2"));
        assert!(row.open(&sealer, ben, &files).is_err() && row.open(&sealer, ada, &mail).is_err());
        let moved = SealedUpstreamKey { origin: "https://elsewhere".to_owned(), ..row.clone() };
        assert!(moved.open(&sealer, ada, &files).is_err());
        let other = Sealer::new(&MasterSecret::generate(&entropy));
        assert!(row.open(&other, ada, &files).is_err());
    }
}
