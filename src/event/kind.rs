//! Which kinds of line are there? Each has a number for the store, a name for exports and a class for filters.
//!
//! Invariant: a number or a name, once released, never means anything else.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal, $name:literal, $class:ident;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventKind { $($(#[$doc])* $kind,)* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its number in the store.
            pub const fn number(self) -> u16 {
                match self { $(Self::$kind => $number,)* }
            }

            /// Its name in exports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// With what it is shown.
            pub const fn class(self) -> EventClass {
                match self { $(Self::$kind => EventClass::$class,)* }
            }
        }
    };
}

kinds! {
    /// Somebody signed in.
    SignedIn = 1, "signed_in", SignIns;
    /// A name or password was wrong.
    SignInFailed = 2, "sign_in_failed", SignIns;
    /// A sign-in came too soon after others that failed.
    SignInSlowed = 3, "sign_in_slowed", SignIns;
    /// Somebody signed out.
    SignedOut = 4, "signed_out", SignIns;
    /// Other sessions of somebody were ended.
    SessionsEnded = 5, "sessions_ended", SignIns;
    /// Somebody set a new password of their own.
    PasswordChanged = 6, "password_changed", SignIns;
    /// Somebody's password was reset by another.
    PasswordReset = 7, "password_reset", SignIns;
    /// A second factor was added.
    FactorAdded = 8, "factor_added", SignIns;
    /// A second factor was removed.
    FactorRemoved = 9, "factor_removed", SignIns;
    /// A code, or a passkey, was wrong.
    FactorFailed = 10, "factor_failed", SignIns;
    /// Somebody made new recovery codes.
    RecoveryCodesMade = 11, "recovery_codes_made", SignIns;
    /// Somebody who was signed in proved again that it is them.
    ProvedAgain = 14, "proved_again", SignIns;
    /// Many codes of somebody's were wrong in a row: the next ones wait.
    CodesSlowed = 15, "codes_slowed", SignIns;

    /// A client was let in.
    AccessApproved = 20, "access_approved", Apps;
    /// A client was not let in by the person.
    AccessDenied = 21, "access_denied", Apps;
    /// What a connection may do was lowered.
    ConnectionNarrowed = 22, "connection_narrowed", Apps;
    /// A connection was ended by a person.
    ConnectionRevoked = 23, "connection_revoked", Apps;
    /// A connection was given back by its client.
    ConnectionReturned = 24, "connection_returned", Apps;
    /// An authorization code came twice: its connection has ended.
    CodeReplayed = 25, "code_replayed", Apps;
    /// A refresh token came twice: its connection has ended.
    RefreshReused = 26, "refresh_reused", Apps;

    /// A personal token was made.
    TokenMade = 40, "token_made", Tokens;
    /// A personal token got another name.
    TokenRenamed = 41, "token_renamed", Tokens;
    /// A token was revoked.
    TokenRevoked = 42, "token_revoked", Tokens;
    /// A personal token was replaced by a new one.
    TokenRotated = 43, "token_rotated", Tokens;
    /// A token was reported by whoever found it.
    TokenLeaked = 44, "token_leaked", Tokens;
    /// A personal token was used from a network that was new for it.
    TokenOnNewNetwork = 45, "token_on_new_network", Tokens;

    /// A client registered itself.
    ClientRegistered = 60, "client_registered", Clients;
    /// A client was made by an admin.
    ClientMade = 61, "client_made", Clients;
    /// A client's document was pinned by an admin.
    ClientPinned = 62, "client_pinned", Clients;
    /// A client was removed by an admin.
    ClientRemoved = 63, "client_removed", Clients;

    /// The next key signs, by schedule or by hand.
    KeysRotated = 80, "keys_rotated", Keys;
    /// A signing key was condemned.
    KeyCondemned = 81, "key_condemned", Keys;

    /// The first admin was made.
    SetUp = 100, "set_up", Users;
    /// An account was made.
    UserMade = 101, "user_made", Users;
    /// An account has another role, other groups or another name.
    UserChanged = 102, "user_changed", Users;
    /// An account was disabled.
    UserDisabled = 103, "user_disabled", Users;
    /// An account was enabled again.
    UserEnabled = 104, "user_enabled", Users;
    /// An account was deleted.
    UserDeleted = 105, "user_deleted", Users;
    /// Everything of somebody was revoked.
    UserRevoked = 106, "user_revoked", Users;
    /// Somebody was invited.
    InvitationMade = 107, "invitation_made", Users;
    /// An invitation was withdrawn.
    InvitationRevoked = 108, "invitation_revoked", Users;
    /// A link was made with which somebody sets a new password.
    ResetLinkMade = 109, "reset_link_made", Users;
    /// A group was made.
    GroupMade = 110, "group_made", Users;
    /// A group has other members or another description.
    GroupChanged = 111, "group_changed", Users;
    /// A group was removed.
    GroupRemoved = 112, "group_removed", Users;
    /// What is asked of everybody who signs in was changed.
    PolicyChanged = 113, "policy_changed", Users;

    /// A server was added.
    ServerAdded = 130, "server_added", Servers;
    /// A server was changed.
    ServerChanged = 131, "server_changed", Servers;
    /// A server answers again.
    ServerEnabled = 132, "server_enabled", Servers;
    /// A server answers no more.
    ServerDisabled = 133, "server_disabled", Servers;
    /// A server was removed.
    ServerRemoved = 134, "server_removed", Servers;
    /// Somebody entered a key of their own for a server.
    UpstreamKeySet = 135, "upstream_key_set", Servers;
    /// Somebody removed their key for a server.
    UpstreamKeyRemoved = 136, "upstream_key_removed", Servers;

    /// A tool was called.
    Called = 160, "called", Calls;
    /// Calls were made that the log does not tell one by one.
    CallsNotLogged = 161, "calls_not_logged", Calls;

    /// A request was refused.
    Refused = 180, "refused", Refusals;
}

