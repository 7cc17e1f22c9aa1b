//! A person at a browser: keeps cookies, follows redirects within the appliance, fills in the forms that pages show.

use super::appliance::{ADMIN, Answer, Appliance, PASSWORD};
use super::html::{Form, post_forms};
use axum::http::header::SET_COOKIE;
use std::collections::BTreeMap;

/// A browser with its cookies.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
}

const ACCEPT: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

impl Browser {
    /// A browser that has never been here.
    pub fn new() -> Self {
        Self::default()
    }

    /// One in which the admin is signed in.
    pub async fn signed_in(appliance: &Appliance) -> Self {
        let mut browser = Self::new();
        let answer = browser.sign_in(appliance, ADMIN, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// Opens the login page and sends it filled in.
    pub async fn sign_in(&mut self, appliance: &Appliance, name: &str, password: &str) -> Answer {
        let page = self.get(appliance, "/login").await;
        self.submit(appliance, &page, "/login", &[("username", name), ("password", password)]).await
    }

    /// Proves again who is there, before anything asks for it.
    pub async fn prove_again(&mut self, appliance: &Appliance) -> Answer {
        let page = self.get(appliance, "/confirm").await.expect(200);
        self.submit(appliance, &page, "/confirm", &[("password", PASSWORD)]).await.expect(303)
    }

    /// `GET` without following anything.
    pub async fn get(&mut self, appliance: &Appliance, path: &str) -> Answer {
        let cookies = self.cookie_header();
        let answer = appliance.get(path, &[ACCEPT, ("cookie", &cookies), ("sec-fetch-site", "none")]).await;
        self.take_cookies(&answer);
        answer
    }

    /// `GET`, following redirects as long as they stay here. The path that was reached last comes along.
    pub async fn visit(&mut self, appliance: &Appliance, path: &str) -> (String, Answer) {
        let mut path = path.to_owned();
        for _ in 0..10 {
            let answer = self.get(appliance, &path).await;
            let next = answer.location().strip_prefix(appliance.issuer()).unwrap_or(answer.location()).to_owned();
            if !answer.status.is_redirection() || !next.starts_with('/') {
                return (path, answer);
            }
            path = next;
        }
        panic!("too many redirects, the last to {path}");
    }

    /// Sends the one form of `page` that posts to `action`, with these fields changed or added.
    pub async fn submit(
        &mut self,
        appliance: &Appliance,
        page: &Answer,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let form = Self::form(page, action);
        self.send(appliance, action, &form, fields).await
    }

    /// The form of `page` that posts to `action`.
    #[track_caller]
    pub fn form(page: &Answer, action: &str) -> Form {
        let forms = post_forms(&page.body);
        let ours = forms.iter().find(|form| form.action.as_deref() == Some(action));
        ours.unwrap_or_else(|| panic!("no form for {action}: {forms:?} in {} {}", page.status, page.body)).clone()
    }

    /// Sends a form with these fields changed or added.
    pub async fn send(&mut self, appliance: &Appliance, path: &str, form: &Form, fields: &[(&str, &str)]) -> Answer {
        let kept = form.fields.iter().filter(|(name, _)| !fields.iter().any(|(changed, _)| changed == name));
        let mut all: Vec<(&str, &str)> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend_from_slice(fields);
        let cookies = self.cookie_header();
        let origin = appliance.issuer().to_owned();
        let headers = [ACCEPT, ("cookie", cookies.as_str()), ("origin", &origin), ("sec-fetch-site", "same-origin")];
        let answer = appliance.post_form(path, &all, &headers).await;
        self.take_cookies(&answer);
        answer
    }

    /// The `Cookie` header.
    pub fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn take_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() || cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
