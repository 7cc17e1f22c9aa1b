//! `list_my_tokens`: which personal tokens does the user have? What the dashboard's list shows; never a token itself.

use crate::access::ServerDirectory;
use crate::account::personal_token::{PersonalTokenEntry, Reach, TokenState};
use crate::id::TokenId;
use crate::mcp::tools::arguments;
use crate::mcp::tools::{Call, ToolError, Utc, to_json};
use crate::oauth::resource::ResourceUri;
use crate::wire::blocking;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;

pub(super) const NAME: &str = "list_my_tokens";

pub(super) fn definition() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let time = json!({"type": "string", "format": "date-time"});
    json!({
        "name": NAME,
        "title": "List my personal tokens",
        "description": "Lists the user's personal access tokens, the newest first: name, state, when each expires, and when \
            and from where it was used last. The tokens themselves are never shown.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "include_ended": {
                    "type": "boolean",
                    "default": false,
                    "description": "Whether to list revoked and expired tokens as well.",
                },
            },
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object",
            "properties": {
                "tokens": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "id": text,
                            "name": text,
                            "state": {"type": "string", "enum": ["live", "revoked", "expired", "replaced"]},
                            "in_use": {"type": "boolean", "description": "Whether this very call was made with it."},
                            "created_at": time,
                            "expires_at": time,
                            "revoked_at": time,
                            "all_servers": {"type": "boolean"},
                            "servers": {"type": "array", "items": text, "description": "The only ones, unless all_servers."},
                            "scopes": texts,
                            "last_used": {
                                "type": "object",
                                "properties": {"at": time, "address": text, "user_agent": text},
                                "required": ["at"],
                                "additionalProperties": false,
                            },
                        },
                        "required": [
                            "id", "name", "state", "in_use", "created_at", "expires_at", "all_servers", "servers", "scopes",
                        ],
                        "additionalProperties": false,
                    },
                },
            },
            "required": ["tokens"],
            "additionalProperties": false,
        },
        "annotations": {
            "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false,
        },
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    include_ended: bool,
}

#[derive(Serialize)]
struct Content<'a> {
    tokens: Vec<TokenContent<'a>>,
}

#[derive(Serialize)]
struct TokenContent<'a> {
    id: TokenId,
    name: &'a str,
    state: &'static str,
    in_use: bool,
    created_at: Utc,
    expires_at: Utc,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Utc>,
    all_servers: bool,
    servers: Vec<&'a str>,
    scopes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<LastUsed<'a>>,
}

#[derive(Serialize)]
struct LastUsed<'a> {
    at: Utc,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_agent: &'a str,
}

pub(super) async fn call(call: Call<'_>) -> Result<String, ToolError> {
    let Arguments { include_ended } = arguments::read(call.arguments)?;
    let claims = call.asker.token.claims();
    let owner = claims.user;
    let entries = blocking::run(call.app, move |app| app.personal_tokens(owner)).await??;
    let directory = call.app.live().servers();
    let listed = entries.iter().filter(|entry| include_ended || entry.state == TokenState::Live);
    Ok(to_json(&Content { tokens: listed.map(|entry| content_of(entry, claims.id, &directory)).collect() }))
}

fn content_of<'a>(entry: &'a PersonalTokenEntry, in_use: TokenId, directory: &'a ServerDirectory) -> TokenContent<'a> {
    let token = &entry.token;
    let name_of = |resource: &'a ResourceUri| {
        directory.by_resource(resource).map_or(resource.as_str(), |server| server.name.as_str())
    };
    let (all_servers, servers) = match &token.reach {
        Reach::AllServers => (true, Vec::new()),
        Reach::Servers(resources) => (false, resources.iter().map(name_of).collect()),
    };
    TokenContent {
        id: token.id,
        name: token.name.as_str(),
        state: state_name(entry.state),
        in_use: token.id == in_use,
        created_at: Utc(token.created_at),
        expires_at: Utc(token.expires_at),
        revoked_at: token.revoked_at.map(Utc),
        all_servers,
        servers,
        scopes: token.scopes.iter().collect(),
        last_used: entry.last_use.as_ref().map(|last_use| LastUsed {
            at: Utc(last_use.at),
            address: last_use.address,
            user_agent: &last_use.user_agent,
        }),
    }
}

const fn state_name(state: TokenState) -> &'static str {
    match state {
        TokenState::Live => "live",
        TokenState::Revoked => "revoked",
        TokenState::Expired => "expired",
        TokenState::Replaced => "replaced",
    }
}
