//! What does the hot path read? Everything that admitting a request needs, in memory, behind atomic swaps.
//!
//! Operations commit first and publish here second. Readers never wait for a disk or for a writer. What goes on for longer
//! than a request looks at [`Live::changes`] to know when to ask again.

use crate::access::{ServerDirectory, ServerName, UpstreamKey};
use crate::account::group::GroupName;
use crate::account::user::{Person, Role, User};
use crate::app::events::CallLog;
use crate::app::usage::Usage;
use crate::id::UserId;
use crate::keys::KeyRing;
use crate::token::RevocationSet;
use crate::token::Verifier;
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The published state of the appliance.
#[derive(Debug)]
pub struct Live {
    keys: ArcSwap<KeyRing>,
    servers: ArcSwap<ServerDirectory>,
    users: papaya::HashMap<UserId, Arc<LiveUser>>,
    revoked: RevocationSet,
    verifier: Verifier,
    usage: Usage,
    calls: CallLog,
    renames: AtomicU64,
    changes: AtomicU64,
    upstream_keys: papaya::HashMap<(UserId, ServerName), Arc<LiveUpstreamKey>>,
}

/// What a request needs to know of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveUser {
    /// What they sign in with.
    pub name: String,
    /// Admin or member.
    pub role: Role,
    /// The groups that they are in, sorted.
    pub groups: Vec<GroupName>,
}

impl LiveUser {
    /// For access rules.
    pub fn person(&self) -> Person<'_> {
        Person { name: &self.name, groups: &self.groups }
    }
}

/// A user's key for an upstream, opened: at most one a user and server, of at most
/// [`crate::access::MAX_UPSTREAM_KEY`] bytes.
#[derive(Debug)]
pub struct LiveUpstreamKey {
    /// The key.
    pub key: UpstreamKey,
    /// The origin of the upstream that it is for; no other gets it.
    pub origin: Box<str>,
}

impl Live {
    pub(super) fn new(ring: KeyRing, verifier: Verifier, servers: ServerDirectory, usage: Usage) -> Self {
        Self {
            keys: ArcSwap::from_pointee(ring),
            servers: ArcSwap::from_pointee(servers),
            users: papaya::HashMap::new(),
            revoked: RevocationSet::default(),
            verifier,
            usage,
            calls: CallLog::default(),
            renames: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            upstream_keys: papaya::HashMap::new(),
        }
    }

    /// The keys that sign and verify now.
    pub fn keys(&self) -> Guard<Arc<KeyRing>> {
        self.keys.load()
    }

    /// The guarded servers.
    pub fn servers(&self) -> Guard<Arc<ServerDirectory>> {
        self.servers.load()
    }

    /// What is no longer good.
    pub const fn revoked(&self) -> &RevocationSet {
        &self.revoked
    }

    /// Checks signed tokens.
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Last uses.
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Calls and refusals on their way into the log.
    pub const fn calls(&self) -> &CallLog {
        &self.calls
    }

    /// How often personal tokens were renamed: whoever remembers names looks here whether they still hold.
    pub fn renames(&self) -> u64 {
        self.renames.load(Ordering::Acquire)
    }

    /// How often something was published on which it depends who may pass: a number that only grows. Whoever was admitted
    /// while it was the same would be admitted again, until their token expires.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire) + self.revoked.changes()
    }

    /// The user with this id; nobody for one who is disabled or gone.
    pub fn user(&self, id: UserId) -> Option<Arc<LiveUser>> {
        self.users.pin().get(&id).cloned()
    }

    /// The key that this user has stored for the server of this name.
    pub fn upstream_key(&self, user: UserId, server: &ServerName) -> Option<Arc<LiveUpstreamKey>> {
        self.upstream_keys.pin().get(&(user, server.clone())).cloned()
    }

    pub(super) fn publish_upstream_key(&self, user: UserId, server: ServerName, key: Option<LiveUpstreamKey>) {
        let keys = self.upstream_keys.pin();
        match key {
            Some(key) => drop(keys.insert((user, server), Arc::new(key))),
            None => drop(keys.remove(&(user, server))),
        }
    }

    pub(super) fn publish_keys(&self, ring: KeyRing) {
        self.keys.store(Arc::new(ring));
        self.note_change();
    }

    /// Makes `servers` those that are guarded, from the very next request on.
    pub fn publish_servers(&self, servers: ServerDirectory) {
        self.servers.store(Arc::new(servers));
        self.note_change();
    }

    pub(super) fn publish_rename(&self) {
        self.renames.fetch_add(1, Ordering::Release);
    }

    pub(super) fn remove_user(&self, id: UserId) {
        self.users.pin().remove(&id);
        self.note_change();
    }

    pub(super) fn publish_user(&self, user: &User) {
        let users = self.users.pin();
        if user.is_disabled() {
            users.remove(&user.id);
        } else {
            let (name, groups) = (user.name.as_str().to_owned(), user.groups.clone());
            users.insert(user.id, Arc::new(LiveUser { name, role: user.role, groups }));
        }
        self.note_change();
    }

    /// Comes after what has changed: whoever sees the new number sees that too.
    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}
