//! The MCP server that the stories run as a child: this very test binary, told by its environment to speak on its standard
//! input and output. What it prints beside is what a gateway must survive anyway.

#![expect(clippy::print_stderr, reason = "standard error is part of what is tested")]

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Does nothing in a run of the tests.
#[test]
fn speaks() {
    if let Ok(era) = std::env::var("STDIO_CHILD") {
        if let Ok(file) = std::env::var("STDIO_STARTS") {
            let mut starts = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
            writeln!(starts, "{}", std::process::id()).unwrap();
        }
        eprintln!("the child speaks");
        let era = era.as_str();
        match era {
            "refuses" => std::process::exit(9),
            "silent" => std::thread::sleep(Duration::from_mins(10)),
            // In the era of the first message.
            "both" => {
                let first = first_line();
                Child::new(!is_greeting(&first)).serve(Some(first));
            }
            // Nothing may come before the greeting: it ends, or does not answer.
            "dies" => {
                let first = first_line();
                if !is_greeting(&first) {
                    std::process::exit(9);
                }
                Child::new(false).serve(Some(first));
            }
            "ignores" => {
                let first = first_line();
                Child::new(false).serve(is_greeting(&first).then_some(first));
            }
            _ => Child::new(era == "modern").serve(None),
        }
    }
}

#[derive(Clone)]
struct Child {
    modern: bool,
    asked: Arc<Mutex<HashMap<String, Sender<Value>>>>,
    cancelled: Arc<Mutex<Vec<Value>>>,
    client: Arc<Mutex<Value>>,
    seen: Arc<Mutex<Vec<Value>>>,
    listens: Arc<Mutex<Vec<Value>>>,
    /// Whether its tools have changed.
    changed: Arc<AtomicBool>,
}

fn first_line() -> String {
    std::io::stdin().lock().lines().next().unwrap().unwrap()
}

fn is_greeting(line: &str) -> bool {
    serde_json::from_str::<Value>(line).unwrap()["method"] == "initialize"
}

fn write(message: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{message}").unwrap();
    out.flush().unwrap();
}

fn write_raw(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).unwrap();
    out.flush().unwrap();
}

fn text(text: impl Into<String>) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}]})
}

impl Child {
    fn new(modern: bool) -> Self {
        let (asked, cancelled, client) = (Arc::default(), Arc::default(), Arc::default());
        Self {
            modern,
            asked,
            cancelled,
            client,
            seen: Arc::default(),
            listens: Arc::default(),
            changed: Arc::default(),
        }
    }

    fn serve(&self, first: Option<String>) {
        for line in first.into_iter().chain(std::io::stdin().lock().lines().map(Result::unwrap)) {
            let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
            self.seen.lock().unwrap().push(message.clone());
            let (id, method) = (message["id"].clone(), message["method"].as_str().unwrap_or_default().to_owned());
            if method.is_empty() {
                let waiting = self.asked.lock().unwrap().remove(id.as_str().unwrap_or_default());
                if let Some(waiting) = waiting {
                    waiting.send(message).unwrap();
                }
            } else if id.is_null() {
                if method == "notifications/cancelled" {
                    self.cancelled.lock().unwrap().push(message["params"]["requestId"].clone());
                }
            } else {
                let (child, is_tool) = (self.clone(), method == "tools/call");
                let work = move || {
                    if let Some(answer) = child.answer(&id, &method, &message["params"]) {
                        let mut answer = answer;
                        answer["jsonrpc"] = json!("2.0");
                        answer["id"] = id;
                        write(&answer);
                    }
                };
                // Tools take their time; others do not wait for them.
                if is_tool { drop(std::thread::spawn(work)) } else { work() }
            }
        }
    }

