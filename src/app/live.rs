//! What does the hot path read? Everything that admitting a request needs, in memory, behind atomic swaps.
//!
//! Operations commit first and publish here second. Readers never wait for a disk or for a writer.

use crate::access::ServerDirectory;
use crate::account::user::{Role, User};
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
    renames: AtomicU64,
}

/// What a request needs to know of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveUser {
    /// What they sign in with.
    pub name: String,
    /// Admin or member.
    pub role: Role,
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
            renames: AtomicU64::new(0),
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

    /// How often personal tokens were renamed: whoever remembers names looks here whether they still hold.
    pub fn renames(&self) -> u64 {
        self.renames.load(Ordering::Acquire)
    }

    /// The user with this id; nobody for one who is disabled or gone.
    pub fn user(&self, id: UserId) -> Option<Arc<LiveUser>> {
        self.users.pin().get(&id).cloned()
    }

    pub(super) fn publish_keys(&self, ring: KeyRing) {
        self.keys.store(Arc::new(ring));
    }

    pub(super) fn publish_rename(&self) {
        self.renames.fetch_add(1, Ordering::Release);
    }

    pub(super) fn publish_user(&self, user: &User) {
        let users = self.users.pin();
        if user.is_disabled() {
            users.remove(&user.id);
        } else {
            users.insert(user.id, Arc::new(LiveUser { name: user.name.as_str().to_owned(), role: user.role }));
        }
    }
}
