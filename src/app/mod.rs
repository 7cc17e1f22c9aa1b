//! What the appliance does, for pages, API, command line and upkeep alike; synchronous.
//!
//! [`App`] is the store, the clock, randomness, the sealer and the [`Live`] snapshot. Each file beside this one is one
//! family of operations. An operation decides and writes in one transaction, publishes to [`Live`] after the commit,
//! and then returns: so whoever is told of a revocation can rely on it.

pub mod authorize;
pub mod clients;
pub mod connections;
pub mod error;
pub mod events;
pub mod everyones_access;
pub mod exchange;
pub mod groups;
pub mod introspect;
pub mod invitations;
pub mod found_tokens;
pub mod live;
pub mod notices;
pub mod origin;
pub mod passkeys;
pub mod password_resets;
pub mod personal_tokens;
pub mod register;
pub mod rescue;
pub mod revoke;
pub mod second_factor;
pub mod servers;
pub mod sessions;
pub mod set_up;
pub mod sign_in;
pub mod sign_in_policy;
pub mod signing_keys;
pub mod step_up;
pub mod upkeep;
pub mod upstream_keys;
pub mod usage;
pub mod users;
mod wrong_codes;

use crate::access::{ServerDirectory, SessionBinder};
use crate::account::personal_token::PersonalTokenPolicy;
use crate::account::session::SessionPolicy;
use crate::account::throttle::{Pace, Throttle, ThrottlePolicy};
use crate::app::error::OperationError;
use crate::app::events::{EventIds, EventPolicy, Repeats};
use crate::app::live::Live;
use crate::app::usage::Usage;
use crate::app::wrong_codes::MANY_CODES;
use crate::clock::{Clock, Timestamp, hours, minutes};
use crate::entropy::Entropy;
use crate::id::UserId;
use crate::keys::RotationPolicy;
use crate::oauth::issuer::Issuer;
use crate::oauth::refresh_token::RefreshPolicy;
use crate::oauth::registration::RegistrationAccess;
use crate::seal::Sealer;
use crate::secret::MasterSecret;
use crate::store::Store;
use crate::token::TokenIssuer;
use crate::token::{Verifier, VerifierOptions};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who asks: what an operation may want to know of the request behind it.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The client's address as far as it is known (behind a trusted proxy, the one that the proxy names).
    pub address: Option<IpAddr>,
    /// The `User-Agent`, shortened.
    pub user_agent: String,
    /// The canonical name of the account that the same browser has signed in to before, if it proves so.
    pub signed_in_before: Option<String>,
}

impl Caller {
    /// Whether this browser has signed in to the account with this canonical name before.
    fn is_known_to(&self, account: &str) -> bool {
        self.signed_in_before.as_deref() == Some(account)
    }
}

/// Everything that an operation goes by and an owner may set.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// The public URL without a trailing slash: `iss` of every token.
    pub issuer: Issuer,
    /// Lives of OAuth credentials.
    pub credentials: CredentialPolicy,
    /// Personal tokens.
    pub personal_tokens: PersonalTokenPolicy,
    /// Browser sessions.
    pub sessions: SessionPolicy,
    /// Signing keys.
    pub rotation: RotationPolicy,
    /// Client registration.
    pub registration: RegistrationPolicy,
    /// The verifier's leeway and cache.
    pub verifier: VerifierOptions,
    /// Whether servers that are commands may be added in the dashboard; a stolen session of an admin could run programs then.
    pub dashboard_commands: bool,
    /// How long the audit log is kept.
    pub events: EventPolicy,
    /// Wrong passwords, registrations and refreshes in a loop are slowed; off only in a fixture.
    pub rate_limits: bool,
}

/// How long OAuth credentials live.
#[derive(Debug, Clone, Copy)]
pub struct CredentialPolicy {
    /// Access tokens; 1 hour.
    pub access_token: Duration,
    /// Authorization codes; one minute.
    pub authorization_code: Duration,
    /// Refresh tokens: 30 days unless used, a year in all, 2 minutes of grace.
    pub refresh: RefreshPolicy,
}

impl CredentialPolicy {
    /// The longest life of an access token that may be configured. Revocations reckon with it: a token that was issued
    /// before the configured life was made shorter stays revoked too.
    pub const LONGEST_ACCESS_TOKEN: Duration = hours(24);
}

impl Default for CredentialPolicy {
    fn default() -> Self {
        Self { access_token: hours(1), authorization_code: minutes(1), refresh: RefreshPolicy::default() }
    }
}

/// Who may register clients and how many are kept.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationPolicy {
    /// `POST /register` is open (RFC 7591).
    pub dynamic: bool,
    /// Clients at most, of every kind; the oldest never-used one makes room.
    pub most_clients: usize,
    /// A registration that was never used is forgotten after this long; 24 hours.
    pub forget_unused_after: Duration,
    /// Registrations a minute in all at most.
    pub per_minute: u32,
}

