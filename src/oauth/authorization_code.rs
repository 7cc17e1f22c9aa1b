//! May this code be traded for tokens? Redemption of authorization codes (OAuth 2.1 §4.1.3, RFC 7636 §4.6, RFC 9700 §2.1.1).
//!
//! Invariants: a code is good for one redemption, for a minute, for the client it was given to, and with the verifier of the
//! challenge that it was asked with. A second redemption ends the grant, but only if the redeemer has proved to be the owner:
//! otherwise whoever sees a used code in a log could end it. All of it is decided from the record and `now`; a sweeper that
//! stands still changes nothing.

use super::client::ClientId;
use super::client_authentication::AuthenticatedClient;
use super::error::{ErrorCode, ProtocolError};
use super::grant::Grant;
use super::pkce::CodeChallenge;
use super::redirect_uri::RedirectUri;
use crate::clock::{Timestamp, hours, minutes};
use crate::id::GrantId;
use std::time::Duration;

/// How long a code is good, if the configuration does not say otherwise.
pub const CODE_LIFE: Duration = minutes(1);
/// How long a code is remembered, so that a second redemption is noticed.
pub const CODE_MEMORY: Duration = hours(24);

/// What the store keeps about a code, under its digest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AuthorizationCode {
    /// The consent that it stands for.
    pub grant: GrantId,
    /// To whom it was given.
    pub client: ClientId,
    /// Where it was sent.
    pub redirect_uri: RedirectUri,
    /// What the redeemer must know the verifier of.
    pub challenge: CodeChallenge,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it was redeemed, if it was.
    pub redeemed_at: Option<Timestamp>,
}

/// What a token request says besides the code.
#[derive(Clone, Copy)]
pub struct CodeRedemption<'a> {
    /// Who asks, proved.
    pub client: &'a AuthenticatedClient,
    /// `code_verifier`.
    pub verifier: Option<&'a str>,
    /// `redirect_uri`: OAuth 2.0 clients repeat it, OAuth 2.1 clients leave it out (OAuth 2.1 §10.2). If it is there, it
    /// must be the same text.
    pub redirect_uri: Option<&'a str>,
    /// Every `resource`.
    pub resources: &'a [&'a str],
}

/// Why a code is not traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    /// It was given to another client.
    #[error("the code was not given to this client")]
    OtherClient,
    /// No `code_verifier`.
    #[error("code_verifier is missing: PKCE is required")]
    NoVerifier,
    /// The verifier is not the challenge's.
    #[error("code_verifier does not belong to the code_challenge of the authorization request")]
    WrongVerifier,
    /// The owner redeems it a second time.
    #[error("the code was used before: what it gave has been revoked; ask for authorization again")]
    Replayed,
    /// Its time is over.
    #[error("the code has expired: ask for authorization again")]
    Expired,
    /// The consent has been taken back.
    #[error("the authorization has been revoked: ask for it again")]
    GrantEnded,
    /// The code was sent to another address.
    #[error("redirect_uri is not the one of the authorization request")]
    OtherRedirect,
    /// The consent is for another server.
    #[error("resource is not the one of the authorization request")]
    OtherResource,
}

impl CodeRefusal {
    /// Must the caller end the grant with this refusal, in the same transaction?
    pub const fn ends_grant(self) -> bool {
        matches!(self, Self::Replayed)
    }
}

impl From<CodeRefusal> for ProtocolError {
    fn from(refusal: CodeRefusal) -> Self {
        let code = match refusal {
            CodeRefusal::OtherResource => ErrorCode::InvalidTarget,
            _ => ErrorCode::InvalidGrant,
        };
        Self::new(code, refusal.to_string())
    }
}

impl AuthorizationCode {
    /// A new code under `grant`, for whoever knows the verifier.
    pub fn issue(grant: &Grant, challenge: CodeChallenge, now: Timestamp) -> Self {
        Self {
            grant: grant.id,
            client: grant.client.clone(),
            redirect_uri: grant.redirect_uri.clone(),
            challenge,
            issued_at: now,
            redeemed_at: None,
        }
    }

