//! How does a person keep the account safe? Changes the password, signs out everywhere.

use crate::web::dashboard::Frame;
use crate::wire::paths;
use askama::Template;

/// `GET /dashboard/security`, and a refused `POST /dashboard/security/password`.
///
/// One form sends `form_token`, `current_password`, `new_password` and `new_password_again` to
/// `/dashboard/security/password`; the other sends `form_token` to `/dashboard/security/sign-out-everywhere`.
#[derive(Debug, Template)]
#[template(path = "dashboard/security.html")]
pub struct SecurityView {
    /// Around the page.
    pub frame: Frame,
    /// The fewest and the most characters of a password.
    pub password_length: (usize, usize),
    /// What is wrong with the current password, as a sentence.
    pub current_problem: Option<String>,
    /// What is wrong with the new one, as a sentence.
    pub new_problem: Option<String>,
    /// How many sessions the user has, this one included.
    pub sessions: usize,
}

#[cfg(test)]
impl SecurityView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            password_length: (8, 128),
            current_problem: None,
            new_problem: None,
            sessions: 3,
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            current_problem: Some("This is not your current password.".to_owned()),
            new_problem: Some("This password is on the list of the most common ones. Choose another.".to_owned()),
            sessions: 1,
            ..Self::sample()
        }
    }
}
