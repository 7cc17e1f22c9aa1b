//! How is a line told to a person? In one plain sentence, without a full stop at its end.
//!
//! Names that others chose stand in quotation marks where a word of them could be read as ours.

use crate::clock::Timestamp;
use crate::event::kind::EventKind;
use crate::event::line::{Actor, CallOutcome, Event};
use std::fmt::Write as _;

impl Event {
    /// The line as a sentence: "ben signed in from 10.0.0.7". `at` is when it happened.
    pub fn sentence(&self, at: Timestamp) -> String {
        let mut sentence = self.clause(at);
        if let Some(address) = self.address.filter(|_| self.tells_address()) {
            let _ = write!(sentence, " from {address}");
        }
        if self.times > 1 && !matches!(self.kind, EventKind::CallsNotLogged | EventKind::SessionsEnded) {
            let _ = write!(sentence, ", {} times", self.times);
        }
        sentence
    }

    /// Who did it, in a word.
    pub fn by_whom(&self) -> &str {
        match &self.by {
            Actor::Stranger => "Somebody",
            Actor::User(user) if user.name.is_empty() => "Somebody who is gone",
            Actor::User(user) => &user.name,
            Actor::CommandLine => "The command line",
            Actor::Keyward => "Keyward",
        }
    }

    /// Whether the address is part of the sentence; it stands beside it otherwise.
    const fn tells_address(&self) -> bool {
        matches!(
            self.kind,
            EventKind::SignedIn | EventKind::SignInFailed | EventKind::SignInSlowed | EventKind::FactorFailed
        )
    }

