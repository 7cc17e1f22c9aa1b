//! What does somebody say about a server, and can there be such a server? One judgement, for the configuration file and for
//! the dashboard's form.
//!
//! A [`ServerDescription`] has the words of the options `[servers.NAME]`, with every secret at hand, wherever it came from.
//! Each refusal names the part that is wrong: the option's key, which is the form's field as well. What may be a secret is
//! not repeated.

use crate::access::rule::AccessRule;
use crate::access::server::{GuardedServer, ServerKind, ServerName, ServerSource};
use crate::access::upstream::{ChildMode, HttpUpstream, StdioUpstream, UpstreamTimeouts, UpstreamUrl};
use crate::access::upstream_credential::{FixedCredential, PerUserCredential, UpstreamCredential};
use crate::clock::Span;
use crate::oauth::issuer::Issuer;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Longest title, in characters.
pub const MAX_TITLE: usize = 100;
/// A name that no server can have: the dashboard's page for a new server stands at its place.
const TAKEN_NAME: &str = "new";

/// A server as somebody describes it. What is not said has its default.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the sentence of each option stands in the configuration's SERVER_OPTIONS, once")]
pub struct ServerDescription {
    pub name: ServerName,
    pub source: ServerSource,
    pub title: Option<String>,
    pub path: Option<String>,
    pub enabled: bool,
    pub url: Option<Secret<String>>,
    pub credential: Option<CredentialDescription>,
    pub assertion: bool,
    pub connect_timeout: Span,
    pub first_byte_timeout: Span,
    pub idle_timeout: Span,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, Secret<String>>,
    pub working_directory: Option<PathBuf>,
    pub mode: ChildMode,
    pub max_children: usize,
    pub idle: Span,
    pub proxied_url: Option<String>,
    pub users: Option<Vec<String>>,
    pub groups: Option<Vec<String>>,
    pub scopes: BTreeMap<String, Vec<String>>,
    pub most: BTreeMap<String, Vec<String>>,
}

/// What the gateway is to show an HTTP upstream.
#[derive(Debug, Clone)]
pub struct CredentialDescription {
    /// In which header.
    pub header: String,
    /// What stands before the value.
    pub prefix: Secret<String>,
    /// Whose value it is.
    pub value: CredentialValue,
}

/// Whose value a credential has.
#[derive(Debug, Clone)]
pub enum CredentialValue {
    /// One for all callers: this.
    Known(Secret<String>),
    /// The caller's own.
    PerUser,
}

/// Why there cannot be such a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDescription {
    /// The part that is wrong: `url`, `idle_timeout`.
    pub part: &'static str,
    lead: String,
    why: String,
}

/// What follows the option's key: "is 0s; it must be 1s to 1d".
impl fmt::Display for BadDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.lead, self.why)
    }
}

impl std::error::Error for BadDescription {}

impl BadDescription {
    fn new(part: &'static str, lead: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { part, lead: lead.into(), why: why.to_string() }
    }

    /// What is to be done, as a sentence for a place where everybody sees which part is meant.
    pub fn sentence(&self) -> String {
        let mut rest = self.why.chars();
        let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
        let stop = if self.why.ends_with('.') { "" } else { "." };
        format!("{first}{}{stop}", rest.as_str())
    }
}

impl ServerDescription {
    /// A server of which nothing is known but its name; not good as it is.
    pub const fn new(name: ServerName, source: ServerSource) -> Self {
        Self {
            name,
            source,
            title: None,
            path: None,
            enabled: true,
            url: None,
            credential: None,
            assertion: false,
            connect_timeout: Span::seconds(5),
            first_byte_timeout: Span::seconds(60),
            idle_timeout: Span::minutes(5),
            command: Vec::new(),
            environment: BTreeMap::new(),
            working_directory: None,
            mode: ChildMode::PerUser,
            max_children: 16,
            idle: Span::minutes(10),
            proxied_url: None,
            users: None,
            groups: None,
            scopes: BTreeMap::new(),
            most: BTreeMap::new(),
        }
    }

