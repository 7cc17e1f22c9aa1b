//! Who may do what at a server? The admin's rule: which users, the most that each may do, and what each scope opens.
//!
//! [`scope::MCP`] opens everything, [`scope::MCP_READ`] what changes nothing, and a scope of the admin's own the tools that
//! its patterns name. Users are named by name or by group. What they may do at most is said in scopes as well; a token never
//! opens more than that, whatever stands in it. What is said of a user counts before what is said of their groups; what is
//! said of several groups adds up. The default rule is the widest: every user, everything, no scopes of its own.
//! Decided with this in [`super::decide`].

use crate::access::operation::{Effect, Operation, ToolCall};
use crate::access::tool_pattern::{NotAToolPattern, ToolPattern};
use crate::account::group::{GroupName, NotAGroupName};
use crate::account::user::{NotAUsername, Person, Username};
use crate::oauth::scope::{self, MAX_SCOPES, Scope, ScopeError, ScopeSet};
use std::borrow::Cow;

/// Most scopes of a server's own: with those that every server has, they fit into one set.
pub const MAX_OWN_SCOPES: usize = MAX_SCOPES - 3;

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

/// A scope that an admin made for one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnScope {
    /// Its name.
    pub name: Scope,
    /// The tools that it opens.
    pub tools: Vec<ToolPattern>,
}

/// Why settings are no rule. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A name that no user can have.
    #[error("“{name}” is no user name: {why}")]
    User {
        /// As written.
        name: String,
        /// Why.
        why: NotAUsername,
    },
    /// The most for a name that no user can have.
    #[error("“{name}” is no user name: {why}")]
    MostUser {
        /// As written.
        name: String,
        /// Why.
        why: NotAUsername,
    },
    /// A list of users without any.
    #[error("the list of users is empty, so nobody could use the server; leave it out for every user")]
    NoUsers,
    /// A name that no group can have.
    #[error("“{name}” is no group: {why}")]
    Group {
        /// As written.
        name: String,
        /// Why.
        why: NotAGroupName,
    },
    /// The most for a name that no group can have.
    #[error("“{MOST_OF_GROUP}{name}” is no group: {why}")]
    MostGroup {
        /// As written, without the mark.
        name: String,
        /// Why.
        why: NotAGroupName,
    },
    /// A group in the list of users.
    #[error("“{0}” is no user name; groups have a list of their own, groups = [\"…\"]")]
    GroupAmongUsers(String),
    /// A list of groups without any.
    #[error("the list of groups is empty; leave it out")]
    NoGroups,
    /// A name that no scope can have.
    #[error("“{name}” is no scope: {why}")]
    Scope {
        /// As written.
        name: String,
        /// Why.
        why: ScopeError,
    },
    /// The name of a scope that means something at every server.
    #[error("the scope {0} has its meaning already; choose another name, such as files:write")]
    TakenScope(String),
    /// More than [`MAX_OWN_SCOPES`].
    #[error("a server has at most {MAX_OWN_SCOPES} scopes of its own")]
    TooManyScopes,
    /// A scope that opens nothing.
    #[error("the scope {0} names no tools; give it patterns, such as [\"write_*\"]")]
    NoTools(String),
    /// A text that names no tools.
    #[error("“{pattern}” in the scope {scope}: {why}")]
    Pattern {
        /// The scope.
        scope: String,
        /// As written.
        pattern: String,
        /// Why.
        why: NotAToolPattern,
    },
    /// The most for somebody is a scope that the server does not have.
    #[error("the most for {user} names the scope {scope}, which this server does not have; it has {known}")]
    UnknownMost {
        /// Whose.
        user: String,
        /// Which.
        scope: String,
        /// Those it has.
        known: ScopeSet,
    },
    /// Two entries for one user or group.
    #[error("the most for {0} is given twice: names that differ in letter case only are one name")]
    RepeatedMost(String),
}

impl RuleError {
    /// In which part of a rule's settings it is.
    pub const fn part(&self) -> &'static str {
        match self {
            Self::User { .. } | Self::NoUsers | Self::GroupAmongUsers(_) => "users",
            Self::Group { .. } | Self::NoGroups => "groups",
            Self::Scope { .. }
            | Self::TakenScope(_)
            | Self::TooManyScopes
            | Self::NoTools(_)
            | Self::Pattern { .. } => "scopes",
            Self::MostUser { .. } | Self::MostGroup { .. } | Self::UnknownMost { .. } | Self::RepeatedMost(_) => "most",
        }
    }

    fn in_most(self) -> Self {
        match self {
            Self::User { name, why } => Self::MostUser { name, why },
            Self::Group { name, why } => Self::MostGroup { name, why },
            other => other,
        }
    }
}

