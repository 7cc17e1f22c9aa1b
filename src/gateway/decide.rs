//! May what a POST says go on? Each message is decided about by its server's rule, before any of them goes anywhere.
//!
//! One message that may not go on keeps a whole batch (2025-03-26) from it: each of its requests is told so. What a tool
//! does is known from the server's own list ([`crate::gateway::catalogue`]); where that was not heard and it matters, the
//! server is asked once, as the same user. [`Passed`] is the proof that nothing is sent on without.

use crate::access::{Denied, Effect, InsufficientScope, Operation, Permission, ServerKind, ToolCall, decide};
use crate::gateway::call::Call;
use crate::gateway::catalogue::{Known, Page};
use crate::gateway::list_filter::read_page;
use crate::gateway::router::Gateway;
use crate::gateway::{challenge, told};
use crate::id::RequestId;
use crate::mcp::{Asker, BuiltinServer, Era, MODERN, Posted, RpcError, Said, Unfit, answer, is_any_mirrored};
use crate::oauth::scope::ScopeSet;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use std::time::Duration;

/// Longest time that a server may take to tell its tools when it is asked.
const ASK_PATIENCE: Duration = Duration::from_secs(10);
/// Most pages that are asked for.
const MAX_PAGES: usize = 16;
/// What of a client's headers goes with a question in its name: its session and its revision.
const SPOKEN_WITH: [HeaderName; 2] =
    [HeaderName::from_static("mcp-session-id"), HeaderName::from_static("mcp-protocol-version")];
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// Proof that each message of a request may go on to its server.
#[derive(Debug)]
pub(super) struct Passed {
    _permissions: Vec<Permission>,
    /// Whether a list of tools is asked for.
    pub(super) list: Option<ListAsked>,
    /// By which generation of the protocol it speaks.
    pub(super) era: Era,
}

/// A list of tools was asked for.
#[derive(Debug, Clone)]
pub(super) struct ListAsked {
    /// By which generation of the protocol.
    pub(super) era: Era,
    /// The id of the request, as JSON; none in a batch.
    pub(super) id: Option<String>,
    /// Whether it is the first page; none in a batch.
    pub(super) first: Option<bool>,
}

/// Why a message may not go on.
enum Stopped {
    /// It is in no order, or asks for what is not there.
    Error(RpcError),
    /// It needs more scopes.
    Scope(ScopeSet),
}

impl Passed {
    /// For a request without messages: a stream that is opened, a session that is ended.
    pub(super) fn without_messages(asker: &Asker) -> Result<Self, Denied> {
        let permission = permit(asker, &Operation::Housekeeping)?;
        Ok(Self { _permissions: vec![permission], list: None, era: Era::Legacy })
    }
}

fn permit(asker: &Asker, operation: &Operation<'_>) -> Result<Permission, Denied> {
    decide(&asker.token, asker.user.person(), &asker.server, operation)
}

impl Gateway {
    /// Decides about all that was posted, or gives the answer to it.
    pub(super) async fn decide(
        &self,
        asker: &Asker,
        headers: &HeaderMap,
        posted: &mut Posted<'_>,
    ) -> Result<Passed, Response> {
        match posted {
            Posted::One(said) => {
                let decided = match self.decide_one(asker, headers, said).await {
                    Ok(permission) => self.check_mirrored(asker, headers, said).await.map(|()| permission),
                    Err(stopped) => Err(stopped),
                };
                match decided {
                    Ok(permission) => {
                        Ok(Passed { _permissions: vec![permission], list: list_asked(said), era: said.era() })
                    }
                    Err(stopped) => Err(refuse_one(asker, said, &stopped)),
                }
            }
            Posted::Batch(elements) => self.decide_batch(asker, headers, elements).await,
        }
    }

