//! How does a person come in and go out? Set-up, login, logout.

use crate::wire::paths;
use askama::Template;

/// `GET /login`, and a refused `POST /login`. Sends `form_token`, `username`, `password` and `next`.
#[derive(Debug, Template)]
#[template(path = "sign_in/login.html")]
pub struct LoginView {
    /// Bound to the browser's anonymous cookie.
    pub form_token: String,
    /// What is written in the name field.
    pub username: String,
    /// Where to go after signing in: a path of this origin.
    pub next: String,
    /// The client on whose behalf the person came, as it calls itself.
    pub for_client: Option<String>,
    /// What was just done, as a sentence: "You are signed out."
    pub notice: Option<String>,
    /// Why the last attempt failed.
    pub problem: Option<LoginProblem>,
}

/// Why a person was not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginProblem {
    /// Name and password do not belong together.
    Wrong,
    /// Too many attempts; the next one is looked at after so many seconds.
    SlowedDown {
        /// How long to wait.
        seconds: u64,
    },
    /// The page was open too long, or cookies are off.
    Stale,
}

/// `GET /setup?secret=…`, and a refused `POST /setup`. Sends `form_token`, `secret`, `username`, `password` and
/// `password_again`.
#[derive(Template)]
#[template(path = "sign_in/set_up.html")]
pub struct SetUpView {
    /// Bound to the browser's anonymous cookie.
    pub form_token: String,
    /// The one-time secret of the link.
    pub secret: String,
    /// What is written in the name field.
    pub username: String,
    /// What is wrong with it, as a sentence.
    pub username_problem: Option<String>,
    /// What is wrong with the password, as a sentence.
    pub password_problem: Option<String>,
    /// The fewest and the most characters of a password.
    pub password_length: (usize, usize),
}

/// `GET /logout`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "sign_in/logout.html")]
pub struct LogoutView {
    /// Bound to the session.
    pub form_token: String,
    /// Who is signed in.
    pub username: String,
}

#[cfg(test)]
impl LoginView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            username: String::new(),
            next: "/dashboard".to_owned(),
            for_client: None,
            notice: Some("You are signed out.".to_owned()),
            problem: None,
        }
    }

    pub(crate) fn sample_for_client(problem: LoginProblem) -> Self {
        Self {
            username: "ada\"><script>alert(1)</script>".to_owned(),
            next: "/authorize?client_id=a&state=b".to_owned(),
            for_client: Some("Claude Code".to_owned()),
            notice: None,
            problem: Some(problem),
            ..Self::sample()
        }
    }
}

#[cfg(test)]
impl SetUpView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            secret: format!("kwi_{}", "s".repeat(43)),
            username: String::new(),
            username_problem: None,
            password_problem: None,
            password_length: (8, 128),
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            username: "a b".to_owned(),
            username_problem: Some("A name has letters, digits, dots and hyphens only.".to_owned()),
            password_problem: Some("The two passwords differ.".to_owned()),
            ..Self::sample()
        }
    }
}

#[cfg(test)]
impl LogoutView {
    pub(crate) fn sample() -> Self {
        Self { form_token: "v4.local.sample".to_owned(), username: "ada".to_owned() }
    }
}
