//! Which era does a child speak, and what does it offer? Asked once, when it starts.
//!
//! A child for clients of the modern era is asked `server/discover` first (MCP 2026-07-28), unless it is known to be of the
//! legacy one ([`super::inquiry`]). Otherwise `initialize` comes first: a child of the legacy era knows nothing else, and one
//! of both eras understands it. A child that refuses it is asked `server/discover` as well. What it says is kept, for
//! clients of either era.

use crate::clock::Timestamp;
use crate::gateway::stdio::call::{Call, CallError, Reply};
use crate::gateway::stdio::connection::{Caller, Connection};
use crate::gateway::stdio::framing::printable;
use crate::gateway::stdio::inquiry::{self, Inquiry, Known};
use crate::gateway::stdio::object::Object;
use crate::mcp::{Era, MODERN};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

const DISCOVER: &str = "server/discover";
/// The newest legacy revision, which a child is asked for.
pub(super) const NEWEST_LEGACY: &str = "2025-11-25";
/// The oldest revision of Streamable HTTP. What a child of an older one says is understood by its clients.
const OLDEST_OVER_HTTP: &str = "2025-03-26";

/// Keyward as a client.
pub(super) const CLIENT_INFO: &str =
    concat!(r#"{"name":"keyward","title":"Keyward","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// As whom a child is greeted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    /// The capabilities of the client, as JSON.
    pub(super) capabilities: Box<str>,
    /// Who the client is, as JSON.
    pub(super) client_info: Box<str>,
    /// Whether the client itself will say `notifications/initialized`.
    pub(super) client_confirms: bool,
    /// Of which era its clients are: how it is spoken to if it speaks both.
    pub(super) era: Era,
}

/// What a child has told about itself; each text is the JSON of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// How it is spoken to.
    pub(super) era: Era,
    /// What it offers.
    pub(super) capabilities: Box<str>,
    /// Who it is.
    pub(super) server_info: Box<str>,
    /// How it is to be used: the JSON of a string.
    pub(super) instructions: Option<Box<str>>,
    /// Its protocol revision.
    pub(super) version: Box<str>,
}

impl Facts {
    /// Whether it offers something, such as `("resources", "subscribe")`.
    pub(super) fn offers(&self, what: &str, part: &str) -> bool {
        let capabilities = Object::read(&self.capabilities);
        capabilities.and_then(|all| Some(all.object(what)?.declares(part))).unwrap_or(false)
    }

    /// Whether it offers anything of this name.
    pub(super) fn offers_any(&self, what: &str) -> bool {
        Object::read(&self.capabilities).is_some_and(|all| all.declares(what))
    }

    /// The result of `initialize` for a legacy client that is served by revision `version`.
    pub(super) fn initialize_result(&self, asked: &str) -> String {
        let mut capabilities = Object::read(&self.capabilities).unwrap_or_default();
        if self.era == Era::Modern {
            // What the older eras do by methods that this child does not have.
            capabilities
                .keep(|name| matches!(name, "tools" | "prompts" | "resources" | "completions" | "experimental"));
        }
        let mut result = Object::default();
        result.set("protocolVersion", format!("\"{}\"", self.version_for(asked)));
        let capabilities = match self.era {
            Era::Legacy => capabilities.to_json(),
            Era::Modern => without_changes(&capabilities),
        };
        result.set("capabilities", capabilities);
        result.set("serverInfo", &*self.server_info);
        if let Some(instructions) = &self.instructions {
            result.set("instructions", &**instructions);
        }
        result.to_json()
    }

    /// The revision by which a legacy client that asks for `asked` is served.
    fn version_for<'a>(&'a self, asked: &'a str) -> &'a str {
        let own = match self.era {
            Era::Legacy => &*self.version,
            Era::Modern => NEWEST_LEGACY,
        };
        // Revisions are dates.
        let spoken = if asked < own { asked } else { own };
        if (OLDEST_OVER_HTTP..=NEWEST_LEGACY).contains(&spoken) { spoken } else { OLDEST_OVER_HTTP }
    }

    /// The members of the result of `server/discover` for a modern client, but for those that every result has.
    pub(super) fn discover_result(&self) -> Object<'_> {
        let mut capabilities = Object::read(&self.capabilities).unwrap_or_default();
        if self.era == Era::Legacy {
            // An extension in the modern era, with other methods.
            capabilities.keep(|name| name != "tasks");
        }
        let mut result = Object::default();
        result.set("supportedVersions", format!("[\"{MODERN}\"]"));
        result.set("capabilities", capabilities.to_json());
        if let Some(instructions) = &self.instructions {
            result.set("instructions", &**instructions);
        }
        result
    }
}

