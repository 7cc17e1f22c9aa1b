//! Does an MCP server answer at a URL? A handshake as the gateway's clients make it (MCP 2026-07-28, Streamable HTTP, backward
//! compatibility): `server/discover` first, `initialize` if that is not understood; then its tools.
//!
//! Connections, credential and judgement of answers are those of a call. Nothing of an answer is told but what
//! [`greeting`] reads out of it; what goes wrong is told in words of ours. Redirects are not followed. Answers are bounded in
//! size, and whoever asks bounds the time.

use super::client::Unanswered;
use super::connection::Answer;
use super::headers;
use super::link::{Link, LinkCredential};
use super::{HttpUpstreams, identity, own_key};
use crate::access::{GuardedServer, HttpUpstream};
use crate::gateway::greeting::{self, NoList, Pages};
use crate::gateway::sse::Events;
use crate::mcp::MODERN;
use crate::wire::server_insight::{Greeting, TestFailure, Tester};
use crate::wire::tls::{self, TlsProblem};
use axum::body::Bytes;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 2 * 1024 * 1024;
/// How long the end of the session that a test began may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// The newest legacy revision, which is asked for.
const LEGACY: &str = "2025-11-25";

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// A test that goes on.
struct Probe<'a> {
    link: Link,
    /// Where it is, for people.
    place: &'a str,
    base: HeaderMap,
    version: &'static str,
    session: Option<HeaderValue>,
    asked: u64,
    /// Why a refused credential may be no wonder.
    excuse: &'static str,
}

/// What came back.
enum Reply {
    /// The result of the request.
    Result(Value),
    /// An error of JSON-RPC, or a status that says that the request was not understood.
    NotUnderstood(StatusCode),
    /// A success that is no answer of JSON-RPC.
    Strange,
}

impl HttpUpstreams {
    /// Tries the server at `upstream`, which is `server`'s and need not be guarded yet.
    pub(in crate::gateway) async fn probe(
        &self,
        server: &Arc<GuardedServer>,
        upstream: &HttpUpstream,
        by: &Tester,
    ) -> Result<Greeting, TestFailure> {
        let unsendable = || TestFailure::new("The URL or the credential cannot be sent in a request.", "Correct them.");
        let link = self.link_apart(server, upstream).map_err(|_| unsendable())?;
        let mut base = HeaderMap::new();
        base.insert(HOST, link.host.clone());
        base.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        base.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        base.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let name = HeaderValue::from_str(&by.name).map_err(|_| unsendable())?;
        base.insert(identity::USER, name);
        base.insert(identity::USER_ID, HeaderValue::try_from(by.user.to_string()).map_err(|_| unsendable())?);
        base.insert(identity::SCOPES, HeaderValue::from_static("mcp"));
        let mut excuse = "";
        match &link.credential {
            Some(LinkCredential::Fixed(name, value)) => drop(base.insert(name.clone(), value.clone())),
            Some(LinkCredential::PerUser(name, prefix)) => {
                match own_key::value_of(self.app(), by.user, &server.name, &upstream.url, prefix) {
                    Ok(value) => drop(base.insert(name.clone(), value.map_err(|_| unsendable())?)),
                    Err(_) => excuse = " Each user has a key of their own there, and you have stored none.",
                }
            }
            None if link.assertion => excuse = " A test sends no assertion about a caller.",
            None => {}
        }
        let place = upstream.url.origin();
        let mut probe = Probe { link, place, base, version: MODERN, session: None, asked: 0, excuse };
        let greeting = probe.greet().await;
        if let Some(session) = probe.session.take() {
            probe.leave(session).await;
        }
        let mut greeting = greeting?;
        if let Some(tools) = &mut greeting.tools {
            tools.at = self.now();
        }
        Ok(greeting)
    }
}

