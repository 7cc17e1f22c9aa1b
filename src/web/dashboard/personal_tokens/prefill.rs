//! What may a link fill into the form of a new token? `?name=&server=&scope=&expires=`, for documentation that leads there.
//!
//! A link makes nothing: the person sends the form. What it says and nobody can choose is left out, and the page says so. What
//! is left out never widens: a link for an unknown server leaves the choice open, and one with unknown scopes only reads.

use super::expiry::{BY_DATE, ExpiryRange, is_day};
use crate::access::GuardedServer;
use crate::account::personal_token::{MAX_TOKEN_NAME, TokenName};
use crate::clock::{Timestamp, days};
use crate::oauth::scope::{self, MAX_SCOPES};
use crate::web::scopes::Extent;
use crate::web::when::When;
use serde::Deserialize;
use std::sync::Arc;

/// Longest part of a value that is shown again, in characters.
const SHOWN: usize = 40;
/// Values of one name that are looked at.
const MOST_VALUES: usize = 64;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewTokenQuery {
    name: Vec<String>,
    expires: Vec<String>,
    /// As the form calls it.
    expiry: Vec<String>,
    server: Vec<String>,
    scope: Vec<String>,
}

/// What the form begins with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Prefilled {
    /// The name.
    pub name: String,
    /// The choice of an expiry; empty for the default.
    pub expiry: String,
    /// The day, if that is the choice.
    pub expiry_date: String,
    /// Names of servers; every server if absent.
    pub servers: Option<Vec<String>>,
    /// How much it may do.
    pub extent: Extent,
    /// The single scopes.
    pub scopes: Vec<String>,
    /// What was left out, as sentences.
    pub left_out: Vec<String>,
    /// Whether the link says anything at all.
    pub is_by_link: bool,
}

impl NewTokenQuery {
    /// What of it counts, where these servers can be chosen.
    pub fn read(&self, servers: &[&Arc<GuardedServer>], range: ExpiryRange, now: Timestamp) -> Prefilled {
        let mut form = Prefilled::default();
        form.read_name(&self.name);
        let expires = if self.expires.is_empty() { &self.expiry } else { &self.expires };
        form.read_expiry(expires, range, now);
        form.read_servers(&self.server, servers);
        form.read_scopes(&self.scope, servers);
        form.is_by_link = [&self.name, expires, &self.server, &self.scope].iter().any(|values| !values.is_empty());
        form
    }
}

impl Prefilled {
    fn leave_out(&mut self, value: &str, why: &str) {
        let mut shown: String = value.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        if self.left_out.len() < MOST_VALUES {
            self.left_out.push(format!("“{shown}” {why}"));
        }
    }

    fn read_name(&mut self, names: &[String]) {
        match names {
            [] => {}
            [name] if name.is_empty() => {}
            [name] => match TokenName::parse(name) {
                Ok(name) => name.as_str().clone_into(&mut self.name),
                Err(_) => {
                    self.leave_out(name, &format!("is no name: a name has 1 to {MAX_TOKEN_NAME} visible characters."));
                }
            },
            [name, ..] => self.leave_out(name, "is not the only name: one is needed."),
        }
    }

    fn read_expiry(&mut self, values: &[String], range: ExpiryRange, now: Timestamp) {
        let [value] = values else {
            if let Some(value) = values.first() {
                self.leave_out(value, "is not the only expiry: one is needed.");
            }
            return;
        };
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let count = value.strip_suffix('d').unwrap_or(value);
        let day = match count.parse() {
            // What the list does not offer is a day of the calendar.
            Ok(count @ 1..=36_500) => When::new(now + days(count), now).form_day(),
            _ => value.to_owned(),
        };
        if range.read(count, "").is_ok() {
            count.clone_into(&mut self.expiry);
        } else if is_day(&day) && range.read(BY_DATE, &day).is_ok() {
            (self.expiry, self.expiry_date) = (BY_DATE.to_owned(), day);
        } else {
            self.leave_out(
                value,
                "is no expiry that you can choose: write a number of days or a day such as 2027-03-31.",
            );
        }
    }

