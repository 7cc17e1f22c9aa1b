//! What is this token? For resource servers that an administrator made a client for (RFC 7662), and for whoever gives a
//! token back (RFC 7009).

use crate::account::user::Person;
use crate::app::App;
use crate::app::connections::end_grant;
use crate::app::error::EndpointError;
use crate::app::exchange::told;
use crate::app::revoke::record;
use crate::event::{Event, EventKind};
use crate::oauth::client::{AuthMethod, ClientKind};
use crate::oauth::client_authentication::AuthenticatedClient;
use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::oauth::scope::ScopeSet;
use crate::secret::{PlainTokenKind, TokenDigest};
use crate::store::Reads;
use crate::store::tables::{GRANTS, REFRESH_TOKENS};
use crate::token::{Audience, Claims, GenuineToken, RevocationEntry, TokenKind};
use serde::Serialize;

/// The answer of the introspection endpoint (RFC 7662 §2.2).
#[derive(Debug, Default, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<IntrospectedClaims>,
}

/// What an active token says.
#[derive(Debug, Serialize)]
pub struct IntrospectedClaims {
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    username: String,
    token_type: &'static str,
    exp: u64,
    iat: u64,
    sub: String,
    aud: Vec<String>,
    iss: String,
    jti: String,
}

impl Introspection {
    /// As the body: one flat object.
    pub fn to_json(&self) -> serde_json::Value {
        let mut body = match &self.claims {
            Some(claims) => serde_json::to_value(claims).unwrap_or_default(),
            None => serde_json::json!({}),
        };
        body["active"] = self.active.into();
        body
    }
}

impl App {
    /// Tells a resource server about a token; `active: false` for whatever is not a good token.
    pub fn introspect(&self, client: &AuthenticatedClient, token: &str) -> Result<Introspection, ProtocolError> {
        if client.client().kind != ClientKind::Admin || client.method() == AuthMethod::None {
            let text = "introspection is for clients that an administrator made, with their secret";
            return Err(ProtocolError::new(ErrorCode::UnauthorizedClient, text));
        }
        let Some(genuine) = self.genuine(token) else { return Ok(Introspection::default()) };
        let claims = genuine.claims();
        let Some(user) = self.live.user(claims.user) else { return Ok(Introspection::default()) };
        let Some((scopes, resources)) = self.what_counts(&genuine, user.person()) else {
            return Ok(Introspection::default());
        };
        let issuer = self.options.issuer.as_str();
        let aud = match &claims.audience {
            Audience::EveryServer => vec![issuer.to_owned()],
            Audience::Resources(_) => resources,
        };
        let claims = IntrospectedClaims {
            scope: scopes.to_string(),
            client_id: claims.client().map(ToString::to_string),
            username: user.name.clone(),
            token_type: "Bearer",
            exp: claims.expires_at.unix_seconds(),
            iat: claims.issued_at.unix_seconds(),
            sub: claims.user.to_string(),
            aud,
            iss: issuer.to_owned(),
            jti: claims.id.to_string(),
        };
        Ok(Introspection { active: true, claims: Some(claims) })
    }

    /// What of a token's scopes counts for its user now, and at which servers; nothing if it opens no server any more. A
    /// token for several servers keeps all of its scopes: which of them count differs from server to server.
    fn what_counts(&self, token: &GenuineToken, user: Person<'_>) -> Option<(ScopeSet, Vec<String>)> {
        let claims = token.claims();
        let mut counting = Vec::new();
        let mut resources = Vec::new();
        for server in self.live.servers().iter().filter(|server| server.verify(token).is_ok()) {
            let scopes = server.rule.within_reach(user, &claims.scopes.meet(server.scopes()));
            if !scopes.is_empty() {
                counting.push(scopes);
                resources.push(server.resource.to_string());
            }
        }
        let first = counting.into_iter().next()?;
        let for_one = matches!(&claims.audience, Audience::Resources(resources) if resources.len() == 1);
        Some((if for_one { first } else { claims.scopes.clone() }, resources))
    }

    /// Takes a token back (RFC 7009 §2). A client gives back its own access and refresh tokens; a refresh token takes its
    /// grant along. Whoever holds a personal token may end it. Nothing is said about a token that was not good.
    pub fn revoke_token(&self, client: Option<&AuthenticatedClient>, token: &str) -> Result<(), ProtocolError> {
        if token.starts_with(PlainTokenKind::RefreshToken.prefix()) {
            let Some(client) = client else {
                return Err(ProtocolError::invalid_client(
                    "a refresh token is given back by its client: send client_id",
                ));
            };
            return self.revoke_refresh_token(client, token);
        }
        let Some(genuine) = self.genuine(token) else { return Ok(()) };
        let claims = genuine.claims();
        match &claims.kind {
            TokenKind::Personal => match self.revoke_personal_token(claims.user, claims.id) {
                // Not in this database, but signed here: refuse it all the same.
                Err(crate::app::error::OperationError::NotFound(_)) => self.revoke_by_claims(claims),
                revoked => Ok(revoked.map(drop)?),
            },
            TokenKind::Access { client: owner, .. } => match client {
                Some(client) if client.client().id == *owner => self.revoke_by_claims(claims),
                Some(_) => Ok(()),
                None => {
                    Err(ProtocolError::invalid_client("an access token is given back by its client: send client_id"))
                }
            },
        }
    }

    fn revoke_by_claims(&self, claims: &Claims) -> Result<(), ProtocolError> {
        let entry = RevocationEntry::token(claims.id, claims.expires_at, self.now());
        let event = Event::of(EventKind::TokenRevoked).about(claims.user).token(claims.id, "");
        let event = match &claims.kind {
            TokenKind::Access { client, grant } => event.client(client.as_str(), "").grant(*grant),
            TokenKind::Personal => event,
        };
        let pen = self.pen();
        let written = self.store.write(move |tx| {
            pen.write(tx, event)?;
            Ok::<_, EndpointError>(record(tx, entry)?)
        });
        self.live.revoked().publish(&written.map_err(|error| error.0)?);
        tracing::info!(token = %claims.id, user = %claims.user, "token revoked");
        Ok(())
    }

    fn revoke_refresh_token(&self, client: &AuthenticatedClient, token: &str) -> Result<(), ProtocolError> {
        let (now, life) = (self.now(), self.options.credentials.access_token);
        let (digest, owner) = (TokenDigest::of(token), client.client().id.clone());
        let pen = self.pen();
        let ended = self.store.write(move |tx| {
            let Some(token) = tx.get(REFRESH_TOKENS, &digest)?.filter(|token| token.client == owner) else {
                return Ok(None);
            };
            let Some(grant) = tx.get(GRANTS, &token.grant)? else { return Ok(None) };
            if grant.is_live() {
                pen.write(tx, told(EventKind::ConnectionReturned, &grant))?;
            }
            Ok::<_, EndpointError>(end_grant(tx, grant, now, life)?)
        });
        self.publish_ended_grants(ended.map_err(|error| error.0)?);
        Ok(())
    }

    fn genuine(&self, token: &str) -> Option<GenuineToken> {
        let keys = self.live.keys();
        self.live.verifier().verify(token, &keys, self.live.revoked(), self.now()).ok()
    }
}
