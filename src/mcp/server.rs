//! What is answered to which method? The built-in server, over Streamable HTTP (MCP 2026-07-28 and its predecessors).
//!
//! Every request stands alone: there are no sessions, no streams and nothing that the server sends by itself, so GET and
//! DELETE have nothing to do here. Only tools are offered; whatever else the protocol knows is an unknown method.
//! What was said is read ([`Posted`]) and decided about before; here come method and parameters.

use crate::access::{Effect, GuardedServer, Operation, ToolCall, shows_tool};
use crate::app::App;
use crate::app::live::LiveUser;
use crate::mcp::answer;
use crate::mcp::era::{self, Era};
use crate::mcp::error::RpcError;
use crate::mcp::jsonrpc::{Id, Message, Params, Request};
use crate::mcp::names::Names;
use crate::mcp::posted::{Posted, Said, Unfit};
use crate::mcp::tools::{self, Call, ToolError, UnknownTool};
use crate::token::VerifiedToken;
use crate::wire::body;
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

const INSTRUCTIONS: &str = "Keyward guards MCP servers. Its own tools tell as whom and with which token you act \
    (whoami), which servers that token opens (list_servers), and let the user look after their personal access tokens \
    (list_my_tokens, revoke_my_token). Revoke a token only when the user asks for it.";
const CAPABILITIES: &str = r#"{"tools":{}}"#;
/// How long a list may be kept; it changes only with the program.
const LIST_TTL: &str = r#""ttlMs":300000,"cacheScope":"private""#;

/// Who asks, and where: proof that the request was admitted.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The token, checked for the server.
    pub token: VerifiedToken,
    /// Whose it is.
    pub user: Arc<LiveUser>,
    /// The server that was asked.
    pub server: Arc<GuardedServer>,
}

/// The built-in MCP server.
#[derive(Debug)]
pub struct BuiltinServer {
    app: Arc<App>,
    names: Names,
}