    fn clause(&self, at: Timestamp) -> String {
        let (by, note) = (self.by_whom(), self.note.as_str());
        let whom = self.user.as_ref().map_or("somebody", |user| user.name.as_str());
        let is_own = self.user.as_ref().is_none_or(|user| self.actor().is_some_and(|actor| actor.id == user.id));
        let of_whom = || if is_own { String::new() } else { format!(" of {whom}") };
        let client = || match &self.client {
            Some(client) if client.name.is_empty() => client.id.clone(),
            Some(client) => format!("“{}”", client.name),
            None => "a client".to_owned(),
        };
        let token = || match &self.token {
            Some(token) if token.name.is_empty() => format!("the token {}", token.id),
            Some(token) => format!("the token “{}”", token.name),
            None => "a token".to_owned(),
        };
        let server = || self.server.as_deref().unwrap_or("a server");
        let key = || self.key.map_or_else(|| "a signing key".to_owned(), |key| format!("the signing key {key}"));
        let how = || if note.is_empty() { String::new() } else { format!(" ({note})") };
        let more = || if note.is_empty() { String::new() } else { format!(": {note}") };
        match self.kind {
            EventKind::SignedIn => format!("{by} signed in{}", how()),
            EventKind::SignInFailed => match &self.user {
                Some(_) if note.is_empty() => format!("A wrong password was given for {whom}"),
                Some(_) => format!("A sign-in as {whom} failed ({note})"),
                None => "A sign-in with a name that nobody has failed".to_owned(),
            },
            EventKind::SignInSlowed => match &self.user {
                Some(_) => format!("A sign-in as {whom} came too soon after others that failed"),
                None => "A sign-in came too soon after others that failed".to_owned(),
            },
            EventKind::SignedOut => format!("{by} signed out"),
            EventKind::SessionsEnded => {
                format!("{by} ended {}{}", counted(self.times, "session", "sessions"), of_whom())
            }
            EventKind::PasswordChanged => format!("{by} set a new password"),
            EventKind::PasswordReset if is_own => format!("{by} set a new password by a link"),
            EventKind::PasswordReset => format!("{by} reset the password of {whom}"),
            EventKind::FactorAdded => format!("{by} added a second factor{}{}", of_whom(), more()),
            EventKind::FactorFailed => format!("A wrong code or passkey was given for {whom}"),
            EventKind::CodesSlowed => format!("Many wrong codes were given for {whom} in a row: new browsers wait"),
            EventKind::RecoveryCodesMade => format!("{by} made new recovery codes"),
            EventKind::ProvedAgain => format!("{by} proved again that it is them{}", how()),
            EventKind::FactorRemoved => format!("{by} removed a second factor{}{}", of_whom(), more()),

            EventKind::AccessApproved => format!("{by} connected {} to {}{}", client(), server(), more()),
            EventKind::AccessDenied => format!("{by} did not let {} in", client()),
            EventKind::ConnectionNarrowed => format!("{by} lowered what {} may do{}{}", client(), of_whom(), more()),
            EventKind::ConnectionRevoked => format!("{by} revoked the connection of {}{}", client(), of_whom()),
            EventKind::ConnectionReturned => format!("{} gave the connection of {whom} back", client()),
            EventKind::CodeReplayed => {
                format!("A code of {} came a second time: its connection of {whom} has ended", client())
            }
            EventKind::RefreshReused => {
                format!("A refresh token of {} came a second time: its connection of {whom} has ended", client())
            }

            EventKind::TokenMade => format!("{by} made {}{}", token(), of_whom()),
            EventKind::TokenRenamed => format!("{by} renamed {} to “{note}”{}", token(), of_whom()),
            EventKind::TokenRevoked => format!("{by} revoked {}{}", token(), of_whom()),
            EventKind::TokenRotated => format!("{by} replaced {}{}{}", token(), of_whom(), more()),
            EventKind::TokenLeaked => found_clause(by, whom, &token(), self.grant.map(|_| client())),
            EventKind::TokenOnNewNetwork => format!("A new network used {}{}", token(), more()),

            EventKind::ClientRegistered if self.client.is_none() => "Clients registered themselves".to_owned(),
            EventKind::ClientRegistered => format!("{} registered itself", client()),
            EventKind::ClientMade => format!("{by} registered the client {}", client()),
            EventKind::ClientPinned => format!("{by} pinned the document of {}", client()),
            EventKind::ClientRemoved => format!("{by} removed the client {}{}", client(), more()),

            EventKind::KeysRotated => format!("{by} had {} sign from now on", key()),
            EventKind::KeyCondemned => format!("{by} condemned {}", key()),

            EventKind::SetUp => format!("{whom} became the first admin"),
            EventKind::UserMade if is_own => format!("{whom} accepted an invitation{}", more()),
            EventKind::UserMade => format!("{by} made the account {whom}{}", more()),
            EventKind::UserChanged => format!("{by} changed the account {whom}{}", more()),
            EventKind::UserDisabled => format!("{by} disabled the account {whom}"),
            EventKind::UserEnabled => format!("{by} enabled the account {whom} again"),
            EventKind::UserDeleted => format!("{by} deleted the account {whom}"),
            EventKind::UserRevoked => format!("{by} revoked everything{}{}", of_whom(), more()),
            EventKind::InvitationMade if note.starts_with("as ") => format!("{by} invited somebody {note}"),
            EventKind::InvitationMade => format!("{by} invited {}", if note.is_empty() { "somebody" } else { note }),
            EventKind::InvitationRevoked => format!("{by} withdrew an invitation{}", more()),
            EventKind::ResetLinkMade => format!("{by} made a link with which {whom} sets a new password"),
            EventKind::GroupMade => format!("{by} made a group{}", more()),
            EventKind::GroupChanged => format!("{by} changed a group{}", more()),
            EventKind::GroupRemoved => format!("{by} removed a group{}", more()),
            EventKind::PolicyChanged => format!("{by} changed what is asked at sign-in{}", more()),

            EventKind::ServerAdded => format!("{by} added the server {}{}", server(), more()),
            EventKind::ServerChanged => format!("{by} changed the server {}{}", server(), more()),
            EventKind::ServerEnabled => format!("{by} switched the server {} on", server()),
            EventKind::ServerDisabled => format!("{by} switched the server {} off", server()),
            EventKind::ServerRemoved => format!("{by} removed the server {}", server()),
            EventKind::UpstreamKeySet => format!("{by} entered a key of their own for {}", server()),
            EventKind::UpstreamKeyRemoved => format!("{by} removed the key{} for {}", of_whom(), server()),

            EventKind::Called => self.call_clause(&client),
            EventKind::CallsNotLogged => {
                let calls = counted(self.times, "call was", "calls were");
                format!("{calls} counted and not logged one by one: there were too many at once")
            }
            EventKind::Refused => {
                let because = self.refused.as_ref().map_or_else(String::new, |because| because.clause(at));
                let asked = if note.is_empty() { String::new() } else { format!(" ({note})") };
                format!("{whom} was refused at {}{asked}: {because}", server())
            }
        }
    }

