//! Tokens for a code, and new tokens for a refresh token (RFC 6749 §4.1.3 and §6).
//!
//! Decision and writing are one transaction: of fifty redemptions of one code one wins, and a refusal that ends a grant is
//! committed before it is answered. User, grant and server are looked at anew each time. The access token is signed after
//! the commit; it is stored nowhere.

use crate::access::GuardedServer;
use crate::account::user::User;
use crate::app::App;
use crate::app::connections::end_grant;
use crate::app::error::EndpointError;
use crate::app::origin::{self, Origin};
use crate::clock::Timestamp;
use crate::event::{Event, EventKind, Named, Refusal, RefusedBecause};
use crate::id::GrantId;
use crate::oauth::authorization_code::CodeRedemption;
use crate::oauth::client::{Client, ClientId};
use crate::oauth::client_assertion::ClientAssertion;
use crate::oauth::client_authentication::AuthenticatedClient;
use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::oauth::form::OAuthForm;
use crate::oauth::grant::{Grant, gets_refresh_token};
use crate::oauth::refresh_pace::RefreshPace;
use crate::oauth::refresh_token::{RefreshDecision, RefreshRequest, RefreshToken};
use crate::oauth::scope::{OFFLINE_ACCESS, ScopeSet};
use crate::secret::{PlainToken, PlainTokenKind, TokenDigest};
use crate::store::tables::{AUTHORIZATION_CODES, GRANTS, REFRESH_PACES, REFRESH_TOKENS, USED_ASSERTIONS, USERS};
use crate::store::{Reads, StoreError, WriteTx};
use crate::token::{AccessGrant, RevocationEntry, SignedToken};
use std::sync::Arc;

/// What a client gets (RFC 6749 §5.1).
#[derive(Debug)]
pub struct Tokens {
    /// For the server.
    pub access_token: SignedToken,
    /// For the next access token, if the client gets one.
    pub refresh_token: Option<PlainToken>,
    /// What was granted.
    pub scopes: ScopeSet,
}

/// How a transaction at the token endpoint ended. A refusal may have ended a grant: then there is something to publish.
enum Outcome {
    Granted { grant: Grant, scopes: ScopeSet, refresh: bool },
    Refused { error: ProtocolError, ended: Option<RevocationEntry> },
}

impl App {
    /// The client that the store knows under the id that somebody presented: 401 for an unknown one, so that it registers
    /// again.
    pub fn client_to_authenticate(&self, id: &ClientId) -> Result<Client, ProtocolError> {
        let unknown = || ProtocolError::invalid_client("no client with this client_id: register it again");
        self.client(id)?.ok_or_else(unknown)
    }

    /// Notes that an assertion was used; refuses a second use (RFC 7523 §3).
    pub fn use_assertion(&self, assertion: &ClientAssertion) -> Result<(), ProtocolError> {
        let key = TokenDigest::of(&format!("{} {}", assertion.client, assertion.id));
        let expires = assertion.expires + crate::clock::minutes(1);
        let used = self.store.write(move |tx| {
            if tx.contains(USED_ASSERTIONS, &key)? {
                return Err(
                    ProtocolError::invalid_client("this client_assertion was used before: make a new one").into()
                );
            }
            Ok::<_, EndpointError>(tx.put(USED_ASSERTIONS, &key, &expires)?)
        });
        used.map_err(|error| error.0)
    }

    /// Answers a token request of a client that has proved itself.
    pub fn exchange(&self, client: &AuthenticatedClient, form: &OAuthForm) -> Result<Tokens, ProtocolError> {
        let refresh_token = PlainToken::generate(PlainTokenKind::RefreshToken, &*self.entropy);
        // Before the grant is read: if less is allowed in between, the token is older than that.
        let now = self.now();
        let outcome = match form.require("grant_type")? {
            "authorization_code" => self.redeem_code(client, form, refresh_token.digest())?,
            "refresh_token" => self
                .refresh(client, form, refresh_token.digest())
                .inspect_err(|error| self.tell_not_renewed(client, form, error))?,
            _ => {
                let text = "grant_type is authorization_code or refresh_token here";
                return Err(ProtocolError::new(ErrorCode::UnsupportedGrantType, text));
            }
        };
        match outcome {
            Outcome::Granted { grant, scopes, refresh } => {
                self.sign(grant, scopes, refresh.then_some(refresh_token), now)
            }
            Outcome::Refused { error, ended } => {
                self.publish_ended_grants(ended);
                Err(error)
            }
        }
    }

