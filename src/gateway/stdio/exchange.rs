//! How does one request of a client go through a child and back? What the eras write differently is changed on the way in
//! and on the way out; all else passes as it was written.
//!
//! Invariants: a legacy child never sees a claim of the modern era, nor a modern child a request without one; a modern result
//! says that it is complete, and of a list that nobody else may keep it (MCP 2026-07-28, caching).

use crate::gateway::stdio::call::{Call, CallError, Event, Next, Reply, Told};
use crate::gateway::stdio::connection::SUBSCRIPTION_ID;
use crate::gateway::stdio::handshake::{Facts, modern_meta};
use crate::gateway::stdio::message::{self, Outcome};
use crate::gateway::stdio::object::{Object, quoted};
use crate::gateway::stdio::running::Running;
use crate::gateway::stdio::stream::{Step, Steps};
use crate::gateway::stdio::suspended::Suspender;
use crate::mcp::{Era, members};
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// What the keys of the protocol itself begin with in `_meta`.
const RESERVED: &str = "io.modelcontextprotocol/";
/// Where a modern message says who has answered.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// Longest progress token, in bytes of JSON.
const MAX_TOKEN: usize = 256;

/// The parameters of a request, on their way to a child.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    raw: &'a str,
    /// With `_meta` apart, where something is changed.
    changed: Option<(Object<'a>, Object<'a>)>,
    /// The client's progress token, as JSON.
    pub(super) progress: Option<Box<str>>,
    /// The level down to which a modern client wants to be told what is logged.
    pub(super) log_level: Option<String>,
}

impl<'a> Parameters<'a> {
    /// Reads the parameters, the JSON of an object, of a client of one era for a child of another.
    pub(super) fn read(raw: &'a str, client: Era, child: Era) -> Self {
        let unchanged = Self { raw, changed: None, progress: None, log_level: None };
        let Ok([meta]) = members::read(raw, ["_meta"]) else { return unchanged };
        let meta = meta.map(RawValue::get);
        if meta.is_none() && child == client {
            return unchanged;
        }
        let (Some(mut object), Some(mut meta)) = (Object::read(raw), Object::read(meta.unwrap_or("{}"))) else {
            return unchanged;
        };
        let is_token = |json: &&str| {
            json.len() <= MAX_TOKEN && json.starts_with(|c: char| c.is_ascii_digit() || "\"-".contains(c))
        };
        let progress = meta.get("progressToken").filter(is_token).map(Box::from);
        let log_level = meta.text("io.modelcontextprotocol/logLevel");
        match (client, child) {
            (Era::Modern, Era::Legacy) => {
                meta.keep(|name| !name.starts_with(RESERVED));
                object.keep(|name| !matches!(name, "inputResponses" | "requestState"));
            }
            (Era::Legacy, Era::Modern) => {
                meta.keep(|name| !name.starts_with(RESERVED));
                for (name, value) in modern_meta() {
                    meta.set(name, value);
                }
            }
            _ => {}
        }
        Self { raw, changed: Some((object, meta)), progress, log_level }
    }

    /// As the child reads them, under which this request has the id `id`.
    pub(super) fn with_id(self, id: u64) -> Cow<'a, str> {
        let Some((mut object, mut meta)) = self.changed else { return Cow::Borrowed(self.raw) };
        if self.progress.is_some() {
            meta.set("progressToken", id.to_string());
        }
        if meta.is_empty() {
            object.keep(|name| name != "_meta");
        } else {
            object.set("_meta", meta.to_json());
        }
        Cow::Owned(object.to_json())
    }
}

/// A request that a child works on for a client.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The request, as the child knows it.
    pub(super) call: Call,
    /// The client's id, as JSON.
    pub(super) id: Box<str>,
    /// What was asked.
    pub(super) method: Box<str>,
    /// Of which era the client is.
    pub(super) era: Era,
    /// Who works.
    pub(super) running: Arc<Running>,
    /// Who keeps the request while the client is asked something by a result.
    pub(super) suspender: Option<Suspender>,
}

impl Exchange {
    /// What the client is told.
    pub(super) fn steps(self) -> Steps {
        Box::pin(self.step())
    }

