//! Revocation: commit, publish, answer, in this order.
//!
//! Every revocation is a row of one log; the row is written in the transaction of whatever it follows from, and its entry
//! is published to [`crate::token::RevocationSet`] by the caller after the commit. The background refresh
//! reads the log again from where it was last, so that a revocation written by another program arrives too.

use crate::app::App;
use crate::app::error::OperationError;
use crate::store::tables::{LAST_REVOCATION, REVOCATIONS};
use crate::store::{Reads, Scan, WriteTx};
use crate::token::RevocationEntry;
use std::sync::atomic::Ordering;

/// Writes a revocation; publish the returned entry after the commit.
pub(super) fn record(tx: &mut WriteTx, entry: RevocationEntry) -> Result<RevocationEntry, OperationError> {
    let place = tx.get(LAST_REVOCATION, &())?.unwrap_or(0) + 1;
    tx.put(LAST_REVOCATION, &(), &place)?;
    tx.insert_new(REVOCATIONS, &place, &entry)?;
    Ok(entry)
}

impl App {
    /// Brings the revocation set up to what the store has, and lets go of entries whose tokens have expired.
    pub fn refresh_revocations(&self) -> Result<(), OperationError> {
        let (now, set) = (self.now(), self.live.revoked());
        // A clock that ran ahead let go of entries that count again once it is set back.
        if now.unix_millis() < self.revocations_refreshed_at.swap(now.unix_millis(), Ordering::AcqRel) {
            self.revocations_read.store(0, Ordering::Release);
        }
        let read_until = self.revocations_read.load(Ordering::Acquire);
        let rows = self.store.read(|tx| {
            let unread = Scan::all().from(&(read_until + 1));
            tx.scan(REVOCATIONS, unread).map_err(OperationError::from)
        })?;
        for (_, entry) in rows.iter().filter(|(_, entry)| entry.expires_at > now) {
            set.publish(entry);
        }
        if let Some((last, _)) = rows.last() {
            self.revocations_read.fetch_max(*last, Ordering::AcqRel);
        }
        set.expire(now);
        Ok(())
    }
}