/// Capabilities without those for notices of change, which a modern child gives to subscriptions only.
fn without_changes(capabilities: &Object<'_>) -> String {
    let mut kept = Object::default();
    for name in ["tools", "prompts", "resources", "completions", "experimental"] {
        if let Some(mut capability) = capabilities.object(name) {
            capability.keep(|part| !matches!(part, "listChanged" | "subscribe"));
            kept.set(name, capability.to_json());
        }
    }
    kept.to_json()
}

/// What stands in `_meta` of a modern request by Keyward itself, or for a client that does not know of it.
pub(super) fn modern_meta() -> [(&'static str, Cow<'static, str>); 3] {
    [
        ("io.modelcontextprotocol/protocolVersion", format!("\"{MODERN}\"").into()),
        ("io.modelcontextprotocol/clientCapabilities", "{}".into()),
        ("io.modelcontextprotocol/clientInfo", CLIENT_INFO.into()),
    ]
}

/// Begins to speak with a child. The error is a sentence.
pub(super) async fn shake_hands(
    connection: &Arc<Connection>,
    hello: &Hello,
    inquiry: &Inquiry,
    now: Timestamp,
) -> Result<Facts, String> {
    if hello.era == Era::Legacy || inquiry.known() == Known::Legacy {
        return greet(connection, hello, now).await;
    }
    let mut question = question(connection, now).await?;
    let answer = match inquiry.known() {
        Known::Modern => Some(question.until_end().await),
        _ => tokio::time::timeout(inquiry::PATIENCE, question.until_end()).await.ok(),
    };
    match answer {
        Some(Ok(Reply::Result(result))) if let Some(facts) = modern(&result) => {
            inquiry.learn(Known::Modern);
            Ok(facts)
        }
        Some(Ok(_)) => {
            inquiry.learn(Known::Legacy);
            greet(connection, hello, now).await
        }
        Some(Err(error)) => {
            if let CallError::Ended(_) = error {
                inquiry.learn(Known::Legacy);
            }
            Err(unanswered(DISCOVER, &error))
        }
        None => {
            let greeted = greet(connection, hello, now).await;
            // Either it was slow to start, and has answered both by now, or it does not answer what it does not know.
            let late = tokio::time::timeout(Duration::ZERO, question.until_end()).await;
            connection.forget(question.id());
            if let Ok(facts) = &greeted {
                let speaks = matches!(&late, Ok(Ok(Reply::Result(result))) if modern(result).is_some());
                let speaks = speaks || facts.era == Era::Modern;
                inquiry.learn(if speaks { Known::Modern } else { Known::Legacy });
            }
            greeted
        }
    }
}

