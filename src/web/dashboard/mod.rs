//! The pages behind sign-in. Each view holds a [`Frame`]: what stands around the page.

pub mod home;
pub mod personal_tokens;
pub mod connections;
pub mod signing_keys;
pub mod clients;
pub mod security;

use crate::web::when::When;

/// What stands around every page of the dashboard.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Who is signed in.
    pub username: String,
    /// Whether the pages for admins are shown in the navigation.
    pub is_admin: bool,
    /// Of the session; every form sends it as `form_token`.
    pub form_token: String,
    /// What was just done, as a full sentence.
    pub notice: Option<String>,
}

/// The latest use of a token or connection.
#[derive(Debug, Clone)]
pub struct LastUsed {
    /// When.
    pub at: When,
    /// From which address.
    pub address: String,
    /// With which client, as it calls itself; may be empty.
    pub client: String,
}

/// Who says that a client is what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// This host publishes the client's metadata document.
    ByHost(String),
    /// An admin registered it here.
    ByAdmin,
    /// Nobody: it registered itself (RFC 7591).
    Nobody,
}

#[cfg(test)]
impl Frame {
    pub(crate) fn sample() -> Self {
        Self { username: "ada".to_owned(), is_admin: true, form_token: "v4.local.sample".to_owned(), notice: None }
    }
}

#[cfg(test)]
impl LastUsed {
    pub(crate) fn sample() -> Self {
        Self { at: When::sample(-180), address: "203.0.113.7".to_owned(), client: "claude-code/2.1.4 (cli)".to_owned() }
    }
}
