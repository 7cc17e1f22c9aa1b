//! What does the database hold? Every table, on one screen. A name, once released, is never used for anything else.
//!
//! To add one: a constant here, a [`super::Record`] implementation for its value beside the other records, and a test
//! with the golden bytes of one record. A table that was never written to reads as empty.

use super::record::Record;
use super::table::Table;
use crate::access::{SealedUpstreamKey, StoredServer};
use crate::account::factor::Factor;
use crate::account::group::Group;
use crate::account::half_session::HalfSession;
use crate::account::invitation::Invitation;
use crate::account::password_reset::PasswordReset;
use crate::account::personal_token::PersonalToken;
use crate::account::recovery_code::RecoveryCodes;
use crate::account::session::Session;
use crate::account::sign_in_policy::SignInPolicy;
use crate::account::token_watch::TokenWatch;
use crate::account::usage::LastUse;
use crate::account::user::User;
use crate::clock::Timestamp;
use crate::event::{DayCounts, Event, Facet, FacetMarks, ServerDays};
use crate::id::{
    EventId, FactorId, GrantId, HalfSessionId, InstanceId, InvitationId, KeyId, SessionId, TokenId, UserId,
};
use crate::keys::SigningKey;
use crate::oauth::authorization_code::AuthorizationCode;
use crate::oauth::client::Client;
use crate::oauth::grant::Grant;
use crate::oauth::refresh_token::RefreshToken;
use crate::secret::TokenDigest;
use crate::token::RevocationEntry;

/// The format of the whole database: [`super::FORMAT`]. Its own layout never changes, so that every program can read
/// which program is needed.
pub const DATABASE_FORMAT: Table<(), u64> = Table::new("format");

/// What this installation is.
pub const META: Table<(), Meta> = Table::new("meta");

/// Whether the first admin has been made. Without a row nobody can make one.
pub const SET_UP: Table<(), SetUp> = Table::new("set_up");

/// People.
pub const USERS: Table<UserId, User> = Table::new("users");
/// Canonical user name to user.
pub const USER_NAMES: Table<String, UserId> = Table::new("user_names");
/// Users that were deleted and whose rows are still being removed: since when.
pub const DELETED_USERS: Table<UserId, Timestamp> = Table::new("deleted_users");
/// Groups by name; who is in one stands with each user.
pub const GROUPS: Table<String, Group> = Table::new("groups");
/// One-time links to accounts.
pub const INVITATIONS: Table<InvitationId, Invitation> = Table::new("invitations");
/// Digest of an invitation's secret to the invitation.
pub const INVITATION_SECRETS: Table<TokenDigest, InvitationId> = Table::new("invitation_secrets");
/// One-time links to new passwords, by the digest of their secret.
pub const PASSWORD_RESETS: Table<TokenDigest, PasswordReset> = Table::new("password_resets");
/// The link of a user, if there is one.
pub const PASSWORD_RESET_OF: Table<UserId, TokenDigest> = Table::new("password_reset_of");
/// Signed-in browsers.
pub const SESSIONS: Table<SessionId, Session> = Table::new("sessions");
/// A user's sessions.
pub const SESSIONS_BY_USER: Table<(UserId, SessionId), ()> = Table::new("sessions_by_user");

/// Sign-ins whose second factor is missing.
pub const HALF_SESSIONS: Table<(UserId, HalfSessionId), HalfSession> = Table::new("half_sessions");
/// Users' second factors, their secrets sealed.
pub const FACTORS: Table<(UserId, FactorId), Factor> = Table::new("factors");
/// Questions that an authenticator has answered, by the digest of their challenge, until their time is over.
pub const USED_CHALLENGES: Table<TokenDigest, Timestamp> = Table::new("used_challenges");
/// Digests of the recovery codes of a user.
pub const RECOVERY_CODES: Table<UserId, RecoveryCodes> = Table::new("recovery_codes");
/// What is asked of people who sign in; the default without a row.
pub const SIGN_IN_POLICY: Table<(), SignInPolicy> = Table::new("sign_in_policy");

/// Personal tokens, without the tokens.
pub const PERSONAL_TOKENS: Table<TokenId, PersonalToken> = Table::new("personal_tokens");
/// A user's personal tokens.
pub const PERSONAL_TOKENS_BY_OWNER: Table<(UserId, TokenId), ()> = Table::new("personal_tokens_by_owner");
/// A user's personal tokens that were not revoked, by the moment from which on each is refused.
pub const PERSONAL_TOKENS_BY_END: Table<(UserId, Timestamp, TokenId), ()> = Table::new("personal_tokens_by_end");
/// Whether [`PERSONAL_TOKENS_BY_END`] has those that were made before there was such a table.
pub const PERSONAL_TOKENS_INDEXED: Table<(), ()> = Table::new("personal_tokens_indexed");
/// Canonical names of a user's live personal tokens.
pub const PERSONAL_TOKEN_NAMES: Table<(UserId, String), TokenId> = Table::new("personal_token_names");
/// Last uses of personal tokens.
pub const TOKEN_USES: Table<TokenId, LastUse> = Table::new("token_uses");

