//! What came of a test of a connection, and which tools are there, ready to be shown.

use crate::access::{AccessRule, Effect, GuardedServer};
use crate::web::extract::SignedIn;
use crate::web::state::WebState;
use crate::wire::server_insight::{Greeting, HeardTool, TestFailure, Tester};
use std::sync::Arc;
use std::time::Duration;

/// How long a test may take: shorter than a page may.
const PATIENCE: Duration = Duration::from_secs(25);
/// What a page needs besides.
const REST: Duration = Duration::from_secs(4);

/// What came of a test.
#[derive(Debug, Clone)]
pub enum TestResult {
    /// It answered.
    Good {
        /// "files 1.2".
        server: String,
        /// The revision of the protocol.
        revision: String,
        /// Its tools; none if it offers none.
        tools: Vec<ToolRow>,
        /// Whether there are more.
        more: bool,
    },
    /// It did not.
    Bad {
        /// What happened.
        happened: String,
        /// What to do.
        advice: String,
    },
}

/// One tool.
#[derive(Debug, Clone)]
pub struct ToolRow {
    /// Its name.
    pub name: String,
    /// Its name for people, if that is known.
    pub title: Option<String>,
    /// Whether it changes nothing.
    pub reads: bool,
    /// Its other annotations, in words.
    pub notes: Vec<&'static str>,
    /// The scopes each of which opens it, the narrowest first.
    pub scopes: Vec<String>,
}

impl ToolRow {
    pub(super) fn of(tool: &HeardTool, rule: &AccessRule) -> Self {
        let reads = tool.effect == Effect::ReadOnly;
        let hints = tool.hints;
        let notes = [
            (hints.destructive == Some(true) && !reads, "may destroy"),
            (hints.destructive == Some(false) && !reads, "only adds"),
            (hints.idempotent == Some(true) && !reads, "twice is as once"),
            (hints.open_world == Some(true), "reaches outside"),
        ];
        Self {
            name: tool.name.clone(),
            title: tool.title.clone(),
            reads,
            notes: notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect(),
            scopes: rule.scopes_for_tool(&tool.name, tool.effect),
        }
    }
}

impl TestResult {
    fn of(tested: Result<Greeting, TestFailure>, rule: &AccessRule) -> Self {
        match tested {
            Ok(Greeting { name, version, revision, tools }) => {
                let name = if name.is_empty() { "a server without a name".to_owned() } else { name };
                let server = if version.is_empty() { name } else { format!("{name} {version}") };
                let more = tools.as_ref().is_some_and(|heard| !heard.whole);
                let tools = tools.iter().flat_map(|heard| &heard.tools).map(|tool| ToolRow::of(tool, rule)).collect();
                Self::Good { server, revision, tools, more }
            }
            Err(TestFailure { happened, advice }) => Self::Bad { happened, advice },
        }
    }

    /// Whether it answered.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Good { .. })
    }
}

/// Tries a server, in the name of an admin.
pub(super) async fn test(state: &WebState, by: &SignedIn, server: Arc<GuardedServer>) -> TestResult {
    let patience = PATIENCE.min(state.limits().request_timeout.saturating_sub(REST));
    let by = Tester { user: by.user.id, name: by.user.name.to_string(), patience };
    let rule = server.rule.clone();
    TestResult::of(state.insight.test(server, by).await, &rule)
}

#[cfg(test)]
impl ToolRow {
    pub(crate) fn samples() -> Vec<Self> {
        let row = |name: &str, title: Option<&str>, reads, notes: &[&'static str], scopes: &[&str]| Self {
            name: name.to_owned(),
            title: title.map(str::to_owned),
            reads,
            notes: notes.to_vec(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        vec![
            row("read_file", Some("Read a file"), true, &[], &["mcp:read", "mcp"]),
            row(
                "write_file",
                Some("Write a file"),
                false,
                &["may destroy", "twice is as once"],
                &["files:write", "mcp"],
            ),
            row("<script>alert(1)</script>", None, false, &["reaches outside"], &["mcp"]),
        ]
    }
}

#[cfg(test)]
impl TestResult {
    pub(crate) fn sample_good() -> Self {
        let (server, revision) = ("secure-filesystem-server 0.2.0".to_owned(), "2025-11-25".to_owned());
        Self::Good { server, revision, tools: ToolRow::samples(), more: false }
    }

    pub(crate) fn sample_bad() -> Self {
        Self::Bad {
            happened: "Nothing listens at http://127.0.0.1:9000: the connection was refused.".to_owned(),
            advice: "Start the server, or correct host and port. In a container, 127.0.0.1 is the container itself."
                .to_owned(),
        }
    }
}
