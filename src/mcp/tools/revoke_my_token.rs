//! `revoke_my_token`: end one of the user's own personal tokens.
//!
//! The name must be given once more, so that a model which mixes up ids ends nothing by mistake. Other people's tokens do
//! not exist here: the operation looks among the user's own.

use crate::account::personal_token::{PersonalToken, PersonalTokenEntry, TokenState};
use crate::app::App;
use crate::id::{TokenId, UserId};
use crate::mcp::tools::arguments;
use crate::mcp::tools::{Call, ToolError, to_json};
use crate::wire::{blocking, request_context};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) const NAME: &str = "revoke_my_token";

pub(super) fn definition() -> Value {
    let text = json!({"type": "string"});
    json!({
        "name": NAME,
        "title": "Revoke one of my personal tokens",
        "description": "Revokes one of the user's own personal access tokens: it is refused from the next request on, and \
            this cannot be undone. Say which one by its id (from list_my_tokens) or by its name, and repeat its exact name \
            in confirm_name. Ask the user first.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "Which token: its id, tok_…. Give this or name."},
                "name": {"type": "string", "description": "Which token: its name. Give this or id."},
                "confirm_name": {"type": "string", "description": "The exact name of the token, once more."},
            },
            "required": ["confirm_name"],
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object",
            "properties": {
                "id": text,
                "name": text,
                "state": {"type": "string", "enum": ["revoked"]},
                "was_in_use": {"type": "boolean", "description": "Whether this very call was made with it."},
            },
            "required": ["id", "name", "state", "was_in_use"],
            "additionalProperties": false,
        },
        "annotations": {
            "readOnlyHint": false, "destructiveHint": true, "idempotentHint": true, "openWorldHint": false,
        },
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    id: Option<String>,
    name: Option<String>,
    confirm_name: String,
}

#[derive(Serialize)]
struct Content<'a> {
    id: TokenId,
    name: &'a str,
    state: &'static str,
    was_in_use: bool,
}

enum Which {
    Id(TokenId),
    Name(String),
}

pub(super) async fn call(call: Call<'_>) -> Result<String, ToolError> {
    let Arguments { id, name, confirm_name } = arguments::read(call.arguments)?;
    let which = match (id, name) {
        (Some(id), None) => Which::Id(id.parse().map_err(|_| no_such_token())?),
        (None, Some(name)) => Which::Name(name),
        _ => return Err(ToolError::new("Say which token by id or by name, one of the two. Nothing was revoked.")),
    };
    let claims = call.asker.token.claims();
    let owner = claims.user;
    request_context::is_of(owner);
    let revoked = blocking::run(call.app, move |app| revoke(app, owner, &which, &confirm_name)).await??;
    let was_in_use = revoked.id == claims.id;
    Ok(to_json(&Content { id: revoked.id, name: revoked.name.as_str(), state: "revoked", was_in_use }))
}

fn revoke(app: &App, owner: UserId, which: &Which, confirm_name: &str) -> Result<PersonalToken, ToolError> {
    let PersonalTokenEntry { token, state, .. } = find(app, owner, which)?;
    if token.name.as_str() != confirm_name {
        return Err(ToolError::new(format!(
            "confirm_name is not the name of that token, which is “{}”. Nothing was revoked.",
            token.name
        )));
    }
    match state {
        TokenState::Live => Ok(app.revoke_personal_token(owner, token.id)?),
        TokenState::Revoked => Ok(token),
        TokenState::Replaced => {
            Err(ToolError::new("That token has ended since another took its place: there is nothing left to revoke."))
        }
        TokenState::Expired => Err(ToolError::new("That token has expired: there is nothing left to revoke.")),
    }
}

fn find(app: &App, owner: UserId, which: &Which) -> Result<PersonalTokenEntry, ToolError> {
    let mut entries = app.personal_tokens(owner)?;
    // A name belongs to one live token; ended ones may have borne it before.
    let found = entries.iter().position(|entry| match which {
        Which::Id(id) => entry.token.id == *id,
        Which::Name(name) => entry.token.name.as_str() == name && entry.state == TokenState::Live,
    });
    found.map(|place| entries.swap_remove(place)).ok_or_else(no_such_token)
}

fn no_such_token() -> ToolError {
    ToolError::new("The user has no such token. See list_my_tokens. Nothing was revoked.")
}
