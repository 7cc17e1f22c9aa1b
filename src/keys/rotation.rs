//! What has to change about the keys at this moment? A pure plan for `now`; the caller carries it out in one write.
//!
//! Invariants after a plan is carried out: one key is active and one is next. By schedule and by hand, a key signs only
//! when it has been published for [`RotationPolicy::publish_ahead`]; only the condemnation of the active key cannot wait
//! for that. A retired key verifies until the last token that it can have signed is over. Planning again changes nothing.

use crate::clock::{Timestamp, days, hours, minutes};
use crate::entropy::Entropy;
use crate::id::KeyId;
use crate::keys::signing_key::{KeyState, SigningKey};
use crate::seal::Sealer;
use std::time::Duration;

/// The least time for which a key is published before it signs: twelve times [`super::JWKS_MAX_AGE`].
pub const MIN_PUBLISH_AHEAD: Duration = hours(1);

/// What a retired key is given beyond the longest life of a token: for the leeway of verifiers and for a request that
/// was already signing when the key retired.
const RETIREMENT_MARGIN: Duration = minutes(10);

/// For how long a key that verifies nothing any more is still shown.
const SHOWN_AFTERWARDS: Duration = days(30);

/// When keys change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy {
    /// A key signs for this long.
    pub rotate_every: Duration,
    /// A key is published for at least this long before it signs; never less than [`MIN_PUBLISH_AHEAD`].
    pub publish_ahead: Duration,
    /// No token that is issued under this policy lives longer.
    pub max_token_life: Duration,
}

impl Default for RotationPolicy {
    /// 90 days; one hour ahead; tokens of at most one year (366 days).
    fn default() -> Self {
        Self { rotate_every: days(90), publish_ahead: MIN_PUBLISH_AHEAD, max_token_life: days(366) }
    }
}

/// One change to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make a key.
    Create(FirstState),
    /// The next key begins to sign.
    Activate(KeyId),
    /// The active key stops signing and goes on verifying.
    Retire(KeyId, Timestamp),
    /// The key's signatures count no more.
    Condemn(KeyId),
    /// The record goes: nothing that the key signed is valid, and it was shown for long enough.
    Forget(KeyId),
}

/// What a new key is at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstState {
    /// Published, and signing later.
    Next,
    /// Signing at once: the very first key, or the replacement of a condemned one that had no successor.
    Active,
}

/// Why the keys are not changed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotationRefusal {
    /// Verifiers may not have seen the next key.
    #[error("the next signing key has not been published for long enough; rotate again in {} min", wait.as_secs().div_ceil(60))]
    NextTooYoung {
        /// How long to wait.
        wait: Duration,
    },
    /// There is no such key.
    #[error("there is no signing key {0}")]
    NoSuchKey(KeyId),
}

/// What a step did to the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Store this record, new or not.
    Put(SigningKey),
    /// Remove the record of this key.
    Remove(KeyId),
}

/// What the schedule asks for at `now`: the first keys, a missing next key, the rotation that is due, the repair of a
/// second active key, and forgetting what is long over. Mostly nothing.
pub fn plan(keys: &[SigningKey], now: Timestamp, policy: &RotationPolicy) -> Vec<Step> {
    let (active, mut steps) = one_active(keys, now, policy);
    let next = next_key(keys);
    match (active, next) {
        (None, None) => steps.extend([Step::Create(FirstState::Active), Step::Create(FirstState::Next)]),
        (None, Some(next)) => steps.extend([Step::Activate(next.id), Step::Create(FirstState::Next)]),
        (Some(_), None) => steps.push(Step::Create(FirstState::Next)),
        (Some((active, since)), Some(next)) => {
            if now.since(since) >= policy.rotate_every && wait_for(next, now, policy).is_zero() {
                steps.extend(succession(active, next, now, policy));
            }
        }
    }
    let over = |key: &&SigningKey| match key.state {
        KeyState::Next | KeyState::Active { .. } => false,
        KeyState::Retired { verifies_until, .. } => now >= verifies_until + SHOWN_AFTERWARDS,
        KeyState::Condemned { since } => now >= since + policy.max_token_life + SHOWN_AFTERWARDS,
    };
    steps.extend(keys.iter().filter(over).map(|key| Step::Forget(key.id)));
    steps
}

/// Rotates by hand, without waiting for the schedule but not before verifiers can know the next key.
pub fn rotate_now(keys: &[SigningKey], now: Timestamp, policy: &RotationPolicy) -> Result<Vec<Step>, RotationRefusal> {
    match (one_active(keys, now, policy), next_key(keys)) {
        ((Some((active, _)), mut steps), Some(next)) => {
            let wait = wait_for(next, now, policy);
            if !wait.is_zero() {
                return Err(RotationRefusal::NextTooYoung { wait });
            }
            steps.extend(succession(active, next, now, policy));
            Ok(steps)
        }
        ((Some(_), _), None) => Err(RotationRefusal::NextTooYoung { wait: publish_ahead(policy) }),
        ((None, _), _) => Ok(plan(keys, now, policy)),
    }
}

