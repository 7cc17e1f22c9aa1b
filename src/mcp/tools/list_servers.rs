//! `list_servers`: which MCP servers does this token open?

use crate::mcp::tools::arguments::{self, NoArguments};
use crate::mcp::tools::{Call, ToolError, reach, to_json};
use serde::Serialize;
use serde_json::{Value, json};

pub(super) const NAME: &str = "list_servers";

pub(super) fn definition() -> Value {
    let text = json!({"type": "string"});
    json!({
        "name": NAME,
        "title": "List servers",
        "description": "Lists the MCP servers behind this Keyward that the token in use opens, with their addresses.",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": false},
        "outputSchema": {
            "type": "object",
            "properties": {
                "servers": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": text,
                            "title": text,
                            "url": {"type": "string", "format": "uri"},
                            "this": {"type": "boolean", "description": "Whether it is the server that answers."},
                        },
                        "required": ["name", "title", "url", "this"],
                        "additionalProperties": false,
                    },
                },
            },
            "required": ["servers"],
            "additionalProperties": false,
        },
        "annotations": {
            "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false,
        },
    })
}

#[derive(Serialize)]
struct Content<'a> {
    servers: Vec<ServerContent<'a>>,
}

#[derive(Serialize)]
struct ServerContent<'a> {
    name: &'a str,
    title: &'a str,
    url: &'a str,
    this: bool,
}

pub(super) fn call(call: Call<'_>) -> Result<String, ToolError> {
    let NoArguments {} = arguments::read(call.arguments)?;
    let directory = call.app.live().servers();
    let servers = reach::servers(&directory, call.asker).map(|server| ServerContent {
        name: server.name.as_str(),
        title: &server.title,
        url: server.resource.as_str(),
        this: server.name == call.asker.server.name,
    });
    Ok(to_json(&Content { servers: servers.collect() }))
}
