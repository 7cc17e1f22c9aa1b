//! What may be done? Scope values (RFC 6749 §3.3): one [`Scope`], and a [`ScopeSet`] as it travels in requests and tokens.
//!
//! Invariant: a set is kept as its wire form, sorted, without repetitions, one space between names; so two equal sets
//! are the same bytes. One scope implies others: [`MCP`] stands for all that there is at a server, so it satisfies whatever
//! asks for less (MCP 2026-07-28, authorization, scope hierarchy). What the others mean is decided in [`crate::access`].

use std::fmt;
use std::sync::Arc;

/// All that the user may do at a guarded MCP server; what a request without a scope gets. Satisfies every other scope.
pub const MCP: &str = "mcp";
/// To read at a guarded MCP server: tools that say that they change nothing, resources, prompts, lists.
pub const MCP_READ: &str = "mcp:read";
/// "Let me refresh": asked for by some clients, granted silently, never put into a token's meaning (OIDC Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// Longest scope name, in bytes.
pub const MAX_SCOPE: usize = 64;
/// Most scopes in one set.
pub const MAX_SCOPES: usize = 32;

/// One scope name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

/// Why a text is not a scope or a set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A name is empty, too long, or has a character that RFC 6749 §3.3 does not allow.
    #[error("a scope is 1 to 64 printable ASCII characters without space, quote and backslash")]
    Name,
    /// More than [`MAX_SCOPES`] names.
    #[error("more than 32 scopes")]
    TooMany,
}

impl Scope {
    /// Parses one scope-token of at most [`MAX_SCOPE`] bytes.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        check(text).map(|()| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(name: &str) -> Result<(), ScopeError> {
    let fits = !name.is_empty() && name.len() <= MAX_SCOPE;
    if fits && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        Ok(())
    } else {
        Err(ScopeError::Name)
    }
}

/// A set of scopes. Cheap to clone; the empty set is the empty text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeSet(Arc<str>);

impl ScopeSet {
    /// No scope at all.
    pub fn empty() -> Self {
        Self("".into())
    }

    /// Just [`MCP`].
    pub fn mcp() -> Self {
        Self(MCP.into())
    }

    /// Parses names divided by spaces, in any order; repetitions count once.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut names = Vec::new();
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            check(name)?;
            if let Err(place) = names.binary_search(&name) {
                if names.len() == MAX_SCOPES {
                    return Err(ScopeError::TooMany);
                }
                names.insert(place, name);
            }
        }
        Ok(Self(names.join(" ").into()))
    }

    /// The names, sorted, with one space between.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is there no scope in it?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes are in it?
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// Is this scope in it? Names are compared byte for byte.
    pub fn contains(&self, name: &str) -> bool {
        !name.is_empty() && self.0.split(' ').any(|own| own == name)
    }

    /// Is every scope of `other` in this set?
    pub fn contains_all(&self, other: &Self) -> bool {
        other.iter().all(|name| self.contains(name))
    }

    /// Does this set allow what `name` allows: is it in it, or is [`MCP`], which stands for all but [`OFFLINE_ACCESS`]?
    pub fn satisfies(&self, name: &str) -> bool {
        self.contains(name) || (name != OFFLINE_ACCESS && !name.is_empty() && self.contains(MCP))
    }

    /// What both sets allow: never more than either. `mcp` and `mcp:read` meet in `mcp:read`.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        if self.contains(MCP) == other.contains(MCP) {
            return self.intersection(other);
        }
        // The one without MCP bounds the other, so the limit of names holds; offline_access must be in both.
        let (all, some) = if self.contains(MCP) { (self, other) } else { (other, self) };
        Self(some.iter().filter(|name| all.satisfies(name)).collect::<Vec<_>>().join(" ").into())
    }

    /// The scopes that are in both, name by name.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        if self == other {
            return self.clone();
        }
        Self(self.iter().filter(|name| other.contains(name)).collect::<Vec<_>>().join(" ").into())
    }

    /// The scopes that are in one of the two; both of one server, so that [`MAX_SCOPES`] holds.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut names: Vec<_> = self.iter().chain(other.iter()).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.join(" ").into())
    }

    /// This set and [`OFFLINE_ACCESS`]; of a set that was asked for together with it, so that [`MAX_SCOPES`] holds.
    #[must_use]
    pub fn with_offline_access(&self) -> Self {
        let mut names: Vec<_> = self.iter().filter(|own| *own != OFFLINE_ACCESS).chain([OFFLINE_ACCESS]).collect();
        names.sort_unstable();
        Self(names.join(" ").into())
    }

    /// This set without one scope.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        Self(self.iter().filter(|own| *own != name).collect::<Vec<_>>().join(" ").into())
    }
}

