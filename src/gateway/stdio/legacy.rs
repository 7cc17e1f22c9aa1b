//! How is a client of the legacy era served (MCP 2025-03-26 to 2025-11-25, Streamable HTTP)? In a session that
//! `initialize` opens, or, where no child belongs to a session, without one: some clients lose the header.
//!
//! Invariants: the id of a session that is unknown, over or another user's is a 404, which makes a client begin again;
//! leaving is no cancellation; answers of a client go to the child that asked in the same session, and nowhere else.

use crate::access::ChildMode;
use crate::gateway::stdio::call::{CallError, Reply, Told};
use crate::gateway::stdio::connection::{Caller, Origin};
use crate::gateway::stdio::endpoint::{Context, Element, method_not_allowed};
use crate::gateway::stdio::exchange::{Exchange, Parameters, finished};
use crate::gateway::stdio::handshake::{CLIENT_INFO, Hello, NEWEST_LEGACY};
use crate::gateway::stdio::message::{self, Outcome, Spoken};
use crate::gateway::stdio::object::Object;
use crate::gateway::stdio::pool::Pool;
use crate::gateway::stdio::running::Running;
use crate::gateway::stdio::session::{Abilities, Session};
use crate::gateway::stdio::slot::{Slot, SlotKey};
use crate::gateway::stdio::stream::{self, Step, Steps};
use crate::mcp::jsonrpc::{Message, Notification, Request};
use crate::mcp::{Era, Said, answer, members};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Longest capabilities and description of a client that a child is told, in bytes.
const MAX_CLIENT: usize = 8 * 1024;

/// Answers one message.
pub(super) async fn answer(context: &Context<'_>, said: &Said<'_>, body: &Bytes) -> Response {
    let request = match said.message() {
        Message::Request(request) if request.method == "initialize" => return initialize(context, request).await,
        Message::Request(request) => Some(request),
        _ => None,
    };
    let id = request.map_or("null", |request| request.id.as_json());
    let session = match session(context) {
        Ok(session) => session,
        Err(told) => return told.response(id),
    };
    match (said.message(), request) {
        (_, Some(request)) => match begin(context, session.as_ref(), request, context.accepts.events).await {
            Ok(Begun::Exchange(exchange)) => stream::respond(exchange.steps(), context.accepts).await,
            Ok(Begun::Known(body)) => stream::respond(last(body), context.accepts).await,
            Err(told) => told.response(id),
        },
        (Message::Notification(notification), None) => {
            notified(context, session.as_ref(), notification).await;
            answer::accepted()
        }
        _ => {
            if answered(session.as_ref(), body).await {
                answer::accepted()
            } else {
                Told::new(StatusCode::BAD_REQUEST, -32600, "Nothing was asked under this id.").response("null")
            }
        }
    }
}

/// Answers a batch (revision 2025-03-26): all at once, in one array.
pub(super) async fn answer_batch(context: &Context<'_>, elements: Vec<Element<'_>>, body: &Bytes) -> Response {
    let session = match session(context) {
        Ok(session) => session,
        Err(told) => return told.response("null"),
    };
    let mut answers: Vec<Bytes> = Vec::new();
    let mut begun = Vec::new();
    answered(session.as_ref(), body).await;
    for element in elements {
        match element.as_ref().map(Said::message) {
            Ok(Message::Request(request)) => match begin(context, session.as_ref(), request, false).await {
                Ok(Begun::Exchange(exchange)) => begun.push(exchange),
                Ok(Begun::Known(body)) => answers.push(body),
                Err(told) => answers.push(told.body(request.id.as_json())),
            },
            Ok(Message::Notification(notification)) => notified(context, session.as_ref(), notification).await,
            Ok(Message::Response) => {}
            Err(unfit) => answers.push(unfit.error.to_json(unfit.id).into()),
        }
    }
    for Exchange { call, id, method, running, .. } in begun {
        let end = call.end().await;
        if end != Err(CallError::Cancelled) {
            answers.push(finished(end, &id, &method, Era::Legacy, running.facts()).1);
        }
    }
    if answers.is_empty() {
        return answer::accepted();
    }
    let mut all = vec![b'['];
    all.extend(answers.join(&b','));
    all.push(b']');
    stream::respond(last(all.into()), context.accepts).await
}

/// GET: the stream of a session.
pub(super) fn listen(context: &Context<'_>) -> Response {
    if !context.headers.contains_key(SESSION_ID) {
        return method_not_allowed();
    }
    if !context.accepts.events {
        return stream::not_acceptable();
    }
    let session = match session(context) {
        Ok(Some(session)) => session,
        Ok(None) => return method_not_allowed(),
        Err(told) => return told.response("null"),
    };
    let Some(messages) = session.listen() else { return no_session().response("null") };
    let stopping = context.pool.host().stopping.subscribe();
    stream::stream(heard(messages, stopping))
}