    /// Trades the code: what comes back is the same code, used, to be stored in the transaction that makes the tokens.
    /// `grant` is the one that the code names. The order of the checks is part of the promise: ownership comes first.
    pub fn redeem(
        self,
        grant: &Grant,
        asked: CodeRedemption<'_>,
        life: Duration,
        now: Timestamp,
    ) -> Result<Self, CodeRefusal> {
        if asked.client.client().id != self.client || grant.client != self.client || grant.id != self.grant {
            return Err(CodeRefusal::OtherClient);
        }
        if !self.challenge.verify(asked.verifier.ok_or(CodeRefusal::NoVerifier)?) {
            return Err(CodeRefusal::WrongVerifier);
        }
        if self.redeemed_at.is_some() {
            return Err(CodeRefusal::Replayed);
        }
        if now >= self.issued_at + life {
            return Err(CodeRefusal::Expired);
        }
        if !grant.is_live() {
            return Err(CodeRefusal::GrantEnded);
        }
        if asked.redirect_uri.is_some_and(|text| text != self.redirect_uri.as_str()) {
            return Err(CodeRefusal::OtherRedirect);
        }
        if !grant.is_for_each(asked.resources) {
            return Err(CodeRefusal::OtherResource);
        }
        Ok(Self { redeemed_at: Some(now), ..self })
    }

    /// Can its client still trade it? `life` is that of codes.
    pub fn is_waiting(&self, life: Duration, now: Timestamp) -> bool {
        self.redeemed_at.is_none() && now < self.issued_at + life
    }

