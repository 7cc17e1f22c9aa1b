//! May this refresh token be traded for new tokens? Rotation with a grace and detection of reuse (OAuth 2.1 §4.3.1,
//! RFC 9700 §4.14).
//!
//! Every refresh replaces the token. The replaced one goes on working for the grace, because clients race themselves;
//! shown after it, two parties have it, and the family ends: all that the grant gave. A token lives thirty days unless it is
//! used, a family a year. All of it is decided from the records and `now`; a sweeper that stands still changes nothing.
//! Every refresh leaves a record behind, in the grace too: [`super::refresh_pace`] bounds how many a grant can make.

use super::client::ClientId;
use super::client_authentication::AuthenticatedClient;
use super::error::{ErrorCode, ProtocolError};
use super::grant::Grant;
use super::scope::ScopeSet;
use crate::clock::{Timestamp, days, minutes};
use crate::id::GrantId;
use std::time::Duration;

/// The longest grace that may be configured.
pub const MAX_GRACE: Duration = minutes(30);

/// What the store keeps about a refresh token, under its digest. The family of a token is all of its grant's.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefreshToken {
    /// The consent that it stands for.
    pub grant: GrantId,
    /// To whom it was given.
    pub client: ClientId,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When the first of its family was made.
    pub family_started_at: Timestamp,
    /// When it was first traded for a successor, if it was.
    pub replaced_at: Option<Timestamp>,
}

/// How long refresh tokens are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPolicy {
    grace: Duration,
    idle: Duration,
    family: Duration,
}

/// The grace is longer than [`MAX_GRACE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the refresh grace is at most 1800 seconds")]
pub struct GraceTooLong;

impl Default for RefreshPolicy {
    /// Two minutes of grace, thirty days of rest, a year in all.
    fn default() -> Self {
        Self { grace: minutes(2), idle: days(30), family: days(365) }
    }
}

impl RefreshPolicy {
    /// This policy with another grace, of at most [`MAX_GRACE`]; zero for none.
    pub fn with_grace(self, grace: Duration) -> Result<Self, GraceTooLong> {
        if grace <= MAX_GRACE { Ok(Self { grace, ..self }) } else { Err(GraceTooLong) }
    }

    /// This policy with other lives: of a token that is not used, and of a family.
    #[must_use]
    pub const fn with_lives(self, idle: Duration, family: Duration) -> Self {
        Self { idle, family, ..self }
    }

    /// How long a replaced token goes on working.
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// How long a token lives without being used.
    pub const fn idle(&self) -> Duration {
        self.idle
    }

    /// When this token is over, used or not.
    pub fn expires_at(&self, token: &RefreshToken) -> Timestamp {
        (token.issued_at + self.idle).min(token.family_started_at + self.family)
    }
}

/// What a token request says besides the refresh token.
#[derive(Clone, Copy)]
pub struct RefreshRequest<'a> {
    /// Who asks, proved.
    pub client: &'a AuthenticatedClient,
    /// `scope`: less than was granted, for the access token only.
    pub scope: Option<&'a ScopeSet>,
    /// Every `resource`.
    pub resources: &'a [&'a str],
}

/// What to do with a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshDecision {
    /// Store both records, and give the successor and an access token.
    Rotate {
        /// The token shown, now replaced.
        replaced: RefreshToken,
        /// The new one.
        successor: RefreshToken,
        /// Of the access token.
        scopes: ScopeSet,
    },
    /// The token was replaced a moment ago: give a successor and an access token once more. The record shown stays.
    ReplayInGrace {
        /// A new one beside its elder sibling.
        successor: RefreshToken,
        /// Of the access token.
        scopes: ScopeSet,
    },
    /// Refuse, and end the grant in the same transaction.
    RevokeFamily(RefreshRefusal),
    /// Refuse; nothing changes.
    Refuse(RefreshRefusal),
}

/// Why a refresh token is not traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefreshRefusal {
    /// It was given to another client.
    #[error("the refresh token was not given to this client")]
    OtherClient,
    /// The consent has been taken back.
    #[error("the authorization has been revoked: ask for it again")]
    GrantEnded,
    /// Not used for too long, or its family is too old.
    #[error("the refresh token has expired: ask for authorization again")]
    Expired,
    /// Shown again after the grace.
    #[error("the refresh token was used before: what came of it has been revoked; ask for authorization again")]
    Reused,
    /// Nothing of the scope asked for was granted.
    #[error("none of these scopes was granted")]
    NoScope,
    /// The consent is for another server.
    #[error("resource is not the one of the authorization request")]
    OtherResource,
}

