//! What does an admin enter about a server, and how does it become a description? The form of `new` and of `edit`.
//!
//! Reading only; the domain judges. Secrets are never shown again: a field that is left empty keeps what was entered before,
//! be it stored or in this form, which carries it sealed while it is tried or corrected. So does a URL with a query, in which
//! there may be a key.

use super::lists;
use super::tested::TestResult;
use crate::access::{ChildMode, CredentialDescription, CredentialValue, ServerDescription, ServerName, ServerSource};
use crate::clock::{Span, minutes};
use crate::id::UserId;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::web::dashboard::Frame;
use crate::web::extract::SignedIn;
use crate::web::notice::Done;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long a form keeps the secrets that were entered in it.
const KEPT_FOR: Duration = minutes(60);

/// `GET` and a refused or tried `POST` of `/dashboard/servers/new` and `…/{name}/edit`.
#[derive(Debug, Template)]
#[template(path = "dashboard/servers/form.html")]
pub struct ServerFormView {
    /// Around the page.
    pub frame: Frame,
    /// The server that is changed; nothing for a new one.
    pub changes: Option<String>,
    /// What is in the fields, without secrets.
    pub fields: Fields,
    /// What is kept for fields that are left empty.
    pub has: Kept,
    /// What is wrong.
    pub problems: Problems,
    /// What came of a test.
    pub test: Option<TestResult>,
    /// Whether a command may be entered.
    pub commands: bool,
}

/// What is kept for a field that is left empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// The URL, whose query is not shown.
    pub url: bool,
    /// The credential's value.
    pub credential: bool,
}

/// What is wrong with which field, as sentences.
#[derive(Debug, Clone, Default)]
pub struct Problems(BTreeMap<&'static str, String>);

impl Problems {
    /// One.
    pub fn of(part: &'static str, sentence: String) -> Self {
        Self(BTreeMap::from([(part, sentence)]))
    }

    /// What is wrong with a field.
    pub fn get(&self, part: &str) -> Option<&String> {
        self.0.get(part)
    }

    /// Whether anything is wrong with one of these fields.
    pub fn any(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.0.contains_key(part))
    }

    /// Whether something is wrong at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The kinds of server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// At a URL.
    #[default]
    Url,
    /// A program.
    Command,
    /// Behind a proxy.
    Proxied,
}

/// Whose credential an upstream gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// None.
    #[default]
    Nobody,
    /// One for all.
    Shared,
    /// Each user their own.
    Own,
}

/// What the form sends, and what it shows.
#[derive(Clone, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each is the field of this name, which is the option of the configuration file")]
pub struct Fields {
    pub edition: String,
    pub then: String,
    pub kept: String,
    pub name: String,
    pub title: String,
    pub path: String,
    pub kind: Kind,
    pub url: String,
    pub whose: Whose,
    pub credential_header: String,
    pub credential_prefix: String,
    pub credential_value: String,
    pub assertion: bool,
    pub connect_timeout: String,
    pub first_byte_timeout: String,
    pub idle_timeout: String,
    pub command: String,
    pub environment: String,
    pub working_directory: String,
    #[serde(with = "ModeName")]
    pub mode: ChildMode,
    pub max_children: String,
    pub idle: String,
    pub proxied_url: String,
    pub users: String,
    pub groups: String,
    pub scopes: String,
    pub most: String,
}

#[derive(Deserialize)]
#[serde(remote = "ChildMode", rename_all = "kebab-case")]
enum ModeName {
    PerUser,
    Shared,
    PerSession,
}

/// Not what may be secret.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Default for Fields {
    fn default() -> Self {
        let nothing = ServerDescription::new(ServerName::parse("x").expect("a name"), ServerSource::Dashboard);
        Self { name: String::new(), ..Self::of(&nothing, String::new()) }
    }
}

/// The secrets that a form carries, sealed.
#[derive(Default, Serialize, Deserialize)]
pub struct Secrets {
    by: Option<UserId>,
    url: Option<String>,
    credential: Option<String>,
    environment: BTreeMap<String, String>,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let texts = [self.url.take(), self.credential.take()].into_iter().flatten();
        for text in texts.chain(std::mem::take(&mut self.environment).into_values()) {
            drop(Secret::new(text));
        }
    }
}

impl Secrets {
    /// Those of a description.
    pub fn of(description: &ServerDescription) -> Self {
        let open = |secret: &Secret<String>| Some(secret.expose().clone()).filter(|text| !text.is_empty());
        let known = description.credential.as_ref().and_then(|credential| match &credential.value {
            CredentialValue::Known(value) => open(value),
            CredentialValue::PerUser => None,
        });
        let environment = description.environment.iter();
        Self {
            by: None,
            url: description.url.as_ref().and_then(open),
            credential: known,
            environment: environment.filter_map(|(name, value)| Some((name.clone(), open(value)?))).collect(),
        }
    }

