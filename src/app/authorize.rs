//! Authorization: a client asks, a person decides, a code is made (OAuth 2.1 §4.1).
//!
//! Asking has no side effect. The person's decision comes back with the request sealed, bound to their session; approving
//! looks at client and user again and writes grant and code in one transaction. Consent is asked for every time.
//!
//! A consent is good for one grant and one code. The code is chosen with the form and sealed in it; its row, which is kept
//! for longer than the form lives, says that the form was used. Whoever sends the form twice (a double click: the browser
//! shows the second answer only) is led to the client with the same code while that waits, and hears afterwards that all is
//! done.

use crate::access::{GuardedServer, ServerDirectory};
use crate::account::user::Person;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::exchange::told;
use crate::app::register::make_room_for_client;
use crate::clock::{Timestamp, minutes};
use crate::entropy::random_bytes;
use crate::event::{Event, EventKind};
use crate::id::{GrantId, SessionId, UserId};
use crate::oauth::authorization::{
    AuthorizationQuery, AuthorizationRequest, AuthorizePageError, Offer, RedirectedError,
};
use crate::oauth::authorization_code::AuthorizationCode;
use crate::oauth::client::{Client, ClientId, ClientKind};
use crate::oauth::error::ErrorCode;
use crate::oauth::grant::Grant;
use crate::oauth::scope::{OFFLINE_ACCESS, ScopeSet};
use crate::seal::Purpose;
use crate::secret::{PlainToken, PlainTokenKind, TokenDigest};
use crate::store::tables::{AUTHORIZATION_CODES, CLIENTS, GRANTS, GRANTS_BY_CLIENT, GRANTS_BY_USER, SESSIONS, USERS};
use crate::store::{Reads, StoreError, WriteTx};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long a person may think about a consent page.
const CONSENT_LIFE: Duration = minutes(30);

/// Why an authorization request goes no further, and who hears of it.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// Only the person at the browser.
    #[error(transparent)]
    Page(#[from] AuthorizePageError),
    /// The client, by redirect.
    #[error(transparent)]
    Redirect(#[from] RedirectedError),
    /// It could not be looked at.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl From<StoreError> for AuthorizeError {
    fn from(error: StoreError) -> Self {
        OperationError::from(error).into()
    }
}

/// A request that is in order, and what the person must know to decide.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request.
    pub request: AuthorizationRequest,
    /// Who asks.
    pub client: Client,
    /// The server that would be opened.
    pub server: Arc<GuardedServer>,
}

/// What the consent form carries, sealed.
#[derive(Serialize, Deserialize)]
struct SealedConsent {
    session: SessionId,
    request: AuthorizationRequest,
    /// When the form was shown.
    asked_at: Timestamp,
    /// The client as shown; of a metadata document this is what counts, others are looked up again.
    document: Option<Client>,
    /// The bytes of the code that an approval gives: worth nothing before.
    code: [u8; 32],
}

/// How an approval ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// The browser goes to the client with a code that waits.
    Given(Decided),
    /// The same form was sent before, and its code has been used or is over.
    GivenBefore {
        /// The client's name as the person saw it.
        client_name: String,
        /// What was approved.
        request: AuthorizationRequest,
    },
}

/// What became of an approved form.
enum Consent {
    Given,
    SentAgain,
    /// The client's name.
    Spent(String),
}

/// Where the browser goes after the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The redirect URI with its answer.
    pub url: String,
    /// What was decided about.
    pub request: AuthorizationRequest,
    /// The digest of the code, if one was given.
    pub code: Option<TokenDigest>,
}

impl App {
    /// The client with this id as the store has it: registered, made by an admin, or a metadata document that was pinned or
    /// approved before.
    pub fn client(&self, id: &ClientId) -> Result<Option<Client>, OperationError> {
        self.store.read(|tx| Ok(tx.get(CLIENTS, id.as_str())?))
    }

    /// Checks a request of `client`.
    pub fn ask(&self, query: AuthorizationQuery, client: Client) -> Result<Asked, AuthorizeError> {
        let addressed = query.addressed_by(&client)?;
        let servers = self.live.servers();
        let default = servers.default_server().ok_or_else(|| {
            AuthorizeError::from(addressed.refused(ErrorCode::InvalidTarget, "no server is guarded here"))
        })?;
        let offer = Offer {
            default_resource: &default.resource,
            scopes_of: &|resource| servers.by_resource(resource).map(|server| server.scopes().clone()),
        };
        let request = addressed.against(&offer)?;
        let server = servers.by_resource(request.resource()).unwrap_or(default);
        Ok(Asked { server: Arc::clone(server), request, client })
    }

