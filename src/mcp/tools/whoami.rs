//! `whoami`: who am I here, by which token, and what may it do?

use crate::account::user::Role;
use crate::id::{TokenId, UserId};
use crate::mcp::tools::arguments::{self, NoArguments};
use crate::mcp::tools::{Call, ToolError, Utc, reach, to_json};
use crate::token::TokenKind;
use serde::Serialize;
use serde_json::{Value, json};

pub(super) const NAME: &str = "whoami";

pub(super) fn definition() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let time = json!({"type": "string", "format": "date-time"});
    json!({
        "name": NAME,
        "title": "Who am I?",
        "description": "Tells as which user and by which token this client acts on Keyward, which servers the token opens, \
            its scopes, and when it expires.",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": false},
        "outputSchema": {
            "type": "object",
            "properties": {
                "user": {
                    "type": "object",
                    "properties": {"id": text, "name": text, "role": {"type": "string", "enum": ["admin", "member"]}},
                    "required": ["id", "name", "role"],
                    "additionalProperties": false,
                },
                "token": {
                    "type": "object",
                    "properties": {
                        "kind": {"type": "string", "enum": ["personal", "access"]},
                        "id": text,
                        "name": {"type": "string", "description": "What its owner calls it; personal tokens only."},
                        "issued_at": time,
                        "expires_at": time,
                    },
                    "required": ["kind", "id", "issued_at", "expires_at"],
                    "additionalProperties": false,
                },
                "client": {
                    "type": "object",
                    "description": "The client that the user has connected; access tokens only.",
                    "properties": {"id": text, "name": {"type": "string", "description": "What it calls itself."}},
                    "required": ["id"],
                    "additionalProperties": false,
                },
                "servers": texts,
                "scopes": texts,
            },
            "required": ["user", "token", "servers", "scopes"],
            "additionalProperties": false,
        },
        "annotations": {
            "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false,
        },
    })
}

#[derive(Serialize)]
struct Content<'a> {
    user: UserContent<'a>,
    token: TokenContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<ClientContent<'a>>,
    servers: Vec<&'a str>,
    scopes: Vec<&'a str>,
}

#[derive(Serialize)]
struct UserContent<'a> {
    id: UserId,
    name: &'a str,
    role: &'static str,
}

#[derive(Serialize)]
struct TokenContent<'a> {
    kind: &'static str,
    id: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    issued_at: Utc,
    expires_at: Utc,
}

#[derive(Serialize)]
struct ClientContent<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

pub(super) async fn call(call: Call<'_>) -> Result<String, ToolError> {
    let NoArguments {} = arguments::read(call.arguments)?;
    let claims = call.asker.token.claims();
    let named = call.names.of(call.app, claims).await?;
    let (token_name, client) = match &claims.kind {
        TokenKind::Personal => (named.name.as_deref(), None),
        TokenKind::Access { client, .. } => {
            (None, Some(ClientContent { id: client.as_str(), name: named.name.as_deref() }))
        }
    };
    let directory = call.app.live().servers();
    Ok(to_json(&Content {
        user: UserContent { id: claims.user, name: &call.asker.user.name, role: role_name(call.asker.user.role) },
        token: TokenContent {
            kind: claims.kind.name(),
            id: claims.id,
            name: token_name,
            issued_at: Utc(claims.issued_at),
            expires_at: Utc(claims.expires_at),
        },
        client,
        servers: reach::servers(&directory, call.asker).map(|server| server.name.as_str()).collect(),
        scopes: claims.scopes.iter().collect(),
    }))
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Member => "member",
    }
}