    /// Those that the form carries for this admin.
    fn opened(state: &WebState, kept: &str, by: UserId) -> Option<Self> {
        let app = &state.app;
        app.sealer().open::<Self>(Purpose::EnteredSecret, kept, app.now()).ok().filter(|kept| kept.by == Some(by))
    }
}

impl Fields {
    /// The fields of a server that there is.
    pub fn of(description: &ServerDescription, edition: String) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let kind = match (&description.proxied_url, description.command.is_empty()) {
            (Some(_), _) => Kind::Proxied,
            (None, true) => Kind::Url,
            (None, false) => Kind::Command,
        };
        let credential = description.credential.as_ref();
        let whose = credential.map_or(Whose::Nobody, |credential| match credential.value {
            CredentialValue::Known(_) => Whose::Shared,
            CredentialValue::PerUser => Whose::Own,
        });
        Self {
            edition,
            then: String::new(),
            kept: String::new(),
            name: description.name.to_string(),
            title: text(&description.title),
            path: text(&description.path),
            kind,
            url: description.url.as_ref().map(|url| url.expose().clone()).unwrap_or_default(),
            whose,
            credential_header: credential
                .map_or_else(|| "Authorization".to_owned(), |credential| credential.header.clone()),
            credential_prefix: credential
                .map_or_else(|| "Bearer ".to_owned(), |credential| credential.prefix.expose().clone()),
            credential_value: String::new(),
            assertion: description.assertion,
            connect_timeout: description.connect_timeout.to_string(),
            first_byte_timeout: description.first_byte_timeout.to_string(),
            idle_timeout: description.idle_timeout.to_string(),
            command: description.command.join("\n"),
            environment: description.environment.keys().map(|name| format!("{name}=")).collect::<Vec<_>>().join("\n"),
            working_directory: description
                .working_directory
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default(),
            mode: description.mode,
            max_children: description.max_children.to_string(),
            idle: description.idle.to_string(),
            proxied_url: text(&description.proxied_url),
            users: description.users.as_ref().map(|users| users.join("\n")).unwrap_or_default(),
            groups: description.groups.as_ref().map(|groups| groups.join("\n")).unwrap_or_default(),
            scopes: lists::show_lists(&description.scopes),
            most: lists::show_lists(&description.most),
        }
    }

    /// What is said in the fields, with what was entered `before` where a secret is left out.
    pub fn read(&self, name: ServerName, before: &Secrets) -> Result<ServerDescription, Problems> {
        let mut problems = Problems::default();
        let mut note = |part: &'static str, why: String| drop(problems.0.insert(part, why));
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut said = ServerDescription {
            title: given(&self.title),
            users: lists::names(&self.users),
            groups: lists::names(&self.groups),
            ..ServerDescription::new(name, ServerSource::Dashboard)
        };
        let mut span = |part: &'static str, text: &str, default: Span| match text.trim() {
            "" => default,
            text => text.parse().unwrap_or_else(|_| {
                note(part, "Write it as 30s, 5m or 1h.".to_owned());
                default
            }),
        };
        match self.kind {
            Kind::Url => {
                said.connect_timeout = span("connect_timeout", &self.connect_timeout, said.connect_timeout);
                said.first_byte_timeout = span("first_byte_timeout", &self.first_byte_timeout, said.first_byte_timeout);
                said.idle_timeout = span("idle_timeout", &self.idle_timeout, said.idle_timeout);
                let url = given(&self.url).or_else(|| before.url.clone());
                if url.is_none() {
                    note("url", "Say where the server is, such as http://127.0.0.1:9000/mcp.".to_owned());
                }
                said.url = url.map(Secret::new);
                said.assertion = self.assertion;
                let value = match self.whose {
                    Whose::Nobody => None,
                    Whose::Own => Some(CredentialValue::PerUser),
                    Whose::Shared => {
                        let value = given(&self.credential_value).or_else(|| before.credential.clone());
                        if value.is_none() {
                            note("credential", "Enter the value.".to_owned());
                        }
                        Some(CredentialValue::Known(Secret::new(value.unwrap_or_default())))
                    }
                };
                said.credential = value.map(|value| CredentialDescription {
                    header: self.credential_header.trim().to_owned(),
                    prefix: Secret::new(self.credential_prefix.clone()),
                    value,
                });
            }
            Kind::Command => {
                said.idle = span("idle", &self.idle, said.idle);
                said.command = lists::command(&self.command);
                if said.command.is_empty() {
                    note("command", "Enter the program, and each of its arguments on a line of its own.".to_owned());
                }
                match lists::environment(&self.environment) {
                    Ok(environment) => said.environment = environment,
                    Err(why) => note("environment", why),
                }
                for (name, value) in &mut said.environment {
                    if let Some(kept) = before.environment.get(name).filter(|_| value.expose().is_empty()) {
                        *value = Secret::new(kept.clone());
                    }
                }
                said.working_directory = given(&self.working_directory).map(PathBuf::from);
                said.mode = self.mode;
                match self.max_children.trim().parse() {
                    Ok(most) => said.max_children = most,
                    Err(_) => note("max_children", "Enter a number.".to_owned()),
                }
            }
            Kind::Proxied => {
                said.proxied_url = given(&self.proxied_url);
                if said.proxied_url.is_none() {
                    let why = "Say at which URL clients reach the server, such as https://tools.example.org/mcp.";
                    note("proxied_url", why.to_owned());
                }
            }
        }
        if self.kind != Kind::Proxied {
            said.path = given(&self.path);
            match lists::lists(&self.scopes) {
                Ok(scopes) => said.scopes = scopes,
                Err(why) => note("scopes", why),
            }
            match lists::lists(&self.most) {
                Ok(most) => said.most = most,
                Err(why) => note("most", why),
            }
        }
        if problems.is_empty() { Ok(said) } else { Err(problems) }
    }

    /// Whether the connection is to be tried, and nothing saved.
    pub fn is_test(&self) -> bool {
        self.then == "test"
    }

    /// What was entered before: in this form, or what `stored` says.
    pub fn before(&self, state: &WebState, by: UserId, stored: Option<&ServerDescription>) -> Secrets {
        let mut before = stored.map(Secrets::of).unwrap_or_default();
        if let Some(mut kept) = Secrets::opened(state, &self.kept, by) {
            before.url = kept.url.take().or_else(|| before.url.take());
            before.credential = kept.credential.take().or_else(|| before.credential.take());
            before.environment.append(&mut kept.environment);
        }
        before
    }

    /// The fields as they are shown again: secrets are sealed into the form, on top of those that it had.
    fn shown(mut self, state: &WebState, by: UserId, mut before: Secrets) -> (Self, Kept) {
        if !self.url.trim().is_empty() {
            before.url = Some(self.url.trim().to_owned());
        }
        let value = std::mem::take(&mut self.credential_value);
        if !value.is_empty() {
            before.credential = Some(value);
        }
        if let Ok(environment) = lists::environment(&self.environment) {
            let entered = environment.iter().filter(|(_, value)| !value.expose().is_empty());
            before.environment.extend(entered.map(|(name, value)| (name.clone(), value.expose().clone())));
            self.environment = environment.keys().map(|name| format!("{name}=")).collect::<Vec<_>>().join("\n");
        }
        let hides_url = before.url.as_ref().is_some_and(|url| url.contains('?'));
        if hides_url {
            self.url = String::new();
        } else {
            self.url = before.url.clone().unwrap_or_default();
        }
        let has = Kept { url: hides_url, credential: before.credential.is_some() };
        before.by = Some(by);
        self.kept = state.app.sealer().seal(Purpose::EnteredSecret, &before, state.app.now(), KEPT_FOR);
        (self, has)
    }

    /// The page with these fields.
    pub fn view(
        self,
        state: &WebState,
        admin: &SignedIn,
        changes: Option<String>,
        before: Secrets,
        problems: Problems,
        test: Option<TestResult>,
    ) -> ServerFormView {
        let (fields, has) = self.shown(state, admin.user.id, before);
        ServerFormView {
            frame: Frame::new(state, admin, Done(None)),
            commands: state.app.options().dashboard_commands || fields.kind == Kind::Command,
            changes,
            fields,
            has,
            problems,
            test,
        }
    }
}