    fn redeem_code(
        &self,
        client: &AuthenticatedClient,
        form: &OAuthForm,
        next: TokenDigest,
    ) -> Result<Outcome, ProtocolError> {
        let digest = TokenDigest::of(form.require("code")?);
        let verifier = form.get("code_verifier").map(str::to_owned);
        let redirect_uri = form.get("redirect_uri").map(str::to_owned);
        let resources: Vec<String> = form.resources().into_iter().map(str::to_owned).collect();
        let (now, policy, client) = (self.now(), self.options.credentials, client.clone());
        let (servers, pen) = (Arc::clone(&self.live.servers()), self.pen());
        let outcome = self.store.write(move |tx| {
            let unknown = || ProtocolError::invalid_grant("the code is not known: ask for authorization again");
            let code = tx.get(AUTHORIZATION_CODES, &digest)?.ok_or_else(unknown)?;
            let grant = tx.get(GRANTS, &code.grant)?.ok_or_else(unknown)?;
            let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
            let asked = CodeRedemption {
                client: &client,
                verifier: verifier.as_deref(),
                redirect_uri: redirect_uri.as_deref(),
                resources: &resources,
            };
            let redeemed = match code.redeem(&grant, asked, policy.authorization_code, now) {
                Ok(used) => used,
                Err(refusal) => {
                    let ends = refusal.ends_grant();
                    if ends {
                        tracing::warn!(grant = %grant.id, client = %grant.client, "code_replayed: the grant has been ended");
                    }
                    if ends && grant.is_live() {
                        pen.write(tx, told(EventKind::CodeReplayed, &grant))?;
                    }
                    let ended = if ends { end_grant(tx, grant, now, policy.access_token)? } else { None };
                    return Ok(Outcome::Refused { error: refusal.into(), ended });
                }
            };
            tx.put(AUTHORIZATION_CODES, &digest, &redeemed)?;
            let user = check_user(tx, &grant)?;
            let server = servers.by_resource(&grant.resource);
            let scopes = scopes_at(server.map(|server| &**server), &user, &grant, &grant.scopes)?;
            let refresh = gets_refresh_token(client.client(), &grant.scopes);
            if refresh {
                tx.insert_new(REFRESH_TOKENS, &next, &RefreshToken::first(&grant, now))?;
            }
            let grant = note_issue(tx, grant, now)?;
            Ok::<_, EndpointError>(Outcome::Granted { grant, scopes, refresh })
        });
        outcome.map_err(|error| error.0)
    }

    fn refresh(
        &self,
        client: &AuthenticatedClient,
        form: &OAuthForm,
        next: TokenDigest,
    ) -> Result<Outcome, ProtocolError> {
        let digest = TokenDigest::of(form.require("refresh_token")?);
        let scope = form.scope()?;
        let resources: Vec<String> = form.resources().into_iter().map(str::to_owned).collect();
        let (now, policy, client) = (self.now(), self.options.credentials, client.clone());
        let (servers, paced) = (Arc::clone(&self.live.servers()), self.options.rate_limits);
        let pen = self.pen();
        let outcome = self.store.write(move |tx| {
            let unknown = || ProtocolError::invalid_grant("the refresh token is not known: ask for authorization again");
            let token = tx.get(REFRESH_TOKENS, &digest)?.ok_or_else(unknown)?;
            let grant = tx.get(GRANTS, &token.grant)?.ok_or_else(unknown)?;
            let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
            let asked = RefreshRequest { client: &client, scope: scope.as_ref(), resources: &resources };
            let (successor, scopes) = match token.decide(&grant, asked, &policy.refresh, now) {
                RefreshDecision::Rotate { replaced, successor, scopes } => {
                    tx.put(REFRESH_TOKENS, &digest, &replaced)?;
                    (successor, scopes)
                }
                RefreshDecision::ReplayInGrace { successor, scopes } => (successor, scopes),
                RefreshDecision::RevokeFamily(refusal) => {
                    tracing::warn!(grant = %grant.id, client = %grant.client, "refresh_reuse: the grant has been ended");
                    if grant.is_live() {
                        pen.write(tx, told(EventKind::RefreshReused, &grant))?;
                    }
                    let ended = end_grant(tx, grant, now, policy.access_token)?;
                    return Ok(Outcome::Refused { error: refusal.into(), ended });
                }
                RefreshDecision::Refuse(refusal) => return Err(ProtocolError::from(refusal).into()),
            };
            let user = check_user(tx, &grant)?;
            let server = servers.by_resource(&grant.resource);
            let scopes = scopes_at(server.map(|server| &**server), &user, &grant, &scopes)?;
            if paced {
                let before = tx.get(REFRESH_PACES, &grant.id)?.map(RefreshPace::kept);
                let pace = RefreshPace::admit(before, now).map_err(ProtocolError::from)?;
                tx.put(REFRESH_PACES, &grant.id, &pace.made_up_at())?;
            }
            tx.insert_new(REFRESH_TOKENS, &next, &successor)?;
            let grant = note_issue(tx, grant, now)?;
            Ok::<_, EndpointError>(Outcome::Granted { grant, scopes, refresh: true })
        });
        outcome.map_err(|error| error.0)
    }

