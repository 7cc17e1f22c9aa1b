//! How is a client of the modern era served (MCP 2026-07-28)? Each request stands alone; what a legacy child must know of a
//! client between requests, Keyward keeps.
//!
//! Invariants: whoever leaves has cancelled; a client is asked for nothing that its request does not declare.

use crate::gateway::stdio::call::Told;
use crate::gateway::stdio::connection::{Caller, Origin};
use crate::gateway::stdio::endpoint::Context;
use crate::gateway::stdio::exchange::{Exchange, Parameters, modern_result};
use crate::gateway::stdio::legacy::quietly;
use crate::gateway::stdio::object::{Object, quoted};
use crate::gateway::stdio::running::Running;
use crate::gateway::stdio::session::Abilities;
use crate::gateway::stdio::slot::Slot;
use crate::gateway::stdio::stream::{self, Step};
use crate::gateway::stdio::subscription;
use crate::gateway::stdio::suspended::{NotResumed, Suspended, Suspender, Whose};
use crate::mcp::jsonrpc::{Message, Request};
use crate::mcp::{Era, RpcError, Said, answer};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// How long a client may keep what a server says about itself.
const DISCOVER_TTL: &str = "300000";

/// What a child is told that clients of this era may be asked for. Each request says whether it may: a child that asks for more
/// is refused.
const ASKED: &str = r#"{"elicitation":{"form":{},"url":{}},"sampling":{}}"#;

/// Answers one message.
pub(super) async fn answer(context: &Context<'_>, said: &Said<'_>) -> Response {
    // Notifications of a client tell a child nothing in this era: leaving is what cancels.
    let Message::Request(request) = said.message() else { return answer::accepted() };
    let id = request.id.as_json();
    if is_of_the_past(&request.method) {
        return RpcError::method_not_found(Era::Modern, &request.method).to_response(Some(request.id));
    }
    match forward(context, request).await {
        Ok(response) => response,
        Err(told) => told.response(id),
    }
}

/// Methods that this era does not have any more. A legacy child would understand them, and mistake who says so.
fn is_of_the_past(method: &str) -> bool {
    matches!(method, "initialize" | "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe")
        || method.starts_with("tasks/")
}

async fn forward(context: &Context<'_>, request: &Request<'_>) -> Result<Response, Told> {
    let (id, method, raw) = (request.id.as_json(), &*request.method, request.params.as_json());
    let params = Object::read(raw).unwrap_or_default();
    let meta = params.object("_meta").unwrap_or_default();
    let declared = meta.object("io.modelcontextprotocol/clientCapabilities").unwrap_or_default();
    let pool = &context.pool;
    let slot = pool.slot_of_user(context.user, Era::Modern, ASKED.into());
    let running = slot.running(pool).await.map_err(|unavailable| unavailable.told())?;
    let facts = running.facts();
    if facts.era == Era::Legacy {
        match method {
            "server/discover" => {
                let mut result = facts.discover_result();
                result.set("ttlMs", DISCOVER_TTL);
                result.set("cacheScope", "\"private\"");
                let body = modern_result(result, "complete", id, facts, &[]);
                return Ok(stream::respond(Box::pin(async { Step::Last(StatusCode::OK, body) }), context.accepts).await);
            }
            "subscriptions/listen" => return subscription::listen(context, &slot, running, id, &params).await,
            _ => {}
        }
    }
    let exchange = match resumed(context, facts.era, method, &params, id).await? {
        Some(exchange) => exchange,
        None => begin(context, &slot, running, request, &declared).await?,
    };
    Ok(stream::respond(exchange.steps(), context.accepts).await)
}

async fn begin(
    context: &Context<'_>,
    slot: &Arc<Slot>,
    running: Arc<Running>,
    request: &Request<'_>,
    declared: &Object<'_>,
) -> Result<Exchange, Told> {
    let (id, method, raw) = (request.id.as_json(), &*request.method, request.params.as_json());
    let (pool, facts) = (&context.pool, running.facts());
    let parameters = Parameters::read(raw, Era::Modern, facts.era);
    let can_be_asked = facts.era == Era::Legacy && may_ask(method);
    let can = Abilities { roots: false, ..Abilities::of(declared) };
    let mut wants_log = false;
    if let (Some(level), Era::Legacy, false) = (&parameters.log_level, facts.era, slot.audience().is_shared()) {
        wants_log = facts.offers_any("logging");
        if wants_log && running.is_new_level(level) {
            let level = format!("{{\"level\":{}}}", quoted(level));
            quietly(&running, pool, "logging/setLevel", &level).await;
        }
    }
    let caller = Caller {
        origin: if can_be_asked { Origin::Modern(can) } else { Origin::Nobody },
        id: id.into(),
        progress: parameters.progress.clone().filter(|_| context.accepts.events),
        hears: context.accepts.events,
        wants_log: wants_log && context.accepts.events,
        cancels: true,
    };
    let call = running.connection().call(method, caller, pool.now(), |id| Some(parameters.with_id(id))).await;
    let call = call.map_err(|error| error.told())?;
    let suspender = can_be_asked.then(|| suspender(context, method, &Object::read(raw).unwrap_or_default()));
    Ok(Exchange { call, id: id.into(), method: method.into(), era: Era::Modern, running, suspender })
}

/// Where a client may be asked something by a result.
fn may_ask(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

fn suspender(context: &Context<'_>, method: &str, params: &Object<'_>) -> Suspender {
    let pool = &context.pool;
    Suspender::new(pool.suspended(), whose(context, method, params), pool.now(), pool.host().app.entropy())
}

fn whose(context: &Context<'_>, method: &str, params: &Object<'_>) -> Whose {
    let name = if method == "resources/read" { params.text("uri") } else { params.text("name") };
    Whose { user: context.user, method: method.into(), name: name.unwrap_or_default().into() }
}

/// The request that this one repeats, if a legacy child has asked its client something.
async fn resumed(
    context: &Context<'_>,
    child: Era,
    method: &str,
    params: &Object<'_>,
    id: &str,
) -> Result<Option<Exchange>, Told> {
    let Some(state) = params.text("requestState").filter(|_| may_ask(method)) else { return Ok(None) };
    let pool = &context.pool;
    let responses = params.object("inputResponses");
    let whose = whose(context, method, params);
    match pool.suspended().resume(&state, &whose, responses.as_ref(), pool.now()).await {
        Ok(mut exchange) => {
            exchange.id = id.into();
            exchange.suspender = Some(suspender(context, method, params));
            let meta = params.object("_meta").unwrap_or_default();
            exchange.call.connection().change_progress(exchange.call.id(), meta.get("progressToken"));
            Ok(Some(exchange))
        }
        // A modern child's own state passes as it is; a legacy child has none.
        Err(NotResumed::Unknown) if child == Era::Modern && !Suspended::is_ours(&state) => Ok(None),
        Err(NotResumed::Unknown) => {
            let message = "What this request goes on with is over. Send it again without requestState.";
            Err(Told::new(StatusCode::OK, -32602, message))
        }
        Err(NotResumed::Unanswered) => {
            Err(Told::new(StatusCode::OK, -32602, "params.inputResponses does not answer what was asked."))
        }
    }
}
