//! How does an admin keep the signing keys? Sees their states, rotates, condemns one.

use crate::id::KeyId;
use crate::web::dashboard::Frame;
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;

/// `GET /dashboard/signing-keys`. The button posts `form_token` to `/dashboard/signing-keys/rotate`.
#[derive(Debug, Template)]
#[template(path = "dashboard/signing_keys/list.html")]
pub struct SigningKeysView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub keys: Vec<KeyRow>,
    /// How often keys rotate by themselves, in days.
    pub rotate_every_days: u64,
    /// When that happens next.
    pub next_rotation: Option<When>,
    /// Where the public keys are published.
    pub jwks_url: String,
}

/// One signing key.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// Its id, the `kid` of what it signs.
    pub id: KeyId,
    /// What it does now.
    pub state: KeyRowState,
    /// Since when it is in this state.
    pub since: When,
    /// Until when what it signed is accepted, if it is retired.
    pub verifies_until: Option<When>,
    /// How many personal tokens it signed that still work.
    pub personal_tokens: usize,
}

/// What a signing key does, as a page tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRowState {
    /// Published ahead; signs next.
    Next,
    /// Signs.
    Active,
    /// Verifies what it signed.
    Retired,
    /// Nothing that it signed is accepted.
    Condemned,
}

/// `GET /dashboard/signing-keys/{id}/condemn`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/signing_keys/condemn.html")]
pub struct CondemnKeyView {
    /// Around the page.
    pub frame: Frame,
    /// The key to condemn.
    pub key: KeyRow,
}

#[cfg(test)]
impl KeyRow {
    fn sample(state: KeyRowState, days_ago: i64) -> Self {
        Self {
            id: KeyId::from_bytes([u8::try_from(days_ago).unwrap_or(9); 16]),
            state,
            since: When::sample(-86_400 * days_ago),
            verifies_until: (state == KeyRowState::Retired).then(|| When::sample(86_400 * 300)),
            personal_tokens: if state == KeyRowState::Next { 0 } else { 12 },
        }
    }
}

#[cfg(test)]
impl SigningKeysView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            keys: vec![
                KeyRow::sample(KeyRowState::Next, 1),
                KeyRow::sample(KeyRowState::Active, 20),
                KeyRow::sample(KeyRowState::Retired, 110),
                KeyRow::sample(KeyRowState::Condemned, 200),
            ],
            rotate_every_days: 90,
            next_rotation: Some(When::sample(86_400 * 70)),
            jwks_url: "https://mcp.example.org/.well-known/jwks.json".to_owned(),
        }
    }
}

#[cfg(test)]
impl CondemnKeyView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), key: KeyRow::sample(KeyRowState::Active, 20) }
    }
}