    async fn decide_batch(
        &self,
        asker: &Asker,
        headers: &HeaderMap,
        elements: &mut [Result<Said<'_>, Unfit<'_>>],
    ) -> Result<Passed, Response> {
        let mut outcomes = Vec::with_capacity(elements.len());
        for element in &mut *elements {
            outcomes.push(match element {
                Ok(said) => self.decide_one(asker, headers, said).await.map(Some),
                // The built-in server answers to each by itself; others might read them in another way.
                Err(_) if matches!(asker.server.kind, ServerKind::Builtin) => Ok(None),
                Err(unfit) => Err(Stopped::Error(unfit.error.clone())),
            });
        }
        if outcomes.iter().any(Result::is_err) {
            return Err(refuse_batch(asker, elements, &outcomes));
        }
        let lists = elements.iter().flatten().any(|said| said.operation == Operation::ListTools);
        let list = lists.then_some(ListAsked { era: Era::Legacy, id: None, first: None });
        let permissions = outcomes.into_iter().filter_map(Result::ok).flatten().collect();
        Ok(Passed { _permissions: permissions, list, era: Era::Legacy })
    }

    async fn decide_one(&self, asker: &Asker, headers: &HeaderMap, said: &mut Said<'_>) -> Result<Permission, Stopped> {
        let mut denied = match permit(asker, &said.operation) {
            Ok(permission) => return Ok(permission),
            Err(denied) => denied,
        };
        let era = said.era();
        if let Operation::Call(call) = &mut said.operation {
            call.effect = self.effect_of(asker, headers, era, call).await;
            match permit(asker, &said.operation) {
                Ok(permission) => return Ok(permission),
                Err(still) => denied = still,
            }
        }
        let (server, user, token) = (asker.server.name.as_str(), asker.token.claims().user, asker.token.claims().id);
        let method = said.method().unwrap_or_default();
        tracing::info!(server, %user, %token, method, reason = %denied, "refused: not what this token is for");
        told::stopped(&self.app, asker, said, &denied);
        Err(match denied {
            Denied::Scope(lack) => Stopped::Scope(lack.needed),
            Denied::NotThere => Stopped::Error(said.not_there()),
            Denied::NotForUser => Stopped::Error(RpcError::http(StatusCode::FORBIDDEN, denied.to_string())),
        })
    }

    /// Whether the headers that repeat arguments of a call agree with them. A program reads no headers, so nobody else looks;
    /// a server over HTTP does so itself. Where its list was not heard, it is asked if anything is repeated.
    async fn check_mirrored(&self, asker: &Asker, headers: &HeaderMap, said: &Said<'_>) -> Result<(), Stopped> {
        let Operation::Call(call) = &said.operation else { return Ok(()) };
        if said.era() != Era::Modern || !matches!(asker.server.kind, ServerKind::Stdio(_)) {
            return Ok(());
        }
        let (server, user) = (&asker.server, asker.token.claims().user);
        let known = || self.catalogue.mirrored(server, user, &call.tool, self.app.now());
        let mut mirrored = known();
        if mirrored.is_none() && is_any_mirrored(headers) {
            // Where it does not tell in time, nothing is known.
            let _ = tokio::time::timeout(ASK_PATIENCE, Box::pin(self.hear_tools(asker, headers, Era::Modern))).await;
            mirrored = known();
        }
        for argument in mirrored.unwrap_or_default() {
            argument.check(headers, said.arguments()).map_err(Stopped::Error)?;
        }
        Ok(())
    }

    /// What a tool does, asking its server where that decides.
    async fn effect_of(&self, asker: &Asker, headers: &HeaderMap, era: Era, call: &ToolCall<'_>) -> Effect {
        let server = &asker.server;
        if matches!(server.kind, ServerKind::Builtin) {
            return BuiltinServer::effect_of(&call.tool).unwrap_or(Effect::Any);
        }
        let user = asker.token.claims().user;
        let known = || self.catalogue.effect_of(server, user, &call.tool, self.app.now());
        if let Known::As(effect) = known() {
            return effect;
        }
        let reading = Operation::Call(ToolCall { tool: call.tool.clone(), effect: Effect::ReadOnly });
        if permit(asker, &reading).is_ok() {
            let heard = tokio::time::timeout(ASK_PATIENCE, Box::pin(self.hear_tools(asker, headers, era))).await;
            if heard.is_err() {
                tracing::warn!(server = server.name.as_str(), "the server did not tell its tools in time");
            }
        }
        match known() {
            Known::As(effect) => effect,
            Known::Unheard => Effect::Any,
        }
    }