impl Default for AccessRule {
    fn default() -> Self {
        Self::widest(Vec::new())
    }
}

impl AccessRule {
    /// Reads a rule as it is configured: the users and the groups that may use the server (everybody if both are absent),
    /// its own scopes with the patterns of their tools, and the most that users, or groups (`@writers`), may do.
    pub fn parse<'a, U, G, S, M>(users: Option<U>, groups: Option<G>, own_scopes: S, most: M) -> Result<Self, RuleError>
    where
        U: IntoIterator<Item = &'a str>,
        G: IntoIterator<Item = &'a str>,
        S: IntoIterator<Item = (&'a str, &'a [String])>,
        M: IntoIterator<Item = (&'a str, &'a [String])>,
    {
        let mut parsed: Vec<OwnScope> = Vec::new();
        for (name, patterns) in own_scopes {
            let scope = OwnScope::parse(name, patterns)?;
            if parsed.len() == MAX_OWN_SCOPES {
                return Err(RuleError::TooManyScopes);
            }
            parsed.push(scope);
        }
        let mut rule = Self::widest(parsed);
        if let Some(users) = users {
            let mut names = users.into_iter().map(canonical).collect::<Result<Vec<_>, _>>()?;
            names.sort_unstable();
            names.dedup();
            if names.is_empty() {
                return Err(RuleError::NoUsers);
            }
            rule.users = Some(names);
        }
        if let Some(groups) = groups {
            let mut names = groups.into_iter().map(group).collect::<Result<Vec<_>, _>>()?;
            names.sort_unstable();
            names.dedup();
            if names.is_empty() {
                return Err(RuleError::NoGroups);
            }
            rule.groups = Some(names);
        }
        for (who, scopes) in most {
            let allowed = rule.read_most(who, scopes)?;
            let added = match who.trim().strip_prefix(MOST_OF_GROUP) {
                Some(name) => insert(&mut rule.most_of_groups, group(name).map_err(RuleError::in_most)?, allowed),
                None => insert(&mut rule.most, canonical(who).map_err(RuleError::in_most)?, allowed),
            };
            if !added {
                return Err(RuleError::RepeatedMost(who.to_owned()));
            }
        }
        Ok(rule)
    }

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