impl From<RefreshRefusal> for ProtocolError {
    fn from(refusal: RefreshRefusal) -> Self {
        let code = match refusal {
            RefreshRefusal::NoScope => ErrorCode::InvalidScope,
            RefreshRefusal::OtherResource => ErrorCode::InvalidTarget,
            _ => ErrorCode::InvalidGrant,
        };
        Self::new(code, refusal.to_string())
    }
}

impl RefreshToken {
    /// The first of a family: given with the code.
    pub fn first(grant: &Grant, now: Timestamp) -> Self {
        Self {
            grant: grant.id,
            client: grant.client.clone(),
            issued_at: now,
            family_started_at: now,
            replaced_at: None,
        }
    }

    /// Decides about a request with this token. `grant` is the one that it names; whether its user and client are still
    /// welcome is for the caller to know.
    pub fn decide(
        self,
        grant: &Grant,
        asked: RefreshRequest<'_>,
        policy: &RefreshPolicy,
        now: Timestamp,
    ) -> RefreshDecision {
        use RefreshDecision::{Refuse, ReplayInGrace, RevokeFamily, Rotate};
        if asked.client.client().id != self.client || grant.client != self.client || grant.id != self.grant {
            return Refuse(RefreshRefusal::OtherClient);
        }
        if !grant.is_live() {
            return Refuse(RefreshRefusal::GrantEnded);
        }
        if now >= policy.expires_at(&self) {
            return Refuse(RefreshRefusal::Expired);
        }
        if self.replaced_at.is_some_and(|replaced_at| now >= replaced_at + policy.grace) {
            return RevokeFamily(RefreshRefusal::Reused);
        }
        if !grant.is_for_each(asked.resources) {
            return Refuse(RefreshRefusal::OtherResource);
        }
        // RFC 6749 §6: never more than was granted. Some clients repeat all that they asked for at first: the rest is left
        // out, as it was then. Less may be asked for, also by the name of a narrower scope; whether the server has a scope
        // of that name is for the caller to know.
        let scopes = match asked.scope {
            Some(scope) if !scope.is_empty() => grant.scopes.meet(scope),
            _ => grant.scopes.clone(),
        };
        if scopes.is_empty() {
            return Refuse(RefreshRefusal::NoScope);
        }
        let successor = Self { issued_at: now, replaced_at: None, ..self.clone() };
        match self.replaced_at {
            Some(_) => ReplayInGrace { successor, scopes },
            None => Rotate { replaced: Self { replaced_at: Some(now), ..self }, successor, scopes },
        }
    }