    async fn step(mut self) -> Step {
        loop {
            match self.call.next().await {
                Next::Event(Event::Message(message)) => return Step::Message(message, self.steps()),
                Next::Event(Event::Ask(ask)) => match self.suspender.take() {
                    Some(suspender) => match suspender.suspend(self, ask) {
                        Ok(body) => return Step::Last(StatusCode::OK, body),
                        Err(exchange) => self = *exchange,
                    },
                    None => self.call.connection().refuse(&ask.id, -32601, "Method not found"),
                },
                Next::End(Err(CallError::Cancelled)) => return Step::End,
                Next::End(end) => {
                    let (status, body) = finished(end, &self.id, &self.method, self.era, self.running.facts());
                    return Step::Last(status, body);
                }
            }
        }
    }
}

/// The answer to a client's request `id` (JSON), and its status where it is alone.
pub(super) fn finished(
    end: Result<Reply, CallError>,
    id: &str,
    method: &str,
    era: Era,
    facts: &Facts,
) -> (StatusCode, Bytes) {
    let told = |told: Told| (told.status(), told.body(id));
    match (end, era) {
        (Err(error), _) => told(error.told()),
        (Ok(Reply::Result(result)), Era::Legacy) => match text(&result) {
            Some(result) => (StatusCode::OK, message::answer(id, Outcome::Result(result)).into()),
            None => told(unreadable()),
        },
        (Ok(Reply::Error(error)), Era::Legacy) => match text(&error) {
            Some(error) => (StatusCode::OK, message::answer(id, Outcome::Error(error)).into()),
            None => told(unreadable()),
        },
        (Ok(Reply::Result(result)), Era::Modern) => {
            match text(&result).and_then(|result| modern(result, id, method, facts)) {
                Some(result) => (StatusCode::OK, message::answer(id, Outcome::Result(&result)).into()),
                None => told(unreadable()),
            }
        }
        (Ok(Reply::Error(error)), Era::Modern) => match text(&error) {
            Some(error) => modern_error(error, id, facts.era),
            None => told(unreadable()),
        },
    }
}

fn text(json: &Bytes) -> Option<&str> {
    std::str::from_utf8(json).ok()
}

fn unreadable() -> Told {
    let message = "The program behind this server answered with something that is no result.";
    Told::http(StatusCode::BAD_GATEWAY, message)
}

/// A child's result as the modern era has it.
fn modern(result: &str, id: &str, method: &str, facts: &Facts) -> Option<String> {
    let mut object = Object::read(result)?;
    let is_list = matches!(
        method,
        "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "server/discover"
    );
    if is_list {
        object.set_default("ttlMs", "0");
        // What is listed depends on who asks.
        object.set("cacheScope", "\"private\"");
    }
    if facts.era == Era::Modern && method != "subscriptions/listen" {
        return Some(object.to_json());
    }
    object.set("resultType", "\"complete\"");
    let meta = object.get("_meta").map(ToOwned::to_owned);
    let mut meta = Object::read(meta.as_deref().unwrap_or("{}"))?;
    meta.set_default(SERVER_INFO, &facts.server_info);
    if method == "subscriptions/listen" {
        meta.set(SUBSCRIPTION_ID, id);
    }
    let meta = meta.to_json();
    object.set("_meta", meta);
    Some(object.to_json())
}

/// The result of a modern request that no child was asked, from the members that it has besides those that all have.
pub(super) fn modern_result<'a>(
    mut result: Object<'a>,
    kind: &str,
    id: &str,
    facts: &'a Facts,
    meta: &[(&'a str, &'a str)],
) -> Bytes {
    result.set("resultType", quoted(kind));
    let mut all = Object::default();
    for (name, value) in meta {
        all.set(name, *value);
    }
    all.set(SERVER_INFO, &*facts.server_info);
    result.set("_meta", all.to_json());
    message::answer(id, Outcome::Result(&result.to_json())).into()
}