    fn read_most(&self, user: &str, scopes: &[String]) -> Result<ScopeSet, RuleError> {
        for name in scopes {
            if !self.scopes.contains(name) {
                let (user, scope) = (user.to_owned(), name.clone());
                return Err(RuleError::UnknownMost { user, scope, known: self.scopes.clone() });
            }
        }
        Ok(ScopeSet::parse(&scopes.join(" ")).expect("each is one of this server's"))
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

impl OwnScope {
    fn parse(name: &str, patterns: &[String]) -> Result<Self, RuleError> {
        let scope = Scope::parse(name).map_err(|why| RuleError::Scope { name: name.to_owned(), why })?;
        if [scope::MCP, scope::MCP_READ, scope::OFFLINE_ACCESS].contains(&name) {
            return Err(RuleError::TakenScope(name.to_owned()));
        }
        if patterns.is_empty() {
            return Err(RuleError::NoTools(name.to_owned()));
        }
        let read = |pattern: &String| {
            let wrong = |why| RuleError::Pattern { scope: name.to_owned(), pattern: pattern.clone(), why };
            ToolPattern::parse(pattern).map_err(wrong)
        };
        Ok(Self { name: scope, tools: patterns.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// Does one of its patterns name this tool?
    pub fn names(&self, tool: &str) -> bool {
        self.tools.iter().any(|pattern| pattern.matches(tool))
    }
}

/// What stands before a group's name where the most for users and for groups is given together.
const MOST_OF_GROUP: char = '@';

/// Adds an entry to a sorted list, unless there is one.
fn insert<K: Ord>(list: &mut Vec<(K, ScopeSet)>, key: K, scopes: ScopeSet) -> bool {
    let place = list.binary_search_by(|(own, _)| own.cmp(&key));
    if let Err(place) = place {
        list.insert(place, (key, scopes));
    }
    place.is_err()
}

fn group(name: &str) -> Result<GroupName, RuleError> {
    GroupName::parse(name).map_err(|why| RuleError::Group { name: name.to_owned(), why })
}

fn canonical(name: &str) -> Result<String, RuleError> {
    if name.trim().starts_with(MOST_OF_GROUP) {
        return Err(RuleError::GroupAmongUsers(name.to_owned()));
    }
    let parsed = Username::parse(name).map_err(|why| RuleError::User { name: name.to_owned(), why })?;
    Ok(parsed.canonical())
}

/// A canonical name and a name as its owner writes it ([`Username::canonical`]), without a copy: asked at every request.
fn compare(canonical: &str, name: &str) -> std::cmp::Ordering {
    canonical.bytes().cmp(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(name: &str) -> Person<'_> {
        Person { name, groups: &[] }
    }

    fn names(names: &[&str]) -> Vec<GroupName> {
        names.iter().map(|name| GroupName::parse(name).unwrap()).collect()
    }

    /// A rule for these users and groups, with these entries of the most.
    fn grouped(
        users: Option<&[&str]>,
        groups: Option<&[&str]>,
        most: &[(&str, &[&str])],
    ) -> Result<AccessRule, RuleError> {
        let most: Vec<_> = most.iter().map(|(name, list)| (*name, texts(list))).collect();
        AccessRule::parse(
            users.map(|users| users.iter().copied()),
            groups.map(|groups| groups.iter().copied()),
            [],
            most.iter().map(|(name, list)| (*name, list.as_slice())),
        )
    }

    #[test]
    fn a_group_lets_its_members_in_beside_the_users_that_are_named() {
        let rule = grouped(Some(&["anna"]), Some(&["Writers", "ops"]), &[]).unwrap();
        for (name, groups, admitted) in [
            ("anna", &[][..], true),
            ("ben", &["writers"], true),
            ("ben", &["readers", "ops"], true),
            ("ben", &["readers"], false),
            ("ben", &[], false),
            ("writers", &[], false),
        ] {
            assert_eq!(rule.admits(Person { name, groups: &names(groups) }), admitted, "{name} in {groups:?}");
        }
        assert_eq!(rule.named_groups().map(GroupName::as_str).collect::<Vec<_>>(), ["ops", "writers"]);
        let only = grouped(None, Some(&["writers"]), &[]).unwrap();
        assert!(!only.admits(alone("anna")) && only.users().is_none());
        assert!(only.undivided().admits(Person { name: "anna", groups: &names(&["writers"]) }));
    }

    #[test]
    fn the_most_of_groups_adds_up_and_a_users_own_counts_before_it() {
        let most: &[(&str, &[&str])] =
            &[("@readers", &["mcp:read"]), ("@Writers", &["mcp"]), ("@none", &[]), ("dan", &["mcp:read"])];
        let rule = grouped(None, None, most).unwrap();
        for (name, groups, most) in [
            ("anna", &[][..], "mcp"),
            ("anna", &["others"], "mcp"),
            ("anna", &["readers"], "mcp:read"),
            ("anna", &["readers", "writers"], "mcp mcp:read"),
            ("anna", &["none", "readers"], "mcp:read"),
            ("anna", &["none"], ""),
            ("dan", &["writers"], "mcp:read"),
        ] {
            let groups = names(groups);
            let person = Person { name, groups: &groups };
            assert_eq!(rule.most_for(person).as_str(), most, "{name} in {groups:?}");
            assert_eq!(rule.admits(person), !most.is_empty(), "{name} in {groups:?}");
        }
        let refused = |most: &[(&str, &[&str])]| grouped(None, None, most).unwrap_err().to_string();
        assert!(refused(&[("@writers", &["mcp"]), ("@WRITERS", &["mcp"])]).contains("given twice"));
        assert!(refused(&[("@a b", &["mcp"])]).contains("“@a b” is no group"));
        assert!(refused(&[("@writers", &["x"])]).contains("the most for @writers names the scope x"));
        assert!(grouped(Some(&["@writers"]), None, &[]).unwrap_err().to_string().contains("a list of their own"));
        assert_eq!(grouped(None, Some(&[]), &[]).unwrap_err().part(), "groups");
        assert_eq!(grouped(None, Some(&["a b"]), &[]).unwrap_err().part(), "groups");
        assert_eq!(grouped(None, None, &[("@a b", &["mcp"])]).unwrap_err().part(), "most");
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn parse(
        users: Option<&[&str]>,
        own: &[(&str, &[&str])],
        most: &[(&str, &[&str])],
    ) -> Result<AccessRule, RuleError> {
        let own: Vec<_> = own.iter().map(|(name, list)| (*name, texts(list))).collect();
        let most: Vec<_> = most.iter().map(|(name, list)| (*name, texts(list))).collect();
        AccessRule::parse(
            users.map(|users| users.iter().copied()),
            None::<[&str; 0]>,
            own.iter().map(|(name, list)| (*name, list.as_slice())),
            most.iter().map(|(name, list)| (*name, list.as_slice())),
        )
    }

    #[test]
    fn the_default_is_everything_for_everybody() {
        let rule = AccessRule::default();
        assert_eq!(rule.scopes().as_str(), "mcp mcp:read");
        assert!(rule.admits(alone("anybody")) && rule.users().is_none());
        assert_eq!(*rule.most_for(alone("anybody")), ScopeSet::mcp());
        assert_eq!(parse(None, &[], &[]), Ok(rule));
    }

    #[test]
    fn users_are_found_however_their_name_is_written() {
        let rule = parse(Some(&["Ben", "anna", "ben"]), &[], &[("ANNA", &["mcp:read"])]).unwrap();
        assert_eq!(rule.users(), Some(&["anna".to_owned(), "ben".to_owned()][..]));
        for (user, admitted) in [("anna", true), ("Anna", true), ("BEN", true), ("be", false), ("benn", false)] {
            assert_eq!(rule.admits(alone(user)), admitted, "{user}");
        }
        assert_eq!(rule.most_for(alone("aNNa")).as_str(), "mcp:read");
        assert_eq!(rule.most_for(alone("ben")).as_str(), "mcp");
        let scopes = ScopeSet::mcp();
        assert_eq!(rule.within_reach(alone("anna"), &scopes).as_str(), "mcp:read");
        assert_eq!(rule.within_reach(alone("ben"), &scopes).as_str(), "mcp");
        assert!(rule.within_reach(alone("carl"), &scopes).is_empty());
    }

    #[test]
    fn a_user_whose_most_is_nothing_is_not_admitted() {
        let rule = parse(None, &[], &[("ben", &[])]).unwrap();
        assert!(!rule.admits(alone("ben")) && rule.admits(alone("anna")));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said() {
        let too_many: Vec<String> = (0..=MAX_OWN_SCOPES).map(|n| format!("s{n}")).collect();
        let too_many: Vec<(&str, &[&str])> = too_many.iter().map(|name| (name.as_str(), &["x"][..])).collect();
        assert!(parse(None, &too_many[1..], &[]).is_ok());
        for (wrong, told) in [
            (parse(Some(&["an na"]), &[], &[]), "“an na” is no user name"),
            (parse(Some(&[]), &[], &[]), "leave it out for every user"),
            (parse(None, &[("a b", &["x"])], &[]), "“a b” is no scope"),
            (parse(None, &[("mcp", &["x"])], &[]), "the scope mcp has its meaning already"),
            (parse(None, &[("mcp:read", &["x"])], &[]), "the scope mcp:read has its meaning already"),
            (parse(None, &[("offline_access", &["x"])], &[]), "has its meaning already"),
            (parse(None, &[("files", &[])], &[]), "the scope files names no tools"),
            (parse(None, &[("files", &["a b"])], &[]), "“a b” in the scope files: a tool pattern"),
            (parse(None, &too_many, &[]), "at most 29 scopes"),
            (parse(None, &[], &[("ben", &["files"])]), "the most for ben names the scope files, which this server"),
            (parse(None, &[], &[("ben", &["offline_access"])]), "which this server does not have; it has mcp mcp:read"),
            (parse(None, &[], &[("ben", &["mcp"]), ("Ben", &["mcp"])]), "is given twice"),
            (parse(None, &[], &[("b n", &["mcp"])]), "“b n” is no user name"),
        ] {
            let text = wrong.unwrap_err().to_string();
            assert!(text.contains(told), "{text}");
        }
        let part = |wrong: Result<AccessRule, RuleError>| wrong.unwrap_err().part();
        assert_eq!(part(parse(Some(&["b n"]), &[], &[])), "users");
        assert_eq!(part(parse(None, &[], &[("b n", &["mcp"])])), "most");
    }

    #[test]
    fn the_narrowest_scope_comes_first() {
        let rule = parse(None, &[("w", &["write_*"]), ("f", &["*_file"])], &[]).unwrap();
        let call = |tool: &'static str, effect| Operation::Call(ToolCall { tool: tool.into(), effect });
        for (operation, openers) in [
            (call("write_file", Effect::ReadOnly), "w f mcp:read mcp"),
            (call("read_file", Effect::ReadOnly), "f mcp:read mcp"),
            (call("read", Effect::ReadOnly), "mcp:read mcp"),
            (call("delete", Effect::Any), "mcp"),
            (Operation::Read, "mcp:read mcp"),
            (Operation::ListTools, "w f mcp:read mcp"),
            (Operation::Housekeeping, "w f mcp:read mcp"),
            (Operation::Unknown, "mcp"),
        ] {
            assert_eq!(rule.openers(&operation).collect::<Vec<_>>().join(" "), openers, "{operation:?}");
        }
    }
}