async fn greet(connection: &Arc<Connection>, hello: &Hello, now: Timestamp) -> Result<Facts, String> {
    let Hello { capabilities, client_info, client_confirms, .. } = hello;
    let params =
        format!(r#"{{"protocolVersion":"{NEWEST_LEGACY}","capabilities":{capabilities},"clientInfo":{client_info}}}"#);
    match ask(connection, "initialize", &params, now).await? {
        Reply::Result(result) => {
            let facts = legacy(&result).ok_or("it answered initialize with something that is no result of it")?;
            if !client_confirms {
                let confirmed = connection.notify("notifications/initialized", None).await;
                confirmed.map_err(|error| unanswered("notifications/initialized", &error))?;
            }
            Ok(facts)
        }
        Reply::Error(refusal) => {
            let answer = question(connection, now).await?.end().await;
            match answer.map_err(|error| unanswered(DISCOVER, &error))? {
                Reply::Result(result) => modern(&result)
                    .ok_or_else(|| format!("it refused initialize, and does not speak revision {MODERN} either")),
                Reply::Error(_) => Err(format!("it refused initialize: {}", printable(&refusal, 300))),
            }
        }
    }
}

async fn ask(connection: &Arc<Connection>, method: &str, params: &str, now: Timestamp) -> Result<Reply, String> {
    send(connection, method, params, now).await?.end().await.map_err(|error| unanswered(method, &error))
}

/// Whether it speaks the modern era.
async fn question(connection: &Arc<Connection>, now: Timestamp) -> Result<Call, String> {
    let mut meta = Object::default();
    for (name, value) in modern_meta() {
        meta.set(name, value);
    }
    send(connection, DISCOVER, &format!("{{\"_meta\":{}}}", meta.to_json()), now).await
}

async fn send(connection: &Arc<Connection>, method: &str, params: &str, now: Timestamp) -> Result<Call, String> {
    let mut caller = Caller::keyward();
    // It is not to be cancelled (MCP 2025-11-25, cancellation).
    caller.cancels = false;
    let call = connection.call(method, caller, now, |_| Some(Cow::Borrowed(params))).await;
    call.map_err(|error| unanswered(method, &error))
}

fn unanswered(method: &str, error: &CallError) -> String {
    match error {
        CallError::Ended(how) => format!("{how} before it answered {method}"),
        _ => format!("it did not take {method}"),
    }
}

fn legacy(result: &Bytes) -> Option<Facts> {
    let result = Object::read(std::str::from_utf8(result).ok()?)?;
    let version = result.text("protocolVersion").filter(|version| version.len() <= 32)?;
    Some(Facts {
        era: Era::Legacy,
        capabilities: object_or_empty(result.get("capabilities")),
        server_info: result.object("serverInfo")?.to_json().into(),
        instructions: result.text("instructions").map(|_| result.get("instructions").unwrap_or_default().into()),
        version: version.into(),
    })
}

fn modern(result: &Bytes) -> Option<Facts> {
    let result = Object::read(std::str::from_utf8(result).ok()?)?;
    let versions: Vec<String> = serde_json::from_str(result.get("supportedVersions")?).ok()?;
    if !versions.iter().any(|version| version == MODERN) {
        return None;
    }
    let meta = result.object("_meta").unwrap_or_default();
    let info = meta.object("io.modelcontextprotocol/serverInfo");
    Some(Facts {
        era: Era::Modern,
        capabilities: object_or_empty(result.get("capabilities")),
        server_info: info.map_or_else(|| r#"{"name":"unnamed","version":"0"}"#.into(), |info| info.to_json().into()),
        instructions: result.text("instructions").map(|_| result.get("instructions").unwrap_or_default().into()),
        version: MODERN.into(),
    })
}

fn object_or_empty(json: Option<&str>) -> Box<str> {
    json.filter(|json| Object::read(json).is_some()).unwrap_or("{}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn facts(version: &str) -> Facts {
        let result = json!({
            "protocolVersion": version, "serverInfo": {"name": "files", "version": "1"}, "instructions": "Be \"kind\".",
            "capabilities": {"tools": {"listChanged": true}, "resources": {"subscribe": true}, "tasks": {}},
        });
        legacy(&result.to_string().into()).unwrap()
    }

    #[test]
    fn a_legacy_client_gets_a_revision_that_both_it_and_the_child_know() {
        for (child, asked, spoken) in [
            ("2025-11-25", "2025-11-25", "2025-11-25"),
            ("2025-11-25", "2025-06-18", "2025-06-18"),
            ("2025-06-18", "2025-11-25", "2025-06-18"),
            ("2025-11-25", "2026-07-28", "2025-11-25"),
            ("2024-11-05", "2025-11-25", "2025-03-26"),
            ("2025-11-25", "", "2025-03-26"),
        ] {
            let result: Value = serde_json::from_str(&facts(child).initialize_result(asked)).unwrap();
            assert_eq!(result["protocolVersion"], spoken, "{child} {asked}");
            assert_eq!(result["instructions"], "Be \"kind\".");
            assert_eq!(result["capabilities"]["resources"]["subscribe"], true);
        }
    }

    #[test]
    fn a_modern_client_is_told_of_the_same_child() {
        let facts = facts("2025-11-25");
        let result: Value = serde_json::from_str(&facts.discover_result().to_json()).unwrap();
        assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
        assert_eq!(result["capabilities"], json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}}));
        assert!(facts.offers("resources", "subscribe") && facts.offers_any("tools"));
        assert!(!facts.offers("resources", "listChanged") && !facts.offers_any("logging"));
    }

    #[test]
    fn a_legacy_client_of_a_modern_child_is_promised_only_what_there_is() {
        let result = json!({
            "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": true}, "logging": {}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "files", "version": "1"}},
        });
        let facts = modern(&result.to_string().into()).unwrap();
        let result: Value = serde_json::from_str(&facts.initialize_result("2025-11-25")).unwrap();
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        assert_eq!(result["serverInfo"]["name"], "files");
        assert!(modern(&json!({"supportedVersions": ["2027-01-01"]}).to_string().into()).is_none());
    }
}