fn modern_error(error: &str, id: &str, child: Era) -> (StatusCode, Bytes) {
    let (status, replaced) = match (message::code_of(error), child) {
        (Some(-32601), _) => (StatusCode::NOT_FOUND, None),
        // Not to be sent in this era: a resource that is not there is a wrong parameter.
        (Some(-32002), _) => (StatusCode::OK, Some("-32602")),
        // What the client cannot do, as its request itself has told a child of this era.
        (Some(-32021), Era::Modern) => (StatusCode::BAD_REQUEST, None),
        // What would be said about the connection of this client, not about that between Keyward and the child.
        (Some(-32022..=-32020), _) => (StatusCode::OK, Some("-32603")),
        _ => (StatusCode::OK, None),
    };
    let error = match (replaced, Object::read(error)) {
        (Some(code), Some(mut object)) => {
            object.set("code", code);
            object.to_json()
        }
        _ => error.to_owned(),
    };
    (status, message::answer(id, Outcome::Error(&error)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn facts(era: Era) -> Facts {
        Facts {
            era,
            capabilities: "{}".into(),
            server_info: r#"{"name":"files"}"#.into(),
            instructions: None,
            version: "2025-11-25".into(),
        }
    }

    fn sent(params: &Value, client: Era, child: Era) -> Value {
        let json = params.to_string();
        serde_json::from_str(&Parameters::read(&json, client, child).with_id(7)).unwrap()
    }

    #[test]
    fn a_child_sees_what_its_era_knows() {
        let claim = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/logLevel": "info", "progressToken": "p", "own": 1,
        });
        let modern = json!({"name": "x", "_meta": claim, "requestState": "s"});
        assert_eq!(
            sent(&modern, Era::Modern, Era::Legacy),
            json!({"name": "x", "_meta": {"progressToken": 7, "own": 1}})
        );
        let same = sent(&modern, Era::Modern, Era::Modern);
        assert_eq!((&same["requestState"], &same["_meta"]["progressToken"]), (&json!("s"), &json!(7)));
        let only_claim = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
        assert_eq!(sent(&only_claim, Era::Modern, Era::Legacy), json!({}));

        let legacy = json!({"name": "x"});
        assert_eq!(sent(&legacy, Era::Legacy, Era::Legacy), legacy);
        let lifted = sent(&json!({"_meta": {"progressToken": 5}}), Era::Legacy, Era::Modern);
        assert_eq!(lifted["_meta"]["progressToken"], 7);
        assert_eq!(lifted["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        let odd = json!({"_meta": 5});
        assert_eq!(sent(&odd, Era::Legacy, Era::Legacy), odd);
    }

    fn answered(reply: Reply, method: &str, era: Era, child: Era) -> (u16, Value) {
        let (status, body) = finished(Ok(reply), "\"a\"", method, era, &facts(child));
        (status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn a_modern_client_reads_what_its_era_asks_for() {
        let result = || Reply::Result(r#"{"tools":[],"_meta":{"own":1}}"#.into());
        let (status, body) = answered(result(), "tools/list", Era::Modern, Era::Legacy);
        let meta = json!({"own": 1, "io.modelcontextprotocol/serverInfo": {"name": "files"}});
        let expected =
            json!({"tools": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private", "_meta": meta});
        assert_eq!((status, &body["result"], &body["id"]), (200, &expected, &json!("a")));
        let (_, body) = answered(result(), "tools/list", Era::Legacy, Era::Legacy);
        assert_eq!(body["result"], json!({"tools": [], "_meta": {"own": 1}}));
        let wide = Reply::Result(r#"{"tools":[],"resultType":"complete","ttlMs":9,"cacheScope":"public"}"#.into());
        let (_, body) = answered(wide, "tools/list", Era::Modern, Era::Modern);
        assert_eq!((&body["result"]["cacheScope"], &body["result"]["ttlMs"]), (&json!("private"), &json!(9)));
    }

    #[test]
    fn a_modern_client_reads_no_error_that_means_something_else() {
        for (code, status, told) in
            [(-32601, 404, -32601), (-32002, 200, -32602), (-32022, 200, -32603), (-32602, 200, -32602), (5, 200, 5)]
        {
            let error = Reply::Error(json!({"code": code, "message": "m"}).to_string().into());
            let (sent, body) = answered(error, "x", Era::Modern, Era::Legacy);
            assert_eq!((sent, &body["error"]["code"]), (status, &json!(told)), "{code}");
            assert_eq!(body["error"]["message"], "m");
        }
        let lacking = || json!({"code": -32021, "message": "m", "data": {"requiredCapabilities": {"sampling": {}}}});
        for (child, status, told) in [(Era::Modern, 400, -32021), (Era::Legacy, 200, -32603)] {
            let (sent, body) = answered(Reply::Error(lacking().to_string().into()), "x", Era::Modern, child);
            assert_eq!((sent, &body["error"]["code"]), (status, &json!(told)), "{child:?}");
            assert_eq!(body["error"]["data"], lacking()["data"]);
        }
        let (status, body) = answered(Reply::Result("[1]".into()), "x", Era::Modern, Era::Legacy);
        assert_eq!((status, &body["error"]["code"]), (502, &json!(502)));
    }
}
