//! Personal tokens: made, listed, renamed, replaced and revoked by their owner.
//!
//! | File | Question |
//! | --- | --- |
//! | `listed` | Which tokens does a page of the list show, and at what cost? |
//! | `rotated` | How does a new token take the place of another? |
//! | `rows` | Which rows does a token have, and how do they agree? |
//!
//! The token itself is returned once and never kept. A name belongs to one live token of its owner; ended tokens keep
//! theirs for the list only. Nothing here takes a bearer token as its authority: a token can never make a token.

mod listed;
mod rotated;
mod rows;

pub use listed::{TokenFilter, TokenPage, TokenPlace, TokenSort, TokenSummary};
pub use rotated::{Overlap, RotatedInto, Rotation};
pub(super) use rows::{Ending, end_token, forget_token, live_ids_until, live_tokens};

use crate::access::{GuardedServer, ServerName};
use crate::account::personal_token::{MAX_REACH, PersonalToken, PersonalTokenEntry, Reach, TokenName, TokenState};
use crate::account::user::Person;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::personal_tokens::rows::{claim_name, owned, put_token, told};
use crate::clock::{Timestamp, minutes};
use crate::event::EventKind;
use crate::id::{TokenId, UserId};
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::{self, ScopeSet};
use crate::store::tables::{PERSONAL_TOKENS, PERSONAL_TOKENS_BY_OWNER, TOKEN_USES, USERS};
use crate::store::{Reads, Scan};
use crate::token::Audience;
use crate::token::{PersonalGrant, SignedToken};
use std::sync::Arc;

/// Rows of a list at most; the newest come first.
const LIST_LIMIT: usize = 1_000;

/// What its owner chose for a new personal token.
#[derive(Debug, Clone)]
pub struct NewPersonalToken {
    /// Its id, given out with the form: so the same form makes one token, however often it is sent.
    pub id: TokenId,
    /// As typed.
    pub name: String,
    /// From when on it is refused; the policy's longest life if absent.
    pub expires_at: Option<Timestamp>,
    /// Names of servers; every server if absent.
    pub servers: Option<Vec<String>>,
    /// What it may do there; each a scope of one of the servers at least.
    pub scopes: ScopeSet,
}

/// What the making of a personal token comes to.
#[derive(Debug)]
pub enum Made {
    /// It was made: the only time that the token itself is seen.
    Now(PersonalToken, SignedToken),
    /// The same form was sent before; the token was shown then.
    Before(PersonalToken),
}

impl App {
    /// Makes a personal token for `owner`.
    pub fn create_personal_token(&self, owner: UserId, new: &NewPersonalToken) -> Result<Made, OperationError> {
        let (now, policy) = (self.now(), self.options.personal_tokens);
        let name = TokenName::parse(&new.name).map_err(OperationError::invalid)?;
        let longest = now + policy.longest;
        let expires_at = new.expires_at.unwrap_or(longest);
        // A form that was opened a while ago may name the longest life of that moment or a little more.
        if expires_at > longest + minutes(60 * 24) {
            let days = policy.longest.as_secs() / 86_400;
            return Err(OperationError::invalid(format!(
                "A token lives for at most {days} days. Choose an earlier date."
            )));
        }
        if expires_at < now + minutes(1) {
            return Err(OperationError::invalid("The expiry date has passed. Choose a later one."));
        }
        let expires_at = expires_at.min(longest);
        let person = self.live.user(owner).ok_or(OperationError::NotFound("user"))?;
        let (reach, known) = self.reach_of(person.person(), new.servers.as_deref())?;
        check_scopes(&new.scopes, &known)?;
        let audience = match &reach {
            Reach::AllServers => Audience::EveryServer,
            Reach::Servers(resources) => Audience::Resources(resources.clone()),
        };
        let grant = PersonalGrant { user: owner, audience, scopes: new.scopes.clone() };
        let issued_at = self.live.revoked().issue_time(owner, now);
        let keys = self.live.keys();
        let signed = self.token_issuer.personal(keys.signer(), new.id, grant, issued_at, expires_at);
        let secret = signed.map_err(OperationError::invalid)?;
        let claims = secret.claims();
        let token = PersonalToken {
            id: claims.id,
            owner,
            name,
            reach,
            scopes: claims.scopes.clone(),
            key: keys.signer().id(),
            created_at: claims.issued_at,
            expires_at: claims.expires_at,
            revoked_at: None,
            was_found: false,
            replaced: None,
            replaces: None,
        };
        let row = token.clone();
        let (per_user, pen) = (policy.per_user, self.pen());
        let made = self.store.write(move |tx| {
            if tx.contains(PERSONAL_TOKENS, &row.id)? {
                return Ok(false);
            }
            // They may have been deleted since.
            tx.get(USERS, &owner)?.filter(|user| !user.is_disabled()).ok_or(OperationError::NotFound("user"))?;
            let live = live_tokens(tx, owner, now)?;
            if live >= per_user {
                return Err(OperationError::invalid(too_many(live)));
            }
            claim_name(tx, &row, now)?;
            put_token(tx, &row)?;
            pen.write(tx, told(EventKind::TokenMade, &row))?;
            Ok(true)
        })?;
        if !made {
            return self.personal_token(owner, token.id).map(|entry| Made::Before(entry.token));
        }
        tracing::info!(user = %owner, token = %token.id, "personal token made");
        Ok(Made::Now(token, secret))
    }

