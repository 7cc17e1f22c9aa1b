//! An HTTP client that talks to the appliance over a real connection, part by part.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a story waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client with a token.
pub struct Wire {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    token: String,
}

/// An answer that is read part by part.
#[derive(Debug)]
pub struct Events {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
}

impl Wire {
    /// A client of the appliance that listens there.
    pub fn to(address: SocketAddr, token: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address, token: token.to_owned() }
    }

    /// Sends a request; the answer's head comes back.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Events {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await.expect("an answer in time");
        let (parts, body) = Response::into_parts(answer.unwrap());
        Events { status: parts.status, headers: parts.headers, body }
    }

    /// Calls a tool of the server at `path`.
    pub async fn call(&self, path: &str, tool: &str, arguments: Value) -> Events {
        self.post(path, &call(tool, arguments), &[]).await
    }

    /// Posts a message.
    pub async fn post(&self, path: &str, message: &Value, headers: &[(&str, &str)]) -> Events {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(Method::POST, path, &all, message.to_string()).await
    }
}

/// The request that calls a tool.
#[expect(clippy::needless_pass_by_value, reason = "for json! at the call")]
fn call(tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

impl Events {
    /// A header's text; empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The next part; nothing at the end; an error if the answer broke off.
    pub async fn next(&mut self) -> Result<Option<String>, hyper::Error> {
        let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("a part in time").transpose()?;
        Ok(frame.map(|frame| String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()))
    }

    /// Everything that is left.
    pub async fn rest(&mut self) -> String {
        let mut all = String::new();
        while let Some(part) = self.next().await.unwrap() {
            all.push_str(&part);
        }
        all
    }

    /// Everything that is left, as JSON.
    pub async fn json(&mut self) -> Value {
        let text = self.rest().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {} {text}", self.status))
    }

    /// The answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}", self.headers);
        self
    }
}