    /// Tells the owner of a connection why it was not renewed; only if its own client asked with a token of it.
    fn tell_not_renewed(&self, client: &AuthenticatedClient, form: &OAuthForm, error: &ProtocolError) {
        let digest = form.get("refresh_token").map(TokenDigest::of);
        let found = self.store.read(|tx| {
            let token = digest.map(|digest| tx.get(REFRESH_TOKENS, &digest)).transpose()?.flatten();
            Ok::<_, StoreError>(token.map(|token| tx.get(GRANTS, &token.grant)).transpose()?.flatten())
        });
        // Without the store there is more to worry about than this line.
        let Some(grant) = found.ok().flatten().filter(|grant| grant.client == client.client().id) else { return };
        let server = self.live.servers().by_resource(&grant.resource).map(|server| server.name.to_string());
        let name = self.live.user(grant.user).map(|user| user.name.clone()).unwrap_or_default();
        let address = match origin::current() {
            Origin::Request { address, .. } => address,
            Origin::Keyward | Origin::CommandLine => None,
        };
        self.live.calls().refused(Refusal {
            at: self.now(),
            times: 1,
            owner: Some(Named::new(grant.user, &name)),
            token: None,
            grant: Some(grant.id),
            client: Some(grant.client.to_string()),
            server: server.unwrap_or_else(|| grant.resource.to_string()),
            asked_for: Some("a new access token".to_owned()),
            because: RefusedBecause::not_renewed(error.description()),
            address,
        });
    }

    fn sign(
        &self,
        grant: Grant,
        scopes: ScopeSet,
        refresh_token: Option<PlainToken>,
        now: Timestamp,
    ) -> Result<Tokens, ProtocolError> {
        let issued_at = grant.issue_time(self.live.revoked().issue_time(grant.user, now));
        let (user, client, id) = (grant.user, grant.client, grant.id);
        let for_server = scopes.without(OFFLINE_ACCESS);
        let access = AccessGrant { user, client, grant: id, resource: grant.resource, scopes: for_server };
        let keys = self.live.keys();
        let life = self.options.credentials.access_token;
        let signed = self.token_issuer.access(keys.signer(), access, issued_at, life, &*self.entropy);
        let access_token = signed.map_err(|error| ProtocolError::new(ErrorCode::ServerError, error.to_string()))?;
        tracing::debug!(user = %user, grant = %id, token = %access_token.claims().id, "access token issued");
        Ok(Tokens { access_token, refresh_token, scopes })
    }
}

/// The user must still be there and welcome.
fn check_user(tx: &WriteTx, grant: &Grant) -> Result<User, EndpointError> {
    match tx.get(USERS, &grant.user)? {
        Some(user) if !user.is_disabled() => Ok(user),
        _ => Err(ProtocolError::invalid_grant("the user may not sign in any more").into()),
    }
}

/// What is left of the scopes at the server as it is now, for this user.
fn scopes_at(
    server: Option<&GuardedServer>,
    user: &User,
    grant: &Grant,
    granted: &ScopeSet,
) -> Result<ScopeSet, EndpointError> {
    let gone = || ProtocolError::new(ErrorCode::InvalidTarget, "the server of this authorization is no longer here");
    let server = server.ok_or_else(gone)?;
    if server.is_newer_than(grant.created_at) {
        let text = "the server at this address was set up after this authorization: ask for authorization again";
        return Err(ProtocolError::invalid_grant(text).into());
    }
    if !server.rule.admits(user.person()) {
        return Err(ProtocolError::invalid_grant("the user may not use this server any more").into());
    }
    let scopes = server.rule.within_reach(user.person(), &granted.intersection(server.scopes()));
    if scopes.is_empty() {
        return Err(
            ProtocolError::new(ErrorCode::InvalidScope, "nothing of what was granted is offered any more").into()
        );
    }
    Ok(if granted.contains(OFFLINE_ACCESS) { scopes.with_offline_access() } else { scopes })
}

/// A line about a grant, with the names that its person saw.
pub(super) fn told(kind: EventKind, grant: &Grant) -> Event {
    Event::of(kind).about(grant.user).client(grant.client.as_str(), &grant.client_name).grant(grant.id)
}

fn note_issue(tx: &mut WriteTx, grant: Grant, now: Timestamp) -> Result<Grant, EndpointError> {
    let id: GrantId = grant.id;
    let grant = grant.issued(now);
    tx.put(GRANTS, &id, &grant)?;
    Ok(grant)
}
