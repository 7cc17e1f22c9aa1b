//! What goes to an upstream that wants a key of each caller's own? The caller's; and who has none is told where to enter it.
//!
//! Nothing reaches the upstream without. A client that can send its person to a URL is told so in its revision's way: in
//! 2025-11-25 by an error (elicitation, URL mode with elicitation required error), in 2026-07-28 by asking for input, once,
//! where that is allowed (multi round-trip requests). Any other is told in words. The page is for whoever is signed in
//! there, so a link that is passed on to somebody else takes nobody's key for another.

use super::link::Unsendable;
use crate::access::{ServerName, UpstreamUrl};
use crate::app::App;
use crate::gateway::call::Call;
use crate::id::{RequestId, UserId};
use crate::mcp::jsonrpc::{self, Incoming, Message, Request};
use crate::mcp::{Asker, Era, RpcError, answer};
use crate::secret::Secret;
use crate::wire::paths;
use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The key of what is asked for in a round.
const INPUT: &str = "keyward_key";

/// Why a call does not go on, or was of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NeedsKey {
    /// Its user has stored no key for the server.
    Missing,
    /// The server was at another origin when the user entered the key.
    Moved,
    /// The server answered that the key is not good (RFC 9110 §15.5.2).
    Refused,
}

/// The value of the header that carries the caller's key after `prefix`; wiped when the last copy is dropped.
pub(super) fn header_value(
    app: &App,
    asker: &Asker,
    upstream: &UpstreamUrl,
    prefix: &Secret<String>,
) -> Result<Result<HeaderValue, Unsendable>, NeedsKey> {
    value_of(app, asker.token.claims().user, &asker.server.name, upstream, prefix)
}

/// The same of any user's key for the server of this name.
pub(super) fn value_of(
    app: &App,
    user: UserId,
    server: &ServerName,
    upstream: &UpstreamUrl,
    prefix: &Secret<String>,
) -> Result<Result<HeaderValue, Unsendable>, NeedsKey> {
    let stored = app.live().upstream_key(user, server).ok_or(NeedsKey::Missing)?;
    if *stored.origin != *upstream.origin() {
        return Err(NeedsKey::Moved);
    }
    let (prefix, key) = (prefix.expose(), stored.key.expose());
    let mut bytes = Vec::with_capacity(prefix.len() + key.len());
    bytes.extend_from_slice(prefix.as_bytes());
    bytes.extend_from_slice(key.as_bytes());
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(Wiped(Secret::new(bytes))));
    Ok(value.map_err(|_| Unsendable).map(|mut value| {
        value.set_sensitive(true);
        value
    }))
}

struct Wiped(Secret<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

impl NeedsKey {
    /// Writes it down: ids and reasons only.
    pub(super) fn log(self, asker: &Asker) {
        let (server, user) = (asker.server.name.as_str(), asker.token.claims().user);
        tracing::info!(server, %user, reason = ?self, "refused: the user needs a key of their own for the server");
    }

    /// What the client is told.
    pub(super) fn told(self, app: &App, asker: &Asker, call: &Asked<'_>) -> Response {
        let url = app.options().issuer.join(&paths::upstream_key(&asker.server.name));
        let title = &asker.server.title;
        let message = match self {
            Self::Missing => format!("{title} needs a key of your own. Enter it at {url} and try again."),
            Self::Moved => {
                format!("{title} has moved since you entered your key. Enter it again at {url} and try again.")
            }
            Self::Refused => format!("{title} does not take your key. Enter a good one at {url} and try again."),
        };
        let Ok(Incoming::One(Message::Request(request))) = jsonrpc::parse(call.body) else {
            return Call::refuse(call.body, &RpcError::http(StatusCode::PRECONDITION_REQUIRED, message));
        };
        let wishes = Wishes::of(&request);
        match call.era {
            Era::Legacy if call.opens_urls || wishes.opens_urls => {
                let id = RequestId::generate(app.now(), app.entropy());
                let ask = json!({"mode": "url", "elicitationId": id.to_string(), "url": url, "message": message});
                let data = json!({"elicitations": [ask]});
                RpcError::relayed(StatusCode::OK, -32042, message, data).to_response(Some(request.id))
            }
            Era::Modern if wishes.opens_urls && !wishes.was_asked && may_ask(&request.method) => {
                let ask =
                    json!({"method": "elicitation/create", "params": {"mode": "url", "url": url, "message": message}});
                let requests: BTreeMap<&str, Value> = [(INPUT, ask)].into();
                answer::json(StatusCode::OK, answer::input_required(request.id, &requests))
            }
            Era::Legacy | Era::Modern => RpcError::precondition(message).to_response(Some(request.id)),
        }
    }
}

/// A call of which not more is left than what tells how to answer it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// What it says.
    pub(super) body: &'a [u8],
    /// By which generation of the protocol.
    pub(super) era: Era,
    /// Whether its session says that its client can send its person to a URL.
    pub(super) opens_urls: bool,
}