    fn call_clause(&self, client: &dyn Fn() -> String) -> String {
        let (tool, outcome, millis) = self
            .call
            .as_ref()
            .map_or(("a tool", CallOutcome::Answered, 0), |call| (&call.tool, call.outcome, call.millis));
        let with = match (&self.client, &self.token) {
            (Some(_), _) => format!(" with {}", client()),
            (None, Some(token)) if !token.name.is_empty() => format!(" with the token “{}”", token.name),
            _ => String::new(),
        };
        let ended = match outcome {
            CallOutcome::Answered => String::new(),
            CallOutcome::Failed(status) => format!(", which failed with {status}"),
            CallOutcome::BrokenOff => ", which broke off".to_owned(),
        };
        let server = self.server.as_deref().unwrap_or("a server");
        format!("{} called {tool} of {server}{with}{ended} ({millis} ms)", self.by_whom())
    }
}

/// Somebody found a token, or one of a client.
fn found_clause(by: &str, whom: &str, token: &str, client: Option<String>) -> String {
    match client {
        Some(client) => format!("{by} found a token of {client}: its connection of {whom} has ended"),
        None => format!("{by} found {token} of {whom} and ended it"),
    }
}

fn counted(count: u32, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CallFacts, Named};
    use crate::id::{TokenId, UserId};

    const AT: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn by(kind: EventKind, name: &str) -> Event {
        Event { by: Actor::User(Named::new(UserId::from_bytes([1; 16]), name)), ..Event::of(kind) }
    }

    #[test]
    fn lines_read_as_sentences() {
        let ada = || Some(Named::new(UserId::from_bytes([2; 16]), "ada"));
        let address = Some([10, 0, 0, 7].into());
        let call = CallFacts { tool: "write_file".to_owned(), outcome: CallOutcome::Answered, millis: 41 };
        let laptop = TokenId::from_bytes([4; 16]);
        for (event, sentence) in [
            (by(EventKind::SignedIn, "ben").from(address), "ben signed in from 10.0.0.7"),
            (
                Event { user: ada(), ..Event::of(EventKind::SignInFailed) }.from(address).times(47),
                "A wrong password was given for ada from 10.0.0.7, 47 times",
            ),
            (by(EventKind::TokenMade, "ben").token(laptop, "Laptop"), "ben made the token “Laptop”"),
            (
                Event { user: ada(), ..by(EventKind::TokenRevoked, "ben") }.token(laptop, "Laptop"),
                "ben revoked the token “Laptop” of ada",
            ),
            (
                Event { call: Some(call), ..by(EventKind::Called, "ben") }
                    .client("cli_1", "Claude Code")
                    .server("files"),
                "ben called write_file of files with “Claude Code” (41 ms)",
            ),
            (by(EventKind::SessionsEnded, "ben").times(3), "ben ended 3 sessions"),
            (
                Event { by: Actor::Keyward, ..Event::of(EventKind::CallsNotLogged) }.times(12),
                "12 calls were counted and not logged one by one: there were too many at once",
            ),
        ] {
            assert_eq!(event.sentence(AT), sentence);
        }
    }

    #[test]
    fn every_kind_has_a_sentence() {
        for kind in EventKind::ALL {
            let sentence = by(*kind, "ben").sentence(AT);
            assert!(sentence.len() > 8 && !sentence.contains("  ") && !sentence.ends_with('.'), "{sentence}");
        }
    }
}
