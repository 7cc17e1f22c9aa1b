//! What is asked and answered? One line of JSON each way:
//!
//! ```text
//! {"version":3,"request":{"revoke_token":{"id":"tok_…"}}}
//! {"version":3,"answer":{"done":"The token tok_… (laptop) is revoked.\n"}}
//! ```
//!
//! Requests hold names and ids, never a secret; an answer may hold a new password or a link to one, so its `Debug` shows none of it. A
//! refusal has the same form in every version, so that whoever asks in the wrong one can read what to do.

use crate::account::user::Username;
use crate::id::{KeyId, TokenId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The version of both lines. A new request, or a change of one, is a new version.
pub const VERSION: u64 = 3;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Give this user a new password; their sessions end.
    ResetPassword {
        /// Their name.
        #[serde(deserialize_with = "username")]
        name: Username,
    },
    /// Make a one-time link with which this user sets a new password.
    ResetLink {
        /// Their name.
        #[serde(deserialize_with = "username")]
        name: Username,
    },
    /// List the users.
    ListUsers,
    /// Remove every second factor of this user; their sessions end.
    ResetFactors {
        /// Their name.
        #[serde(deserialize_with = "username")]
        name: Username,
    },
    /// Accept nothing of this user's any more.
    DisableUser {
        /// Their name.
        #[serde(deserialize_with = "username")]
        name: Username,
    },
    /// Accept it again.
    EnableUser {
        /// Their name.
        #[serde(deserialize_with = "username")]
        name: Username,
    },
    /// Revoke a personal token, whoever owns it.
    RevokeToken {
        /// The token.
        id: TokenId,
    },
    /// List the signing keys.
    ListKeys,
    /// Let the next signing key sign from now on.
    RotateKeys,
    /// Accept nothing any more that a signing key has signed.
    CondemnKey {
        /// The key.
        id: KeyId,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done; whole lines to print.
    Done(String),
    /// It is not, and nothing was changed; a sentence that says why and what to do.
    Refused(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine<T> {
    version: u64,
    request: T,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerLine<T> {
    version: u64,
    answer: T,
}

/// What every version has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

/// Why a line is no request. Says nothing of what stood in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// Not JSON, or not one of [`Request`].
    #[error(
        "This is no request that the running server (Keyward {}) understands. Ask with the same `keyward` executable \
         that serves.",
        env!("CARGO_PKG_VERSION")
    )]
    NotUnderstood,
    /// A request of another version.
    #[error(
        "The running server (Keyward {}) takes requests of version {VERSION}, and this one has version {theirs}. Ask with \
         the same `keyward` executable that serves, or restart the server with this one.",
        env!("CARGO_PKG_VERSION")
    )]
    OtherVersion {
        /// The request's version.
        theirs: u64,
    },
    /// Longer than [`super::MAX_REQUEST_BYTES`].
    #[error("A request is one line of at most {} bytes.", super::MAX_REQUEST_BYTES)]
    TooLong,
    /// It does not end, or not in time.
    #[error("A request is one line, and this one did not end within {} seconds.", super::PATIENCE.as_secs())]
    Unfinished,
}

/// A line is no answer that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is no answer of version {VERSION}")]
pub struct BadAnswer;

impl Request {
    /// The line to send.
    pub fn to_line(&self) -> String {
        line(&RequestLine { version: VERSION, request: self })
    }

    /// Reads a line, without its end.
    pub fn parse(line: &[u8]) -> Result<Self, BadRequest> {
        let AnyVersion { version } = serde_json::from_slice(line).map_err(|_| BadRequest::NotUnderstood)?;
        if version != VERSION {
            return Err(BadRequest::OtherVersion { theirs: version });
        }
        let line: RequestLine<Self> = serde_json::from_slice(line).map_err(|_| BadRequest::NotUnderstood)?;
        Ok(line.request)
    }

    /// Whether doing it hashes a password, which takes memory and a core.
    pub const fn hashes_a_password(&self) -> bool {
        matches!(self, Self::ResetPassword { .. })
    }

    /// What to type for it, without names and ids.
    pub const fn words(&self) -> &'static str {
        match self {
            Self::ResetPassword { .. } => "users reset-password",
            Self::ResetLink { .. } => "users reset-link",
            Self::ListUsers => "users list",
            Self::ResetFactors { .. } => "users reset-factors",
            Self::DisableUser { .. } => "users disable",
            Self::EnableUser { .. } => "users enable",
            Self::RevokeToken { .. } => "tokens revoke",
            Self::ListKeys => "keys list",
            Self::RotateKeys => "keys rotate",
            Self::CondemnKey { .. } => "keys condemn",
        }
    }
}

impl Answer {
    /// The line to send.
    pub fn to_line(&self) -> String {
        line(&AnswerLine { version: VERSION, answer: self })
    }

    /// Reads a line, without its end. A refusal is read whatever its version is.
    pub fn parse(line: &[u8]) -> Result<Self, BadAnswer> {
        let line: AnswerLine<Self> = serde_json::from_slice(line).map_err(|_| BadAnswer)?;
        match line.answer {
            Self::Done(_) if line.version != VERSION => Err(BadAnswer),
            answer => Ok(answer),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("Done"),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
        }
    }
}

fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("plain text and numbers are JSON");
    line.push('\n');
    line
}

fn username<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Username, D::Error> {
    Username::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> [Request; 10] {
        let name = Username::parse("ada").unwrap();
        [
            Request::ResetPassword { name: Username::parse("ada").unwrap() },
            Request::RevokeToken { id: TokenId::from_bytes([1; 16]) },
            Request::ListKeys,
            Request::RotateKeys,
            Request::CondemnKey { id: KeyId::from_bytes([2; 16]) },
            Request::ResetLink { name: name.clone() },
            Request::ListUsers,
            Request::ResetFactors { name: name.clone() },
            Request::DisableUser { name: name.clone() },
            Request::EnableUser { name },
        ]
    }

    #[test]
    fn a_request_is_one_line_and_reads_back() {
        for request in requests() {
            let line = request.to_line();
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
            assert_eq!(Request::parse(line.trim_end().as_bytes()), Ok(request));
        }
        assert_eq!(requests()[2].to_line(), "{\"version\":3,\"request\":\"list_keys\"}\n", "frozen: others parse it");
    }

    #[test]
    fn whatever_is_no_request_is_refused() {
        let deep = format!("{{\"version\":3,\"request\":{}", "[".repeat(60_000));
        for wrong in [
            "",
            " ",
            "\0",
            "GET / HTTP/1.1",
            "null",
            "1",
            "[]",
            "[3]",
            r#"[3,"list_keys"]"#,
            "{}",
            r#"{"request":"list_keys"}"#,
            r#"{"version":3}"#,
            r#"{"version":3,"request":null}"#,
            r#"{"version":3,"request":{}}"#,
            r#"{"version":3,"request":"list_key"}"#,
            r#"{"version":3,"request":"ListKeys"}"#,
            r#"{"version":3,"request":"revoke_token"}"#,
            r#"{"version":3,"request":{"revoke_token":{}}}"#,
            r#"{"version":3,"request":{"revoke_token":{"id":"tok_1"}}}"#,
            r#"{"version":3,"request":{"revoke_token":{"id":"key_00000000000000000000000000"}}}"#,
            r#"{"version":3,"request":{"revoke_token":{"id":"tok_00000000000000000000000000","why":"lost"}}}"#,
            r#"{"version":3,"request":{"condemn_key":{"id":7}}}"#,
            r#"{"version":3,"request":{"reset_password":{"name":""}}}"#,
            r#"{"version":3,"request":{"reset_password":{"name":"a b"}}}"#,
            r#"{"version":3,"request":{"reset_password":{"name":"ada","name":"eve"}}}"#,
            r#"{"version":3,"request":{"reset_password":{"name":"ada","password":"chosen by me"}}}"#,
            r#"{"version":3,"request":{"list_keys":{},"rotate_keys":{}}}"#,
            r#"{"version":3,"request":"list_keys","request":"rotate_keys"}"#,
            r#"{"version":3,"version":3,"request":"list_keys"}"#,
            r#"{"version":3,"request":"list_keys","as":"root"}"#,
            r#"{"version":3,"request":"list_keys"} {"version":3,"request":"rotate_keys"}"#,
            r#"{"version":"3","request":"list_keys"}"#,
            r#"{"version":3.0,"request":"list_keys"}"#,
            r#"{"version":-1,"request":"list_keys"}"#,
            r#"{"version":3,"request":"list_keys""#,
            &deep,
        ] {
            assert_eq!(Request::parse(wrong.as_bytes()), Err(BadRequest::NotUnderstood), "{wrong:.100}");
        }
        assert_eq!(Request::parse(b"{\"version\":3,\"request\":\"\xff\"}"), Err(BadRequest::NotUnderstood));
    }

    #[test]
    fn another_version_is_told_what_to_do_whatever_else_it_says() {
        let newer = br#"{"version":4,"request":{"fetch":{"tea":true}},"trace":"x"}"#;
        let refusal = Request::parse(newer).unwrap_err();
        assert_eq!(refusal, BadRequest::OtherVersion { theirs: 4 });
        let sentence = refusal.to_string();
        assert!(sentence.contains("restart the server") && sentence.contains("version 4"), "{sentence}");
    }

    #[test]
    fn an_answer_reads_back_and_a_refusal_in_any_version() {
        for answer in [Answer::Done("two\nlines\n".to_owned()), Answer::Refused("No.".to_owned())] {
            let line = answer.to_line();
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
            assert_eq!(Answer::parse(line.trim_end().as_bytes()), Ok(answer));
        }
        let refused = Answer::parse(br#"{"version":9,"answer":{"refused":"Use version 9."}}"#);
        assert_eq!(refused, Ok(Answer::Refused("Use version 9.".to_owned())));
        for wrong in ["", "{}", r#"{"version":9,"answer":{"done":"x"}}"#, r#"{"version":3,"answer":{"maybe":"x"}}"#] {
            assert_eq!(Answer::parse(wrong.as_bytes()), Err(BadAnswer), "{wrong}");
        }
    }

    #[test]
    fn an_answer_prints_no_password() {
        let answer = Answer::Done("The new password of ada is abcde-fghij-klmno.\n".to_owned());
        assert_eq!(format!("{answer:?}"), "Done");
    }
}
