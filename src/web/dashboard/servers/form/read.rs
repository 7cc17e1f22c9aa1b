//! What do the fields of the form say about a server, and what is wrong with them?

use super::super::lists;
use super::{Fields, Kind, Secrets, Whose};
use crate::access::{CredentialDescription, CredentialValue, ServerDescription, ServerName, ServerSource};
use crate::clock::Span;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is wrong with which field, as sentences.
#[derive(Debug, Clone, Default)]
pub struct Problems(BTreeMap<&'static str, String>);

impl Problems {
    /// One.
    pub fn of(part: &'static str, sentence: String) -> Self {
        Self(BTreeMap::from([(part, sentence)]))
    }

    /// Adds one; of several with one field the last is told.
    pub(super) fn note(&mut self, part: &'static str, sentence: String) {
        self.0.insert(part, sentence);
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

impl Fields {
    /// What is said in the fields, with what was entered `before` where a secret is left out.
    pub fn read(&self, name: ServerName, before: &Secrets) -> Result<ServerDescription, Problems> {
        let mut problems = Problems::default();
        let mut note = |part, why| problems.note(part, why);
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