fn heard(mut messages: mpsc::Receiver<Bytes>, mut stopping: watch::Receiver<bool>) -> Steps {
    Box::pin(async move {
        let message = tokio::select! {
            message = messages.recv() => message,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        message.map_or(Step::End, |message| Step::Message(message, heard(messages, stopping)))
    })
}

/// DELETE: the end of a session.
pub(super) fn end_session(context: &Context<'_>) -> Response {
    match session(context) {
        Ok(Some(session)) => {
            context.pool.end_session(&session);
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Ok(None) => Told::http(StatusCode::BAD_REQUEST, "Say which session: send Mcp-Session-Id.").response("null"),
        Err(told) => told.response("null"),
    }
}

/// The session that the request names; none if it names none and needs none.
fn session(context: &Context<'_>) -> Result<Option<Arc<Session>>, Told> {
    let mut ids = context.headers.get_all(SESSION_ID).iter();
    match (ids.next(), ids.next()) {
        (None, _) if context.pool.upstream().mode == ChildMode::PerSession => {
            let message = "Begin with initialize, and send the Mcp-Session-Id of its answer from then on.";
            Err(Told::http(StatusCode::BAD_REQUEST, message))
        }
        (None, _) => Ok(None),
        (Some(id), None) => {
            let known = id.to_str().ok().and_then(|id| context.pool.session(id, context.user));
            known.map(Some).ok_or_else(no_session)
        }
        (Some(_), Some(_)) => Err(Told::http(StatusCode::BAD_REQUEST, "There is more than one Mcp-Session-Id.")),
    }
}

fn no_session() -> Told {
    Told::http(StatusCode::NOT_FOUND, "This session is over. Begin a new one with initialize.")
}

async fn initialize(context: &Context<'_>, request: &Request<'_>) -> Response {
    let id = request.id.as_json();
    let params = Object::read(request.params.as_json()).unwrap_or_default();
    let Some(version) = params.text("protocolVersion") else {
        return Told::new(StatusCode::OK, -32602, "params.protocolVersion must be a string.").response(id);
    };
    let capabilities = params.object("capabilities").unwrap_or_default();
    let pool = &context.pool;
    let session_id = pool.new_session_id();
    let own_child = pool.upstream().mode == ChildMode::PerSession;
    let (slot, can) = if own_child {
        let bounded = |name: &str, default: &str| -> Box<str> {
            params.get(name).filter(|json| json.starts_with('{') && json.len() <= MAX_CLIENT).unwrap_or(default).into()
        };
        let hello = Hello {
            capabilities: bounded("capabilities", "{}"),
            client_info: bounded("clientInfo", CLIENT_INFO),
            client_confirms: true,
            era: Era::Legacy,
        };
        (pool.slot_of_session(context.user, &session_id, hello), Abilities::of(&capabilities))
    } else {
        // What is asked of one client's files makes no sense for the others that the child serves.
        let can = Abilities { roots: false, ..Abilities::of(&capabilities) };
        (pool.slot_of_user(context.user, Era::Legacy, asked_of(&capabilities)), can)
    };
    let opening = Opening { pool, slot: own_child.then_some(&slot) };
    let running = match slot.running(pool).await {
        Ok(running) => running,
        Err(unavailable) => return unavailable.told().response(id),
    };
    let asked = if (*NEWEST_LEGACY).lt(version.as_str()) { NEWEST_LEGACY } else { version.as_str() };
    let result = running.facts().initialize_result(asked);
    let session = pool.open_session(session_id, context.user, can, Arc::clone(&slot));
    opening.done();
    let body = message::answer(id, Outcome::Result(&result)).into();
    let mut response = stream::respond(last(body), context.accepts).await;
    if let Ok(value) = HeaderValue::try_from(session.id()) {
        response.headers_mut().insert(SESSION_ID, value);
    }
    response
}

/// What a child that several clients of a user share may ask of them: sampling and elicitation, in a few fixed forms, so that
/// there are not as many children as ways to write it.
pub(super) fn asked_of(capabilities: &Object<'_>) -> Box<str> {
    let mut asked = Object::default();
    for (name, parts) in [("elicitation", ["form", "url"]), ("sampling", ["context", "tools"])] {
        if capabilities.declares(name) {
            let declared = capabilities.object(name).unwrap_or_default();
            let mut kept = Object::default();
            for part in parts {
                if declared.declares(part) {
                    kept.set(part, "{}");
                }
            }
            asked.set(name, kept.to_json());
        }
    }
    asked.to_json().into()
}

/// A session's own child is ended if the client goes away before it has the session.
struct Opening<'a> {
    pool: &'a Arc<Pool>,
    slot: Option<&'a Arc<Slot>>,
}

impl Opening<'_> {
    fn done(mut self) {
        self.slot = None;
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.pool.abandon(slot);
        }
    }
}

enum Begun {
    Exchange(Exchange),
    Known(Bytes),
}

