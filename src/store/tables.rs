//! What does the database hold? Every table, on one screen. A name, once released, is never used for anything else.
//!
//! To add one: a constant here, a [`super::Record`] implementation for its value beside the other records, and a test
//! with the golden bytes of one record. A table that was never written to reads as empty.

use super::record::Record;
use super::table::Table;
use crate::clock::Timestamp;
use crate::id::{InstanceId, UserId};
use crate::secret::TokenDigest;

/// The format of the whole database: [`super::FORMAT`]. Its own layout never changes, so that every program can read
/// which program is needed.
pub const DATABASE_FORMAT: Table<(), u64> = Table::new("format");

/// What this installation is.
pub const META: Table<(), Meta> = Table::new("meta");

/// Whether the first admin has been made. Without a row nobody can make one.
pub const SET_UP: Table<(), SetUp> = Table::new("set_up");

/// What this installation is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Meta {
    /// Its name, which also stands in a file beside the database.
    pub instance: InstanceId,
    /// When it was made.
    pub created_at: Timestamp,
    /// A value that only the right master secret yields for this instance.
    pub master_check: [u8; 32],
}

impl Record for Meta {
    const VERSION: u8 = 1;
}

/// Whether the first admin has been made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SetUp {
    /// Not yet: `/setup` opens to who has the secret with this digest.
    Open {
        /// Of the set-up secret that was printed last.
        secret: TokenDigest,
        /// When it was printed.
        issued_at: Timestamp,
    },
    /// Yes: `/setup` never opens again.
    Done {
        /// The first admin.
        by: UserId,
        /// When.
        at: Timestamp,
    },
}

impl Record for SetUp {
    const VERSION: u8 = 1;
}
