//! How does an admin keep the signing keys? Sees their states, rotates, condemns one.

use crate::app::App;
use crate::app::error::OperationError;
use crate::app::signing_keys::SigningKeyEntry;
use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::keys::{self, KeyState};
use crate::web::dashboard::Frame;
use crate::web::error::ErrorView;
use crate::web::extract::{Admin, Confirmed, CsrfForm, PathId, RecentForm};
use crate::web::notice::{Done, Notice};
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

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
    /// From when one may rotate by hand, if not now.
    pub rotatable_from: Option<When>,
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
    /// Whether there may be more than were counted.
    pub more: bool,
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

/// The list.
pub async fn get(State(state): State<WebState>, Admin(admin): Admin, notice: Done) -> Result<Response, Response> {
    let entries = operate(&state, App::signing_key_entries).await?;
    let (now, options) = (state.app.now(), state.app.options());
    let rotate_every = options.rotation.rotate_every;
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.clone()).collect();
    let rotatable_from = keys::rotatable_from(&keys, now, &options.rotation);
    let active_since = entries.iter().find_map(|entry| match entry.key.state {
        KeyState::Active { since } => Some(since),
        _ => None,
    });
    let view = SigningKeysView {
        frame: Frame::new(&state, &admin, notice),
        keys: entries.into_iter().map(|entry| KeyRow::of(entry, now)).collect(),
        rotate_every_days: rotate_every.as_secs() / 86_400,
        next_rotation: active_since.map(|since| When::new(since + rotate_every, now)),
        rotatable_from: rotatable_from.map(|from| When::new(from, now)),
        jwks_url: options.issuer.join(paths::JWKS),
    };
    Ok(Page::new(view).into_response())
}

/// Rotates now.
pub async fn post_rotate(
    State(state): State<WebState>,
    _: Admin,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    match attempt(&state, App::rotate_signing_keys).await? {
        Ok(()) => Ok(see_other(&Notice::KeysRotated.at(paths::SIGNING_KEYS))),
        Err(OperationError::Invalid(why)) => Err(not_now(&why)),
        Err(error) => Err(operation_error(&error)),
    }
}

/// Asks before a key is condemned.
pub async fn get_condemn(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<KeyId>,
) -> Result<Response, Response> {
    let entry = operate(&state, move |app| app.signing_key_entry(id)).await?;
    let key = KeyRow::of(entry, state.app.now());
    let view = CondemnKeyView { frame: Frame::new(&state, &admin, Done(None)), key };
    Ok(Page::new(view).into_response())
}

/// Condemns a key.
pub async fn post_condemn(
    State(state): State<WebState>,
    _: Admin,
    PathId(id): PathId<KeyId>,
    RecentForm(..): RecentForm<Confirmed>,
) -> Result<Response, Response> {
    operate(&state, move |app| app.condemn_signing_key(id)).await?;
    Ok(see_other(&Notice::KeyCondemned.at(paths::SIGNING_KEYS)))
}

/// 409: the keys are not in a state for it.
fn not_now(why: &str) -> Response {
    let happened = format!("The keys stay as they are: {why}.");
    let advice = "Every verifier must have had the time to fetch a key before it signs. If the active key may be known to \
                  others, condemn it: that is possible at any time.";
    ErrorView::new(StatusCode::CONFLICT, "Not yet", &happened, advice)
        .link("To the signing keys", paths::SIGNING_KEYS)
        .into_response()
}

impl KeyRow {
    fn of(entry: SigningKeyEntry, now: Timestamp) -> Self {
        let SigningKeyEntry { key, personal_tokens, counted_all } = entry;
        let (state, since, verifies_until) = match key.state {
            KeyState::Next => (KeyRowState::Next, key.created_at, None),
            KeyState::Active { since } => (KeyRowState::Active, since, None),
            KeyState::Retired { since, verifies_until } => (KeyRowState::Retired, since, Some(verifies_until)),
            KeyState::Condemned { since } => (KeyRowState::Condemned, since, None),
        };
        Self {
            id: key.id,
            state,
            since: When::new(since, now),
            verifies_until: verifies_until.map(|until| When::new(until, now)),
            personal_tokens,
            more: !counted_all && !matches!(state, KeyRowState::Next | KeyRowState::Condemned),
        }
    }
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
            more: state == KeyRowState::Retired,
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
            rotatable_from: None,
            jwks_url: "https://mcp.example.org/.well-known/jwks.json".to_owned(),
        }
    }

    pub(crate) fn sample_fresh() -> Self {
        Self {
            keys: vec![KeyRow::sample(KeyRowState::Next, 0), KeyRow::sample(KeyRowState::Active, 0)],
            rotatable_from: Some(When::sample(3_000)),
            ..Self::sample()
        }
    }
}

#[cfg(test)]
impl CondemnKeyView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), key: KeyRow::sample(KeyRowState::Active, 20) }
    }
}
