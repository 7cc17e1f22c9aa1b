//! Signing keys: the first ones, rotation by schedule and by hand, and condemnation.
//!
//! The plan is made and carried out in one transaction with the reading of the keys; the new ring is published after the
//! commit and before the answer, so a condemned key verifies nothing from then on.

use crate::account::personal_token::TokenState;
use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::event::{Event, EventKind};
use crate::id::KeyId;
use crate::keys::Jwks;
use crate::keys::SigningKey;
use crate::keys::{self, Change, RotationPolicy, RotationRefusal, Step};
use crate::keys::{KeyRing, KeyRingError};
use crate::seal::Sealer;
use crate::store::tables::{PERSONAL_TOKENS, SIGNING_KEYS};
use crate::store::{Reads, Scan, Store, WriteTx};
use std::sync::{Arc, PoisonError};

/// A signing key as an administrator sees it.
#[derive(Debug, Clone)]
pub struct SigningKeyEntry {
    /// The key.
    pub key: SigningKey,
    /// How many personal tokens it signed that are still accepted, of those that were looked at.
    pub personal_tokens: usize,
    /// Whether all were looked at; the newest otherwise.
    pub counted_all: bool,
}

/// Personal tokens that a list of the keys looks at.
const LOOKED_AT_FOR_LIST: usize = 500;
/// Personal tokens that are looked at before one key is condemned.
const LOOKED_AT_FOR_ONE: usize = 20_000;

impl App {
    /// All signing keys that are kept, the newest first, with what hangs on them.
    pub fn signing_key_entries(&self) -> Result<Vec<SigningKeyEntry>, OperationError> {
        self.key_entries(LOOKED_AT_FOR_LIST)
    }

    fn key_entries(&self, looked_at: usize) -> Result<Vec<SigningKeyEntry>, OperationError> {
        let (now, keys) = (self.now(), self.signing_keys()?);
        let uncounted = |key| SigningKeyEntry { key, personal_tokens: 0, counted_all: true };
        let mut entries: Vec<_> = keys.into_iter().map(uncounted).collect();
        let mut left = looked_at;
        self.store.read(|tx| {
            tx.visit(PERSONAL_TOKENS, Scan::all().backwards().limit(looked_at + 1), |_, token| {
                if left == 0 {
                    for entry in &mut entries {
                        entry.counted_all = false;
                    }
                    return Ok(());
                }
                left -= 1;
                let signer =
                    entries.iter_mut().find(|entry| entry.key.id == token.key && entry.key.state.verifies(now));
                if let Some(signer) = signer.filter(|_| token.state(now) == TokenState::Live) {
                    signer.personal_tokens += 1;
                }
                Ok::<_, OperationError>(())
            })
        })?;
        Ok(entries)
    }

    /// One of them.
    pub fn signing_key_entry(&self, id: KeyId) -> Result<SigningKeyEntry, OperationError> {
        let found = self.key_entries(LOOKED_AT_FOR_ONE)?.into_iter().find(|entry| entry.key.id == id);
        found.ok_or(OperationError::NotFound("signing key"))
    }

    /// All signing keys that are kept, the newest first.
    pub fn signing_keys(&self) -> Result<Vec<SigningKey>, OperationError> {
        self.store.read(|tx| {
            let rows = tx.scan(SIGNING_KEYS, Scan::all().backwards())?;
            Ok(rows.into_iter().map(|(_, key)| key).collect())
        })
    }

    /// The public keys to publish now (RFC 7517).
    pub fn jwks(&self) -> Jwks {
        self.live.keys().jwks(self.now())
    }

    /// Lets the next key sign from now on.
    pub fn rotate_signing_keys(&self) -> Result<(), OperationError> {
        let (now, policy) = (self.now(), self.options.rotation);
        self.change_keys(Event::of(EventKind::KeysRotated), move |keys| keys::rotate_now(keys, now, &policy))?;
        tracing::warn!("signing keys rotated by hand");
        Ok(())
    }

