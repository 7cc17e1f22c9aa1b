//! What has a person allowed one client? The grant: made by consent, ended by revocation, and what every code, refresh
//! token and access token of that consent points to.
//!
//! Neighbours: [`super::authorization_code`] and [`super::refresh_token`] are what a client trades in under a grant. A person
//! may have many grants for one client (another machine, another account of the client): none ends another.

use super::authorization::{AuthorizationRequest, AuthorizePageError};
use super::client::{Client, ClientId, GrantType};
use super::redirect_uri::RedirectUri;
use super::resource::ResourceUri;
use super::scope::{self, ScopeSet};
use crate::clock::Timestamp;
use crate::id::{GrantId, UserId};

/// What a user has allowed one client.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// Its name; access tokens carry it.
    pub id: GrantId,
    /// Who allowed it.
    pub user: UserId,
    /// To whom.
    pub client: ClientId,
    /// The client's name as the person saw it; what the client calls itself later does not change it.
    pub client_name: String,
    /// For which server.
    pub resource: ResourceUri,
    /// To do what.
    pub scopes: ScopeSet,
    /// Where the answer went.
    pub redirect_uri: RedirectUri,
    /// When.
    pub created_at: Timestamp,
    /// When an access token was last issued under it; never before its code is redeemed.
    pub last_issued_at: Option<Timestamp>,
    /// When it ended, if it has.
    pub revoked_at: Option<Timestamp>,
    /// When less was allowed the last time than before.
    pub narrowed_at: Option<Timestamp>,
}

impl Grant {
    /// What `user` allows by approving `request` now: `scopes`, which may be less than was asked for. The client is looked at again, because it may have changed while the
    /// form was open: a redirect URI that it no longer has gets no grant, hence no code.
    pub fn approved(
        id: GrantId,
        user: UserId,
        client: &Client,
        request: &AuthorizationRequest,
        scopes: ScopeSet,
        now: Timestamp,
    ) -> Result<Self, AuthorizePageError> {
        request.check_address(client)?;
        Ok(Self {
            id,
            user,
            client: client.id.clone(),
            client_name: client.display_name().to_owned(),
            resource: request.resource().clone(),
            scopes,
            redirect_uri: request.redirect_uri().clone(),
            created_at: now,
            last_issued_at: None,
            revoked_at: None,
            narrowed_at: None,
        })
    }

    /// Does it still hold?
    pub const fn is_live(&self) -> bool {
        self.revoked_at.is_none()
    }

    /// Does its client have something in hand? Not before it has redeemed its code.
    pub const fn is_connected(&self) -> bool {
        self.is_live() && self.last_issued_at.is_some()
    }

    /// The grant, with an access token issued under it.
    #[must_use]
    pub const fn issued(mut self, now: Timestamp) -> Self {
        self.last_issued_at = Some(now);
        self
    }

    /// The grant, allowing `less`: what it allows now and `less` meet in. `None` if that is nothing less, or nothing at all.
    #[must_use]
    pub fn narrowed(&self, less: &ScopeSet, now: Timestamp) -> Option<Self> {
        let kept = self.scopes.without(scope::OFFLINE_ACCESS);
        let scopes = kept.meet(&less.without(scope::OFFLINE_ACCESS));
        if scopes.is_empty() || scopes == kept {
            return None;
        }
        let stays = self.scopes.contains(scope::OFFLINE_ACCESS);
        let scopes = if stays { scopes.with_offline_access() } else { scopes };
        Some(Self { scopes, narrowed_at: Some(now), ..self.clone() })
    }

    /// The moment to write into a token that is issued under it at `now`: what was issued in the second in which it was
    /// narrowed is refused.
    pub fn issue_time(&self, now: Timestamp) -> Timestamp {
        let next = |narrowed: Timestamp| Timestamp::from_unix_seconds(narrowed.unix_seconds() + 1);
        self.narrowed_at.map_or(now, |narrowed| now.max(next(narrowed)))
    }

    /// The grant, ended. The first end counts.
    #[must_use]
    pub fn revoke(mut self, now: Timestamp) -> Self {
        self.revoked_at.get_or_insert(now);
        self
    }

    /// Is every resource that a token request names (RFC 8707 §2.2) the one of this grant? None is right too: older clients
    /// leave it out.
    pub fn is_for_each(&self, resources: &[&str]) -> bool {
        resources.iter().all(|text| ResourceUri::parse(text).is_ok_and(|resource| resource == self.resource))
    }
}