impl Default for RegistrationPolicy {
    fn default() -> Self {
        Self { dynamic: true, most_clients: 10_000, forget_unused_after: hours(24), per_minute: 300 }
    }
}

/// The appliance: every operation is a method.
#[derive(Debug)]
pub struct App {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    sealer: Sealer,
    token_issuer: TokenIssuer,
    registration_access: RegistrationAccess,
    options: AppOptions,
    live: Live,
    revocations_read: AtomicU64,
    /// When the revocations were refreshed last, in Unix milliseconds.
    revocations_refreshed_at: AtomicU64,
    /// Held from the change of signing keys to the publication of their ring.
    key_changes: Mutex<()>,
    /// Held from the look at changed users to their publication.
    user_changes: Mutex<()>,
    /// Held from the change of a user's key for an upstream to its publication.
    upstream_key_changes: Mutex<()>,
    session_binder: SessionBinder,
    opened_at: Timestamp,
    /// Held from the look at the servers to the publication of their directory.
    server_changes: Mutex<()>,
    throttles: Mutex<Throttles>,
    event_ids: Arc<EventIds>,
    /// What strangers do again and again.
    repeats: Repeats,
    /// How many calls the log has, once they were counted.
    calls_kept: AtomicU64,
}

/// What slows guessing and flooding.
#[derive(Debug)]
struct Throttles {
    sign_in_by_account: Throttle<String>,
    sign_in_by_network: Throttle<IpAddr>,
    /// Codes of six digits in a row that were wrong, from browsers that did not sign in before.
    codes_by_user: Throttle<UserId>,
    registrations: register::Window,
    /// Tokens that somebody says they found.
    reports_by_network: Throttle<IpAddr>,
}

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Seals cookies, form state and signing keys.
    pub master: MasterSecret,
    /// What to go by.
    pub options: AppOptions,
    /// The guarded servers.
    pub servers: ServerDirectory,
}

impl App {
    /// Opens the appliance: makes the first signing key where there is none and loads all that [`Live`] holds, so that
    /// the revocation set is complete when this returns.
    pub fn open(parts: Parts) -> Result<Self, OperationError> {
        let Parts { store, clock, entropy, master, options, servers } = parts;
        let sealer = Sealer::new(&master);
        let ring = signing_keys::load_or_create(&store, &sealer, &entropy, clock.now(), &options.rotation)?;
        let live = Live::new(ring, Verifier::new(options.issuer.clone(), options.verifier), servers, Usage::default());
        let opened_at = clock.now();
        let event_ids = Arc::new(EventIds::new(&*entropy));
        let app = Self {
            store,
            clock,
            entropy,
            sealer,
            token_issuer: TokenIssuer::new(options.issuer.clone(), options.rotation.max_token_life),
            registration_access: RegistrationAccess::new(&master),
            session_binder: SessionBinder::new(&master),
            opened_at,
            throttles: Mutex::new(Throttles::new(&options)),
            options,
            live,
            revocations_read: AtomicU64::new(0),
            revocations_refreshed_at: AtomicU64::new(0),
            key_changes: Mutex::default(),
            user_changes: Mutex::default(),
            upstream_key_changes: Mutex::default(),
            server_changes: Mutex::default(),
            event_ids,
            repeats: Repeats::default(),
            calls_kept: AtomicU64::new(events::UNKNOWN_COUNT),
        };
        app.index_personal_tokens()?;
        app.load_servers()?;
        app.reload_users()?;
        app.load_upstream_keys()?;
        app.refresh_revocations()?;
        Ok(app)
    }

    /// What the hot path reads.
    pub const fn live(&self) -> &Live {
        &self.live
    }

    /// What the owner has set.
    pub const fn options(&self) -> &AppOptions {
        &self.options
    }

    /// Seals cookies and form state.
    pub const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Binds sessions of upstreams to users.
    pub const fn session_binder(&self) -> &SessionBinder {
        &self.session_binder
    }

    /// Randomness, for edges that need some.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Ready to serve: the store takes writes (what must be loaded was loaded by [`App::open`]).
    pub fn is_ready(&self) -> bool {
        self.store.accepts_writes()
    }

    /// Writes what is still in memory and closes the store.
    pub fn close(&self) -> Result<(), OperationError> {
        self.flush_usage()?;
        self.flush_last_events()?;
        self.store.close()?;
        Ok(())
    }

    fn throttles(&self) -> MutexGuard<'_, Throttles> {
        self.throttles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Throttles {
    fn new(options: &AppOptions) -> Self {
        Self {
            sign_in_by_account: brisk(3),
            sign_in_by_network: brisk(20),
            codes_by_user: Throttle::new(ThrottlePolicy { free: MANY_CODES, entries: 10_000, pace: Pace::Slow }),
            registrations: register::Window::new(options.registration.per_minute, minutes(1)),
            reports_by_network: brisk(30),
        }
    }
}

fn brisk<K: Hash + Eq + Clone>(free: u32) -> Throttle<K> {
    Throttle::new(ThrottlePolicy { free, entries: 10_000, pace: Pace::Brisk })
}