    /// May the store forget it?
    pub fn is_forgettable(&self, policy: &RefreshPolicy, now: Timestamp) -> bool {
        now >= policy.expires_at(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grant::tests::{NOW, authenticated, grant, survives_storage};

    const OWNER: &str = "https://a.example/client.json";
    const OTHER: &str = "https://b.example/client.json";

    fn token() -> RefreshToken {
        RefreshToken::first(&grant(OWNER), NOW)
    }

    fn decide(token: &RefreshToken, now: Timestamp) -> RefreshDecision {
        decide_under(&RefreshPolicy::default(), token, now)
    }

    fn decide_under(policy: &RefreshPolicy, token: &RefreshToken, now: Timestamp) -> RefreshDecision {
        let client = authenticated(OWNER);
        let asked = RefreshRequest { client: &client, scope: None, resources: &[] };
        token.clone().decide(&grant(OWNER), asked, policy, now)
    }

    fn rotate(token: &RefreshToken, now: Timestamp) -> (RefreshToken, RefreshToken) {
        match decide(token, now) {
            RefreshDecision::Rotate { replaced, successor, .. } => (replaced, successor),
            other => panic!("{other:?}"),
        }
    }

    fn kind(decision: &RefreshDecision) -> &'static str {
        match decision {
            RefreshDecision::Rotate { .. } => "rotate",
            RefreshDecision::ReplayInGrace { .. } => "replay",
            RefreshDecision::RevokeFamily(_) => "end",
            RefreshDecision::Refuse(_) => "refuse",
        }
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_table_of_decisions() {
        use RefreshRefusal::{Expired, GrantEnded, OtherClient, Reused};
        let (live, ended) = (grant(OWNER), grant(OWNER).revoke(NOW));
        let fresh = token();
        let replaced = RefreshToken { replaced_at: Some(NOW), ..token() };
        let old = RefreshToken { family_started_at: NOW - days(364), ..token() };
        let (refuse, end) = (RefreshDecision::Refuse, RefreshDecision::RevokeFamily);
        for (case, token, grant, client, after, expected) in [
            ("fresh", &fresh, &live, OWNER, seconds(1), None),
            ("in grace", &replaced, &live, OWNER, seconds(119), None),
            ("grace over", &replaced, &live, OWNER, seconds(120), Some(end(Reused))),
            ("long after", &replaced, &live, OWNER, days(29), Some(end(Reused))),
            ("replaced and expired", &replaced, &live, OWNER, days(30), Some(refuse(Expired))),
            ("just not idle", &fresh, &live, OWNER, seconds(30 * 86_400 - 1), None),
            ("idle", &fresh, &live, OWNER, days(30), Some(refuse(Expired))),
            ("family in its last day", &old, &live, OWNER, seconds(86_399), None),
            ("family over", &old, &live, OWNER, days(1), Some(refuse(Expired))),
            ("grant ended", &fresh, &ended, OWNER, seconds(1), Some(refuse(GrantEnded))),
            ("grant ended, in grace", &replaced, &ended, OWNER, seconds(1), Some(refuse(GrantEnded))),
            ("grant ended, reused", &replaced, &ended, OWNER, days(1), Some(refuse(GrantEnded))),
            ("other client", &fresh, &live, OTHER, seconds(1), Some(refuse(OtherClient))),
            ("other client, in grace", &replaced, &live, OTHER, seconds(1), Some(refuse(OtherClient))),
            ("other client, reused", &replaced, &live, OTHER, days(1), Some(refuse(OtherClient))),
            ("other client, idle", &fresh, &live, OTHER, days(30), Some(refuse(OtherClient))),
        ] {
            let client = authenticated(client);
            let asked = RefreshRequest { client: &client, scope: None, resources: &[] };
            let decision = token.clone().decide(grant, asked, &RefreshPolicy::default(), NOW + after);
            match expected {
                Some(expected) => assert_eq!(decision, expected, "{case}"),
                None if token.replaced_at.is_some() => assert_eq!(kind(&decision), "replay", "{case}"),
                None => assert_eq!(kind(&decision), "rotate", "{case}"),
            }
        }
    }

    #[test]
    fn a_successor_works_and_is_replaced_in_turn() {
        let (replaced, second) = rotate(&token(), NOW + days(1));
        assert_eq!(replaced, RefreshToken { replaced_at: Some(NOW + days(1)), ..token() });
        assert_eq!(second, RefreshToken { issued_at: NOW + days(1), ..token() });
        let (_, third) = rotate(&second, NOW + days(2));
        assert_eq!((third.issued_at, third.family_started_at, third.replaced_at), (NOW + days(2), NOW, None));
    }

    #[test]
    fn use_keeps_a_family_alive_for_a_year_and_no_longer() {
        let mut token = token();
        let mut now = NOW;
        while now + days(29) < NOW + days(365) {
            now = now + days(29);
            token = rotate(&token, now).1;
        }
        assert_eq!(kind(&decide(&token, NOW + days(365) - seconds(1))), "rotate");
        assert_eq!(decide(&token, NOW + days(365)), RefreshDecision::Refuse(RefreshRefusal::Expired));
    }

    #[test]
    fn racing_requests_all_get_successors_of_one_family() {
        let (replaced, _) = rotate(&token(), NOW);
        for second in 0..120 {
            let RefreshDecision::ReplayInGrace { successor, scopes } = decide(&replaced, NOW + seconds(second)) else {
                panic!("within the grace at {second}");
            };
            assert_eq!((successor.grant, successor.family_started_at), (replaced.grant, NOW));
            assert_eq!(successor.replaced_at, None);
            assert_eq!(scopes, grant(OWNER).scopes);
        }
        assert_eq!(kind(&decide(&replaced, NOW + seconds(120))), "end");
    }

    #[test]
    fn a_replay_does_not_prolong_the_grace() {
        let (replaced, _) = rotate(&token(), NOW);
        let RefreshDecision::ReplayInGrace { .. } = decide(&replaced, NOW + seconds(100)) else { panic!("in grace") };
        assert_eq!(kind(&decide(&replaced, NOW + seconds(130))), "end");
    }

    #[test]
    fn the_grace_is_configured_within_bounds() {
        let policy = |grace| RefreshPolicy::default().with_grace(seconds(grace));
        assert_eq!(policy(1_801), Err(GraceTooLong));
        assert_eq!(RefreshPolicy::default().grace(), seconds(120));
        let (replaced, _) = rotate(&token(), NOW);
        for (grace, after, expected) in [
            (0, 0, "end"),
            (0, 1, "end"),
            (1, 0, "replay"),
            (1, 1, "end"),
            (1_800, 1_799, "replay"),
            (1_800, 1_800, "end"),
        ] {
            let decision = decide_under(&policy(grace).unwrap(), &replaced, NOW + seconds(after));
            assert_eq!(kind(&decision), expected, "{grace} {after}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_ends_no_family() {
        let (replaced, _) = rotate(&token(), NOW + days(1));
        assert_eq!(kind(&decide(&replaced, NOW)), "replay");
    }

    #[test]
    fn scope_and_server_are_those_of_the_grant_or_less() {
        let client = authenticated(OWNER);
        let all = "files:read mcp offline_access";
        for (scope, resources, outcome) in [
            (None, &[][..], Ok(all)),
            (Some(""), &[], Ok(all)),
            (Some("mcp"), &["https://mcp.example/mcp"], Ok("mcp")),
            (Some("mcp files:write"), &[], Ok("mcp")),
            (Some("openid mcp offline_access"), &[], Ok("mcp offline_access")),
            (Some("files:write"), &[], Ok("files:write")),
            (None, &["https://mcp.example"], Err(RefreshRefusal::OtherResource)),
            (None, &["https://mcp.example/mcp", ""], Err(RefreshRefusal::OtherResource)),
        ] {
            let scope = scope.map(|scope| ScopeSet::parse(scope).unwrap());
            let asked = RefreshRequest { client: &client, scope: scope.as_ref(), resources };
            let decision = token().decide(&grant(OWNER), asked, &RefreshPolicy::default(), NOW);
            match (decision, outcome) {
                (RefreshDecision::Rotate { scopes, .. }, Ok(expected)) => assert_eq!(scopes.as_str(), expected),
                (RefreshDecision::Refuse(refusal), Err(expected)) => assert_eq!(refusal, expected),
                (decision, _) => panic!("{scope:?} {resources:?} {decision:?}"),
            }
        }
    }

    #[test]
    fn a_refresh_never_gets_more_than_was_granted() {
        let client = authenticated(OWNER);
        let reader = Grant { scopes: ScopeSet::parse("mcp:read offline_access").unwrap(), ..grant(OWNER) };
        for (scope, outcome) in [
            ("mcp", Ok("mcp:read")),
            ("mcp mcp:read", Ok("mcp:read")),
            ("mcp:read", Ok("mcp:read")),
            ("files:write", Err(RefreshRefusal::NoScope)),
        ] {
            let scope = ScopeSet::parse(scope).unwrap();
            let asked = RefreshRequest { client: &client, scope: Some(&scope), resources: &[] };
            match (token().decide(&reader, asked, &RefreshPolicy::default(), NOW), outcome) {
                (RefreshDecision::Rotate { scopes, .. }, Ok(expected)) => assert_eq!(scopes.as_str(), expected),
                (RefreshDecision::Refuse(refusal), Err(expected)) => assert_eq!(refusal, expected),
                (decision, _) => panic!("{scope} {decision:?}"),
            }
        }
    }

    #[test]
    fn reuse_is_noticed_before_any_other_mistake_of_the_owner() {
        let client = authenticated(OWNER);
        let nothing = ScopeSet::parse("x").unwrap();
        let asked = RefreshRequest { client: &client, scope: Some(&nothing), resources: &["x"] };
        let replaced = RefreshToken { replaced_at: Some(NOW), ..token() };
        let decision = replaced.decide(&grant(OWNER), asked, &RefreshPolicy::default(), NOW + days(1));
        assert_eq!(decision, RefreshDecision::RevokeFamily(RefreshRefusal::Reused));
    }

    #[test]
    fn a_foreign_grant_gives_nothing() {
        let client = authenticated(OWNER);
        let asked = RefreshRequest { client: &client, scope: None, resources: &[] };
        for foreign in [grant(OTHER), Grant { id: GrantId::from_bytes([9; 16]), ..grant(OWNER) }] {
            let decision = token().decide(&foreign, asked, &RefreshPolicy::default(), NOW);
            assert_eq!(decision, RefreshDecision::Refuse(RefreshRefusal::OtherClient));
        }
    }

    #[test]
    fn a_record_is_kept_as_long_as_it_matters() {
        let (replaced, fresh) = rotate(&token(), NOW);
        let policy = RefreshPolicy::default();
        for token in [&replaced, &fresh] {
            survives_storage(token);
            assert!(!token.is_forgettable(&policy, NOW + days(30) - seconds(1)));
            assert!(token.is_forgettable(&policy, NOW + days(30)));
        }
        assert_eq!(ProtocolError::from(RefreshRefusal::Reused).code(), ErrorCode::InvalidGrant);
        assert_eq!(ProtocolError::from(RefreshRefusal::NoScope).code(), ErrorCode::InvalidScope);
        assert_eq!(ProtocolError::from(RefreshRefusal::OtherResource).code(), ErrorCode::InvalidTarget);
    }
}
