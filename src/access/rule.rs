//! Who may do what at a server? The admin's rule: which users, the most that each may do, and what each scope opens.
//!
//! [`scope::MCP`] opens everything, [`scope::MCP_READ`] what changes nothing, and a scope of the admin's own the tools that
//! its patterns name. What a user may do at most is said in scopes as well; a token never opens more than that, whatever
//! stands in it. The default rule is the widest: every user, everything, no scopes of its own.
//! Decided with this in [`super::decide`].

use crate::access::operation::{Effect, Operation};
use crate::access::tool_pattern::{NotAToolPattern, ToolPattern};
use crate::account::user::{NotAUsername, Username};
use crate::oauth::scope::{self, MAX_SCOPES, Scope, ScopeError, ScopeSet};

/// Most scopes of a server's own: with those that every server has, they fit into one set.
pub const MAX_OWN_SCOPES: usize = MAX_SCOPES - 3;

/// Who may do what at one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// Canonical names, sorted; everybody if absent.
    users: Option<Vec<String>>,
    own_scopes: Vec<OwnScope>,
    /// By canonical name, sorted.
    most: Vec<(String, ScopeSet)>,
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
    /// Two entries for one user.
    #[error("the most for {0} is given twice: user names that differ in letter case only are one name")]
    RepeatedMost(String),
}

impl RuleError {
    /// In which part of a rule's settings it is.
    pub const fn part(&self) -> &'static str {
        match self {
            Self::User { .. } | Self::NoUsers => "users",
            Self::Scope { .. }
            | Self::TakenScope(_)
            | Self::TooManyScopes
            | Self::NoTools(_)
            | Self::Pattern { .. } => "scopes",
            Self::MostUser { .. } | Self::UnknownMost { .. } | Self::RepeatedMost(_) => "most",
        }
    }

    fn in_most(self) -> Self {
        match self {
            Self::User { name, why } => Self::MostUser { name, why },
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
    /// Reads a rule as it is configured: the users that may use the server (everybody if absent), its own scopes with the
    /// patterns of their tools, and the most that single users may do.
    pub fn parse<'a, U, S, M>(users: Option<U>, own_scopes: S, most: M) -> Result<Self, RuleError>
    where
        U: IntoIterator<Item = &'a str>,
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
        for (user, scopes) in most {
            let name = canonical(user).map_err(RuleError::in_most)?;
            let scopes = rule.read_most(user, scopes)?;
            match rule.most.binary_search_by(|(own, _)| own.as_str().cmp(&name)) {
                Ok(_) => return Err(RuleError::RepeatedMost(user.to_owned())),
                Err(place) => rule.most.insert(place, (name, scopes)),
            }
        }
        Ok(rule)
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
        Self { users: None, own_scopes, most: Vec::new(), scopes, everything: ScopeSet::mcp() }
    }

    /// The same users, and one scope that opens everything: for a server whose messages nobody here reads, so that no
    /// narrower scope could be held to.
    #[must_use]
    pub fn undivided(self) -> Self {
        Self {
            users: self.users,
            own_scopes: Vec::new(),
            most: Vec::new(),
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

    /// The names of the users that may use the server; none if everybody may.
    pub fn users(&self) -> Option<&[String]> {
        self.users.as_deref()
    }

    /// May this user use the server at all?
    pub fn admits(&self, user: &str) -> bool {
        !self.most_for(user).is_empty()
            && self.users.as_ref().is_none_or(|users| users.binary_search_by(|own| compare(own, user)).is_ok())
    }

    /// The most that this user may do, once admitted.
    pub fn most_for(&self, user: &str) -> &ScopeSet {
        match self.most.binary_search_by(|(own, _)| compare(own, user)) {
            Ok(place) => &self.most[place].1,
            Err(_) => &self.everything,
        }
    }

    /// What of `scopes` the user may have here: what a token for them is given at most. Empty if that is nothing.
    pub fn within_reach(&self, user: &str, scopes: &ScopeSet) -> ScopeSet {
        if self.admits(user) { scopes.meet(self.most_for(user)) } else { ScopeSet::empty() }
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

fn canonical(name: &str) -> Result<String, RuleError> {
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
            own.iter().map(|(name, list)| (*name, list.as_slice())),
            most.iter().map(|(name, list)| (*name, list.as_slice())),
        )
    }

    #[test]
    fn the_default_is_everything_for_everybody() {
        let rule = AccessRule::default();
        assert_eq!(rule.scopes().as_str(), "mcp mcp:read");
        assert!(rule.admits("anybody") && rule.users().is_none());
        assert_eq!(rule.most_for("anybody"), &ScopeSet::mcp());
        assert_eq!(parse(None, &[], &[]), Ok(rule));
    }

    #[test]
    fn users_are_found_however_their_name_is_written() {
        let rule = parse(Some(&["Ben", "anna", "ben"]), &[], &[("ANNA", &["mcp:read"])]).unwrap();
        assert_eq!(rule.users(), Some(&["anna".to_owned(), "ben".to_owned()][..]));
        for (user, admitted) in [("anna", true), ("Anna", true), ("BEN", true), ("be", false), ("benn", false)] {
            assert_eq!(rule.admits(user), admitted, "{user}");
        }
        assert_eq!(rule.most_for("aNNa").as_str(), "mcp:read");
        assert_eq!(rule.most_for("ben").as_str(), "mcp");
        let scopes = ScopeSet::mcp();
        assert_eq!(rule.within_reach("anna", &scopes).as_str(), "mcp:read");
        assert_eq!(rule.within_reach("ben", &scopes).as_str(), "mcp");
        assert!(rule.within_reach("carl", &scopes).is_empty());
    }

    #[test]
    fn a_user_whose_most_is_nothing_is_not_admitted() {
        let rule = parse(None, &[], &[("ben", &[])]).unwrap();
        assert!(!rule.admits("ben") && rule.admits("anna"));
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
        let call = |tool: &'static str, effect| Operation::Call(super::super::ToolCall { tool: tool.into(), effect });
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