    /// The owner's tokens, the newest first, ended ones included for as long as they are kept.
    pub fn personal_tokens(&self, owner: UserId) -> Result<Vec<PersonalTokenEntry>, OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            let mut entries = Vec::new();
            let newest_first = Scan::prefix(&owner).backwards().limit(LIST_LIMIT);
            for (_, id) in tx.keys(PERSONAL_TOKENS_BY_OWNER, newest_first)? {
                if let Some(token) = tx.get(PERSONAL_TOKENS, &id)? {
                    entries.push(self.entry(tx, token, now)?);
                }
            }
            Ok(entries)
        })
    }

    /// One of the owner's tokens.
    pub fn personal_token(&self, owner: UserId, id: TokenId) -> Result<PersonalTokenEntry, OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            let token = tx.get(PERSONAL_TOKENS, &id)?.filter(|token| token.owner == owner);
            self.entry(tx, token.ok_or(OperationError::NotFound("token"))?, now)
        })
    }

    /// Gives one of the owner's live tokens another name.
    pub fn rename_personal_token(&self, owner: UserId, id: TokenId, name: &str) -> Result<(), OperationError> {
        let name = TokenName::parse(name).map_err(OperationError::invalid)?;
        let (now, pen) = (self.now(), self.pen());
        self.store.write(move |tx| {
            let token = owned(tx, owner, id)?;
            if token.state(now) != TokenState::Live {
                return Err(OperationError::invalid("This token has ended; its name stays as it was."));
            }
            let renamed = PersonalToken { name, ..token.clone() };
            if renamed.name.canonical() != token.name.canonical() {
                claim_name(tx, &renamed, now)?;
                rows::release_name(tx, &token)?;
            }
            put_token(tx, &renamed)?;
            let event = told(EventKind::TokenRenamed, &token).note(renamed.name.as_str());
            pen.write(tx, event).map_err(OperationError::from)
        })?;
        self.live.publish_rename();
        Ok(())
    }

    /// Revokes one of the owner's tokens: refused from the moment that this returns. Doing it twice changes nothing.
    pub fn revoke_personal_token(&self, owner: UserId, id: TokenId) -> Result<PersonalToken, OperationError> {
        let (now, pen) = (self.now(), self.pen());
        let (token, published) = self.store.write(move |tx| {
            let token = owned(tx, owner, id)?;
            end_token(tx, token, now, &pen, Ending::Revoked)
        })?;
        if let Some(entry) = published {
            self.live.revoked().publish(&entry);
            tracing::info!(user = %owner, token = %id, "personal token revoked");
        }
        Ok(token)
    }

    /// Revokes all of the owner's tokens; returns how many were live.
    pub fn revoke_all_personal_tokens(&self, owner: UserId) -> Result<usize, OperationError> {
        let (now, pen) = (self.now(), self.pen());
        let entries = self.store.write(move |tx| {
            let mut entries = Vec::new();
            for id in rows::live_ids(tx, owner, now)? {
                if let Some(token) = tx.get(PERSONAL_TOKENS, &id)? {
                    entries.extend(end_token(tx, token, now, &pen, Ending::RevokedWithAll)?.1);
                }
            }
            Ok::<_, OperationError>(entries)
        })?;
        let count = entries.len();
        self.live.revoked().merge(entries);
        Ok(count)
    }

    pub(super) fn entry(
        &self,
        tx: &impl Reads,
        token: PersonalToken,
        now: Timestamp,
    ) -> Result<PersonalTokenEntry, OperationError> {
        let last_use = match self.live.usage().tokens.latest(token.id) {
            Some(latest) => Some(latest),
            None => tx.get(TOKEN_USES, &token.id)?,
        };
        Ok(PersonalTokenEntry { last_use, state: token.state(now), token })
    }

    /// Which servers are meant, and those that these are now.
    fn reach_of(
        &self,
        owner: Person<'_>,
        servers: Option<&[String]>,
    ) -> Result<(Reach, Vec<Arc<GuardedServer>>), OperationError> {
        let directory = self.live.servers();
        let usable = |server: &Arc<GuardedServer>| server.rule.admits(owner);
        let Some(names) = servers else {
            return Ok((Reach::AllServers, directory.iter().filter(|server| usable(server)).cloned().collect()));
        };
        let mut reached = Vec::new();
        let mut resources: Vec<ResourceUri> = Vec::new();
        for name in names.iter().take(MAX_REACH + 1) {
            let server = ServerName::parse(name).ok().and_then(|name| directory.by_name(&name).cloned());
            let server = server.filter(usable).ok_or(OperationError::NotFound("server"))?;
            if !resources.contains(&server.resource) {
                resources.push(server.resource.clone());
                reached.push(server);
            }
        }
        if resources.is_empty() || resources.len() > MAX_REACH {
            return Err(OperationError::invalid(format!("Choose 1 to {MAX_REACH} servers, or all of them.")));
        }
        Ok((Reach::Servers(resources), reached))
    }
}

fn check_scopes(scopes: &ScopeSet, servers: &[Arc<GuardedServer>]) -> Result<(), OperationError> {
    if scopes.is_empty() {
        return Err(OperationError::invalid("Choose what the token may do."));
    }
    let own_somewhere = |name: &str| servers.iter().any(|server| server.scopes().contains(name));
    let general = [scope::MCP, scope::MCP_READ];
    match scopes.iter().find(|name| !general.contains(name) && !own_somewhere(name)) {
        Some(name) => {
            Err(OperationError::invalid(format!("None of the servers that it reaches has the scope {name}.")))
        }
        None => Ok(()),
    }
}

fn too_many(live: usize) -> String {
    format!("You have {live} tokens, which is the most. Revoke one that you no longer need.")
}