/// Does the redeemer of a code get a refresh token?
///
/// Yes, if the client's grant types include `refresh_token` or `offline_access` was granted. Registration and documents
/// that name no grant types are read as naming both, so only a client that names `authorization_code` alone and does not
/// ask for `offline_access` goes without.
pub fn gets_refresh_token(client: &Client, granted: &ScopeSet) -> bool {
    client.may_use(GrantType::RefreshToken) || granted.contains(scope::OFFLINE_ACCESS)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::oauth::client::{ClientKind, ClientMetadata};
    use crate::oauth::client_authentication::{
        AuthenticatedClient, Authentication, ClientCredentials, ClientParameters,
    };

    pub const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    pub fn client(id: &str) -> Client {
        let redirect_uri = RedirectUri::parse("http://localhost/cb").unwrap();
        Client {
            id: ClientId::parse(id).unwrap(),
            kind: ClientKind::Document,
            metadata: ClientMetadata::public(Some("Client".to_owned()), vec![redirect_uri]),
            secret: None,
            created_at: NOW,
            created_by: None,
        }
    }

    pub fn authenticated(id: &str) -> AuthenticatedClient {
        let form = ClientParameters { client_id: Some(id), ..ClientParameters::default() };
        match ClientCredentials::parse(None, form).unwrap().against(client(id)).unwrap() {
            Authentication::Done(client) => client,
            Authentication::NeedsKeys(_) => unreachable!("a public client"),
        }
    }

    pub fn grant(client: &str) -> Grant {
        Grant {
            id: GrantId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            client: ClientId::parse(client).unwrap(),
            client_name: "Client".to_owned(),
            resource: ResourceUri::parse("https://mcp.example/mcp").unwrap(),
            scopes: ScopeSet::parse("mcp files:read offline_access").unwrap(),
            redirect_uri: RedirectUri::parse("http://localhost:8787/cb").unwrap(),
            created_at: NOW,
            last_issued_at: None,
            revoked_at: None,
            narrowed_at: None,
        }
    }

    pub fn survives_storage<T>(value: &T)
    where
        T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let config = bincode::config::standard();
        let stored = bincode::serde::encode_to_vec(value, config).unwrap();
        let (read, length) = bincode::serde::decode_from_slice::<T, _>(&stored, config).unwrap();
        assert_eq!((&read, length), (value, stored.len()));
    }

    #[test]
    fn the_first_end_of_a_grant_counts() {
        let grant = grant("https://a.example/c");
        assert!(grant.is_live());
        let ended = grant.revoke(NOW).revoke(NOW + crate::clock::days(1));
        assert_eq!(ended.revoked_at, Some(NOW));
        assert!(!ended.is_live());
        survives_storage(&ended);
    }

    #[test]
    fn a_grant_is_narrowed_to_less_and_never_to_more() {
        let scopes = |text: &str| ScopeSet::parse(text).unwrap();
        for (had, less, has) in [
            ("mcp offline_access", "mcp:read", Some("mcp:read offline_access")),
            ("mcp", "files:write mcp:read", Some("files:write mcp:read")),
            ("files:write mcp:read", "mcp:read", Some("mcp:read")),
            ("files:write mcp:read", "mcp", None),
            ("mcp:read", "files:write", None),
            ("mcp:read offline_access", "mcp:read", None),
            ("mcp", "", None),
            ("mcp offline_access", "offline_access", None),
        ] {
            let grant = Grant { scopes: scopes(had), ..grant("https://a.example/c") };
            let narrowed = grant.narrowed(&scopes(less), NOW);
            assert_eq!(narrowed.as_ref().map(|grant| grant.scopes.as_str()), has, "{had} to {less}");
            if let Some(narrowed) = narrowed {
                assert_eq!(narrowed.issue_time(NOW).unix_seconds(), NOW.unix_seconds() + 1);
                assert_eq!(narrowed.issue_time(NOW + crate::clock::days(1)), NOW + crate::clock::days(1));
            }
        }
    }

    #[test]
    fn a_token_request_may_name_the_resource_of_the_grant_only() {
        let grant = grant("https://a.example/c");
        for (resources, right) in [
            (&[][..], true),
            (&["https://mcp.example/mcp"], true),
            (&["HTTPS://mcp.example:443/mcp/", "https://mcp.example/mcp"], true),
            (&["https://mcp.example"], false),
            (&["https://mcp.example/mcp/files"], false),
            (&["https://mcp.example/mcp", "https://other.example"], false),
            (&["mcp"], false),
            (&[""], false),
        ] {
            assert_eq!(grant.is_for_each(resources), right, "{resources:?}");
        }
    }

    #[test]
    fn refresh_tokens_are_for_whoever_did_not_decline_them() {
        use GrantType::{AuthorizationCode, RefreshToken};
        for (grant_types, scopes, gets) in [
            (&GrantType::ALL[..], "mcp", true),
            (&[RefreshToken], "mcp", true),
            (&[AuthorizationCode], "mcp", false),
            (&[AuthorizationCode], "mcp offline_access", true),
        ] {
            let mut client = client("https://a.example/c");
            client.metadata.grant_types = grant_types.to_vec();
            assert_eq!(
                gets_refresh_token(&client, &ScopeSet::parse(scopes).unwrap()),
                gets,
                "{grant_types:?} {scopes}"
            );
        }
    }
}
