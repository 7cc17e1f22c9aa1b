//! What may somebody do, in words, and how do people choose it? For the consent page, the form of a new token and the lists.
//!
//! The choice works without scripts: everything, only reading, or single scopes. What comes back is a [`ScopeSet`] that
//! was wished for; what is given is decided by the operation, which never gives more than was asked and than the user has.

use crate::access::{OwnScope, ToolPattern};
use crate::oauth::scope::{self, MAX_SCOPES, ScopeSet};
use serde::Deserialize;

/// Most patterns of a scope that are shown.
const MAX_SHOWN: usize = 6;

/// How much is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// All that there is to give.
    #[default]
    All,
    /// Reading.
    Read,
    /// Single scopes.
    Chosen,
}

/// One scope that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRow {
    /// As the protocol writes it: "files:write".
    pub scope: String,
    /// In words.
    pub words: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl Extent {
    /// What was chosen; nothing if the names are none.
    pub fn scopes(self, names: &[String]) -> ScopeSet {
        let text = match self {
            Self::All => scope::MCP.to_owned(),
            Self::Read => scope::MCP_READ.to_owned(),
            Self::Chosen => names.iter().take(MAX_SCOPES).map(String::as_str).collect::<Vec<_>>().join(" "),
        };
        ScopeSet::parse(&text).unwrap_or_else(|_| ScopeSet::empty())
    }

    /// The value of the form's field.
    pub const fn value(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Read => "read",
            Self::Chosen => "chosen",
        }
    }
}

impl ScopeRow {
    /// The scope `name`, whose tools are those of `own` if it is a server's own.
    pub fn new(name: &str, own: Option<&OwnScope>, chosen: bool) -> Self {
        let words = match (name, own) {
            (scope::MCP, _) => "Everything that you may do there".to_owned(),
            (scope::MCP_READ, _) => "Read: use tools that change nothing, see resources and prompts".to_owned(),
            (_, Some(own)) => format!("Use the tools {}", tools_in_words(own)),
            (_, None) => "Do what this scope stands for".to_owned(),
        };
        Self { scope: name.to_owned(), words, chosen }
    }
}

fn tools_in_words(own: &OwnScope) -> String {
    let shown: Vec<_> = own.tools.iter().take(MAX_SHOWN).map(ToolPattern::as_str).collect();
    match own.tools.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// "everything that you may do, stay connected".
pub fn in_words(scopes: &ScopeSet) -> String {
    let all = scopes.contains(scope::MCP);
    let words = scopes.iter().filter_map(|name| match name {
        scope::MCP => Some("everything that you may do"),
        scope::OFFLINE_ACCESS => Some("stay connected"),
        _ if all => None,
        scope::MCP_READ => Some("reading"),
        own => Some(own),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
impl ScopeRow {
    pub(crate) fn sample(scope: &str, chosen: bool) -> Self {
        Self { scope: scope.to_owned(), words: "Use the tools write_*, edit_*".to_owned(), chosen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::AccessRule;

    #[test]
    fn scopes_are_told_in_words() {
        for (scopes, words) in [
            ("mcp", "everything that you may do"),
            ("mcp mcp:read files:write offline_access", "everything that you may do, stay connected"),
            ("mcp:read", "reading"),
            ("files:write mcp:read offline_access", "files:write, reading, stay connected"),
        ] {
            assert_eq!(in_words(&ScopeSet::parse(scopes).unwrap()), words);
        }
        let patterns: Vec<String> = (1..=8).map(|n| format!("write_{n}*")).collect();
        let rule = AccessRule::parse(None::<[&str; 0]>, None::<[&str; 0]>, [("w", patterns.as_slice())], []).unwrap();
        let own = &rule.own_scopes()[0];
        let told = "Use the tools write_1*, write_2*, write_3*, write_4*, write_5*, write_6* and 2 more";
        assert_eq!(ScopeRow::new("w", Some(own), true).words, told);
        let few = OwnScope { tools: vec![ToolPattern::parse("*").unwrap()], ..own.clone() };
        assert_eq!(ScopeRow::new("w", Some(&few), true).words, "Use the tools *");
    }

    #[test]
    fn a_choice_comes_back_as_scopes() {
        let names = ["w".to_owned(), "mcp:read".to_owned()];
        assert_eq!(Extent::All.scopes(&names).as_str(), "mcp");
        assert_eq!(Extent::Read.scopes(&names).as_str(), "mcp:read");
        assert_eq!(Extent::Chosen.scopes(&names).as_str(), "mcp:read w");
        assert!(Extent::Chosen.scopes(&[]).is_empty() && Extent::Chosen.scopes(&["\"".to_owned()]).is_empty());
    }
}
