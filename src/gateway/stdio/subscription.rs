//! How is a client of the modern era told of changes by a child that knows only notifications? By a stream of its own, begun with
//! `subscriptions/listen` (MCP 2026-07-28, subscriptions).
//!
//! Invariants: the first message says what is granted, which is what the child offers and the client wants; every message has
//! the id of the subscription; a graceful end is a result.

use crate::gateway::stdio::audience::{Filter, Notice, Subscription};
use crate::gateway::stdio::call::Told;
use crate::gateway::stdio::connection::SUBSCRIPTION_ID;
use crate::gateway::stdio::endpoint::Context;
use crate::gateway::stdio::exchange::modern_result;
use crate::gateway::stdio::legacy::quietly;
use crate::gateway::stdio::message;
use crate::gateway::stdio::object::{Object, quoted};
use crate::gateway::stdio::pool::Pool;
use crate::gateway::stdio::running::Running;
use crate::gateway::stdio::session::MAX_RESOURCES;
use crate::gateway::stdio::slot::Slot;
use crate::gateway::stdio::stream::{self, Step, Steps};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::watch;

/// Begins a subscription under the client's id, which is JSON.
pub(super) async fn listen(
    context: &Context<'_>,
    slot: &Arc<Slot>,
    running: Arc<Running>,
    id: &str,
    params: &Object<'_>,
) -> Result<Response, Told> {
    if !context.accepts.events {
        return Ok(stream::not_acceptable());
    }
    let invalid = || Told::new(StatusCode::OK, -32602, "params.notifications must be a filter of notifications.");
    let filter = granted(&params.object("notifications").ok_or_else(invalid)?, &running);
    let acknowledged = acknowledged(&filter, id);
    let busy = || Told::http(StatusCode::SERVICE_UNAVAILABLE, "There are too many subscriptions to this server.");
    let empty = filter == Filter::default();
    let subscription = slot.audience().subscribe(filter.clone()).ok_or_else(busy)?;
    for uri in &filter.watched {
        quietly(&running, &context.pool, "resources/subscribe", &format!("{{\"uri\":{}}}", quoted(uri))).await;
    }
    let stopping = context.pool.host().stopping.subscribe();
    let (pool, slot) = (Arc::clone(&context.pool), Arc::clone(slot));
    let held = Held { subscription, pool, slot, running, watched: filter.watched, id: id.into(), stopping };
    let next: Steps = if empty { held.over() } else { held.next() };
    Ok(stream::stream(Box::pin(async move { Step::Message(acknowledged, next) })))
}

fn granted(wanted: &Object<'_>, running: &Running) -> Filter {
    let facts = running.facts();
    let changes = |name: &str, what: &str| wanted.get(name) == Some("true") && facts.offers(what, "listChanged");
    let mut watched: Vec<String> =
        wanted.get("resourceSubscriptions").and_then(|uris| serde_json::from_str(uris).ok()).unwrap_or_default();
    if !facts.offers("resources", "subscribe") {
        watched.clear();
    }
    watched.truncate(MAX_RESOURCES);
    Filter {
        tools: changes("toolsListChanged", "tools"),
        prompts: changes("promptsListChanged", "prompts"),
        resources: changes("resourcesListChanged", "resources"),
        watched,
    }
}

fn acknowledged(filter: &Filter, id: &str) -> Bytes {
    let mut notifications = Object::default();
    for (name, granted) in [
        ("toolsListChanged", filter.tools),
        ("promptsListChanged", filter.prompts),
        ("resourcesListChanged", filter.resources),
    ] {
        if granted {
            notifications.set(name, "true");
        }
    }
    if !filter.watched.is_empty() {
        let watched: Vec<String> = filter.watched.iter().map(|uri| quoted(uri)).collect();
        notifications.set("resourceSubscriptions", format!("[{}]", watched.join(",")));
    }
    let mut params = Object::default();
    params.set("notifications", notifications.to_json());
    stamped("notifications/subscriptions/acknowledged", params, id)
}

fn stamped(method: &str, mut params: Object<'_>, id: &str) -> Bytes {
    let meta = params.get("_meta").map(ToOwned::to_owned);
    let mut meta = meta.as_deref().and_then(Object::read).unwrap_or_default();
    meta.set(SUBSCRIPTION_ID, id);
    let meta = meta.to_json();
    params.set("_meta", meta);
    message::notification(method, Some(&params.to_json())).into()
}

/// A subscription for as long as its stream is open.
struct Held {
    subscription: Subscription,
    pool: Arc<Pool>,
    slot: Arc<Slot>,
    running: Arc<Running>,
    watched: Vec<String>,
    id: Box<str>,
    stopping: watch::Receiver<bool>,
}

impl Held {
    fn next(mut self) -> Steps {
        Box::pin(async move {
            let mut ended = self.running.watch_end();
            let notice = tokio::select! {
                biased;
                notice = self.subscription.next() => notice,
                _ = self.stopping.wait_for(|stopping| *stopping) => None,
                // The next child knows nothing of it: the client subscribes again.
                _ = ended.wait_for(Option::is_some) => None,
            };
            match notice {
                Some((method, params)) => {
                    let params: Notice = (method, params);
                    let object = params.1.as_deref().and_then(Object::read).unwrap_or_default();
                    let message = stamped(&params.0, object, &self.id);
                    Step::Message(message, self.next())
                }
                None => self.over().await,
            }
        })
    }

    /// The graceful end.
    fn over(self) -> Steps {
        Box::pin(async move {
            let facts = self.running.facts();
            let body = modern_result(Object::default(), "complete", &self.id, facts, &[(SUBSCRIPTION_ID, &self.id)]);
            Step::Last(StatusCode::OK, body)
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // This one counts until it is dropped, which comes next.
        let last: Vec<String> = self.watched.drain(..).filter(|uri| self.slot.audience().watchers(uri) <= 1).collect();
        if last.is_empty() || self.running.connection().ended().is_some() {
            return;
        }
        let (running, pool) = (Arc::clone(&self.running), Arc::clone(&self.pool));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                for uri in last {
                    let params = format!("{{\"uri\":{}}}", quoted(&uri));
                    quietly(&running, &pool, "resources/unsubscribe", &params).await;
                }
            });
        }
    }
}
