//! How is a rule written? In lists of names: of users and groups, of scopes with their tools, and of the most for each.
//!
//! Names of users and groups are one name however their letters are written; each list is kept sorted.

use super::{AccessRule, MAX_OWN_SCOPES, MOST_OF_GROUP, OwnScope, RuleError};
use crate::account::group::GroupName;
use crate::account::user::Username;
use crate::oauth::scope::ScopeSet;

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

    fn read_most(&self, user: &str, scopes: &[String]) -> Result<ScopeSet, RuleError> {
        for name in scopes {
            if !self.scopes.contains(name) {
                let (user, scope) = (user.to_owned(), name.clone());
                return Err(RuleError::UnknownMost { user, scope, known: self.scopes.clone() });
            }
        }
        Ok(ScopeSet::parse(&scopes.join(" ")).expect("each is one of this server's"))
    }
}

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