impl Probe<'_> {
    async fn greet(&mut self) -> Result<Greeting, TestFailure> {
        let (greeting, offers_tools) = match self.ask("server/discover", json!({})).await? {
            Reply::Result(result) if speaks_modern(&result) => {
                let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
                (greeting::of(info, MODERN), result["capabilities"]["tools"].is_object())
            }
            _ => self.initialize().await?,
        };
        let (mut pages, mut cursor) = (Pages::default(), None::<String>);
        let whole = loop {
            let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
            let Reply::Result(result) = self.ask("tools/list", params).await? else { break None };
            match pages.take(&result) {
                Ok(Some(next)) => cursor = Some(next),
                Ok(None) => break Some(result.get("nextCursor").is_none_or(Value::is_null)),
                Err(NoList) => break None,
            }
        };
        if whole.is_none() && !offers_tools {
            return Ok(greeting);
        }
        let whole = whole.ok_or_else(|| {
            TestFailure::new(
                format!("{} greets as an MCP server, and does not tell its tools.", self.place),
                "Look into the server's own log.",
            )
        })?;
        Ok(Greeting { tools: Some(pages.heard(whole, crate::clock::Timestamp::EPOCH)), ..greeting })
    }

    async fn initialize(&mut self) -> Result<(Greeting, bool), TestFailure> {
        self.version = LEGACY;
        let params = json!({
            "protocolVersion": LEGACY, "capabilities": {},
            "clientInfo": {"name": "keyward", "title": "Keyward", "version": env!("CARGO_PKG_VERSION")},
        });
        let result = match self.ask("initialize", params).await? {
            Reply::Result(result) if result["protocolVersion"].is_string() => result,
            Reply::NotUnderstood(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => {
                return Err(TestFailure::new(
                    format!("{} answers, and there is no MCP server at this path.", self.place),
                    "Check the path of the URL: it is often /mcp. A server of the older kind with two addresses (/sse and \
                     /messages) cannot be guarded; look whether it has a newer one.",
                ));
            }
            Reply::NotUnderstood(status) if status.is_server_error() => {
                return Err(TestFailure::new(
                    format!("{} answers with the error {}.", self.place, status.as_u16()),
                    "Look into the server's own log.",
                ));
            }
            _ => {
                return Err(TestFailure::new(
                    format!("Something answers at {}, and it is no MCP server.", self.place),
                    "Check host, port and path. It must speak MCP over Streamable HTTP.",
                ));
            }
        };
        let revision = result["protocolVersion"].as_str().unwrap_or_default();
        let greeting = greeting::of(&result["serverInfo"], revision);
        let confirmation = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let confirmed = self.send(Method::POST, None, confirmation.to_string()).await?;
        drop(confirmed);
        Ok((greeting, result["capabilities"]["tools"].is_object()))
    }

    async fn ask(&mut self, method: &'static str, mut params: Value) -> Result<Reply, TestFailure> {
        self.asked += 1;
        if self.version == MODERN {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "keyward", "version": env!("CARGO_PKG_VERSION")},
            });
        }
        let message = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        let response = self.send(Method::POST, Some(method), message.to_string()).await?;
        self.judge(response.status())?;
        if method == "initialize" && response.status().is_success() {
            self.session = response.headers().get(SESSION).cloned();
        }
        self.read(response).await
    }

    /// An answer that ends the test, whatever was asked.
    fn judge(&self, status: StatusCode) -> Result<(), TestFailure> {
        let number = status.as_u16();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(TestFailure::new(
                    format!("{} does not let Keyward in: it answers {number}.{}", self.place, self.excuse),
                    "Enter the credential that it wants: the header, what stands before the value (often “Bearer ”), and the \
                     value.",
                ))
            }
            status if status.is_redirection() => Err(TestFailure::new(
                format!("{} sends us elsewhere: it answers {number}.", self.place),
                "Keyward does not follow. Enter the address to which it leads; often only a / at the end is missing or \
                 too much, or http should be https.",
            )),
            _ => Ok(()),
        }
    }

    async fn send(
        &self,
        method: Method,
        rpc: Option<&'static str>,
        body: String,
    ) -> Result<Response<Answer>, TestFailure> {
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.link.target.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.base);
        if rpc != Some("initialize") {
            headers.insert(VERSION, HeaderValue::from_static(self.version));
        }
        if let Some(rpc) = rpc.filter(|_| self.version == MODERN) {
            headers.insert(METHOD, HeaderValue::from_static(rpc));
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        self.link.client.request(request).await.map_err(|error| self.unreached(&error))
    }

    /// Why there was no answer, in words.
    fn unreached(&self, unanswered: &Unanswered) -> TestFailure {
        let (place, error): (_, &(dyn Error + 'static)) = (self.place, unanswered);
        if let Some(problem) = tls::problem(error) {
            let (happened, advice) = match problem {
                TlsProblem::Untrusted => (
                    "its certificate was issued by nobody whom Keyward trusts",
                    "Public certificate authorities are trusted. Name the file of your own in upstreams.extra_roots and \
                     restart Keyward, or give the server a public certificate.",
                ),
                TlsProblem::OtherName => {
                    ("its certificate is for another name", "Enter the name that the certificate is for.")
                }
                TlsProblem::Expired => {
                    ("its certificate is out of date", "Renew the certificate, or correct this machine's clock.")
                }
                TlsProblem::NotTls => ("it speaks no TLS", "Begin the URL with http:// instead of https://."),
                TlsProblem::Other => ("it does not agree on TLS with us", "It must speak TLS 1.2 or 1.3."),
            };
            return TestFailure::new(format!("There is no safe connection to {place}: {happened}."), advice);
        }
        let causes: Vec<_> = std::iter::successors(Some(error), |cause| (*cause).source()).collect();
        if let Unanswered::ConnectTimeout(_) = unanswered {
            return TestFailure::new(
                format!("{place} does not answer: {unanswered}."),
                "Check host and port, and whether a firewall is between.",
            );
        }
        let kind = causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        let is_name = causes.iter().any(|cause| cause.to_string().contains("dns error"));
        match kind {
            _ if is_name => TestFailure::new(
                format!("The host name of {place} is not known."),
                "Check its spelling, or enter an address such as 127.0.0.1.",
            ),
            Some(io::ErrorKind::ConnectionRefused) => TestFailure::new(
                format!("Nothing listens at {place}: the connection was refused."),
                "Start the server, or correct host and port. In a container, 127.0.0.1 is the container itself.",
            ),
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => TestFailure::new(
                format!("There is no way to {place}."),
                "Check the address, and the network of this machine.",
            ),
            _ => TestFailure::new(
                format!("{place} hung up, or does not speak HTTP."),
                "Check host and port, and whether the URL begins with http:// or https:// as it should.",
            ),
        }
    }

    /// Reads the answer to the request that was asked last.
    async fn read(&self, response: Response<Answer>) -> Result<Reply, TestFailure> {
        let (parts, body) = response.into_parts();
        if !parts.status.is_success() {
            return Ok(Reply::NotUnderstood(parts.status));
        }
        let too_long = || TestFailure::new(format!("{} answers with more than is read.", self.place), "Check the URL.");
        if !headers::is_event_stream(&parts.headers) {
            let bytes = Limited::new(body, MAX_ANSWER).collect().await.map_err(|_| too_long())?.to_bytes();
            return Ok(serde_json::from_slice(&bytes).ok().and_then(|json| self.reply(json)).unwrap_or(Reply::Strange));
        }
        let (mut events, mut body, mut read) = (Events::new(MAX_ANSWER), body, 0);
        while let Some(frame) = body.frame().await {
            let Ok(Ok(data)) = frame.map(hyper::body::Frame::into_data) else { break };
            read += data.len();
            events.push(&data);
            while let Some(event) = events.take().map_err(|_| too_long())? {
                let json = event.data().and_then(|data| serde_json::from_str(&data).ok());
                if let Some(reply) = json.and_then(|json| self.reply(json)) {
                    return Ok(reply);
                }
            }
            if read > MAX_ANSWER {
                return Err(too_long());
            }
        }
        Ok(Reply::Strange)
    }

    /// What a message is to us; nothing if it is not the answer.
    fn reply(&self, mut message: Value) -> Option<Reply> {
        if message["jsonrpc"] != "2.0" || message["id"] != self.asked {
            // An error about a message that was not read has no id.
            let about_ours = message["jsonrpc"] == "2.0" && message["id"].is_null() && message["error"].is_object();
            return about_ours.then_some(Reply::NotUnderstood(StatusCode::OK));
        }
        if message["result"].is_object() {
            return Some(Reply::Result(message["result"].take()));
        }
        message["error"].is_object().then_some(Reply::NotUnderstood(StatusCode::OK))
    }

    /// Ends the session that the test began.
    async fn leave(&mut self, session: HeaderValue) {
        self.session = Some(session);
        let _ = tokio::time::timeout(FAREWELL, self.send(Method::DELETE, None, String::new())).await;
    }
}

fn speaks_modern(result: &Value) -> bool {
    let versions = result["supportedVersions"].as_array();
    versions.is_some_and(|versions| versions.iter().any(|version| version == MODERN))
}
