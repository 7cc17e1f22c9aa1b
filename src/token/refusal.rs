//! Why was a token not accepted, and who may know how much? The reasons behind `invalid_token` (RFC 6750 §3.1).
//!
//! Invariant: whoever cannot show a token that we signed learns only that it is not one of ours. The holder of a genuine
//! token learns which of expiry, revocation and audience it was. [`TokenRefusal::code`] is for logs and tells all.

use crate::oauth::resource::ResourceUri;
use crate::token::claims::Audience;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Why a token was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefusal {
    /// Longer than [`super::MAX_TOKEN`].
    TooLong,
    /// Not a signed token in the form that we write.
    Malformed,
    /// Another of our credentials (a refresh token, code or client secret), which does not go here.
    WrongKind,
    /// Names a key that is not ours or is too old to have signed anything valid.
    UnknownKey,
    /// The signature is not that of the named key.
    BadSignature,
    /// Signed by our key, with claims that we do not write.
    BadClaims,
    /// Signed by our key for another issuer: the public URL was changed, or the data copied.
    WrongIssuer,
    /// From the future.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// It was valid and no longer is.
    Revoked(RevokedBy),
    /// For other servers than the one that was asked.
    WrongAudience {
        /// For which servers the token is.
        token: Audience,
        /// Which server was asked.
        wanted: ResourceUri,
    },
    /// For this URL, but issued when another server stood there, or none.
    OlderThanServer,
}

/// What ended a token before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum RevokedBy {
    /// It was revoked itself.
    Token,
    /// The grant that it was issued under ended.
    Grant,
    /// All tokens of its user up to some moment were revoked.
    User,
    /// The key that signed it was condemned.
    Key,
    /// It was replaced, and the time for that is over.
    Successor,
    /// What its grant allows was lowered after it was issued.
    Narrowing,
}

impl TokenRefusal {
    /// A short, stable name of the reason, for logs, metrics and events.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::WrongKind => "wrong_kind",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::BadClaims => "bad_claims",
            Self::WrongIssuer => "wrong_issuer",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Revoked(RevokedBy::Token) => "revoked",
            Self::Revoked(RevokedBy::Grant) => "revoked_grant",
            Self::Revoked(RevokedBy::User) => "revoked_user",
            Self::Revoked(RevokedBy::Key) => "revoked_key",
            Self::Revoked(RevokedBy::Successor) => "replaced",
            Self::Revoked(RevokedBy::Narrowing) => "narrowed_grant",
            Self::WrongAudience { .. } => "wrong_server",
            Self::OlderThanServer => "older_than_server",
        }
    }

    /// What to tell the caller, in `error_description`: only characters that RFC 6750 §3 allows there.
    pub fn description(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::TooLong
            | Self::Malformed
            | Self::UnknownKey
            | Self::BadSignature
            | Self::BadClaims
            | Self::WrongIssuer => "This is not a token that this server issued",
            Self::WrongKind => {
                "This is another kind of credential: send an access token or a personal access token instead"
            }
            Self::NotYetValid => "The token is not valid yet: the clock of this server may be behind",
            Self::Expired => "The token has expired",
            Self::Revoked(RevokedBy::Token) => "The token was revoked",
            Self::Revoked(RevokedBy::Grant) => "The connection that this token belongs to was revoked: connect again",
            Self::Revoked(RevokedBy::User) => "All tokens of this user were revoked: sign in again",
            Self::Revoked(RevokedBy::Key) => "The key that signed this token was withdrawn: sign in again",
            Self::Revoked(RevokedBy::Successor) => "The token was replaced by a new one: use that",
            Self::Revoked(RevokedBy::Narrowing) => {
                "What this connection may do was lowered: refresh the token or connect again"
            }
            Self::OlderThanServer => {
                "The server at this address was set up after this token was issued: connect again or make a new token"
            }
            Self::WrongAudience { token, wanted } => return Cow::Owned(wrong_audience(token, wanted)),
        })
    }
}

fn wrong_audience(token: &Audience, wanted: &ResourceUri) -> String {
    let mut text = format!("The token is not for {wanted}");
    if let Audience::Resources(resources) = token {
        // A header line is no place for a long list.
        for (place, resource) in resources.iter().take(3).enumerate() {
            let joint = if place == 0 { ", it is for" } else { " and" };
            let _ = write!(text, "{joint} {resource}");
        }
        if resources.len() > 3 {
            text.push_str(" and others");
        }
    }
    text.replace(['"', '\\'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> ResourceUri {
        ResourceUri::parse(text).unwrap()
    }

    #[test]
    fn a_stranger_cannot_tell_the_reasons_apart() {
        let stranger =
            [TokenRefusal::TooLong, TokenRefusal::Malformed, TokenRefusal::UnknownKey, TokenRefusal::BadSignature];
        assert!(stranger.iter().all(|refusal| refusal.description() == stranger[0].description()));
    }

    #[test]
    fn the_holder_is_told_which_servers_the_token_is_for() {
        let servers = ["https://h/a", "https://h/b", "https://h/c", "https://h/d"].map(resource).to_vec();
        let refusal =
            TokenRefusal::WrongAudience { token: Audience::Resources(servers), wanted: resource("https://h/x") };
        assert_eq!(
            refusal.description(),
            "The token is not for https://h/x, it is for https://h/a and https://h/b and https://h/c and others"
        );
    }

    #[test]
    fn a_description_fits_into_a_header() {
        let hostile = resource(r"https://h/?\");
        let refusal = TokenRefusal::WrongAudience { token: Audience::EveryServer, wanted: hostile };
        for refusal in [
            refusal,
            TokenRefusal::OlderThanServer,
            TokenRefusal::Expired,
            TokenRefusal::WrongKind,
            TokenRefusal::NotYetValid,
        ] {
            let description = refusal.description();
            assert!(description.bytes().all(|byte| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
        }
    }
}
