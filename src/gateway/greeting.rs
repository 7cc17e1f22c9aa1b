//! What of a server's answers to a test is shown? Names, versions and annotations, read out of its results; nothing else.
//!
//! Whoever tests a connection has chosen the address, and what answers there may be anything. So texts are cut, and what is
//! not a result of the protocol is not shown.

use crate::access::Effect;
use crate::clock::Timestamp;
use crate::gateway::stdio::printable;
use crate::wire::server_insight::{Greeting, HeardTool, Hints, MAX_TOOLS, ToolsHeard};
use serde::Deserialize;
use serde_json::Value;

/// Longest name that is shown, in bytes.
const MAX_NAME: usize = 128;

/// The greeting of a server whose `info` (`serverInfo`) and `revision` are known.
pub(super) fn of(info: &Value, revision: &str) -> Greeting {
    let text = |name: &str| shown(info[name].as_str().unwrap_or_default());
    let name = Some(text("title")).filter(|title| !title.is_empty()).unwrap_or_else(|| text("name"));
    Greeting { name, version: text("version"), revision: shown(revision), tools: None }
}

/// The tools of one page, and the cursor of the next; nothing if it is no list.
pub(super) fn page(result: &Value) -> Option<(Vec<HeardTool>, Option<String>)> {
    let Page { tools, next } = Page::deserialize(result).ok()?;
    let tools = tools.into_iter().filter_map(|tool| Tool::deserialize(tool).ok()).map(Tool::heard).collect();
    Some((tools, next))
}

/// A tool of a list, as far as it can be read.
pub(super) fn tool(json: &str) -> Option<HeardTool> {
    serde_json::from_str(json).ok().map(Tool::heard)
}

/// The result is no list of tools.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoList;

/// Collects pages until there are enough.
#[derive(Debug, Default)]
pub(super) struct Pages {
    tools: Vec<HeardTool>,
    asked: usize,
}

/// Most pages that are asked for.
const MAX_PAGES: usize = 10;

impl Pages {
    /// Takes a result of `tools/list`; the cursor to go on with, if it is to go on.
    pub(super) fn take(&mut self, result: &Value) -> Result<Option<String>, NoList> {
        let (tools, next) = page(result).ok_or(NoList)?;
        self.tools.extend(tools);
        self.asked += 1;
        Ok(next.filter(|_| self.tools.len() < MAX_TOOLS && self.asked < MAX_PAGES))
    }

    /// What was heard.
    pub(super) fn heard(mut self, whole: bool, at: Timestamp) -> ToolsHeard {
        let whole = whole && self.tools.len() <= MAX_TOOLS;
        self.tools.truncate(MAX_TOOLS);
        ToolsHeard { at, whole, tools: self.tools }
    }
}

/// A text of a server's, on one line.
fn shown(text: &str) -> String {
    printable(text.as_bytes(), MAX_NAME)
}

#[derive(Deserialize)]
struct Page {
    tools: Vec<Value>,
    #[serde(rename = "nextCursor", default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Annotations {
    title: Option<String>,
    read_only_hint: Option<bool>,
    destructive_hint: Option<bool>,
    idempotent_hint: Option<bool>,
    open_world_hint: Option<bool>,
}

impl Tool {
    fn heard(self) -> HeardTool {
        let annotations = self.annotations.unwrap_or_default();
        let title = self.title.or(annotations.title).map(|title| shown(&title)).filter(|title| !title.is_empty());
        HeardTool {
            title: title.filter(|title| *title != self.name),
            name: shown(&self.name),
            effect: if annotations.read_only_hint == Some(true) { Effect::ReadOnly } else { Effect::Any },
            hints: Hints {
                destructive: annotations.destructive_hint,
                idempotent: annotations.idempotent_hint,
                open_world: annotations.open_world_hint,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tools_are_read_with_their_annotations_and_nothing_long() {
        let result = json!({"tools": [
            {"name": "read", "title": "Read a file", "annotations": {"readOnlyHint": true, "openWorldHint": false}},
            {"name": "write", "description": "secret", "annotations": {"destructiveHint": true}},
            {"name": "x".repeat(500)}, {"no": "name"}, 7,
        ], "nextCursor": "2"});
        let (tools, next) = page(&result).unwrap();
        assert_eq!((tools.len(), next.as_deref()), (3, Some("2")));
        assert_eq!((tools[0].title.as_deref(), tools[0].effect), (Some("Read a file"), Effect::ReadOnly));
        assert_eq!(tools[0].hints.open_world, Some(false));
        assert_eq!((tools[1].effect, tools[1].hints.destructive), (Effect::Any, Some(true)));
        assert!(tools[2].name.len() < 140);
        for none in [json!({}), json!([]), json!({"tools": {}}), json!("<html>")] {
            assert!(page(&none).is_none());
        }
    }

    #[test]
    fn a_server_that_never_ends_is_not_asked_for_ever() {
        let mut pages = Pages::default();
        let result = json!({"tools": [{"name": "a"}], "nextCursor": "x"});
        let asked = (1..100).find(|_| pages.take(&result) == Ok(None));
        assert_eq!(asked, Some(MAX_PAGES));
        assert!(!pages.heard(false, Timestamp::EPOCH).whole);
        let many = json!({"tools": (0..1_000).map(|n| json!({"name": n.to_string()})).collect::<Vec<_>>()});
        let mut pages = Pages::default();
        assert_eq!(pages.take(&many), Ok(None));
        let heard = pages.heard(true, Timestamp::EPOCH);
        assert_eq!((heard.tools.len(), heard.whole), (MAX_TOOLS, false));
    }

    #[test]
    fn a_server_is_called_as_it_calls_itself() {
        let greeting = of(&json!({"name": "files\u{1b}[0m", "version": "1.2"}), "2025-11-25");
        assert_eq!((greeting.name.as_str(), greeting.version.as_str()), ("files [0m", "1.2"));
        assert_eq!(of(&json!({"name": "files", "title": "Files"}), "x").name, "Files");
        assert_eq!(of(&json!(null), "x").name, "");
    }
}