    /// What `user` can give of what was asked for, without `offline_access`. An error for the client if that
    /// is nothing.
    pub fn offer(&self, asked: &Asked, user: Person<'_>) -> Result<ScopeSet, AuthorizeError> {
        Ok(offer(&asked.request, &asked.server, user)?)
    }

    /// Seals a request into the consent form of a session.
    pub fn seal_consent(&self, asked: &Asked, session: SessionId) -> String {
        let document = (asked.client.kind == ClientKind::Document).then(|| asked.client.clone());
        let code = random_bytes(&*self.entropy);
        let (request, asked_at) = (asked.request.clone(), self.now());
        let consent = SealedConsent { session, request, asked_at, document, code };
        self.sealer.seal(Purpose::Consent, &consent, asked_at, CONSENT_LIFE)
    }

    /// The person approves and gives what is asked for, as far as it lies within `given`: makes grant and code, once.
    pub fn approve(
        &self,
        session: SessionId,
        user: UserId,
        sealed: &str,
        given: &ScopeSet,
    ) -> Result<Approval, AuthorizeError> {
        let SealedConsent { request, asked_at, document, code, .. } = self.open_consent(session, sealed)?;
        let (now, life) = (self.now(), self.options.credentials.authorization_code);
        let code = PlainToken::from_bytes(PlainTokenKind::AuthorizationCode, &code);
        let grant_id = GrantId::generate(now, &*self.entropy);
        let (digest, asked, most) = (code.digest(), request.clone(), self.options.registration.most_clients);
        let (policy, given) = (self.options.sessions, given.clone());
        let (servers, pen) = (Arc::clone(&self.live.servers()), self.pen());
        let consent = self.store.write(move |tx| {
            let (row, owner) = (tx.get(SESSIONS, &session)?, tx.get(USERS, &user)?);
            let signed_in = row.zip(owner).filter(|(row, owner)| row.is_good_for(owner, now, &policy));
            let Some((_, owner)) = signed_in else {
                return Err(AuthorizeError::from(asked.refused(ErrorCode::AccessDenied, "the user has signed out")));
            };
            let scopes = scopes_given(&asked, asked_at, &servers, owner.person(), &given)?;
            if let Some(given) = tx.get(AUTHORIZATION_CODES, &digest)? {
                let grant = tx.get(GRANTS, &given.grant)?;
                let waits = given.is_waiting(life, now) && grant.as_ref().is_some_and(Grant::is_live);
                // Nothing was issued yet: the person has thought again.
                if let Some(grant) = grant.as_ref().filter(|grant| waits && grant.scopes != scopes) {
                    tx.put(GRANTS, &given.grant, &Grant { scopes, ..grant.clone() })?;
                }
                let name = grant.map_or_else(|| asked.client_id().to_string(), |grant| grant.client_name);
                return Ok(if waits { Consent::SentAgain } else { Consent::Spent(name) });
            }
            let client = client_of(tx, &asked, document, most)?;
            let grant = Grant::approved(grant_id, user, &client, &asked, scopes, now)?;
            tx.insert_new(GRANTS, &grant_id, &grant)?;
            tx.put(GRANTS_BY_USER, &(user, grant_id), &())?;
            let by_client = (TokenDigest::of(client.id.as_str()), grant_id);
            tx.put(GRANTS_BY_CLIENT, &by_client, &())?;
            let row = AuthorizationCode::issue(&grant, asked.challenge(), now);
            tx.insert_new(AUTHORIZATION_CODES, &digest, &row)?;
            let server = servers.by_resource(&grant.resource).map(|server| server.name.as_str()).unwrap_or_default();
            let event = told(EventKind::AccessApproved, &grant).by(user).server(server).session(session);
            pen.write(tx, event.note(grant.scopes.as_str()))?;
            Ok(Consent::Given)
        })?;
        match consent {
            Consent::Given => {
                tracing::info!(user = %user, client = %request.client_id(), grant = %grant_id, "access approved");
            }
            Consent::SentAgain => tracing::debug!(user = %user, client = %request.client_id(), "approval sent again"),
            Consent::Spent(client_name) => return Ok(Approval::GivenBefore { client_name, request }),
        }
        let url = request.success_url(&code, &self.options.issuer);
        Ok(Approval::Given(Decided { url, request, code: Some(digest) }))
    }

