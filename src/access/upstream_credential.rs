//! What does the gateway show an HTTP upstream, instead of what the client showed? A header: one value for all callers, or
//! for each user the key that they have stored.
//!
//! Invariant: what is in these types can be sent as a header as it is (RFC 9110 §5), under a name that neither HTTP nor the
//! gateway itself sets; the values are not printed and wiped when they are dropped.

use crate::secret::Secret;

/// With what the gateway identifies itself, or its callers, to an upstream.
#[derive(Debug, Clone)]
pub enum UpstreamCredential {
    /// One for all callers.
    Fixed(FixedCredential),
    /// The caller's own.
    PerUser(PerUserCredential),
}

/// A header whose value is known: read at start, or unsealed.
#[derive(Debug, Clone)]
pub struct FixedCredential {
    header: String,
    value: Secret<String>,
}

/// A header whose value is a prefix, the same for all, and the caller's key.
#[derive(Debug, Clone)]
pub struct PerUserCredential {
    header: String,
    prefix: Secret<String>,
}

/// Why a header cannot be sent to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not the name of a header (RFC 9110 §5.1).
    #[error("expected the name of a header such as Authorization or X-API-Key")]
    NotAHeader,
    /// A header that the gateway itself sets.
    #[error("this header is set by the gateway itself")]
    Reserved,
    /// Nothing, or characters that a header cannot carry.
    #[error("the value is empty or has characters that a header cannot carry")]
    NotAValue,
    /// A prefix with characters that a header cannot carry, or longer than [`MAX_PREFIX`].
    #[error("the prefix is too long or has characters that a header cannot carry")]
    NotAPrefix,
}

/// Longest prefix of a key, in bytes.
pub const MAX_PREFIX: usize = 256;

/// What the gateway or HTTP itself decides.
const RESERVED: [&str; 12] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "accept",
    "accept-encoding",
];

impl UpstreamCredential {
    /// The name of the header, in small letters.
    pub fn header(&self) -> &str {
        match self {
            Self::Fixed(fixed) => &fixed.header,
            Self::PerUser(per_user) => &per_user.header,
        }
    }
}

impl FixedCredential {
    /// The header `header` with `value`; white space at the value's end is dropped, because files end with a new line.
    pub fn new(header: &str, value: &str) -> Result<Self, CredentialError> {
        let header = header_name(header)?;
        let value = value.trim_end();
        if value.is_empty() || !is_sendable(value) {
            return Err(CredentialError::NotAValue);
        }
        Ok(Self { header, value: Secret::new(value.to_owned()) })
    }

    /// The name of the header, in small letters.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What it carries.
    pub const fn value(&self) -> &Secret<String> {
        &self.value
    }
}

impl PerUserCredential {
    /// The header `header` with `prefix` and then the caller's key.
    pub fn new(header: &str, prefix: &str) -> Result<Self, CredentialError> {
        let header = header_name(header)?;
        if prefix.len() > MAX_PREFIX || !is_sendable(prefix) || prefix.starts_with(' ') {
            return Err(CredentialError::NotAPrefix);
        }
        Ok(Self { header, prefix: Secret::new(prefix.to_owned()) })
    }

    /// The name of the header, in small letters.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What stands before the key.
    pub const fn prefix(&self) -> &Secret<String> {
        &self.prefix
    }
}

fn header_name(header: &str) -> Result<String, CredentialError> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if header.is_empty() || header.len() > 64 || !header.bytes().all(token) {
        return Err(CredentialError::NotAHeader);
    }
    let header = header.to_ascii_lowercase();
    let gateways = ["x-keyward-", "mcp-"].iter().any(|prefix| header.starts_with(prefix));
    if gateways || RESERVED.contains(&header.as_str()) { Err(CredentialError::Reserved) } else { Ok(header) }
}

fn is_sendable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_header_that_can_be_sent_and_is_not_printed() {
        let credential = FixedCredential::new("X-API-Key", "hunter2\n").unwrap();
        assert_eq!((credential.header(), credential.value().expose().as_str()), ("x-api-key", "hunter2"));
        let credential = UpstreamCredential::Fixed(credential);
        assert!(!format!("{credential:?}").contains("hunter2"));
        assert_eq!(credential.header(), "x-api-key");
        for (header, value, why) in [
            ("", "x", CredentialError::NotAHeader),
            ("X API", "x", CredentialError::NotAHeader),
            ("Host", "x", CredentialError::Reserved),
            ("X-Keyward-User", "x", CredentialError::Reserved),
            ("Mcp-Session-Id", "x", CredentialError::Reserved),
            ("Authorization", " \n", CredentialError::NotAValue),
            ("Authorization", "a\nb", CredentialError::NotAValue),
            ("Authorization", "ä", CredentialError::NotAValue),
        ] {
            assert_eq!(FixedCredential::new(header, value).unwrap_err(), why, "{header}");
        }
    }

    #[test]
    fn a_key_of_a_users_own_stands_behind_a_prefix() {
        let credential = PerUserCredential::new("Authorization", "Bearer ").unwrap();
        assert_eq!((credential.header(), credential.prefix().expose().as_str()), ("authorization", "Bearer "));
        assert_eq!(PerUserCredential::new("X-Key", "").unwrap().prefix().expose(), "");
        assert_eq!(PerUserCredential::new("Host", "").unwrap_err(), CredentialError::Reserved);
        for prefix in ["a\nb", "ä", " x", &"x".repeat(MAX_PREFIX + 1)] {
            assert_eq!(PerUserCredential::new("X-Key", prefix).unwrap_err(), CredentialError::NotAPrefix, "{prefix:?}");
        }
    }
}