    /// The server, at `issuer`.
    pub fn judge(&self, issuer: &Issuer) -> Result<GuardedServer, BadDescription> {
        if self.name.as_str() == TAKEN_NAME {
            let why = format!("no server can be called {TAKEN_NAME}; choose another name");
            return Err(BadDescription::new("name", "is not good: ", why));
        }
        let rule = self.rule()?;
        let title = self.title.clone().unwrap_or_else(|| self.name.to_string());
        if title.trim().is_empty() || title.chars().count() > MAX_TITLE || title.chars().any(char::is_control) {
            return Err(BadDescription::new("title", "", format!("must be 1 to {MAX_TITLE} characters on one line")));
        }
        let (source, enabled) = (self.source, self.enabled);
        if let Some(url) = &self.proxied_url {
            let server = self.behind_proxy(issuer, &title, url)?;
            return Ok(GuardedServer { rule: rule.undivided(), source, enabled, ..server });
        }
        let kind = self.kind()?;
        let path = self.path.clone().unwrap_or_else(|| format!("/mcp/{}", self.name));
        let server = GuardedServer::at(issuer, &path, self.name.clone(), &title, kind)
            .map_err(|problem| BadDescription::new("path", format!("is {path:?}: "), problem))?;
        Ok(GuardedServer { rule, source, enabled, ..server })
    }

    /// How much text there is in it, in bytes.
    pub fn length(&self) -> usize {
        let lists = |lists: &BTreeMap<String, Vec<String>>| -> usize {
            lists.iter().map(|(name, list)| name.len() + list.iter().map(|text| text.len() + 1).sum::<usize>()).sum()
        };
        let options = [&self.title, &self.path, &self.proxied_url];
        let credential = self.credential.as_ref().map_or(0, |credential| {
            let value = match &credential.value {
                CredentialValue::Known(value) => value.expose().len(),
                CredentialValue::PerUser => 0,
            };
            credential.header.len() + credential.prefix.expose().len() + value
        });
        self.name.as_str().len()
            + options.into_iter().flatten().map(String::len).sum::<usize>()
            + self.url.as_ref().map_or(0, |url| url.expose().len())
            + credential
            + self.command.iter().map(|part| part.len() + 1).sum::<usize>()
            + self.environment.iter().map(|(name, value)| name.len() + value.expose().len()).sum::<usize>()
            + self.working_directory.as_ref().map_or(0, |path| path.as_os_str().len())
            + self.users.iter().chain(&self.groups).flatten().map(|name| name.len() + 1).sum::<usize>()
            + lists(&self.scopes)
            + lists(&self.most)
    }

    fn behind_proxy(&self, issuer: &Issuer, title: &str, url: &str) -> Result<GuardedServer, BadDescription> {
        if self.url.is_some() || !self.command.is_empty() {
            let lead = "and url or command are both there: ";
            return Err(BadDescription::new("proxied_url", lead, "a server has one of them"));
        }
        // Its messages are not read here, so nothing finer than a whole server can be held to.
        let of_the_others = [
            ("path", self.path.is_none()),
            ("credential", self.credential.is_none()),
            ("assertion", !self.assertion),
            ("environment", self.environment.is_empty()),
            ("working_directory", self.working_directory.is_none()),
            ("scopes", self.scopes.is_empty()),
            ("most", self.most.is_empty()),
        ];
        belongs_to(of_the_others, "url or a command")?;
        GuardedServer::behind_proxy(issuer, self.name.clone(), title, url)
            .map_err(|problem| BadDescription::new("proxied_url", format!("is {url:?}: "), problem))
    }

    fn kind(&self) -> Result<ServerKind, BadDescription> {
        match (&self.url, self.command.is_empty()) {
            (Some(url), true) => self.http(url).map(ServerKind::Http),
            (None, false) => self.stdio().map(ServerKind::Stdio),
            (None, true) => Err(BadDescription::new(
                "url",
                "is missing: ",
                "say where the server is, which command starts it, or by proxied_url where clients reach it",
            )),
            (Some(_), false) => {
                Err(BadDescription::new("url", "and command are both there: ", "a server has one of them"))
            }
        }
    }