/// From when [`rotate_now`] is possible; `None` if it is now.
pub fn rotatable_from(keys: &[SigningKey], now: Timestamp, policy: &RotationPolicy) -> Option<Timestamp> {
    match rotate_now(keys, now, policy) {
        Err(RotationRefusal::NextTooYoung { wait }) => Some(now + wait),
        Err(RotationRefusal::NoSuchKey(_)) | Ok(_) => None,
    }
}

/// Condemns the key `id`, for ever. If it signs, the next key takes over at once and a new next key is made.
pub fn condemn(keys: &[SigningKey], id: KeyId) -> Result<Vec<Step>, RotationRefusal> {
    let key = keys.iter().find(|key| key.id == id).ok_or(RotationRefusal::NoSuchKey(id))?;
    let others = keys.iter().filter(|key| key.id != id);
    let next = others.filter(|key| key.state == KeyState::Next).min_by_key(|key| (key.created_at, key.id));
    Ok(match (key.state, next) {
        (KeyState::Condemned { .. }, _) => vec![],
        (KeyState::Retired { .. }, _) | (KeyState::Next, Some(_)) => vec![Step::Condemn(id)],
        (KeyState::Next, None) => vec![Step::Condemn(id), Step::Create(FirstState::Next)],
        (KeyState::Active { .. }, Some(next)) => {
            vec![Step::Condemn(id), Step::Activate(next.id), Step::Create(FirstState::Next)]
        }
        (KeyState::Active { .. }, None) => {
            vec![Step::Condemn(id), Step::Create(FirstState::Active), Step::Create(FirstState::Next)]
        }
    })
}

/// Carries out `steps` on `keys`: what to write to the store, in one transaction with the reading of `keys`.
pub fn carry_out(
    keys: &[SigningKey],
    steps: &[Step],
    now: Timestamp,
    sealer: &Sealer,
    entropy: &dyn Entropy,
) -> Vec<Change> {
    let moved = |id: KeyId, state| keys.iter().find(|key| key.id == id).map(|key| Change::Put(key.in_state(state)));
    let change = |step: &Step| match *step {
        Step::Create(FirstState::Next) => Some(Change::Put(SigningKey::generate(KeyState::Next, now, sealer, entropy))),
        Step::Create(FirstState::Active) => {
            Some(Change::Put(SigningKey::generate(KeyState::Active { since: now }, now, sealer, entropy)))
        }
        Step::Activate(id) => moved(id, KeyState::Active { since: now }),
        Step::Retire(id, verifies_until) => moved(id, KeyState::Retired { since: now, verifies_until }),
        Step::Condemn(id) => moved(id, KeyState::Condemned { since: now }),
        Step::Forget(id) => Some(Change::Remove(id)),
    };
    steps.iter().filter_map(change).collect()
}

/// The key that has been active for the shortest time, and steps that retire any other active key: there is none unless
/// records of two installations were mixed.
fn one_active<'k>(
    keys: &'k [SigningKey],
    now: Timestamp,
    policy: &RotationPolicy,
) -> (Option<(&'k SigningKey, Timestamp)>, Vec<Step>) {
    let mut active: Vec<_> = keys
        .iter()
        .filter_map(|key| match key.state {
            KeyState::Active { since } => Some((key, since)),
            _ => None,
        })
        .collect();
    active.sort_by_key(|(key, since)| (*since, key.id));
    let newest = active.pop();
    (newest, active.iter().map(|(key, _)| Step::Retire(key.id, verifies_until(now, policy))).collect())
}

fn next_key(keys: &[SigningKey]) -> Option<&SigningKey> {
    keys.iter().filter(|key| key.state == KeyState::Next).min_by_key(|key| (key.created_at, key.id))
}

fn succession(active: &SigningKey, next: &SigningKey, now: Timestamp, policy: &RotationPolicy) -> [Step; 3] {
    [Step::Retire(active.id, verifies_until(now, policy)), Step::Activate(next.id), Step::Create(FirstState::Next)]
}

fn verifies_until(now: Timestamp, policy: &RotationPolicy) -> Timestamp {
    now + policy.max_token_life + RETIREMENT_MARGIN
}

fn publish_ahead(policy: &RotationPolicy) -> Duration {
    policy.publish_ahead.max(MIN_PUBLISH_AHEAD)
}

fn wait_for(next: &SigningKey, now: Timestamp, policy: &RotationPolicy) -> Duration {
    (next.created_at + publish_ahead(policy)).since(now)
}

#[cfg(test)]
mod tests;