async fn begin(
    context: &Context<'_>,
    session: Option<&Arc<Session>>,
    request: &Request<'_>,
    hears: bool,
) -> Result<Begun, Told> {
    let (id, method, raw) = (request.id.as_json(), &*request.method, request.params.as_json());
    let known = || Ok(Begun::Known(message::answer(id, Outcome::Result("{}")).into()));
    if method == "ping" {
        return known();
    }
    let running = child(context, session).await?;
    if method == "resources/subscribe" || method == "resources/unsubscribe" {
        let uri = Object::read(raw).and_then(|params| params.text("uri"));
        if let (Some(uri), Some(session)) = (uri, session) {
            if method == "resources/subscribe" {
                if !session.watch(&uri) {
                    return Err(Told::new(StatusCode::OK, -32603, "This session watches too many resources."));
                }
            } else {
                session.unwatch(&uri);
                if session.slot().audience().watchers(&uri) > 0 {
                    // Others go on watching.
                    return known();
                }
            }
        }
    }
    let parameters = Parameters::read(raw, Era::Legacy, running.facts().era);
    let caller = Caller {
        origin: session.map_or(Origin::Nobody, |session| Origin::Session(Arc::clone(session))),
        id: id.into(),
        progress: parameters.progress.clone().filter(|_| hears),
        hears,
        wants_log: false,
        cancels: false,
    };
    let call = running.connection().call(method, caller, context.pool.now(), |id| Some(parameters.with_id(id))).await;
    let call = call.map_err(|error| error.told())?;
    let (id, method) = (id.into(), method.into());
    Ok(Begun::Exchange(Exchange { call, id, method, era: Era::Legacy, running, suspender: None }))
}

async fn child(context: &Context<'_>, session: Option<&Arc<Session>>) -> Result<Arc<Running>, Told> {
    let slot = match session {
        Some(session) => Arc::clone(session.slot()),
        None => context.pool.slot_of_user(context.user, Era::Legacy, "{}".into()),
    };
    slot.running(&context.pool).await.map_err(|unavailable| unavailable.told())
}

async fn notified(context: &Context<'_>, session: Option<&Arc<Session>>, notification: &Notification<'_>) {
    let Some(session) = session else { return };
    let Some(running) = session.slot().alive() else { return };
    let (method, raw) = (&*notification.method, notification.params.as_json());
    let own_child = matches!(session.slot().key(), SlotKey::Session(..));
    let said = match method {
        "notifications/cancelled" => {
            let request = members::read(raw, ["requestId"]).ok().and_then(|[id]| id).map(RawValue::get);
            if let Some(call) = request.and_then(|id| session.call(id)) {
                running.connection().cancel(call, "the client has cancelled");
            }
            return;
        }
        // Said by Keyward itself where the child is not the session's own; there, too, nobody's roots are asked for.
        "notifications/initialized" | "notifications/roots/list_changed" if !own_child => return,
        _ if running.facts().era == Era::Modern => return,
        _ if session.slot().audience().is_shared() => return,
        _ => running.connection().notify(method, Some(raw)).await,
    };
    if let Err(error) = said {
        tracing::debug!(server = context.pool.server().as_str(), ?error, "a notification did not reach the child");
    }
}

/// Passes on what a client answers. Says whether anything was asked.
async fn answered(session: Option<&Arc<Session>>, body: &Bytes) -> bool {
    let (Some(session), Ok(text)) = (session, std::str::from_utf8(body)) else { return false };
    let mut any = false;
    for json in message::read_line(text.trim_ascii()) {
        if let Some(Spoken::Answer { id, outcome }) = message::read(json) {
            any |= session.answer(id, outcome).await;
        }
    }
    any
}

fn last(body: Bytes) -> Steps {
    Box::pin(async move { Step::Last(StatusCode::OK, body) })
}

/// What an internal request to a child comes to: the result, or nothing.
pub(super) async fn quietly(running: &Arc<Running>, pool: &Pool, method: &str, params: &str) -> Option<Bytes> {
    let call = running.connection().call(method, Caller::keyward(), pool.now(), |_| Some(params.into())).await;
    match call.ok()?.end().await {
        Ok(Reply::Result(result)) => Some(result),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_can_be_asked_for_has_few_forms() {
        for (capabilities, asked) in [
            ("{}", "{}"),
            (r#"{"roots":{"listChanged":true},"experimental":{"x":{}}}"#, "{}"),
            (
                r#"{"sampling":{"x":{}},"elicitation":{"url":{"y":1},"form":{}}}"#,
                r#"{"elicitation":{"form":{},"url":{}},"sampling":{}}"#,
            ),
            (r#"{"sampling":null,"elicitation":{}}"#, r#"{"elicitation":{}}"#),
        ] {
            assert_eq!(&*asked_of(&Object::read(capabilities).unwrap()), asked);
        }
    }
}
