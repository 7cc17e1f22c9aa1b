//! Who may do what at a server? The admin's rule: which users, the most that each may do, and what each scope opens.
//!
//! [`scope::MCP`] opens everything, [`scope::MCP_READ`] what changes nothing, and a scope of the admin's own the tools that
//! its patterns name. Users are named by name or by group. What they may do at most is said in scopes as well; a token never
//! opens more than that, whatever stands in it. What is said of a user counts before what is said of their groups; what is
//! said of several groups adds up. The default rule is the widest: every user, everything, no scopes of its own.
//! Decided with this in [`super::decide`]; how a rule is written, says `written`.

mod error;
mod own_scope;
mod written;

pub use error::RuleError;
pub use own_scope::{MAX_OWN_SCOPES, OwnScope};

use crate::access::operation::{Effect, Operation, ToolCall};
use crate::account::group::GroupName;
use crate::account::user::Person;
use crate::oauth::scope::{self, ScopeSet};
use std::borrow::Cow;

/// What stands before a group's name where the most for users and for groups is given together.
const MOST_OF_GROUP: char = '@';

/// Who may do what at one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// Canonical names, sorted; with `groups`, everybody if both are absent.
    users: Option<Vec<String>>,
    groups: Option<Vec<GroupName>>,
    own_scopes: Vec<OwnScope>,
    /// By canonical name, sorted.
    most: Vec<(String, ScopeSet)>,
    most_of_groups: Vec<(GroupName, ScopeSet)>,
    /// All that can be asked for.
    scopes: ScopeSet,
    everything: ScopeSet,
}

impl Default for AccessRule {
    fn default() -> Self {
        Self::widest(Vec::new())
    }
}

impl AccessRule {
    /// The groups that it names; one may be named twice.
    pub fn named_groups(&self) -> impl Iterator<Item = &GroupName> {
        self.groups.iter().flatten().chain(self.most_of_groups.iter().map(|(name, _)| name))
    }

    /// The users that it names, in canonical form; somebody may be named twice.
    pub fn named_users(&self) -> impl Iterator<Item = &str> {
        let most = self.most.iter().map(|(name, _)| name.as_str());
        self.users.iter().flatten().map(String::as_str).chain(most)
    }

    fn widest(own_scopes: Vec<OwnScope>) -> Self {
        let own = own_scopes.iter().map(|scope| scope.name.as_str());
        let names = [scope::MCP, scope::MCP_READ].into_iter().chain(own).collect::<Vec<_>>().join(" ");
        let scopes = ScopeSet::parse(&names).expect("each is a scope, and they are few");
        Self {
            users: None,
            groups: None,
            own_scopes,
            most: Vec::new(),
            most_of_groups: Vec::new(),
            scopes,
            everything: ScopeSet::mcp(),
        }
    }

    /// The same users and groups, and one scope that opens everything: for a server whose messages nobody here reads, so that no
    /// narrower scope could be held to.
    #[must_use]
    pub fn undivided(self) -> Self {
        Self {
            users: self.users,
            groups: self.groups,
            own_scopes: Vec::new(),
            most: Vec::new(),
            most_of_groups: Vec::new(),
            scopes: ScopeSet::mcp(),
            everything: self.everything,
        }
    }

    /// All scopes that can be asked for at this server.
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The scopes that only this server has, in their order.
    pub fn own_scopes(&self) -> &[OwnScope] {
        &self.own_scopes
    }

    /// The names of the users that may use the server; with [`Self::groups`], none if everybody may.
    pub fn users(&self) -> Option<&[String]> {
        self.users.as_deref()
    }

    /// The groups that may use the server; with [`Self::users`], none if everybody may.
    pub fn groups(&self) -> Option<&[GroupName]> {
        self.groups.as_deref()
    }

    /// The most that it says of single users and of groups (`@writers`), in that order.
    pub fn most(&self) -> impl Iterator<Item = (String, &ScopeSet)> {
        let users = self.most.iter().map(|(name, most)| (name.clone(), most));
        users.chain(self.most_of_groups.iter().map(|(name, most)| (format!("{MOST_OF_GROUP}{name}"), most)))
    }

    /// May this person use the server at all?
    pub fn admits(&self, person: Person<'_>) -> bool {
        self.names(person) && !self.most_for(person).is_empty()
    }

    fn names(&self, person: Person<'_>) -> bool {
        if self.users.is_none() && self.groups.is_none() {
            return true;
        }
        let by_name = |users: &Vec<String>| users.binary_search_by(|own| compare(own, person.name)).is_ok();
        let by_group = |groups: &Vec<GroupName>| person.groups.iter().any(|own| groups.binary_search(own).is_ok());
        self.users.as_ref().is_some_and(by_name) || self.groups.as_ref().is_some_and(by_group)
    }

    /// The most that this person may do, once admitted.
    pub fn most_for(&self, person: Person<'_>) -> Cow<'_, ScopeSet> {
        if let Ok(place) = self.most.binary_search_by(|(own, _)| compare(own, person.name)) {
            return Cow::Borrowed(&self.most[place].1);
        }
        let own = self.most_of_groups.iter().filter(|(group, _)| person.groups.contains(group));
        let mut own = own.map(|(_, most)| most);
        let first = Cow::Borrowed(own.next().unwrap_or(&self.everything));
        own.fold(first, |all, more| Cow::Owned(all.union(more)))
    }

    /// What of `scopes` the person may have here: what a token for them is given at most. Empty if that is nothing.
    pub fn within_reach(&self, person: Person<'_>, scopes: &ScopeSet) -> ScopeSet {
        if self.admits(person) { scopes.meet(&self.most_for(person)) } else { ScopeSet::empty() }
    }

    /// The scopes each of which opens the tool called `name`, the narrowest first.
    pub fn scopes_for_tool(&self, name: &str, effect: Effect) -> Vec<String> {
        let call = Operation::Call(ToolCall { tool: name.into(), effect });
        self.openers(&call).filter(|scope| self.scopes.contains(scope)).map(str::to_owned).collect()
    }

    /// The scopes each of which opens an operation, the narrowest first.
    pub(super) fn openers<'a>(&'a self, operation: &'a Operation<'_>) -> impl Iterator<Item = &'a str> {
        let (tool, reads, any) = match operation {
            Operation::Call(call) => (Some(&*call.tool), call.effect == Effect::ReadOnly, false),
            Operation::Read => (None, true, false),
            Operation::ListTools | Operation::Housekeeping => (None, true, true),
            Operation::Unknown => (None, false, false),
        };
        let names = move |scope: &&OwnScope| any || tool.is_some_and(|tool| scope.names(tool));
        let own = self.own_scopes.iter().filter(names).map(|scope| scope.name.as_str());
        own.chain(reads.then_some(scope::MCP_READ)).chain([scope::MCP])
    }
}

/// A canonical name and a name as its owner writes it ([`Username::canonical`]), without a copy: asked at every request.
fn compare(canonical: &str, name: &str) -> std::cmp::Ordering {
    canonical.bytes().cmp(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
