//! How did records look before? The layouts of earlier versions, and how each opens as one of today.
//!
//! A layout here never changes: databases that were written with it are still about.

use super::record::{Record, UnreadableRecord, decode_body};
use crate::account::password::PasswordHash;
use crate::account::personal_token::{PersonalToken, Reach, TokenName};
use crate::account::session::Session;
use crate::account::user::{Role, User, Username};
use crate::clock::Timestamp;
use crate::event::FacetMarks;
use crate::id::{GrantId, KeyId, SessionId, TokenId, UserId};
use crate::oauth::client::ClientId;
use crate::oauth::grant::Grant;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::ScopeSet;
use crate::token::{Revocation, RevocationEntry};
use serde::Deserialize;

fn unknown<T>(version: u8) -> Result<T, UnreadableRecord> {
    Err(UnreadableRecord::new(format!("version {version} is not known")))
}

/// Before there were groups.
#[derive(Deserialize)]
struct UserV1 {
    id: UserId,
    name: Username,
    role: Role,
    password: PasswordHash,
    created_at: Timestamp,
    password_set_at: Timestamp,
    disabled_at: Option<Timestamp>,
}

impl Record for User {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
        if version != 1 {
            return unknown(version);
        }
        let UserV1 { id, name, role, password, created_at, password_set_at, disabled_at } = decode_body(body)?;
        let (groups, last_signed_in_at) = (Vec::new(), None);
        Ok(Self { id, name, role, password, created_at, password_set_at, disabled_at, groups, last_signed_in_at })
    }
}

/// Before anybody was asked again who they are.
#[derive(Deserialize)]
struct SessionV1 {
    id: SessionId,
    user: UserId,
    signed_in_at: Timestamp,
    seen_at: Timestamp,
    address: String,
    user_agent: String,
}

impl Record for Session {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
        if version != 1 {
            return unknown(version);
        }
        let SessionV1 { id, user, signed_in_at, seen_at, address, user_agent } = decode_body(body)?;
        let (proved_at, renewed_from, seen_from) = (signed_in_at, None, address.clone());
        Ok(Self { id, user, signed_in_at, proved_at, renewed_from, seen_at, seen_from, address, user_agent })
    }
}

/// Before a token could be replaced by a new one.
#[derive(Deserialize)]
struct PersonalTokenV1 {
    id: TokenId,
    owner: UserId,
    name: TokenName,
    reach: Reach,
    scopes: ScopeSet,
    key: KeyId,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl Record for PersonalToken {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
        if version != 1 {
            return unknown(version);
        }
        let PersonalTokenV1 { id, owner, name, reach, scopes, key, created_at, expires_at, revoked_at } =
            decode_body(body)?;
        Ok(Self {
            id,
            owner,
            name,
            reach,
            scopes,
            key,
            created_at,
            expires_at,
            revoked_at,
            was_found: false,
            replaced: None,
            replaces: None,
        })
    }
}

/// Before what a grant allows could be lowered.
#[derive(Deserialize)]
struct GrantV1 {
    id: GrantId,
    user: UserId,
    client: ClientId,
    client_name: String,
    resource: ResourceUri,
    scopes: ScopeSet,
    redirect_uri: RedirectUri,
    created_at: Timestamp,
    last_issued_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl Record for Grant {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
        if version != 1 {
            return unknown(version);
        }
        let old: GrantV1 = decode_body(body)?;
        Ok(Self {
            id: old.id,
            user: old.user,
            client: old.client,
            client_name: old.client_name,
            resource: old.resource,
            scopes: old.scopes,
            redirect_uri: old.redirect_uri,
            created_at: old.created_at,
            last_issued_at: old.last_issued_at,
            revoked_at: old.revoked_at,
            narrowed_at: None,
        })
    }
}

/// Before a revocation could speak of a moment to come, or of a grant's older tokens.
#[derive(Deserialize)]
enum RevocationV1 {
    Token(TokenId),
    Grant(GrantId),
    User { user: UserId, issued_before: Timestamp },
}

#[derive(Deserialize)]
struct RevocationEntryV1 {
    revocation: RevocationV1,
    revoked_at: Timestamp,
    expires_at: Timestamp,
}

impl Record for RevocationEntry {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
        if version != 1 {
            return unknown(version);
        }
        let RevocationEntryV1 { revocation, revoked_at, expires_at } = decode_body(body)?;
        let revocation = match revocation {
            RevocationV1::Token(id) => Revocation::Token(id),
            RevocationV1::Grant(id) => Revocation::Grant(id),
            RevocationV1::User { user, issued_before } => Revocation::User { user, issued_before },
        };
        Ok(Self { revocation, revoked_at, expires_at })
    }
}

/// Rows of the log's index said no more than their keys.
impl Record for FacetMarks {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
        if version != 1 {
            return unknown(version);
        }
        decode_body::<()>(body).map(|()| Self::UNKNOWN)
    }
}