    fn answer(&self, id: &Value, method: &str, params: &Value) -> Option<Value> {
        let complete = |mut result: Value| {
            if self.modern {
                result["resultType"] = json!("complete");
            }
            Some(json!({"result": result}))
        };
        match method {
            "initialize" if self.modern => Some(
                json!({"error": {"code": -32022, "message": "modern only", "data": {"supported": ["2026-07-28"]}}}),
            ),
            "initialize" => {
                *self.client.lock().unwrap() = params.clone();
                let version = std::env::var("STDIO_VERSION").unwrap_or_else(|_| "2025-11-25".to_owned());
                complete(json!({
                    "protocolVersion": version,
                    "capabilities": {
                        "tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true},
                        "logging": {}, "prompts": {},
                    },
                    "serverInfo": {"name": "scripted", "version": "1"}, "instructions": "Follow the script.",
                }))
            }
            "server/discover" if self.modern => complete(json!({
                "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": true}},
                "ttlMs": 0, "cacheScope": "public",
                "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "scripted", "version": "2"}},
            })),
            "subscriptions/listen" if self.modern => {
                let stamp = json!({"io.modelcontextprotocol/subscriptionId": id});
                self.listens.lock().unwrap().push(id.clone());
                let params = json!({"notifications": params["notifications"], "_meta": stamp});
                let method = "notifications/subscriptions/acknowledged";
                write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
                None
            }
            "tools/list" => {
                let mut tools: Vec<Value> = ["echo", "slow", "progress"]
                    .map(|name| json!({"name": name, "inputSchema": {"type": "object"}}))
                    .into();
                let reads_only = !self.changed.load(Ordering::SeqCst);
                tools.push(json!({"name": "look", "annotations": {"readOnlyHint": reads_only}}));
                let region = json!({"type": "string", "x-mcp-header": "Region"});
                let schema = json!({"type": "object", "properties": {"region": region}});
                tools.push(json!({"name": "regional", "inputSchema": schema}));
                complete(json!({"tools": tools}))
            }
            "resources/read" => Some(json!({"error": {"code": -32002, "message": "Resource not found"}})),
            "resources/subscribe" | "resources/unsubscribe" | "logging/setLevel" | "ping" => complete(json!({})),
            "tools/call" => match self.call(params)? {
                result if result.get("error").is_some() => Some(result),
                result => complete(result),
            },
            _ => Some(json!({"error": {"code": -32601, "message": "Method not found"}})),
        }
    }

    fn call(&self, params: &Value) -> Option<Value> {
        let arguments = &params["arguments"];
        let number = |name: &str| arguments[name].as_u64().unwrap_or_default();
        Some(match params["name"].as_str().unwrap_or_default() {
            "echo" | "regional" | "look" => text(arguments.to_string()),
            "seen" => text(Value::from(self.seen.lock().unwrap().clone()).to_string()),
            "client" => text(self.client.lock().unwrap().to_string()),
            "pid" => text(std::process::id().to_string()),
            "environment" => {
                let all: Vec<(String, String)> = std::env::vars().collect();
                text(json!(all).to_string())
            }
            "slow" => {
                std::thread::sleep(Duration::from_millis(number("ms")));
                text("done")
            }
            "cancelled" => text(Value::from(self.cancelled.lock().unwrap().clone()).to_string()),
            "progress" => {
                for step in 1..=3 {
                    let token = &params["_meta"]["progressToken"];
                    let params = json!({"progressToken": token, "progress": step, "total": 3});
                    write(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}));
                }
                text("done")
            }
            "large" => text("x".repeat(usize::try_from(number("bytes")).unwrap())),
            "noise" => {
                write_raw("Listening on nothing\n\n{\"half\": \n[1,2\n\u{1b}[31mred\u{1b}[0m\n{}\n[]\n");
                write_raw("{\"jsonrpc\":\"2.0\",\"id\":424242,\"result\":{}}\n{\"id\":\"x\",\"result\":1}\n");
                std::io::stdout().write_all(b"\xff\xfe\n").unwrap();
                text("done")
            }
            "complain" => {
                for line in 0..number("lines") {
                    eprintln!("complaint {line}");
                }
                text("done")
            }
            "crash" => std::process::exit(3),
            "begin" => {
                let params = json!({"progressToken": params["_meta"]["progressToken"], "progress": 1});
                write(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}));
                std::thread::sleep(Duration::from_mins(10));
                return None;
            }
            "never" => {
                std::thread::sleep(Duration::from_mins(10));
                return None;
            }
            "deaf" => {
                // Holds the lock that the reader of lines needs for every message.
                let _seen = self.seen.lock().unwrap();
                write(
                    &json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "deaf"}}),
                );
                std::thread::sleep(Duration::from_mins(10));
                return None;
            }
            "grandchild" => {
                #[expect(clippy::zombie_processes, reason = "it is there to be left behind")]
                let started = std::process::Command::new("sleep").arg("600").spawn().unwrap();
                text(started.id().to_string())
            }
            "ask" => {
                let id = format!("ask-{}", arguments["method"].as_str().unwrap());
                let (sender, answer) = channel();
                self.asked.lock().unwrap().insert(id.clone(), sender);
                let (method, params) = (&arguments["method"], &arguments["params"]);
                write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
                let mut answer = answer.recv_timeout(Duration::from_secs(20)).unwrap_or_default();
                answer["jsonrpc"].take();
                text(answer.to_string())
            }
            "change" => {
                self.changed.store(true, Ordering::SeqCst);
                let mut params = json!({});
                for id in self.listens.lock().unwrap().iter() {
                    params["_meta"] = json!({"io.modelcontextprotocol/subscriptionId": id});
                }
                write(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": params}));
                text("done")
            }
            "touch" => {
                let method = "notifications/resources/updated";
                write(&json!({"jsonrpc": "2.0", "method": method, "params": {"uri": arguments["uri"]}}));
                text("done")
            }
            "log" => {
                let params = json!({"level": "info", "data": "logged"});
                write(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}));
                text("done")
            }
            unknown => json!({"error": {"code": -32602, "message": format!("Unknown tool {unknown}")}}),
        })
    }
}
