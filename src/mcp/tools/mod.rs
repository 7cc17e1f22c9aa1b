//! What can be done here? The built-in tools, one file each.
//!
//! A tool is a definition (what `tools/list` shows), a strict reading of its arguments, and an operation of
//! [`crate::app`] on behalf of the asker and nobody else. Arguments that do not fit and operations that fail are results
//! with `isError`, so that a model can read the reason and try again (MCP 2025-11-25, server/tools, error handling);
//! only an unknown tool is an error of the protocol.

mod arguments;
mod list_my_tokens;
mod list_servers;
mod reach;
mod revoke_my_token;
mod whoami;

use crate::access::Effect;
use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::Timestamp;
use crate::mcp::answer;
use crate::mcp::names::Names;
use crate::mcp::server::Asker;
use crate::wire::blocking::Busy;
use serde::{Serialize, Serializer};
use std::sync::{Arc, LazyLock};

/// What `tools/list` shows of each tool, always in the same order.
static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let tools =
        [whoami::definition(), list_servers::definition(), list_my_tokens::definition(), revoke_my_token::definition()];
    tools.iter().map(Definition::of).collect()
});

#[derive(Debug)]
struct Definition {
    name: String,
    effect: Effect,
    json: String,
}

impl Definition {
    fn of(tool: &serde_json::Value) -> Self {
        let reads_only = tool["annotations"]["readOnlyHint"] == true;
        Self {
            name: tool["name"].as_str().unwrap_or_default().to_owned(),
            effect: if reads_only { Effect::ReadOnly } else { Effect::Any },
            json: tool.to_string(),
        }
    }
}

/// The array of `tools/list`: the tools for which `shows` says yes.
pub(super) fn list(shows: impl Fn(&str, Effect) -> bool) -> String {
    let listed = DEFINITIONS.iter().filter(|tool| shows(&tool.name, tool.effect));
    format!("[{}]", listed.map(|tool| tool.json.as_str()).collect::<Vec<_>>().join(","))
}

/// Each tool as `tools/list` shows it, as JSON.
pub fn definitions() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.iter().map(|tool| tool.json.as_str())
}

/// What a tool does, if there is one of that name.
pub(super) fn effect_of(name: &str) -> Option<Effect> {
    DEFINITIONS.iter().find(|tool| tool.name == name).map(|tool| tool.effect)
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) names: &'a Names,
    pub(super) asker: &'a Asker,
    /// The JSON text of the arguments, an object.
    pub(super) arguments: &'a str,
}

/// Why a tool did nothing, in words for the model and its user.
#[derive(Debug)]
pub(super) struct ToolError(pub(super) String);

/// There is no tool of that name.
#[derive(Debug)]
pub(super) struct UnknownTool;

/// Runs a tool. Its structured content is the JSON text of an object.
pub(super) async fn call(name: &str, call: Call<'_>) -> Result<Result<String, ToolError>, UnknownTool> {
    Ok(match name {
        whoami::NAME => whoami::call(call).await,
        list_servers::NAME => list_servers::call(call),
        list_my_tokens::NAME => list_my_tokens::call(call).await,
        revoke_my_token::NAME => revoke_my_token::call(call).await,
        _ => return Err(UnknownTool),
    })
}

impl ToolError {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl From<Busy> for ToolError {
    fn from(busy: Busy) -> Self {
        Self(busy.to_string())
    }
}

impl From<OperationError> for ToolError {
    fn from(error: OperationError) -> Self {
        if let OperationError::Unavailable(error) = &error {
            tracing::error!(%error, "the store could not be used");
        }
        Self(error.to_string())
    }
}

fn to_json(content: &impl Serialize) -> String {
    let mut json = Vec::with_capacity(1024);
    answer::append(&mut json, content);
    String::from_utf8(json).expect("JSON is text")
}

/// A point in time as RFC 3339 writes it, in UTC and whole seconds.
#[derive(Debug, Clone, Copy)]
struct Utc(Timestamp);

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = i64::try_from(self.0.unix_seconds()).unwrap_or(i64::MAX);
        let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&format_args!("{at:.0}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn times_are_told_to_the_second() {
        let at = |seconds| to_json(&Utc(Timestamp::from_unix_seconds(seconds)));
        assert_eq!(at(1_790_000_000), "\"2026-09-21T14:13:20Z\"");
        assert_eq!(to_json(&Utc(Timestamp::FAR_FUTURE)), "\"9999-12-30T22:00:00Z\"");
    }

    #[test]
    fn every_tool_says_what_it_takes_gives_and_does() {
        let tools: Vec<Value> = serde_json::from_str(&list(|_, _| true)).unwrap();
        let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["whoami", "list_servers", "list_my_tokens", "revoke_my_token"]);
        for tool in &tools {
            for schema in ["inputSchema", "outputSchema"] {
                assert_eq!(tool[schema]["type"], "object", "{tool}");
                assert_eq!(tool[schema]["additionalProperties"], false, "{tool}");
            }
            let reads_only = tool["annotations"]["readOnlyHint"] == json!(true);
            assert_eq!(reads_only, tool["name"] != "revoke_my_token");
            let effect = if reads_only { Effect::ReadOnly } else { Effect::Any };
            assert_eq!(effect_of(tool["name"].as_str().unwrap()), Some(effect));
            assert_eq!(tool["annotations"]["destructiveHint"], json!(!reads_only));
            assert_eq!(tool["annotations"]["openWorldHint"], json!(false));
            assert!(tool["title"].is_string() && tool["description"].is_string());
        }
        assert_eq!(effect_of("other"), None);
        let some: Vec<Value> = serde_json::from_str(&list(|_, effect| effect == Effect::Any)).unwrap();
        assert_eq!(some, tools[3..]);
    }
}