/// What is remembered of personal tokens so that their owners are told what is new.
pub const TOKEN_WATCHES: Table<TokenId, TokenWatch> = Table::new("token_watches");
/// Lines of the audit log that a user should see and has not dismissed: [`crate::app::notices`].
pub const NOTICES: Table<(UserId, EventId), Event> = Table::new("notices");

/// Users' keys for upstreams, sealed, by user and name of the server.
pub const UPSTREAM_KEYS: Table<(UserId, String), SealedUpstreamKey> = Table::new("upstream_keys");

/// OAuth clients by client id.
pub const CLIENTS: Table<String, Client> = Table::new("clients");
/// Digest of the metadata of dynamically registered public clients to client id: the same registration gets the same id.
pub const CLIENT_DIGESTS: Table<TokenDigest, String> = Table::new("client_digests");
/// When a client that registered itself has registered again, for those that did and were never used.
pub const CLIENT_RENEWALS: Table<String, Timestamp> = Table::new("client_renewals");
/// The grants of a client; its id is digested.
pub const GRANTS_BY_CLIENT: Table<(TokenDigest, GrantId), ()> = Table::new("grants_by_client");
/// Assertions that clients have used (RFC 7523 §3), until they expire.
pub const USED_ASSERTIONS: Table<TokenDigest, Timestamp> = Table::new("used_assertions");

/// What users have allowed clients.
pub const GRANTS: Table<GrantId, Grant> = Table::new("grants");
/// A user's grants.
pub const GRANTS_BY_USER: Table<(UserId, GrantId), ()> = Table::new("grants_by_user");
/// Last uses of grants, by any of their access tokens.
pub const GRANT_USES: Table<GrantId, LastUse> = Table::new("grant_uses");
/// Authorization codes by digest.
pub const AUTHORIZATION_CODES: Table<TokenDigest, AuthorizationCode> = Table::new("authorization_codes");
/// Refresh tokens by digest.
pub const REFRESH_TOKENS: Table<TokenDigest, RefreshToken> = Table::new("refresh_tokens");
/// How fast a grant is refreshed: [`crate::oauth::refresh_pace::RefreshPace`].
pub const REFRESH_PACES: Table<GrantId, Timestamp> = Table::new("refresh_paces");

/// The servers that were added in the dashboard, by name.
pub const SERVERS: Table<String, StoredServer> = Table::new("servers");

/// Signing keys, their private halves sealed.
pub const SIGNING_KEYS: Table<KeyId, SigningKey> = Table::new("signing_keys");
/// The log of revocations, by place.
pub const REVOCATIONS: Table<u64, RevocationEntry> = Table::new("revocations");
/// The place of the newest revocation; places are never used again.
pub const LAST_REVOCATION: Table<(), u64> = Table::new("last_revocation");

/// The audit log, by time.
pub const EVENTS: Table<EventId, Event> = Table::new("events");
/// Under what each line of it is found, and under what else.
pub const EVENTS_BY: Table<(Facet, EventId), FacetMarks> = Table::new("events_by");
/// Requests with each personal token, day by day.
pub const TOKEN_DAYS: Table<TokenId, DayCounts> = Table::new("token_days");
/// Requests under each grant, day by day.
pub const GRANT_DAYS: Table<GrantId, DayCounts> = Table::new("grant_days");
/// Calls at each server, by its name, day by day.
pub const SERVER_DAYS: Table<String, ServerDays> = Table::new("server_days");

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

impl SetUp {
    /// Of a new installation: open, with a secret that nobody has. A start prints one that somebody does.
    pub const FRESH: Self = Self::Open { secret: TokenDigest::from_bytes([0; 32]), issued_at: Timestamp::EPOCH };
}

impl Record for SetUp {
    const VERSION: u8 = 1;
}

/// First versions of the domain's records; a change of a type's fields is a new version, and [`super::older`] reads the old.
macro_rules! first_version {
    ($($record:ty)*) => {$(
        impl Record for $record {
            const VERSION: u8 = 1;
        }
    )*};
}

first_version! { Group Invitation PasswordReset LastUse TokenWatch Client AuthorizationCode RefreshToken SigningKey SealedUpstreamKey StoredServer Event DayCounts ServerDays HalfSession Factor RecoveryCodes SignInPolicy }
