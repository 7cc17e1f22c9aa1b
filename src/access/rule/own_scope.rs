//! Which tools does a scope open that an admin made for one server?

use super::RuleError;
use crate::access::tool_pattern::ToolPattern;
use crate::oauth::scope::{self, MAX_SCOPES, Scope};

/// Most scopes of a server's own: with those that every server has, they fit into one set.
pub const MAX_OWN_SCOPES: usize = MAX_SCOPES - 3;

/// A scope that an admin made for one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnScope {
    /// Its name.
    pub name: Scope,
    /// The tools that it opens.
    pub tools: Vec<ToolPattern>,
}

impl OwnScope {
    /// Reads a scope with the patterns of its tools.
    pub(super) fn parse(name: &str, patterns: &[String]) -> Result<Self, RuleError> {
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