    fn http(&self, url: &Secret<String>) -> Result<HttpUpstream, BadDescription> {
        let no_command =
            [("environment", self.environment.is_empty()), ("working_directory", self.working_directory.is_none())];
        belongs_to(no_command, "command")?;
        let url =
            UpstreamUrl::parse(url.expose()).map_err(|problem| BadDescription::new("url", "is not good: ", problem))?;
        let credential = self.credential.as_ref().map(CredentialDescription::judge).transpose()?;
        let span = |part, span: Span, least, most| between(part, span, least, most).map(Span::duration);
        let timeouts = UpstreamTimeouts {
            connect: span("connect_timeout", self.connect_timeout, Span::seconds(1), Span::minutes(1))?,
            first_byte: span("first_byte_timeout", self.first_byte_timeout, Span::seconds(1), Span::hours(1))?,
            idle: span("idle_timeout", self.idle_timeout, Span::seconds(1), Span::days(1))?,
        };
        Ok(HttpUpstream { url, credential, assertion: self.assertion, timeouts })
    }

    fn stdio(&self) -> Result<StdioUpstream, BadDescription> {
        let no_url = [("credential", self.credential.is_none()), ("assertion", !self.assertion)];
        belongs_to(no_url, "url")?;
        if self.command.iter().any(|part| part.contains('\0')) || self.command[0].is_empty() {
            return Err(BadDescription::new("command", "", "must begin with the name or path of a program"));
        }
        let good = |name: &str, value: &str| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        if let Some((name, _)) = self.environment.iter().find(|(name, value)| !good(name, value.expose())) {
            let why = format!("{name:?} is no environment variable");
            return Err(BadDescription::new("environment", "is not good: ", why));
        }
        Ok(StdioUpstream {
            command: self.command.clone(),
            environment: self.environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            working_directory: self.working_directory.clone(),
            mode: self.mode,
            max_children: between("max_children", self.max_children, 1, 1000)?,
            idle: between("idle", self.idle, Span::seconds(10), Span::days(7))?.duration(),
        })
    }

    fn rule(&self) -> Result<AccessRule, BadDescription> {
        let users = self.users.as_ref().map(|users| users.iter().map(String::as_str));
        let groups = self.groups.as_ref().map(|groups| groups.iter().map(String::as_str));
        let scopes = self.scopes.iter().map(|(scope, tools)| (scope.as_str(), tools.as_slice()));
        let most = self.most.iter().map(|(user, scopes)| (user.as_str(), scopes.as_slice()));
        AccessRule::parse(users, groups, scopes, most)
            .map_err(|problem| BadDescription::new(problem.part(), "is not good: ", problem))
    }
}

impl CredentialDescription {
    fn judge(&self) -> Result<UpstreamCredential, BadDescription> {
        let (header, prefix) = (&self.header, self.prefix.expose());
        let judged = match &self.value {
            CredentialValue::Known(value) => {
                let value = Secret::new(format!("{prefix}{}", value.expose()));
                FixedCredential::new(header, value.expose()).map(UpstreamCredential::Fixed)
            }
            CredentialValue::PerUser => PerUserCredential::new(header, prefix).map(UpstreamCredential::PerUser),
        };
        judged.map_err(|problem| BadDescription::new("credential", "cannot be sent: ", problem))
    }
}

