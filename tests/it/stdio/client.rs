//! The MCP client of these stories, and the appliance that it talks to.

use crate::support::{Appliance, Events, Wire};
use axum::http::Method;
use keyward::id::UserId;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the program is served.
pub const PATH: &str = "/mcp/scripted";

/// The section of the configuration file that serves the scripted child, with further lines and a further environment.
pub fn section(lines: &str, environment: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "stdio::child::speaks", "--nocapture"];
    let environment = if environment.is_empty() { "STDIO_CHILD = \"legacy\"" } else { environment };
    format!(
        "[servers.scripted]\ncommand = {:?}\nenvironment = {{ {environment} }}\n{lines}\n",
        [&[program.to_str().unwrap()], &arguments[..]].concat()
    )
}

/// An appliance that serves the scripted child.
pub fn appliance(lines: &str) -> Appliance {
    Appliance::with_file(&section(lines, ""))
}

/// A client.
pub struct Mcp {
    wire: Wire,
    session: Option<String>,
    next: AtomicU64,
    modern: Option<Value>,
}

impl Mcp {
    /// One of the legacy era, without a session.
    pub fn legacy(appliance: &Appliance) -> Self {
        Self::of(appliance, appliance.admin.id)
    }

    /// The same of another user's.
    pub fn of(appliance: &Appliance, user: UserId) -> Self {
        static CLIENTS: AtomicU64 = AtomicU64::new(1);
        let number = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let (_, token) = appliance.personal_token_of(user, &format!("client {number}"));
        Self { wire: Wire::to(appliance.listen(), &token), session: None, next: AtomicU64::new(100), modern: None }
    }

    /// One of the legacy era, with a session, that can be asked for what `capabilities` say.
    pub async fn with_session(appliance: &Appliance, capabilities: Value) -> Self {
        let mut client = Self::legacy(appliance);
        client.initialize(capabilities).await;
        client
    }

    /// One of the modern era, with these capabilities.
    pub fn modern(appliance: &Appliance, capabilities: Value) -> Self {
        Self { modern: Some(capabilities), ..Self::legacy(appliance) }
    }

    /// The same of another user's.
    pub fn modern_of(appliance: &Appliance, user: UserId) -> Self {
        Self { modern: Some(json!({})), ..Self::of(appliance, user) }
    }

    /// Begins a session.
    pub async fn initialize(&mut self, capabilities: Value) -> Value {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "story", "version": "1"},
        });
        let mut answer = self.send(&self.request("initialize", params)).await.expect(200);
        self.session = Some(answer.header("mcp-session-id").to_owned());
        let result = answer.json().await["result"].clone();
        self.notify("notifications/initialized", json!({})).await;
        result
    }

    /// Its session.
    pub fn session(&self) -> &str {
        self.session.as_deref().unwrap()
    }

    /// The same client with another session id.
    pub fn set_session(&mut self, session: Option<&str>) {
        self.session = session.map(ToOwned::to_owned);
    }

    /// A request with the next id, as its era has it.
    pub fn request(&self, method: &str, mut params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(capabilities) = &self.modern {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
        }
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    /// The call of a tool.
    #[expect(clippy::needless_pass_by_value, reason = "for json! at the call")]
    pub fn call(&self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Sends a message; the answer's head comes back.
    pub async fn send(&self, message: &Value) -> Events {
        self.send_with(message, &[]).await
    }

    /// The same with further headers.
    pub async fn send_with(&self, message: &Value, further: &[(&str, &str)]) -> Events {
        let mut headers = further.to_vec();
        if let Some(session) = &self.session {
            headers.push(("mcp-session-id", session.as_str()));
        }
        let (method, name) = (message["method"].as_str().unwrap_or_default(), message["params"]["name"].as_str());
        if self.modern.is_some() {
            headers.push(("mcp-protocol-version", "2026-07-28"));
            headers.push(("mcp-method", method));
            headers.extend(name.or(message["params"]["uri"].as_str()).map(|name| ("mcp-name", name)));
        } else if self.session.is_some() {
            headers.push(("mcp-protocol-version", "2025-11-25"));
        }
        self.wire.post(PATH, message, &headers).await
    }

    /// Sends a request; the whole answer comes back as JSON.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        self.send(&self.request(method, params)).await.json().await
    }

    /// Calls a tool; the text of its result comes back.
    pub async fn tool(&self, tool: &str, arguments: Value) -> String {
        let answer = self.send(&self.call(tool, arguments)).await.json().await;
        answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Calls a tool; the result comes back as JSON that its text holds.
    pub async fn told(&self, tool: &str, arguments: Value) -> Value {
        serde_json::from_str(&self.tool(tool, arguments).await).unwrap()
    }

    /// Sends a notification.
    pub async fn notify(&self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await.expect(202);
    }

    /// Opens the session's stream.
    pub async fn listen(&self) -> Messages {
        Messages::of(
            self.wire.send(Method::GET, PATH, &[("mcp-session-id", self.session())], String::new()).await.expect(200),
        )
    }

    /// Sends a GET or DELETE with these headers.
    pub async fn other(&self, method: Method, headers: &[(&str, &str)]) -> Events {
        self.wire.send(method, PATH, headers, String::new()).await
    }

    /// Sends a request whose answer is a stream.
    pub async fn stream(&self, message: &Value) -> Messages {
        Messages::of(self.send(message).await.expect(200))
    }
}

/// The messages of a stream.
pub struct Messages {
    events: Events,
    unread: String,
}

impl Messages {
    fn of(events: Events) -> Self {
        assert_eq!(events.header("content-type"), "text/event-stream");
        Self { events, unread: String::new() }
    }

    /// The next message; nothing at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(ToOwned::to_owned);
                self.unread = rest.into();
                match data {
                    Some(data) => return Some(serde_json::from_str(&data).unwrap()),
                    None => continue,
                }
            }
            self.unread.push_str(&self.events.next().await.unwrap()?);
        }
    }

    /// The next message, which is there.
    pub async fn message(&mut self) -> Value {
        self.next().await.expect("a message")
    }
}

/// Whether a process is alive, and no zombie.
pub fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !matches!(stat.rsplit(") ").next(), Some(rest) if rest.starts_with('Z')))
}
