//! What was just done? One of a few fixed sentences, named by a keyword in the address after a form.
//!
//! The address carries the keyword only, so nobody can put words of their own on a page by giving somebody a link.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The first admin was made.
    SetUp,
    /// This browser was signed out.
    SignedOut,
    /// Every other session was ended.
    OthersSignedOut,
    /// One session was ended.
    SessionEnded,
    /// The password was changed.
    PasswordChanged,
    /// A personal token has another name.
    TokenRenamed,
    /// A personal token was revoked.
    TokenRevoked,
    /// All personal tokens were revoked.
    TokensRevoked,
    /// A connection may do less.
    ConnectionNarrowed,
    /// A connection was revoked.
    ConnectionRevoked,
    /// Every connection was revoked.
    ConnectionsRevoked,
    /// The next key signs.
    KeysRotated,
    /// A signing key was condemned.
    KeyCondemned,
    /// A server was added.
    ServerAdded,
    /// A server was changed.
    ServerChanged,
    /// A server was switched on.
    ServerEnabled,
    /// A server was switched off.
    ServerDisabled,
    /// A server was removed.
    ServerRemoved,
    /// A client's document was pinned.
    ClientPinned,
    /// A client was removed.
    ClientRemoved,
    /// The user's own key for a server was stored.
    UpstreamKeyStored,
    /// It was removed.
    UpstreamKeyRemoved,
    /// A user has another role or other groups.
    UserChanged,
    /// A user was disabled.
    UserDisabled,
    /// A user was enabled.
    UserEnabled,
    /// Every session of a user was ended.
    UserSignedOut,
    /// Everything of a user was revoked.
    UserRevoked,
    /// A user was deleted.
    UserDeleted,
    /// A group was made.
    GroupMade,
    /// A group has other members or another description.
    GroupChanged,
    /// A group was removed.
    GroupRemoved,
    /// An invitation was taken back.
    InvitationRevoked,
    /// An invitation was accepted.
    Joined,
    /// A password was set by a link.
    PasswordSet,
    /// A second factor was added.
    FactorAdded,
    /// A second factor was removed.
    FactorRemoved,
    /// Somebody signed in with a recovery code.
    RecoveryCodeUsed,
    /// A sign-in took too long.
    SignInOver,
    /// The second factors of a user were removed.
    UserFactorsReset,
    /// It was decided who must have a second factor.
    PolicySet,
}

const ALL: [Notice; 40] = [
    Notice::SetUp,
    Notice::SignedOut,
    Notice::OthersSignedOut,
    Notice::SessionEnded,
    Notice::PasswordChanged,
    Notice::TokenRenamed,
    Notice::TokenRevoked,
    Notice::TokensRevoked,
    Notice::ConnectionNarrowed,
    Notice::ConnectionRevoked,
    Notice::ConnectionsRevoked,
    Notice::KeysRotated,
    Notice::KeyCondemned,
    Notice::ServerAdded,
    Notice::ServerChanged,
    Notice::ServerEnabled,
    Notice::ServerDisabled,
    Notice::ServerRemoved,
    Notice::ClientPinned,
    Notice::ClientRemoved,
    Notice::UpstreamKeyStored,
    Notice::UpstreamKeyRemoved,
    Notice::UserChanged,
    Notice::UserDisabled,
    Notice::UserEnabled,
    Notice::UserSignedOut,
    Notice::UserRevoked,
    Notice::UserDeleted,
    Notice::GroupMade,
    Notice::GroupChanged,
    Notice::GroupRemoved,
    Notice::InvitationRevoked,
    Notice::Joined,
    Notice::PasswordSet,
    Notice::FactorAdded,
    Notice::FactorRemoved,
    Notice::RecoveryCodeUsed,
    Notice::SignInOver,
    Notice::UserFactorsReset,
    Notice::PolicySet,
];

impl Notice {
    /// The address of `path` with this notice.
    pub fn at(self, path: &str) -> String {
        format!("{path}?done={}", self.keyword())
    }