/// Refuses what is set beside its own kind.
fn belongs_to<const N: usize>(unset: [(&'static str, bool); N], kind: &str) -> Result<(), BadDescription> {
    match unset.into_iter().find(|(_, unset)| !unset) {
        Some((part, _)) => Err(BadDescription::new(part, "", format!("belongs to a server with a {kind}"))),
        None => Ok(()),
    }
}

fn between<T: Copy + PartialOrd + fmt::Display>(
    part: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<T, BadDescription> {
    if least <= value && value <= most {
        Ok(value)
    } else {
        Err(BadDescription::new(part, format!("is {value}; it "), format!("must be {least} to {most}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> ServerDescription {
        ServerDescription::new(ServerName::parse("files").unwrap(), ServerSource::Dashboard)
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn judge(description: &ServerDescription) -> Result<GuardedServer, BadDescription> {
        description.judge(&Issuer::parse("https://h").unwrap())
    }

    fn http() -> ServerDescription {
        ServerDescription { url: Some(secret("http://127.0.0.1:9000/mcp")), ..description() }
    }

    fn stdio() -> ServerDescription {
        ServerDescription { command: vec!["uvx".to_owned()], ..description() }
    }

    #[test]
    fn a_url_or_a_command_or_a_url_behind_a_proxy_makes_a_server() {
        let server = judge(&http()).unwrap();
        assert_eq!((server.path.as_str(), server.title.as_str()), ("/mcp/files", "files"));
        assert_eq!((server.source, server.enabled), (ServerSource::Dashboard, true));
        let ServerKind::Http(upstream) = server.kind else { panic!("{:?}", server.kind) };
        assert_eq!(upstream.timeouts, UpstreamTimeouts::default());
        assert!(matches!(judge(&stdio()).unwrap().kind, ServerKind::Stdio(_)));
        let proxied = ServerDescription { proxied_url: Some("https://tools.example/mcp".to_owned()), ..description() };
        assert_eq!(judge(&proxied).unwrap().path, "/verify/files");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_part_for_the_file_and_for_the_form() {
        let credential = |header: &str, value: &str| {
            let header = header.to_owned();
            let value = CredentialValue::Known(secret(value));
            Some(CredentialDescription { header, prefix: secret("Bearer "), value })
        };
        let taken = ServerName::parse("new").unwrap();
        let long = Some("x".repeat(MAX_TITLE + 1));
        let environment = BTreeMap::from([("A=".to_owned(), secret("b"))]);
        for (description, part, predicate, sentence) in [
            (description(), "url", "is missing: say where", "Say where the server is,"),
            (ServerDescription { name: taken, ..http() }, "name", "is not good: no server", "No server can be called"),
            (ServerDescription { title: long, ..http() }, "title", "must be 1 to 100", "Must be 1 to 100 characters"),
            (
                ServerDescription { path: Some("/x".to_owned()), ..http() },
                "path",
                "is \"/x\": the path",
                "The path must",
            ),
            (
                ServerDescription { idle_timeout: Span::seconds(0), ..http() },
                "idle_timeout",
                "is 0s; it must be 1s to 1d",
                "Must be 1s to 1d.",
            ),
            (
                ServerDescription { command: vec!["x".to_owned()], ..http() },
                "url",
                "and command are",
                "A server has one",
            ),
            (
                ServerDescription { assertion: true, ..stdio() },
                "assertion",
                "belongs to a server with a url",
                "Belongs",
            ),
            (ServerDescription { environment, ..stdio() }, "environment", "is not good: \"A=\" is no", "\"A=\" is no"),
            (
                ServerDescription { credential: credential("Host", "x"), ..http() },
                "credential",
                "cannot be sent: this header",
                "This header is set by the gateway itself.",
            ),
            (ServerDescription { users: Some(Vec::new()), ..http() }, "users", "is not good: the list", "The list of"),
        ] {
            let refusal = judge(&description).unwrap_err();
            assert_eq!(refusal.part, part, "{refusal}");
            assert!(refusal.to_string().starts_with(predicate), "{refusal}");
            assert!(refusal.sentence().starts_with(sentence), "{}", refusal.sentence());
        }
    }

    #[test]
    fn nothing_secret_is_repeated_or_printed() {
        let value = CredentialValue::Known(secret("hunter2\u{7}"));
        let credential = CredentialDescription { header: "X-Key".to_owned(), prefix: secret(""), value };
        let bad = ServerDescription { credential: Some(credential), ..http() };
        let bad_url = ServerDescription { url: Some(secret("http://ada:hunter2@h/")), ..description() };
        for description in [bad, bad_url] {
            let refusal = judge(&description).unwrap_err();
            assert!(!format!("{refusal} {} {description:?}", refusal.sentence()).contains("hunter2"));
        }
    }
}
