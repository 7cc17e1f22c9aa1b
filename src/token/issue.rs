//! How is a token made? Access tokens under a grant (RFC 9068) and personal tokens, signed by the active key.
//!
//! Invariants: what is issued here verifies in [`super::Verifier`] of the same issuer. No token lives longer than
//! `max_life`, because keys and revocations are kept for as long as that. Times are whole seconds, rounded down; the
//! claims that come back say what the token says, so that records agree with it.

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::id::{GrantId, TokenId, UserId};
use crate::keys::ActiveSigner;
use crate::oauth::client::ClientId;
use crate::oauth::issuer::Issuer;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::ScopeSet;
use crate::secret::Secret;
use crate::token::claims::{Audience, Claims, LAST_SECOND, TokenKind};
use crate::token::jws::{self, MAX_TOKEN, Typ};
use std::time::Duration;

/// Makes tokens in the name of one issuer.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    issuer: Issuer,
    max_life: Duration,
}

/// What an access token is for.
#[derive(Debug, Clone)]
pub struct AccessGrant {
    /// Who acts.
    pub user: UserId,
    /// Through which client.
    pub client: ClientId,
    /// Under which grant.
    pub grant: GrantId,
    /// At which server.
    pub resource: ResourceUri,
    /// Doing what.
    pub scopes: ScopeSet,
}

/// What a personal token is for.
#[derive(Debug, Clone)]
pub struct PersonalGrant {
    /// Who acts.
    pub user: UserId,
    /// At which servers.
    pub audience: Audience,
    /// Doing what.
    pub scopes: ScopeSet,
}

/// A token that was just made, to be shown to its owner once.
#[derive(Debug, Clone)]
pub struct SignedToken {
    text: Secret<String>,
    claims: Claims,
}

impl SignedToken {
    /// The token itself.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What it says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Why a token is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// It would be over at once, or live longer than tokens may.
    #[error("a token must expire after it is made, and within {} days", max.as_secs() / 86_400)]
    Life {
        /// The longest life that is allowed.
        max: Duration,
    },
    /// A personal token for chosen servers, of which none was chosen.
    #[error("choose at least one server")]
    NoServer,
    /// It would be longer than the verifier reads.
    #[error("the token would be too long; choose fewer servers, or all of them")]
    TooLong,
}

impl TokenIssuer {
    /// An issuer of tokens that live at most `max_life`: the same that the key rotation and the revocations reckon with.
    pub const fn new(issuer: Issuer, max_life: Duration) -> Self {
        Self { issuer, max_life }
    }

    /// Makes an access token.
    ///
    /// `issued_at` comes from [`super::RevocationSet::issue_time`], so that a revocation of the same second does not hit
    /// the new token.
    pub fn access(
        &self,
        signer: &ActiveSigner,
        grant: AccessGrant,
        issued_at: Timestamp,
        life: Duration,
        entropy: &dyn Entropy,
    ) -> Result<SignedToken, IssueError> {
        let AccessGrant { user, client, grant, resource, scopes } = grant;
        let claims = Claims {
            id: TokenId::generate(issued_at, entropy),
            user,
            kind: TokenKind::Access { client, grant },
            audience: Audience::Resources(vec![resource]),
            scopes,
            issued_at,
            expires_at: issued_at + life,
        };
        self.sign(Typ::Access, signer, claims)
    }

    /// Makes the personal token `id`, which is over at `expires_at`.
    ///
    /// `issued_at` comes from [`super::RevocationSet::issue_time`], as for [`TokenIssuer::access`].
    pub fn personal(
        &self,
        signer: &ActiveSigner,
        id: TokenId,
        grant: PersonalGrant,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<SignedToken, IssueError> {
        let PersonalGrant { user, audience, scopes } = grant;
        if matches!(&audience, Audience::Resources(resources) if resources.is_empty()) {
            return Err(IssueError::NoServer);
        }
        let claims = Claims { id, user, kind: TokenKind::Personal, audience, scopes, issued_at, expires_at };
        self.sign(Typ::Personal, signer, claims)
    }

    fn sign(&self, typ: Typ, signer: &ActiveSigner, mut claims: Claims) -> Result<SignedToken, IssueError> {
        if claims.expires_at.since(claims.issued_at) > self.max_life {
            return Err(IssueError::Life { max: self.max_life });
        }
        claims.issued_at = Timestamp::from_unix_seconds(claims.issued_at.unix_seconds());
        claims.expires_at = Timestamp::from_unix_seconds(claims.expires_at.unix_seconds());
        if claims.expires_at <= claims.issued_at || claims.expires_at.unix_seconds() > LAST_SECOND {
            return Err(IssueError::Life { max: self.max_life });
        }
        let text = Secret::new(jws::write(typ, &claims.to_json(&self.issuer), signer));
        if text.expose().len() > MAX_TOKEN { Err(IssueError::TooLong) } else { Ok(SignedToken { text, claims }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{days, hours};
    use crate::token::workshop::{NOW, USER, Workshop, resource};

    fn personal(workshop: &Workshop, audience: Audience, expires_at: Timestamp) -> Result<SignedToken, IssueError> {
        let grant = PersonalGrant { user: USER, audience, scopes: ScopeSet::mcp() };
        workshop.tokens.personal(workshop.ring.signer(), workshop.token_id(), grant, NOW, expires_at)
    }

    #[test]
    fn a_token_lives_for_some_time_and_no_longer_than_the_longest_life() {
        let workshop = Workshop::new(1);
        let refused = IssueError::Life { max: days(366) };
        let issue = |expires_at| personal(&workshop, Audience::EveryServer, expires_at).err();
        assert_eq!(issue(NOW + days(366)), None);
        assert_eq!(issue(NOW + Duration::from_secs(1)), None);
        for expires_at in [NOW, NOW - days(1), NOW + Duration::from_millis(999), NOW + days(367), Timestamp::FAR_FUTURE]
        {
            assert_eq!(issue(expires_at), Some(refused), "{expires_at:?}");
        }
        assert_eq!(refused.to_string(), "a token must expire after it is made, and within 366 days");
    }

    #[test]
    fn records_and_tokens_agree_to_the_second() {
        let workshop = Workshop::new(1);
        let token = personal(&workshop, Audience::EveryServer, NOW + hours(1) + Duration::from_millis(700)).unwrap();
        assert_eq!(token.claims().expires_at, NOW + hours(1));
        assert_eq!(workshop.verify(token.expose(), NOW).unwrap().claims(), token.claims());
    }

    #[test]
    fn a_token_for_chosen_servers_has_some_and_not_too_many() {
        let workshop = Workshop::new(1);
        let servers = |count| (0..count).map(|n| resource(&format!("/mcp/{n}"))).collect::<Vec<_>>();
        let issue = |count| personal(&workshop, Audience::Resources(servers(count)), NOW + days(1));

        assert_eq!(issue(0).unwrap_err(), IssueError::NoServer);
        let token = issue(100).unwrap();
        assert!(workshop.verify(token.expose(), NOW).unwrap().claims().audience.covers(&resource("/mcp/99")));
        assert_eq!(issue(1_000).unwrap_err(), IssueError::TooLong);
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = Workshop::new(1).access();
        assert!(!format!("{token:?}").contains("eyJ"));
    }
}