    /// Asks a server for its tools, in the name of the asker and as their client speaks with it.
    async fn hear_tools(&self, asker: &Asker, headers: &HeaderMap, era: Era) {
        let mut cursor: Option<String> = None;
        for number in 1..=MAX_PAGES {
            let Ok(permission) = permit(asker, &Operation::ListTools) else { return };
            let passed = Passed { _permissions: vec![permission], list: None, era };
            let id = RequestId::generate(self.app.now(), self.app.entropy());
            let body = Bytes::from(question(&id.to_string(), era, cursor.as_deref()));
            let call = Call::new(Method::POST, question_headers(headers, era), body, passed);
            let response = self.forward(asker, call).await;
            let Some(page) = read_page(response).await else {
                tracing::info!(server = asker.server.name.as_str(), "the server did not tell its tools");
                return;
            };
            let (first, next) = (cursor.is_none(), page.next.clone());
            // What is on no page that was asked for is not read-only.
            let page = if number == MAX_PAGES { Page { next: None, ..page } } else { page };
            let user = asker.token.claims().user;
            self.catalogue.learn(&asker.server, user, &page, first, self.app.now());
            match next {
                Some(next) => cursor = Some(next),
                None => return,
            }
        }
    }
}

fn list_asked(said: &Said<'_>) -> Option<ListAsked> {
    (said.operation == Operation::ListTools).then(|| ListAsked {
        era: said.era(),
        id: said.id().map(|id| id.as_json().to_owned()),
        first: Some(!said.has_cursor()),
    })
}

fn refuse_one(asker: &Asker, said: &Said<'_>, stopped: &Stopped) -> Response {
    match stopped {
        Stopped::Error(error) => error.to_response(said.id()),
        Stopped::Scope(needed) => {
            let lack = lack(needed);
            let error = RpcError::http(StatusCode::FORBIDDEN, lack.to_string());
            challenged(asker, error.to_response(said.id()), needed)
        }
    }
}

/// 403 with every scope that is missing, or 400 if more scopes would not help.
fn refuse_batch(
    asker: &Asker,
    elements: &[Result<Said<'_>, Unfit<'_>>],
    outcomes: &[Result<Option<Permission>, Stopped>],
) -> Response {
    let mut missing: Vec<&str> = Vec::new();
    let mut answers = Vec::with_capacity(elements.len());
    for (element, outcome) in elements.iter().zip(outcomes) {
        let id = match element {
            Ok(said) => said.id(),
            Err(unfit) => unfit.id,
        };
        let error = match outcome {
            Ok(_) => RpcError::http(StatusCode::FORBIDDEN, "Not done: another message of this batch was refused."),
            Err(Stopped::Error(error)) => error.clone(),
            Err(Stopped::Scope(needed)) => {
                missing.extend(needed.iter());
                RpcError::http(StatusCode::FORBIDDEN, lack(needed).to_string())
            }
        };
        if id.is_some() || outcome.is_err() {
            answers.push(error.to_json(id));
        }
    }
    match ScopeSet::parse(&missing.join(" ")) {
        Ok(needed) if !needed.is_empty() => challenged(asker, answer::batch(StatusCode::FORBIDDEN, &answers), &needed),
        _ => answer::batch(StatusCode::BAD_REQUEST, &answers),
    }
}

fn challenged(asker: &Asker, mut response: Response, needed: &ScopeSet) -> Response {
    if let Some(challenge) = challenge::insufficient_scope(&asker.server, &lack(needed)) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn lack(needed: &ScopeSet) -> InsufficientScope {
    InsufficientScope { needed: needed.clone() }
}

/// The headers of a question of ours, as a client speaks that sent `theirs`.
fn question_headers(theirs: &HeaderMap, era: Era) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in SPOKEN_WITH {
        if let Some(value) = theirs.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if era == Era::Modern {
        headers.insert(METHOD, HeaderValue::from_static("tools/list"));
    }
    headers
}

/// `cursor` is JSON.
fn question(id: &str, era: Era, cursor: Option<&str>) -> String {
    let meta = match era {
        Era::Legacy => String::new(),
        Era::Modern => format!(
            r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientCapabilities":{{}}}}"#
        ),
    };
    let cursor = cursor.map(|cursor| format!(r#""cursor":{cursor}"#));
    let members: Vec<&str> =
        [meta.as_str()].into_iter().chain(cursor.as_deref()).filter(|text| !text.is_empty()).collect();
    format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"tools/list","params":{{{}}}}}"#, members.join(","))
}
