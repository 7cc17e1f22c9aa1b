//! What does a browser see that opens an MCP URL? How to connect each client to it.

use crate::wire::{paths, snippets::Snippet};
use askama::Template;

/// `GET` of a server's URL by a browser.
#[derive(Debug, Template)]
#[template(path = "connect.html")]
pub struct ConnectView {
    /// Title of the server.
    pub server_title: String,
    /// Its address.
    pub server_url: String,
    /// [`crate::wire::snippets::with_sign_in`].
    pub guides: Vec<Snippet>,
}

#[cfg(test)]
impl ConnectView {
    pub(crate) fn sample() -> Self {
        let server_url = "https://mcp.example.org/mcp/notes".to_owned();
        let guides = crate::wire::snippets::with_sign_in("notes", &server_url);
        Self { server_title: "Notes".to_owned(), server_url, guides }
    }
}