#[cfg(test)]
impl ServerFormView {
    pub(crate) fn sample_new() -> Self {
        let (fields, has) = (Fields::default(), Kept::default());
        let (frame, problems) = (Frame::sample(), Problems::default());
        Self { frame, changes: None, fields, has, problems, test: None, commands: false }
    }

    pub(crate) fn sample_refused() -> Self {
        let fields = Fields {
            name: "Files".to_owned(),
            title: "Files <script>".to_owned(),
            url: "unix:/run/mcp.sock".to_owned(),
            whose: Whose::Shared,
            idle_timeout: "0s".to_owned(),
            ..Fields::default()
        };
        let mut problems = Problems::of("url", "Only http:// and https:// can be forwarded to.".to_owned());
        for (part, why) in [
            ("name", "A server’s name has 1 to 63 characters: small letters, digits and hyphens."),
            ("", "There are 200 servers, which is the most. Remove one first."),
            ("credential", "Enter the value."),
            ("idle_timeout", "Must be 1s to 1d."),
            ("users", "“an na” is no user name."),
        ] {
            problems.0.insert(part, why.to_owned());
        }
        Self { fields, problems, commands: true, ..Self::sample_new() }
    }

    pub(crate) fn sample_tested() -> Self {
        let fields =
            Fields { name: "files".to_owned(), url: "http://127.0.0.1:9000/mcp".to_owned(), ..Fields::default() };
        Self { fields, test: Some(TestResult::sample_good()), ..Self::sample_new() }
    }