/// The requests that may be answered by asking for input (MCP 2026-07-28, multi round-trip requests).
fn may_ask(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

/// Whether the client that says this, in the beginning of a session, can send its person to a URL.
pub(super) fn opens_urls(body: &[u8]) -> bool {
    match jsonrpc::parse(body) {
        Ok(Incoming::One(Message::Request(request))) => Wishes::of(&request).opens_urls,
        _ => false,
    }
}

/// What a request says about its client.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wishes {
    opens_urls: bool,
    was_asked: bool,
}

impl Wishes {
    fn of(request: &Request<'_>) -> Self {
        let Ok(params) = request.params.read::<Params<'_>>() else { return Self::default() };
        let declared = match &*request.method {
            "initialize" => params.capabilities,
            _ => params.meta.and_then(|meta| serde_json::from_str::<Meta<'_>>(meta.get()).ok()?.capabilities),
        };
        let declared = declared.and_then(|declared| serde_json::from_str::<Capabilities>(declared.get()).ok());
        let opens_urls = declared.and_then(|declared| declared.elicitation?.url).is_some();
        let answers =
            params.answers.and_then(|answers| serde_json::from_str::<BTreeMap<String, Value>>(answers.get()).ok());
        Self { opens_urls, was_asked: answers.is_some_and(|answers| answers.contains_key(INPUT)) }
    }
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, rename = "inputResponses")]
    answers: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Capabilities {
    elicitation: Option<Elicitation>,
}

#[derive(Deserialize)]
struct Elicitation {
    url: Option<serde_json::Map<String, Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(body: &Value) -> (bool, bool) {
        let body = body.to_string();
        let Ok(Incoming::One(Message::Request(request))) = jsonrpc::parse(body.as_bytes()) else { panic!("{body}") };
        let Wishes { opens_urls, was_asked } = Wishes::of(&request);
        (opens_urls, was_asked)
    }

    #[test]
    fn a_client_says_at_the_beginning_or_with_each_request_whether_it_opens_urls() {
        let request =
            |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let declares = |declared: Value| json!({"elicitation": declared});
        let begins = |declared: Value| request("initialize", json!({"capabilities": declares(declared)}));
        assert_eq!(wishes(&begins(json!({"url": {}, "form": {}}))), (true, false));
        for less in [json!({}), json!({"form": {}}), json!({"url": null}), json!({"url": true}), json!(null), json!(1)]
        {
            assert_eq!(wishes(&begins(less)), (false, false));
        }
        assert!(opens_urls(begins(json!({"url": {}})).to_string().as_bytes()));
        assert!(!opens_urls(b"[]") && !opens_urls(b""));

        let meta = json!({"io.modelcontextprotocol/clientCapabilities": declares(json!({"url": {}}))});
        assert_eq!(wishes(&request("tools/call", json!({"_meta": meta}))), (true, false));
        let answered = json!({"_meta": meta, "inputResponses": {INPUT: {"action": "accept"}}});
        assert_eq!(wishes(&request("tools/call", answered)), (true, true));
        let others = json!({"_meta": meta, "inputResponses": {"other": {}}, "capabilities": {}});
        assert_eq!(wishes(&request("tools/call", others)), (true, false));
        let elsewhere = json!({"capabilities": declares(json!({"url": {}}))});
        assert_eq!(wishes(&request("tools/call", elsewhere)), (false, false));
    }
}