impl EventKind {
    fn numbered(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }

    /// Whether it is written in batches and kept for less long: what clients do, not what people decide.
    pub const fn is_traffic(self) -> bool {
        self.class().is_traffic()
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.name())
        } else {
            serializer.serialize_u16(self.number())
        }
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer)?;
        Self::numbered(number).ok_or_else(|| serde::de::Error::custom("a kind of event of a newer program"))
    }
}

/// Kinds that are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// Signing in and out, passwords and factors.
    SignIns,
    /// Connected apps.
    Apps,
    /// Personal tokens.
    Tokens,
    /// Registered clients.
    Clients,
    /// Signing keys.
    Keys,
    /// Accounts, groups and invitations.
    Users,
    /// Guarded servers.
    Servers,
    /// Calls of tools.
    Calls,
    /// Requests that were refused.
    Refusals,
}

impl EventClass {
    /// Every class, in the order in which they are offered.
    pub const ALL: [Self; 9] = [
        Self::SignIns,
        Self::Apps,
        Self::Tokens,
        Self::Calls,
        Self::Refusals,
        Self::Users,
        Self::Servers,
        Self::Clients,
        Self::Keys,
    ];

    /// The word that names it in addresses.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::SignIns => "sign-ins",
            Self::Apps => "apps",
            Self::Tokens => "tokens",
            Self::Clients => "clients",
            Self::Keys => "keys",
            Self::Users => "users",
            Self::Servers => "servers",
            Self::Calls => "calls",
            Self::Refusals => "refusals",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::SignIns => "Sign-ins",
            Self::Apps => "Connected apps",
            Self::Tokens => "Tokens",
            Self::Clients => "Clients",
            Self::Keys => "Signing keys",
            Self::Users => "Users",
            Self::Servers => "Servers",
            Self::Calls => "Tool calls",
            Self::Refusals => "Refusals",
        }
    }

    /// The class with this keyword.
    pub fn parse(keyword: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.keyword() == keyword)
    }

    /// See [`EventKind::is_traffic`].
    pub const fn is_traffic(self) -> bool {
        matches!(self, Self::Calls | Self::Refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_and_names_are_unique() {
        let numbers: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.number()).collect();
        let names: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!((numbers.len(), names.len()), (EventKind::ALL.len(), EventKind::ALL.len()));
        for kind in EventKind::ALL {
            assert_eq!(EventKind::numbered(kind.number()), Some(*kind));
            assert!(EventClass::ALL.contains(&kind.class()));
        }
        for class in EventClass::ALL {
            assert_eq!(EventClass::parse(class.keyword()), Some(class));
        }
    }
}
