//! Who hears what a child says without having been asked? The sessions and subscriptions of those whom it serves.
//!
//! Invariant: of a child that several users share nobody hears what could be about another: only that a list has changed,
//! and of resources only those that they watch themselves.

use crate::gateway::stdio::message;
use crate::gateway::stdio::object::Object;
use crate::gateway::stdio::session::Session;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::mpsc;

/// Most messages that wait for a subscriber that reads slowly.
const MAX_UNREAD: usize = 256;
/// Most subscriptions to one child.
const MAX_SUBSCRIPTIONS: usize = 256;

/// What a subscription is about (`SubscriptionFilter` of MCP 2026-07-28).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    /// That the list of tools has changed.
    pub(super) tools: bool,
    /// The list of prompts.
    pub(super) prompts: bool,
    /// The list of resources.
    pub(super) resources: bool,
    /// These resources.
    pub(super) watched: Vec<String>,
}

impl Filter {
    fn takes(&self, method: &str, uri: Option<&str>) -> bool {
        match method {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => uri.is_some_and(|uri| self.watched.iter().any(|known| known == uri)),
            _ => false,
        }
    }
}

/// What a subscriber is told: the method and the parameters, as JSON.
pub(super) type Notice = (Box<str>, Option<Box<str>>);

/// Those who hear a child.
#[derive(Debug)]
pub(super) struct Audience {
    shared: bool,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    sessions: Vec<Weak<Session>>,
    subscriptions: HashMap<u64, (Filter, mpsc::Sender<Notice>)>,
    last: u64,
}

/// A subscription, for as long as it is held.
#[derive(Debug)]
pub(super) struct Subscription {
    audience: Arc<Audience>,
    number: u64,
    notices: mpsc::Receiver<Notice>,
}

impl Audience {
    /// Nobody yet; `shared` says whether they may be several users.
    pub(super) fn new(shared: bool) -> Self {
        Self { shared, members: Mutex::default() }
    }

    /// Whether they may be several users.
    pub(super) const fn is_shared(&self) -> bool {
        self.shared
    }

    /// A session hears from now on, for as long as it lives.
    pub(super) fn join(&self, session: &Arc<Session>) {
        let mut members = self.members();
        members.sessions.retain(|known| known.strong_count() > 0);
        members.sessions.push(Arc::downgrade(session));
    }

    /// Subscribes; not if there are too many.
    pub(super) fn subscribe(self: &Arc<Self>, filter: Filter) -> Option<Subscription> {
        let mut members = self.members();
        if members.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return None;
        }
        let (sender, notices) = mpsc::channel(MAX_UNREAD);
        members.last += 1;
        let number = members.last;
        members.subscriptions.insert(number, (filter, sender));
        Some(Subscription { audience: Arc::clone(self), number, notices })
    }

    /// Whether anybody subscribes.
    pub(super) fn has_subscribers(&self) -> bool {
        !self.members().subscriptions.is_empty()
    }

    /// Every resource that somebody watches, and how many do.
    pub(super) fn watchers(&self, uri: &str) -> usize {
        let sessions = self.sessions().iter().filter(|session| session.watches(uri)).count();
        let members = self.members();
        let subscribed = |(filter, _): &&(Filter, _)| filter.watched.iter().any(|known| known == uri);
        sessions + members.subscriptions.values().filter(subscribed).count()
    }

    /// The session, if there is only one.
    pub(super) fn only_session(&self) -> Option<Arc<Session>> {
        match &self.sessions()[..] {
            [one] => Some(Arc::clone(one)),
            _ => None,
        }
    }

    /// Passes a notification on to those whom it concerns.
    pub(super) fn tell(&self, method: &str, params: Option<&str>) {
        let changes = method.ends_with("/list_changed");
        let uri = (method == "notifications/resources/updated")
            .then(|| params.and_then(Object::read).and_then(|params| params.text("uri")))
            .flatten();
        let about_resource = method == "notifications/resources/updated";
        let message = Bytes::from(message::notification(method, params));
        for session in self.sessions() {
            let hears = if about_resource {
                uri.as_deref().is_some_and(|uri| session.watches(uri))
            } else {
                changes || !self.shared
            };
            if hears {
                session.tell(message.clone(), changes || about_resource);
            }
        }
        for (filter, sender) in self.members().subscriptions.values() {
            if filter.takes(method, uri.as_deref()) {
                let _ = sender.try_send((method.into(), params.map(Into::into)));
            }
        }
    }

    /// The child has taken back what it asked under `id`.
    pub(super) fn withdraw(&self, id: &str, params: Option<&str>) {
        let Some(params) = params.and_then(Object::read) else { return };
        for session in self.sessions() {
            session.withdraw(id, &params);
        }
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        self.members().sessions.iter().filter_map(Weak::upgrade).collect()
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// The next notice.
    pub(super) async fn next(&mut self) -> Option<Notice> {
        self.notices.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.audience.members().subscriptions.remove(&self.number);
    }
}
