//! How many calls reach a program on pipes? Through Keyward, which asks who calls, and through two gateways from npm, which do
//! not, each before the same small program.
//!
//! The gateways are in `peers`, pinned; without `npm ci --prefix tests/bench/peers` they are not measured.

use crate::load::{self, Call, NUMBER};
use crate::process::{Server, free_port};
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// A gateway with the program behind it, and a call to that in a session.
pub struct Gateway {
    pub name: &'static str,
    pub call: Call,
    _server: Server,
    _config: Option<TempDir>,
}

/// Keyward.
pub fn keyward() -> Gateway {
    let config = tempfile::tempdir().unwrap();
    let file = config.path().join("keyward.toml");
    let program = env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    fs::write(&file, format!("[servers.tools]\ncommand = [{program:?}, \"program\"]\n")).unwrap();
    let server = Server::keyward_fixture_with(&file);
    let token = server.ready()["personal_token"].as_str().unwrap().to_owned();
    let call = session(server.port(), "/mcp/tools", Some(&token));
    Gateway { name: "Keyward", call, _server: server, _config: Some(config) }
}

/// The gateways from npm, each set up for speed; none if they are not installed.
pub fn peers() -> Vec<Gateway> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/peers/node_modules/.bin");
    let program = env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let start = |name: &'static str, arguments: Vec<String>, port: u16| {
        let gateway: PathBuf = programs.join(name);
        gateway.exists().then(|| {
            let server = Server::foreign(&gateway, &arguments, port);
            Gateway { name, call: session(port, "/mcp", None), _server: server, _config: None }
        })
    };
    let (one, two) = (free_port(), free_port());
    let quick = "--server stream --no-eventStore --host 127.0.0.1";
    let mcp_proxy = words(&format!("{quick} --port {one} -- {program} program"));
    let mut supergateway = words(&format!("--outputTransport streamableHttp --stateful --logLevel none --port {two}"));
    supergateway.extend(["--stdio".to_owned(), format!("{program} program")]);
    let peers = [start("mcp-proxy", mcp_proxy, one), start("supergateway", supergateway, two)];
    peers.into_iter().flatten().collect()
}

/// Begins a session; a call in it.
fn session(port: u16, path: &str, token: Option<&str>) -> Call {
    let begun = load::once(&Call::post(port, path, INITIALIZE, token));
    assert_eq!(begun.status, 200, "{}", begun.body);
    let session = begun.header("mcp-session-id");
    let told = load::once(&Call::post(port, path, INITIALIZED, token).in_session(session));
    assert_eq!(told.status, 202, "{}", told.body);
    let message = format!(
        r#"{{"jsonrpc":"2.0","id":{NUMBER},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"a"}}}}}}"#
    );
    let call = Call::post(port, path, &message, token).in_session(session).numbered();
    let answer = load::once(&call);
    assert!(answer.status == 200 && answer.body.contains("\"an answer\""), "{}", answer.body);
    call
}

/// The program: an MCP server on standard input and output.
pub fn program() {
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let Some(id) = message.get("id") else { continue };
        let result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "bench", "version": "1"},
            }),
            Some("tools/list") => json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}),
            Some("tools/call") => json!({"content": [{"type": "text", "text": "an answer"}]}),
            _ => json!({}),
        };
        writeln!(out, "{}", json!({"jsonrpc": "2.0", "id": id, "result": result})).unwrap();
    }
}
