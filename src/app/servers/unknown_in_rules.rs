//! Whom and what do the servers' rules name that does not exist?

use crate::access::ServerName;
use crate::account::group::GroupName;
use crate::app::App;
use crate::app::error::OperationError;
use crate::store::tables::{GROUPS, USER_NAMES};
use crate::store::{Reads, Scan};

impl App {
    /// The names in the servers' rules that are no user's, for whoever mistyped one. Empty while nobody has an account.
    pub fn unknown_users_in_rules(&self) -> Result<Vec<(ServerName, String)>, OperationError> {
        let servers = self.live.servers();
        self.store.read(|tx| {
            let mut unknown = Vec::new();
            if tx.count(USER_NAMES, Scan::all().limit(1))? == 0 {
                return Ok(unknown);
            }
            for server in servers.all() {
                for name in server.rule.named_users() {
                    let told = unknown.iter().any(|(at, known)| *at == server.name && known == name);
                    if !told && tx.get(USER_NAMES, name)?.is_none() {
                        unknown.push((server.name.clone(), name.to_owned()));
                    }
                }
            }
            Ok(unknown)
        })
    }

    /// The groups in the servers' rules that do not exist, likewise.
    pub fn unknown_groups_in_rules(&self) -> Result<Vec<(ServerName, GroupName)>, OperationError> {
        let servers = self.live.servers();
        self.store.read(|tx| {
            let mut unknown = Vec::new();
            if tx.count(USER_NAMES, Scan::all().limit(1))? == 0 {
                return Ok(unknown);
            }
            for server in servers.all() {
                for name in server.rule.named_groups() {
                    let told = unknown.iter().any(|(at, known)| *at == server.name && known == name);
                    if !told && !tx.contains(GROUPS, name.as_str())? {
                        unknown.push((server.name.clone(), name.clone()));
                    }
                }
            }
            Ok(unknown)
        })
    }
}
