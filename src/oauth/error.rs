//! What does a client hear when it is refused? Error codes of RFC 6749 §4.1.2.1 and §5.2, and of their relatives, with the
//! status and the text that go with them.
//!
//! A [`ProtocolError`] is the JSON answer of the token, registration, revocation and introspection endpoints. Refusals of an
//! authorization request have types of their own in [`super::authorization`], because who sees them differs. A code tells
//! clients what to do next: `invalid_grant` makes them ask the person again, `invalid_client` makes them register again.

use std::borrow::Cow;
use std::fmt;

/// Longest description that is sent, in bytes.
const MAX_DESCRIPTION: usize = 300;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)*) => {
        /// A registered error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it travels.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The HTTP status of a JSON answer with this code.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                }
            }
        }
    };
}

error_codes! {
    /// A parameter is missing, malformed or repeated (RFC 6749 §5.2).
    InvalidRequest = "invalid_request", 400;
    /// The client is unknown or did not prove who it is (RFC 6749 §5.2): it should register again.
    InvalidClient = "invalid_client", 401;
    /// Code or refresh token is unknown, used, expired, revoked or another client's (RFC 6749 §5.2).
    InvalidGrant = "invalid_grant", 400;
    /// This client may not use this grant type or endpoint (RFC 6749 §5.2).
    UnauthorizedClient = "unauthorized_client", 400;
    /// No such grant type here (RFC 6749 §5.2).
    UnsupportedGrantType = "unsupported_grant_type", 400;
    /// The scope is malformed or goes beyond the grant (RFC 6749 §5.2).
    InvalidScope = "invalid_scope", 400;
    /// The resource is malformed, unknown or not the grant's (RFC 8707 §2).
    InvalidTarget = "invalid_target", 400;
    /// Revocation of such tokens is not supported (RFC 7009 §2.2.1).
    UnsupportedTokenType = "unsupported_token_type", 400;
    /// A redirect URI of a registration is not acceptable (RFC 7591 §3.2.2).
    InvalidRedirectUri = "invalid_redirect_uri", 400;
    /// Another field of a registration is not acceptable (RFC 7591 §3.2.2).
    InvalidClientMetadata = "invalid_client_metadata", 400;
    /// A bearer token at a management endpoint is missing or wrong (RFC 6750 §3.1).
    InvalidToken = "invalid_token", 401;
    /// The person or a rule said no (RFC 6749 §4.1.2.1).
    AccessDenied = "access_denied", 403;
    /// Only `code` is answered (RFC 6749 §4.1.2.1).
    UnsupportedResponseType = "unsupported_response_type", 400;
    /// `prompt=none`, but the person has to be asked (OIDC Core §3.1.2.6).
    InteractionRequired = "interaction_required", 400;
    /// The `request` parameter is not read (OIDC Core §6.1).
    RequestNotSupported = "request_not_supported", 400;
    /// The `request_uri` parameter is not read (OIDC Core §6.2).
    RequestUriNotSupported = "request_uri_not_supported", 400;
    /// Too many requests: try again later (status 429, RFC 6585 §4).
    SlowDown = "slow_down", 429;
    /// Cannot answer now (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable = "temporarily_unavailable", 503;
    /// Something broke here (RFC 6749 §4.1.2.1).
    ServerError = "server_error", 500;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal that a client reads as JSON (RFC 6749 §5.2). Serialises to the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct ProtocolError {
    code: ErrorCode,
    description: Cow<'static, str>,
}

impl ProtocolError {
    /// A refusal with a description for the client's developer. Characters that RFC 6749 §5.2 does not allow there become
    /// apostrophes, and a long text is cut.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: clean(description.into()) }
    }

    /// `invalid_request`.
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_client`, status 401.
    pub fn invalid_client(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }

    /// `invalid_grant`.
    pub fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// What is wrong and what to do, in the characters that RFC 6749 §5.2 allows.
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl serde::Serialize for ProtocolError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut body = serializer.serialize_struct("ProtocolError", 2)?;
        body.serialize_field("error", self.code.as_str())?;
        body.serialize_field("error_description", &self.description)?;
        body.end()
    }
}

/// Keeps to `%x20-21 / %x23-5B / %x5D-7E` (RFC 6749 §4.1.2.1) and to [`MAX_DESCRIPTION`].
pub(super) fn clean(text: Cow<'static, str>) -> Cow<'static, str> {
    let allowed = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    if text.len() <= MAX_DESCRIPTION && text.chars().all(allowed) {
        return text;
    }
    text.chars().take(MAX_DESCRIPTION).map(|c| if allowed(c) { c } else { '\'' }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_clients_expect() {
        let error = ProtocolError::invalid_client("client cli_7f3 is not known here: register again");
        assert_eq!(error.status(), 401);
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"error":"invalid_client","error_description":"client cli_7f3 is not known here: register again"}"#
        );
        assert_eq!(ProtocolError::invalid_grant("x").status(), 400);
        assert_eq!(ProtocolError::invalid_request("x").status(), 400);
    }

    #[test]
    fn a_description_keeps_to_its_characters() {
        let error = ProtocolError::invalid_request("a \"b\" \\ ü\r\nX: y".to_owned());
        assert_eq!(error.description(), "a 'b' ' '''X: y");
        assert_eq!(ProtocolError::invalid_request("é".repeat(1_000)).description().len(), MAX_DESCRIPTION);
    }

    #[test]
    fn codes_are_distinct() {
        let mut texts: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.iter().all(|code| (400..=599).contains(&code.status())));
    }
}