impl BuiltinServer {
    /// A server over `app`.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, names: Names::new() }
    }

    /// What is told to a request that cannot hold a message for this server, before its body is read.
    pub fn refuse(method: &Method, headers: &HeaderMap) -> Option<Response> {
        check_http(method, headers)
    }

    /// What the tool of this name does; none if there is none.
    pub fn effect_of(tool: &str) -> Option<Effect> {
        tools::effect_of(tool)
    }

    /// Answers messages that were admitted, each of which may go on.
    pub async fn answer(&self, asker: &Asker, posted: &Posted<'_>) -> Response {
        match posted {
            Posted::One(said) => match &said.message {
                Message::Request(request) => match self.answer_to(asker, said, request).await {
                    Ok(result) => answer::json(StatusCode::OK, result),
                    Err(error) => error.to_response(Some(request.id)),
                },
                Message::Notification(_) => answer::accepted(),
                Message::Response => {
                    let message = "This server asks nothing, so there is nothing to answer.";
                    RpcError::invalid_request(message).to_response(None)
                }
            },
            Posted::Batch(batch) => self.answer_batch(asker, batch).await,
        }
    }

    async fn answer_batch(&self, asker: &Asker, batch: &[Result<Said<'_>, Unfit<'_>>]) -> Response {
        let mut answers: Vec<Vec<u8>> = Vec::new();
        for element in batch {
            match element {
                Ok(said) => {
                    if let Message::Request(request) = &said.message {
                        answers.push(match self.answer_to(asker, said, request).await {
                            Ok(result) => result,
                            Err(error) => error.to_json(Some(request.id)),
                        });
                    }
                }
                Err(Unfit { error, id }) => answers.push(error.to_json(*id)),
            }
        }
        answer::batch(StatusCode::OK, &answers)
    }

    async fn answer_to(&self, asker: &Asker, said: &Said<'_>, request: &Request<'_>) -> Result<Vec<u8>, RpcError> {
        let era = said.era();
        let result = |members: &str| answer::result(era, request.id, |out| out.extend_from_slice(members.as_bytes()));
        match (era, &*request.method) {
            (_, "tools/call") => self.call_tool(asker, said, request.id).await,
            (_, "tools/list") => {
                let ListParams { cursor } = read(request.params)?;
                if cursor.is_some() {
                    return Err(RpcError::invalid_params("This list has one page: ask for it without a cursor."));
                }
                let shows =
                    |name: &str, effect| shows_tool(&asker.token, asker.user.person(), &asker.server, name, effect);
                let tools = tools::list(shows);
                Ok(match era {
                    Era::Modern => result(&format!(r#""tools":{tools},{LIST_TTL}"#)),
                    Era::Legacy => result(&format!(r#""tools":{tools}"#)),
                })
            }
            (Era::Modern, "server/discover") => {
                let instructions = instructions();
                let versions = format!(r#""supportedVersions":["{}"],"capabilities":{CAPABILITIES}"#, era::MODERN);
                Ok(result(&format!(r#"{versions},"instructions":{instructions},{LIST_TTL}"#)))
            }
            (Era::Legacy, "initialize") => {
                let InitializeParams { protocol_version } = read(request.params)?;
                let version = era::negotiate(&protocol_version);
                let (info, instructions) = (answer::SERVER_INFO, instructions());
                let server =
                    format!(r#""capabilities":{CAPABILITIES},"serverInfo":{info},"instructions":{instructions}"#);
                Ok(result(&format!(r#""protocolVersion":"{version}",{server}"#)))
            }
            (Era::Legacy, "ping") => Ok(result("")),
            (era, method) => Err(RpcError::method_not_found(era, method)),
        }
    }

    async fn call_tool(&self, asker: &Asker, said: &Said<'_>, id: Id<'_>) -> Result<Vec<u8>, RpcError> {
        let Operation::Call(ToolCall { tool, .. }) = &said.operation else { return Err(said.not_there()) };
        let arguments = match said.head.arguments() {
            None | Some("null") => "{}",
            Some(object) if object.starts_with('{') => object,
            Some(_) => return Err(RpcError::invalid_params("params.arguments must be an object.")),
        };
        let call = Call { app: &self.app, names: &self.names, asker, arguments };
        let done = tools::call(tool, call).await.map_err(|UnknownTool| RpcError::unknown_tool(tool))?;
        tracing::debug!(%tool, token = %asker.token.claims().id, failed = done.is_err(), "tool called");
        Ok(answer::result(said.era(), id, |out| write_tool_result(out, &done)))
    }
}

fn write_tool_result(out: &mut Vec<u8>, done: &Result<String, ToolError>) {
    out.extend_from_slice(br#""content":[{"type":"text","text":"#);
    match done {
        Ok(content) => {
            answer::append_json_as_string(out, content);
            out.extend_from_slice(br#"}],"structuredContent":"#);
            out.extend_from_slice(content.as_bytes());
        }
        Err(ToolError(text)) => {
            answer::append(out, text.as_str());
            out.extend_from_slice(br#"}],"isError":true"#);
        }
    }
}

#[derive(Deserialize)]
struct ListParams<'a> {
    #[serde(borrow, default)]
    cursor: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct InitializeParams {
    #[serde(rename = "protocolVersion")]
    protocol_version: String,
}

fn read<'a, T: Deserialize<'a>>(params: Params<'a>) -> Result<T, RpcError> {
    params.read().map_err(|error| {
        let text = error.to_string();
        RpcError::invalid_params(format!("params: {}.", text.split(" at line ").next().unwrap_or_default()))
    })
}

fn instructions() -> String {
    serde_json::Value::from(INSTRUCTIONS).to_string()
}

/// What the HTTP request must be before its body is read.
fn check_http(method: &Method, headers: &HeaderMap) -> Option<Response> {
    if *method != Method::POST {
        let message =
            "This is an MCP server: send JSON-RPC messages with POST. It opens no streams and has no sessions.";
        let mut response = RpcError::http(StatusCode::METHOD_NOT_ALLOWED, message).to_response(None);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        return Some(response);
    }
    let plain = |value: &HeaderValue| value == "application/json";
    if !headers.get(CONTENT_TYPE).is_some_and(plain) && !body::is_json(headers) {
        let message = "The body must be JSON: send Content-Type: application/json.";
        return Some(RpcError::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).to_response(None));
    }
    if !takes_json(headers) {
        let message = "The answer is JSON: send Accept: application/json, text/event-stream.";
        return Some(RpcError::http(StatusCode::NOT_ACCEPTABLE, message).to_response(None));
    }
    None
}

/// Without `Accept` anything is welcome (RFC 9110 §12.5.1). Weights are not looked at.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    // As the specification asks for it, and so nearly everybody writes it.
    if values.peek().is_some_and(|value| *value == "application/json, text/event-stream") {
        return true;
    }
    let ranges = ["application/json", "application/*", "*/*"];
    values.peek().is_none()
        || values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            ranges.iter().any(|known| range.eq_ignore_ascii_case(known))
        })
}