    /// Condemns a key: nothing that it signed is accepted from the moment that this returns.
    pub fn condemn_signing_key(&self, id: KeyId) -> Result<(), OperationError> {
        self.change_keys(Event::of(EventKind::KeyCondemned).key(id), move |keys| keys::condemn(keys, id))?;
        tracing::warn!(key = %id, "signing key condemned");
        Ok(())
    }

    /// Does what the schedule asks for, which mostly is nothing.
    pub fn rotate_by_schedule(&self) -> Result<(), OperationError> {
        let (now, policy) = (self.now(), self.options.rotation);
        let keys = self.signing_keys()?;
        if keys::plan(&keys, now, &policy).is_empty() {
            return Ok(());
        }
        self.change_keys(Event::of(EventKind::KeysRotated), move |keys| Ok(keys::plan(keys, now, &policy)))?;
        tracing::info!("signing keys changed by schedule");
        Ok(())
    }

    /// Changes keys and writes `event`; a rotation has one only if another key signs afterwards.
    fn change_keys(
        &self,
        event: Event,
        plan: impl FnOnce(&[SigningKey]) -> Result<Vec<Step>, RotationRefusal> + Send + 'static,
    ) -> Result<(), OperationError> {
        let (now, sealer, entropy) = (self.now(), self.sealer.clone(), Arc::clone(&self.entropy));
        // Rings are published in the order of their commits: an older one would bring a condemned key back.
        let _turn = self.key_changes.lock().unwrap_or_else(PoisonError::into_inner);
        let (signed, pen) = (self.live.keys().signer().id(), self.pen());
        let ring = self.store.write(move |tx| {
            let keys = all_keys(tx)?;
            let steps = plan(&keys).map_err(|refusal| match refusal {
                RotationRefusal::NextTooYoung { .. } => OperationError::invalid(refusal),
                RotationRefusal::NoSuchKey(_) => OperationError::NotFound("signing key"),
            })?;
            let ring = carry_out(tx, &keys, &steps, now, &sealer, &*entropy)?;
            let signs = ring.signer().id();
            if event.key.is_some() {
                pen.write(tx, event)?;
            } else if signs != signed {
                pen.write(tx, event.key(signs))?;
            }
            Ok::<_, OperationError>(ring)
        })?;
        self.live.publish_keys(ring);
        Ok(())
    }
}

/// The ring of an installation that is starting; makes the first keys where there are none.
pub(super) fn load_or_create(
    store: &Store,
    sealer: &Sealer,
    entropy: &Arc<dyn Entropy>,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<KeyRing, OperationError> {
    let (sealer, entropy, policy) = (sealer.clone(), Arc::clone(entropy), *policy);
    store.write(move |tx| {
        let keys = all_keys(tx)?;
        let steps = keys::plan(&keys, now, &policy);
        carry_out(tx, &keys, &steps, now, &sealer, &*entropy)
    })
}

fn all_keys(tx: &impl Reads) -> Result<Vec<SigningKey>, OperationError> {
    Ok(tx.scan(SIGNING_KEYS, Scan::all())?.into_iter().map(|(_, key)| key).collect())
}

fn carry_out(
    tx: &mut WriteTx,
    keys: &[SigningKey],
    steps: &[Step],
    now: Timestamp,
    sealer: &Sealer,
    entropy: &dyn Entropy,
) -> Result<KeyRing, OperationError> {
    for change in keys::carry_out(keys, steps, now, sealer, entropy) {
        match change {
            Change::Put(key) => tx.put(SIGNING_KEYS, &key.id, &key)?,
            Change::Remove(id) => {
                tx.remove(SIGNING_KEYS, &id)?;
            }
        }
    }
    KeyRing::build(&all_keys(tx)?, sealer).map_err(|error: KeyRingError| OperationError::invalid(error))
}
