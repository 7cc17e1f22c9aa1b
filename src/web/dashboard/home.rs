//! What does a person see first? The address to paste into a client, and how things stand.

use crate::web::dashboard::Frame;
use crate::wire::{paths, snippets::Snippet};
use askama::Template;

/// `GET /dashboard`.
#[derive(Debug, Template)]
#[template(path = "dashboard/home.html")]
pub struct HomeView {
    /// Around the page.
    pub frame: Frame,
    /// Those that the user may reach.
    pub servers: Vec<ServerCard>,
    /// Personal tokens that work now.
    pub personal_tokens: usize,
    /// Of these, how many expire within 14 days.
    pub expiring_soon: usize,
    /// Connected apps.
    pub connections: usize,
}

/// One guarded server.
#[derive(Debug, Clone)]
pub struct ServerCard {
    /// Its name, unique on the page.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What to paste into a client.
    pub url: String,
    /// How each client connects by signing in: [`crate::wire::snippets::with_sign_in`].
    pub guides: Vec<Snippet>,
}

#[cfg(test)]
impl HomeView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            servers: vec![
                ServerCard::sample("keyward", "Keyward", "https://mcp.example.org/mcp"),
                ServerCard::sample("notes", "Notes & <drafts>", "https://mcp.example.org/mcp/notes"),
            ],
            personal_tokens: 4,
            expiring_soon: 2,
            connections: 3,
        }
    }

    pub(crate) fn sample_empty() -> Self {
        let frame = Frame { is_admin: false, notice: Some("Your password is changed.".to_owned()), ..Frame::sample() };
        Self { frame, servers: Vec::new(), personal_tokens: 0, expiring_soon: 0, connections: 0 }
    }
}

#[cfg(test)]
impl ServerCard {
    fn sample(name: &str, title: &str, url: &str) -> Self {
        let guides = crate::wire::snippets::with_sign_in(name, url);
        Self { name: name.to_owned(), title: title.to_owned(), url: url.to_owned(), guides }
    }
}