    /// May the store forget it?
    pub fn is_forgettable(&self, now: Timestamp) -> bool {
        now >= self.issued_at + CODE_MEMORY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grant::tests::{NOW, authenticated, grant, survives_storage};

    const OWNER: &str = "https://a.example/client.json";
    const OTHER: &str = "https://b.example/client.json";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const WRONG_VERIFIER: &str = "eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn code() -> AuthorizationCode {
        let challenge =
            CodeChallenge::parse(Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), Some("S256")).unwrap();
        AuthorizationCode::issue(&grant(OWNER), challenge, NOW)
    }

    fn asked<'a>(client: &'a AuthenticatedClient, verifier: Option<&'a str>) -> CodeRedemption<'a> {
        CodeRedemption { client, verifier, redirect_uri: None, resources: &[] }
    }

    #[test]
    fn client_and_time_must_both_be_right() {
        let live = NOW + CODE_LIFE - Duration::from_millis(1);
        for (client, now, outcome) in [
            (OWNER, live, Ok(())),
            (OWNER, NOW + CODE_LIFE, Err(CodeRefusal::Expired)),
            (OTHER, live, Err(CodeRefusal::OtherClient)),
            (OTHER, NOW + CODE_LIFE, Err(CodeRefusal::OtherClient)),
        ] {
            let client = authenticated(client);
            let redeemed = code().redeem(&grant(OWNER), asked(&client, Some(VERIFIER)), CODE_LIFE, now);
            assert_eq!(redeemed.map(drop), outcome);
        }
    }

    #[test]
    fn the_verifier_is_always_asked_for() {
        let client = authenticated(OWNER);
        for (verifier, outcome) in [
            (Some(VERIFIER), Ok(())),
            (None, Err(CodeRefusal::NoVerifier)),
            (Some(""), Err(CodeRefusal::WrongVerifier)),
            (Some(WRONG_VERIFIER), Err(CodeRefusal::WrongVerifier)),
            // The challenge itself, as if the method were `plain`.
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), Err(CodeRefusal::WrongVerifier)),
        ] {
            let redeemed = code().redeem(&grant(OWNER), asked(&client, verifier), CODE_LIFE, NOW);
            assert_eq!(redeemed.map(drop), outcome, "{verifier:?}");
        }
    }

    #[test]
    fn a_second_redemption_ends_the_grant_only_for_the_owner() {
        let (owner, other) = (authenticated(OWNER), authenticated(OTHER));
        let used = code().redeem(&grant(OWNER), asked(&owner, Some(VERIFIER)), CODE_LIFE, NOW).unwrap();
        assert_eq!(used.redeemed_at, Some(NOW));
        for (client, verifier, ends) in [
            (&owner, Some(VERIFIER), true),
            (&owner, Some(WRONG_VERIFIER), false),
            (&owner, None, false),
            (&other, Some(VERIFIER), false),
            (&other, Some(WRONG_VERIFIER), false),
        ] {
            for now in [NOW, NOW + CODE_LIFE, NOW + hours(12)] {
                for grant in [grant(OWNER), grant(OWNER).revoke(NOW)] {
                    let refusal = used.clone().redeem(&grant, asked(client, verifier), CODE_LIFE, now).unwrap_err();
                    assert_eq!(refusal.ends_grant(), ends, "{refusal:?}");
                }
            }
        }
    }

    #[test]
    fn an_unused_code_never_ends_the_grant() {
        let (owner, other) = (authenticated(OWNER), authenticated(OTHER));
        for client in [&owner, &other] {
            for verifier in [None, Some(VERIFIER), Some(WRONG_VERIFIER)] {
                for now in [NOW, NOW + CODE_LIFE, NOW + hours(48)] {
                    let redeemed = code().redeem(&grant(OWNER), asked(client, verifier), CODE_LIFE, now);
                    assert!(!redeemed.is_err_and(CodeRefusal::ends_grant));
                }
            }
        }
    }

    #[test]
    fn address_and_server_are_those_of_the_request_if_named() {
        let client = authenticated(OWNER);
        for (redirect_uri, resources, outcome) in [
            (None, &[][..], Ok(())),
            (Some("http://localhost:8787/cb"), &["https://mcp.example/mcp/"], Ok(())),
            (Some("http://localhost:8788/cb"), &[], Err(CodeRefusal::OtherRedirect)),
            (Some("http://localhost/cb"), &[], Err(CodeRefusal::OtherRedirect)),
            (Some(""), &[], Err(CodeRefusal::OtherRedirect)),
            (None, &["https://mcp.example"], Err(CodeRefusal::OtherResource)),
            (None, &["https://mcp.example/mcp", "x"], Err(CodeRefusal::OtherResource)),
        ] {
            let asked = CodeRedemption { client: &client, verifier: Some(VERIFIER), redirect_uri, resources };
            assert_eq!(code().redeem(&grant(OWNER), asked, CODE_LIFE, NOW).map(drop), outcome, "{redirect_uri:?}");
        }
    }

    #[test]
    fn an_ended_or_foreign_grant_gives_nothing() {
        let client = authenticated(OWNER);
        let redeem = |grant: &Grant| code().redeem(grant, asked(&client, Some(VERIFIER)), CODE_LIFE, NOW).map(drop);
        assert_eq!(redeem(&grant(OWNER).revoke(NOW)), Err(CodeRefusal::GrantEnded));
        assert_eq!(redeem(&grant(OTHER)), Err(CodeRefusal::OtherClient));
        let another = Grant { id: GrantId::from_bytes([9; 16]), ..grant(OWNER) };
        assert_eq!(redeem(&another), Err(CodeRefusal::OtherClient));
    }

    #[test]
    fn refusals_are_protocol_errors() {
        assert_eq!(ProtocolError::from(CodeRefusal::Replayed).code(), ErrorCode::InvalidGrant);
        assert_eq!(ProtocolError::from(CodeRefusal::OtherResource).code(), ErrorCode::InvalidTarget);
    }

    #[test]
    fn a_code_is_remembered_for_a_day() {
        survives_storage(&code());
        survives_storage(&AuthorizationCode { redeemed_at: Some(NOW), ..code() });
        assert!(!code().is_forgettable(NOW + hours(24) - minutes(1)));
        assert!(code().is_forgettable(NOW + hours(24)));
    }
}