    pub(crate) fn sample_edit() -> Self {
        let fields = Fields {
            name: "git".to_owned(),
            kind: Kind::Command,
            command: "uvx\nmcp-server-git".to_owned(),
            environment: "TOKEN=".to_owned(),
            scopes: "git:write = git_commit, git_add".to_owned(),
            ..Fields::default()
        };
        let has = Kept { url: true, credential: true };
        let test = Some(TestResult::sample_bad());
        Self { changes: Some("Git".to_owned()), fields, has, test, commands: true, ..Self::sample_new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        serde_html_form::from_str(text).unwrap()
    }

    fn name() -> ServerName {
        ServerName::parse("files").unwrap()
    }

    #[test]
    fn a_name_and_a_url_are_enough() {
        let said = fields("name=files&url=http%3A%2F%2Fh%2Fmcp").read(name(), &Secrets::default()).unwrap();
        assert_eq!(said.url.unwrap().expose(), "http://h/mcp");
        assert!(said.title.is_none() && said.credential.is_none() && said.users.is_none() && said.scopes.is_empty());
        assert_eq!(said.idle_timeout, Span::minutes(5));
    }

    #[test]
    fn only_what_belongs_to_the_kind_is_read() {
        let all = "url=http%3A%2F%2Fh&command=uvx&environment=A%3D1&proxied_url=https%3A%2F%2Ft&path=%2Fmcp%2Fx\
                   &assertion=true&whose=own&scopes=a%3Db";
        let said = fields(&format!("kind=command&{all}")).read(name(), &Secrets::default()).unwrap();
        assert!(said.url.is_none() && said.proxied_url.is_none() && said.credential.is_none() && !said.assertion);
        assert_eq!((said.command.as_slice(), said.environment.len()), (&["uvx".to_owned()][..], 1));
        let said = fields(&format!("kind=proxied&{all}")).read(name(), &Secrets::default()).unwrap();
        assert!(said.url.is_none() && said.command.is_empty() && said.path.is_none() && said.scopes.is_empty());
        let said = fields(&format!("kind=url&{all}")).read(name(), &Secrets::default()).unwrap();
        assert!(said.command.is_empty() && said.environment.is_empty() && said.assertion);
        assert!(matches!(said.credential.unwrap().value, CredentialValue::PerUser));
    }

    #[test]
    fn a_secret_that_is_left_out_stays_as_it_was() {
        let before = || Secrets {
            url: Some("http://h?key=1".to_owned()),
            credential: Some("hunter2".to_owned()),
            environment: [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())].into(),
            by: None,
        };
        let said = fields("whose=shared&credential_header=X-Key&credential_prefix=").read(name(), &before()).unwrap();
        let CredentialValue::Known(value) = said.credential.unwrap().value else { panic!() };
        assert_eq!((value.expose().as_str(), said.url.unwrap().expose().as_str()), ("hunter2", "http://h?key=1"));
        let said = fields("kind=command&command=x&environment=A%3D%0AC%3D3").read(name(), &before()).unwrap();
        let environment: Vec<_> =
            said.environment.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(environment, [("A", &"1".to_owned()), ("C", &"3".to_owned())], "a line that is gone is gone");
        let said = fields("whose=nobody&url=http%3A%2F%2Fother").read(name(), &before()).unwrap();
        assert!(said.credential.is_none() && said.url.unwrap().expose() == "http://other");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_nothing_secret_is_printed() {
        let form = fields("url=&whose=shared&credential_value=&idle_timeout=soon&scopes=x&most=y");
        let problems = form.read(name(), &Secrets::default()).unwrap_err();
        for part in ["url", "credential", "idle_timeout", "scopes", "most"] {
            assert!(problems.get(part).is_some(), "{part}");
        }
        let form = fields("credential_value=hunter2&url=http%3A%2F%2Fh%3Fkey%3Dhunter2&environment=A%3Dhunter2");
        assert!(!format!("{form:?}").contains("hunter2"));
    }
}
