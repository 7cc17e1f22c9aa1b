//! What does a browser see that opens an MCP URL? How to connect each client to it.

use crate::access::GuardedServer;
use crate::web::page::Page;
use crate::wire::{paths, snippets, snippets::Snippet};
use askama::Template;
use axum::response::{IntoResponse, Response};

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

/// The page of one server. It says nothing that the server's metadata does not say to everybody.
pub fn page(server: &GuardedServer) -> Response {
    let server_url = server.resource.as_str().to_owned();
    let guides = snippets::with_sign_in(server.name.as_str(), &server_url);
    Page::new(ConnectView { server_title: server.title.clone(), server_url, guides }).into_response()
}

#[cfg(test)]
impl ConnectView {
    pub(crate) fn sample() -> Self {
        let server_url = "https://mcp.example.org/mcp/notes".to_owned();
        let guides = snippets::with_sign_in("notes", &server_url);
        Self { server_title: "Notes".to_owned(), server_url, guides }
    }
}
