//! Whom and what do the servers' rules name that does not exist?

use crate::access::{AccessRule, ServerName};
use crate::account::group::GroupName;
use crate::app::App;
use crate::app::error::OperationError;
use crate::store::tables::{GROUPS, USER_NAMES};
use crate::store::{ReadTx, Reads, Scan, StoreError};

impl App {
    /// The names in the servers' rules that are no user's, for whoever mistyped one. Empty while nobody has an account.
    pub fn unknown_users_in_rules(&self) -> Result<Vec<(ServerName, String)>, OperationError> {
        let named = |rule: &AccessRule| rule.named_users().map(str::to_owned).collect();
        self.unknown_in_rules(named, |tx, name| tx.contains(USER_NAMES, name.as_str()))
    }

    /// The groups in the servers' rules that do not exist, likewise.
    pub fn unknown_groups_in_rules(&self) -> Result<Vec<(ServerName, GroupName)>, OperationError> {
        let named = |rule: &AccessRule| rule.named_groups().cloned().collect();
        self.unknown_in_rules(named, |tx, name| tx.contains(GROUPS, name.as_str()))
    }

    /// Each of what `named` gives that does not exist, once a server.
    fn unknown_in_rules<N: PartialEq>(
        &self,
        named: impl Fn(&AccessRule) -> Vec<N>,
        exists: impl Fn(&ReadTx, &N) -> Result<bool, StoreError>,
    ) -> Result<Vec<(ServerName, N)>, OperationError> {
        let servers = self.live.servers();
        self.store.read(|tx| {
            let mut unknown = Vec::new();
            if tx.count(USER_NAMES, Scan::all().limit(1))? == 0 {
                return Ok(unknown);
            }
            for server in servers.all() {
                for name in named(&server.rule) {
                    let told = unknown.iter().any(|(at, known)| *at == server.name && *known == name);
                    if !told && !exists(tx, &name)? {
                        unknown.push((server.name.clone(), name));
                    }
                }
            }
            Ok(unknown)
        })
    }
}