    /// The person says no.
    pub fn deny(&self, session: SessionId, sealed: &str) -> Result<Decided, AuthorizeError> {
        let SealedConsent { request, document, .. } = self.open_consent(session, sealed)?;
        let (pen, id) = (self.pen(), request.client_id().clone());
        self.store.write(move |tx| {
            let known = document.map_or_else(|| tx.get(CLIENTS, id.as_str()), |document| Ok(Some(document)))?;
            let name = known.map(|client| client.display_name().to_owned()).unwrap_or_default();
            let event = Event::of(EventKind::AccessDenied).client(id.as_str(), &name).session(session);
            let event = match tx.get(SESSIONS, &session)? {
                Some(session) => event.by(session.user).about(session.user),
                None => event,
            };
            pen.write(tx, event).map_err(AuthorizeError::from)
        })?;
        let refusal = request.refused(ErrorCode::AccessDenied, "the user denied the request");
        tracing::info!(client = %request.client_id(), "access denied by the user");
        Ok(Decided { url: refusal.url(&self.options.issuer), request, code: None })
    }

    /// Whether the code with this digest still waits for its client.
    pub fn is_code_waiting(&self, code: TokenDigest) -> Result<bool, OperationError> {
        let (now, life) = (self.now(), self.options.credentials.authorization_code);
        self.store.read(|tx| {
            let code = tx.get(AUTHORIZATION_CODES, &code)?;
            Ok(code.is_some_and(|code| code.is_waiting(life, now)))
        })
    }

    fn open_consent(&self, session: SessionId, sealed: &str) -> Result<SealedConsent, AuthorizeError> {
        let opened = self.sealer.open::<SealedConsent>(Purpose::Consent, sealed, self.now()).ok();
        let opened = opened.filter(|consent| consent.session == session);
        opened.ok_or_else(|| {
            let text = "This consent page is too old or belongs to another sign-in. Go back to the application and connect again.";
            OperationError::invalid(text).into()
        })
    }
}

/// What `user` can give at `server` of what is asked for.
fn offer(
    request: &AuthorizationRequest,
    server: &GuardedServer,
    user: Person<'_>,
) -> Result<ScopeSet, RedirectedError> {
    let offered = server.rule.within_reach(user, &request.scopes().without(OFFLINE_ACCESS));
    if offered.is_empty() {
        let description = "the user may not use this server, or nothing of what was asked for";
        return Err(request.refused(ErrorCode::AccessDenied, description));
    }
    Ok(offered)
}

/// What `user` gives of what was asked for at `asked_at`, if the server stands there since then.
fn scopes_given(
    request: &AuthorizationRequest,
    asked_at: Timestamp,
    servers: &ServerDirectory,
    user: Person<'_>,
    chosen: &ScopeSet,
) -> Result<ScopeSet, AuthorizeError> {
    let gone = || request.refused(ErrorCode::InvalidTarget, "the server is no longer here");
    let server = servers.by_resource(request.resource()).filter(|server| !server.is_newer_than(asked_at));
    let server = server.ok_or_else(gone)?;
    let scopes = offer(request, server, user)?.meet(chosen).intersection(server.scopes());
    if scopes.is_empty() {
        let text = "Choose at least one thing that the application may do, or do not allow it.";
        return Err(OperationError::invalid(text).into());
    }
    let stays = request.scopes().contains(OFFLINE_ACCESS);
    Ok(if stays { scopes.with_offline_access() } else { scopes })
}

/// The client as it is now; a metadata document is kept with its grant, so that its refresh tokens work without a fetch.
fn client_of(
    tx: &mut WriteTx,
    request: &AuthorizationRequest,
    document: Option<Client>,
    most_clients: usize,
) -> Result<Client, AuthorizeError> {
    let id = request.client_id();
    let stored = tx.get(CLIENTS, id.as_str())?;
    match (document, stored) {
        (Some(_), Some(pinned)) if pinned.created_by.is_some() => Ok(pinned),
        // The page may have stood open for a while: what another approval has brought since is newer.
        (Some(document), Some(newer)) if newer.created_at > document.created_at => Ok(newer),
        (Some(document), stored) => {
            if stored.is_none() {
                make_room_for_client(tx, most_clients)?;
            }
            // Who pinned it may have removed it since: a form does not pin it again.
            let document = Client { created_by: None, ..document };
            tx.put(CLIENTS, id.as_str(), &document)?;
            Ok(document)
        }
        (None, stored) => stored.ok_or_else(|| AuthorizePageError::UnknownClient(id.to_string()).into()),
    }
}