    /// What the page says.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::SetUp => "Welcome. Your account is made, and the set-up link no longer works.",
            Self::SignedOut => "You are signed out.",
            Self::OthersSignedOut => "Every other browser is signed out.",
            Self::SessionEnded => "The session is over.",
            Self::PasswordChanged => "Your password is changed, and every other browser is signed out.",
            Self::TokenRenamed => "The token has its new name.",
            Self::TokenRevoked => "The token is revoked. It is refused from now on.",
            Self::TokensRevoked => "All tokens are revoked. They are refused from now on.",
            Self::ConnectionNarrowed => "The app may do less. It counts from its next request on.",
            Self::ConnectionRevoked => "The app is revoked. It is refused from now on.",
            Self::ConnectionsRevoked => "All apps are revoked. They are refused from now on.",
            Self::KeysRotated => "The next key signs from now on.",
            Self::KeyCondemned => "The key is condemned. Nothing that it signed is accepted any more.",
            Self::ServerAdded => "The server is added. Clients can connect to it now.",
            Self::ServerChanged => "The change is saved. It holds from the next request on.",
            Self::ServerEnabled => "The server is on. Clients reach it again.",
            Self::ServerDisabled => "The server is off. It is refused from now on.",
            Self::ServerRemoved => "The server is removed.",
            Self::ClientPinned => "The document is pinned.",
            Self::ClientRemoved => "The client is removed.",
            Self::UpstreamKeyStored => {
                "Your key is stored. It is used from your next call on: go back to your MCP client and try again."
            }
            Self::UpstreamKeyRemoved => "Your key is removed.",
            Self::UserChanged => "Role and groups are changed. They count from the next request on.",
            Self::UserDisabled => "The user is disabled. Nothing of theirs is accepted from now on.",
            Self::UserEnabled => "The user is enabled and can sign in again.",
            Self::UserSignedOut => "They are signed out everywhere.",
            Self::UserRevoked => "Their tokens and apps are revoked. They are refused from now on.",
            Self::UserDeleted => "The user is deleted. Nothing of theirs is accepted any more.",
            Self::GroupMade => "The group is made. Put people into it.",
            Self::GroupChanged => "The group is changed. It counts from the next request on.",
            Self::GroupRemoved => "The group is removed. Nobody gets in by it any more.",
            Self::InvitationRevoked => "The invitation is revoked. Its link opens nothing any more.",
            Self::Joined => "Welcome. The account is yours, and the link no longer works.",
            Self::PasswordSet => "Your new password is set. Sign in with it.",
            Self::FactorAdded => "Your second factor is on. From now on it is asked for after the password.",
            Self::FactorRemoved => "The second factor is removed.",
            Self::RecoveryCodeUsed => "You signed in with a recovery code. It is used up.",
            Self::SignInOver => "That took longer than five minutes. Sign in again.",
            Self::UserFactorsReset => "Their second factors are removed, and they are signed out everywhere.",
            Self::PolicySet => "The policy is set. It counts from the next request on.",
        }
    }

    const fn keyword(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::SignedOut => "signed-out",
            Self::OthersSignedOut => "others-signed-out",
            Self::SessionEnded => "session-ended",
            Self::PasswordChanged => "password-changed",
            Self::TokenRenamed => "token-renamed",
            Self::TokenRevoked => "token-revoked",
            Self::TokensRevoked => "tokens-revoked",
            Self::ConnectionNarrowed => "app-narrowed",
            Self::ConnectionRevoked => "app-revoked",
            Self::ConnectionsRevoked => "apps-revoked",
            Self::KeysRotated => "keys-rotated",
            Self::KeyCondemned => "key-condemned",
            Self::ServerAdded => "server-added",
            Self::ServerChanged => "server-changed",
            Self::ServerEnabled => "server-on",
            Self::ServerDisabled => "server-off",
            Self::ServerRemoved => "server-removed",
            Self::ClientPinned => "client-pinned",
            Self::ClientRemoved => "client-removed",
            Self::UpstreamKeyStored => "own-key-stored",
            Self::UpstreamKeyRemoved => "own-key-removed",
            Self::UserChanged => "user-changed",
            Self::UserDisabled => "user-disabled",
            Self::UserEnabled => "user-enabled",
            Self::UserSignedOut => "user-signed-out",
            Self::UserRevoked => "user-revoked",
            Self::UserDeleted => "user-deleted",
            Self::GroupMade => "group-made",
            Self::GroupChanged => "group-changed",
            Self::GroupRemoved => "group-removed",
            Self::InvitationRevoked => "invitation-revoked",
            Self::Joined => "joined",
            Self::PasswordSet => "password-set",
            Self::FactorAdded => "factor-added",
            Self::FactorRemoved => "factor-removed",
            Self::RecoveryCodeUsed => "recovery-code-used",
            Self::SignInOver => "sign-in-over",
            Self::UserFactorsReset => "factors-reset",
            Self::PolicySet => "policy-set",
        }
    }

    fn named_in(query: &str) -> Option<Self> {
        let keyword = query.split('&').find_map(|pair| pair.strip_prefix("done="))?;
        ALL.into_iter().find(|notice| notice.keyword() == keyword)
    }
}

/// The notice that the address names, if it names one.
#[derive(Debug, Clone, Copy)]
pub struct Done(pub Option<Notice>);

impl Done {
    /// The sentence, as a view takes it.
    pub fn sentence(self) -> Option<String> {
        self.0.map(|notice| notice.sentence().to_owned())
    }
}

impl<S: Sync> FromRequestParts<S> for Done {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().and_then(Notice::named_in)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_notice_and_says_nothing_of_its_own() {
        for notice in ALL {
            let address = notice.at("/dashboard");
            let (_, query) = address.split_once('?').unwrap();
            assert_eq!(Notice::named_in(query), Some(notice), "{address}");
        }
        for query in ["", "done=", "done=Send+your+password", "done=TOKEN-REVOKED", "x=done=token-revoked"] {
            assert_eq!(Notice::named_in(query), None, "{query}");
        }
    }
}
