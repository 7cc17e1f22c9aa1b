//! What was found on the way, in words for whoever can mend it?

use std::fmt;

/// How far a client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The name has an address that the client can reach.
    Address,
    /// It answers, with a certificate that everybody trusts.
    Connection,
    /// The clocks agree.
    Clock,
    /// What is said on a stream arrives when it is said.
    Streams,
    /// A token reaches Keyward.
    Authorization,
    /// The first request is told where to sign in (RFC 9728 §5.1).
    Challenge,
    /// The document of the server (RFC 9728 §3).
    Resource,
    /// The document of the authorization server (RFC 8414 §3).
    AuthorizationServer,
    /// The client makes itself known (RFC 7591, or its own document).
    Registration,
    /// The browser gets to the login page (RFC 6749 §4.1).
    SignIn,
    /// A call with a token.
    Call,
    /// What the proxy says of the caller.
    Proxy,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "address",
            Self::Connection => "connection",
            Self::Clock => "clock",
            Self::Streams => "streams",
            Self::Authorization => "token",
            Self::Challenge => "first request",
            Self::Resource => "server’s document",
            Self::AuthorizationServer => "sign-in’s document",
            Self::Registration => "registration",
            Self::SignIn => "login page",
            Self::Call => "call",
            Self::Proxy => "proxy",
        })
    }
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was seen: the end of a sentence that the step begins.
    pub saw: String,
    /// What to do next: a sentence.
    pub advice: String,
    /// Whether a client gets on all the same.
    pub minor: bool,
}

impl Trouble {
    /// Trouble that ends the way.
    pub(super) fn new(saw: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { saw: saw.into(), advice: advice.into(), minor: false }
    }

    /// Trouble that some will not notice.
    pub(super) fn minor(saw: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { minor: true, ..Self::new(saw, advice) }
    }
}

/// One step and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The step.
    pub step: Step,
    /// What was good about it, or what was not.
    pub result: Result<String, Trouble>,
}

impl Finding {
    /// Whether it ends the way.
    pub const fn is_bad(&self) -> bool {
        matches!(&self.result, Err(trouble) if !trouble.minor)
    }
}

/// The way of one kind of client, as far as it led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// Whose way.
    pub client: &'static str,
    /// The steps in their order.
    pub findings: Vec<Finding>,
}

impl Walk {
    /// A way that has not begun.
    pub(super) const fn of(client: &'static str) -> Self {
        Self { client, findings: Vec::new() }
    }

    /// Notes how a step went; what it gave, if the way goes on.
    pub(super) fn note<T>(&mut self, step: Step, result: Result<(T, String), Trouble>) -> Option<T> {
        let (given, result) = match result {
            Ok((given, words)) => (Some(given), Ok(words)),
            Err(trouble) => (None, Err(trouble)),
        };
        self.findings.push(Finding { step, result });
        given
    }

    /// Whether there was no trouble at all, not even a small one.
    pub fn is_smooth(&self) -> bool {
        self.findings.iter().all(|finding| finding.result.is_ok())
    }

    /// Whether the client gets in.
    pub fn is_good(&self) -> bool {
        !self.findings.iter().any(Finding::is_bad)
    }
}
