//! How did records look before? The layouts of earlier versions, and how each opens as one of today.
//!
//! A layout here never changes: databases that were written with it are still about.

use super::record::{Record, UnreadableRecord, decode_body};
use crate::account::password::PasswordHash;
use crate::account::user::{Role, User, Username};
use crate::clock::Timestamp;
use crate::id::UserId;
use serde::Deserialize;

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
            return Err(UnreadableRecord::new(format!("version {version} is not known")));
        }
        let UserV1 { id, name, role, password, created_at, password_set_at, disabled_at } = decode_body(body)?;
        let (groups, last_signed_in_at) = (Vec::new(), None);
        Ok(Self { id, name, role, password, created_at, password_set_at, disabled_at, groups, last_signed_in_at })
    }
}