impl From<Scope> for ScopeSet {
    fn from(scope: Scope) -> Self {
        Self(scope.0)
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = ScopeError;

            fn from_str(text: &str) -> Result<Self, ScopeError> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text! { Scope ScopeSet }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_one_form() {
        for (text, form) in [
            ("", ""),
            ("   ", ""),
            ("mcp", "mcp"),
            ("offline_access mcp", "mcp offline_access"),
            ("  b  a b ", "a b"),
            ("mcp:tools.read https://h/s !#[]~", "!#[]~ https://h/s mcp:tools.read"),
        ] {
            let set = ScopeSet::parse(text).unwrap();
            assert_eq!(set.as_str(), form, "{text:?}");
            assert_eq!(ScopeSet::parse(form), Ok(set.clone()));
            assert_eq!(set.is_empty(), form.is_empty());
            assert_eq!(set.len(), form.split_whitespace().count());
        }
    }

    #[test]
    fn names_keep_to_the_grammar() {
        let long = "x".repeat(MAX_SCOPE);
        assert!(Scope::parse(&long).is_ok());
        for wrong in ["", "a b", "\"", "\\", "a\u{7f}", "a\t", "é", "a\n", &format!("{long}x")] {
            assert_eq!(Scope::parse(wrong), Err(ScopeError::Name), "{wrong:?}");
        }
        for wrong in ["a \"b\"", "a\tb", "mcp\u{a0}x", "a\0"] {
            assert_eq!(ScopeSet::parse(wrong), Err(ScopeError::Name), "{wrong:?}");
        }
    }

    #[test]
    fn a_set_is_bounded() {
        let names = |count: usize| (0..count).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(ScopeSet::parse(&names(MAX_SCOPES)).unwrap().len(), MAX_SCOPES);
        assert_eq!(ScopeSet::parse(&names(MAX_SCOPES + 1)), Err(ScopeError::TooMany));
        assert_eq!(ScopeSet::parse(&"a ".repeat(1_000)).unwrap().len(), 1);
    }

    #[test]
    fn a_scope_is_a_whole_name() {
        let set = ScopeSet::parse("mcp:read offline_access").unwrap();
        assert!(set.contains("mcp:read") && set.contains(OFFLINE_ACCESS));
        for other in ["", " ", "mcp", "read", "MCP:READ", "mcp:read offline_access"] {
            assert!(!set.contains(other), "{other:?}");
        }
        assert!(!ScopeSet::empty().contains(""));
        assert!(set.contains_all(&ScopeSet::empty()));
        assert!(!set.contains_all(&ScopeSet::mcp()));
        assert_eq!(set.intersection(&ScopeSet::parse("x mcp:read").unwrap()).as_str(), "mcp:read");
        assert_eq!(set.without(OFFLINE_ACCESS).as_str(), "mcp:read");
        assert_eq!(set.without("mcp").as_str(), set.as_str());
        assert_eq!(set.with_offline_access(), set);
        assert_eq!(ScopeSet::parse("a z").unwrap().with_offline_access().as_str(), "a offline_access z");
        assert_eq!(ScopeSet::empty().with_offline_access().as_str(), OFFLINE_ACCESS);
    }

    #[test]
    fn mcp_stands_for_everything_at_a_server() {
        let set = |text| ScopeSet::parse(text).unwrap();
        for name in [MCP, MCP_READ, "files:write"] {
            assert!(set("mcp").satisfies(name), "{name}");
        }
        assert!(!set("mcp").satisfies(OFFLINE_ACCESS) && !set("mcp").satisfies(""));
        assert!(!set("mcp:read").satisfies(MCP) && set("mcp:read").satisfies(MCP_READ));
        for (one, other, both) in [
            ("mcp", "mcp", "mcp"),
            ("mcp", "mcp:read", "mcp:read"),
            ("mcp mcp:read", "mcp", "mcp"),
            ("mcp", "mcp:read x", "mcp:read x"),
            ("mcp:read", "x", ""),
            ("mcp offline_access", "mcp:read", "mcp:read"),
            ("mcp", "mcp:read offline_access", "mcp:read"),
            ("mcp offline_access", "x offline_access", "offline_access x"),
            ("mcp a", "mcp b", "mcp"),
            ("", "mcp", ""),
        ] {
            assert_eq!(set(one).meet(&set(other)).as_str(), both, "{one} and {other}");
            assert_eq!(set(other).meet(&set(one)).as_str(), both, "{other} and {one}");
        }
        let many = (0..MAX_SCOPES).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        let many = ScopeSet::parse(&many).unwrap();
        assert_eq!(set("mcp s0").meet(&many), many);
    }

    #[test]
    fn it_travels_as_its_text() {
        let set = ScopeSet::parse("b a").unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), "\"a b\"");
        assert_eq!(serde_json::from_str::<ScopeSet>("\"b a\"").unwrap(), set);
        assert!(serde_json::from_str::<ScopeSet>("[\"a\"]").is_err());
        assert!(serde_json::from_str::<Scope>("\"a b\"").is_err());
    }
}