    fn read_servers(&mut self, values: &[String], servers: &[&Arc<GuardedServer>]) {
        let mut known = Vec::new();
        for value in values.iter().take(MOST_VALUES).filter(|value| !value.is_empty()) {
            let is_meant =
                |server: &&&Arc<GuardedServer>| server.name.as_str() == value || server.resource.as_str() == value;
            match servers.iter().find(is_meant) {
                Some(server) => known.push(server.name.to_string()),
                None => self.leave_out(value, "is no server that you may use."),
            }
        }
        self.servers = values.iter().any(|value| !value.is_empty()).then_some(known);
    }

    fn read_scopes(&mut self, values: &[String], servers: &[&Arc<GuardedServer>]) {
        let names = values.iter().take(MOST_VALUES).flat_map(|value| value.split([' ', ',']));
        let names: Vec<_> = names.filter(|name| !name.is_empty()).take(MAX_SCOPES).collect();
        if names.is_empty() {
            return;
        }
        let is_own = |name: &str| servers.iter().any(|server| server.scopes().contains(name));
        for name in &names {
            if [scope::MCP, scope::MCP_READ].contains(name) || (*name != scope::OFFLINE_ACCESS && is_own(name)) {
                self.scopes.push((*name).to_owned());
            } else {
                self.leave_out(name, "is no scope of a server that you may use.");
            }
        }
        self.extent = if self.scopes.iter().any(|name| name == scope::MCP) {
            Extent::All
        } else if self.scopes.iter().any(|name| name != scope::MCP_READ) {
            Extent::Chosen
        } else {
            Extent::Read
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{ServerKind, ServerName};
    use crate::oauth::issuer::Issuer;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_400_000);

    fn read(query: &str) -> Prefilled {
        let issuer = Issuer::parse("https://h").unwrap();
        let name = ServerName::parse("files").unwrap();
        let files = Arc::new(GuardedServer::further(&issuer, name, "Files", ServerKind::Builtin).unwrap());
        let query: NewTokenQuery = serde_html_form::from_str(query).unwrap();
        query.read(&[&files], ExpiryRange::new(NOW, days(365)), NOW)
    }

    #[test]
    fn a_link_fills_in_what_can_be_chosen() {
        let form = read("name=Claude+Code&server=files&scope=mcp:read&expires=30");
        assert_eq!((form.name.as_str(), form.expiry.as_str(), form.extent), ("Claude Code", "30", Extent::Read));
        assert_eq!((form.servers, form.left_out.len(), form.is_by_link), (Some(vec!["files".to_owned()]), 0, true));
        assert_eq!(read("expires=14d").expiry_date, "2026-12-07");
        assert_eq!(read("expires=2026-12-31").expiry, BY_DATE);
        assert_eq!(read("expiry=90").expiry, "90");
        assert_eq!(read("server=https://h/mcp/files").servers.unwrap(), ["files"]);
        assert_eq!(read("scope=mcp+mcp:read").extent, Extent::All);
        assert_eq!(read(""), Prefilled::default());
    }

    #[test]
    fn what_is_odd_is_left_out_with_a_word_and_never_widens() {
        let form = read("name=a%0Ab&server=none&scope=root&expires=soon");
        assert_eq!((form.name.as_str(), form.expiry.as_str(), form.left_out.len()), ("", "", 4), "{:?}", form.left_out);
        assert_eq!((form.servers, form.extent, form.scopes.len()), (Some(Vec::new()), Extent::Read, 0));
        for odd in ["400", "0", "-1", "1e9", "2020-01-01", "2031-01-01", "99999999999999999999", "30+days"] {
            let form = read(&format!("expires={odd}"));
            assert_eq!((form.expiry.as_str(), form.left_out.len()), ("", 1), "{odd}");
        }
        assert_eq!(read("name=a&name=b").left_out.len(), 1);
        assert!(read(&format!("server={}", "x".repeat(5_000))).left_out[0].chars().count() < 100);
        assert_eq!(read("scope=offline_access").extent, Extent::Read);
    }
}
