//! How do the clients that everybody uses come in? What they send first, how they make themselves known, and where they
//! want the browser to go afterwards, as they did in September 2026.

use crate::oauth::client_document::ClientDocument;
use crate::oauth::document_url::DocumentUrl;
use crate::oauth::known_clients::KnownClient;
use serde_json::{Value, json};

/// A client as it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedClient {
    /// Its name.
    pub name: &'static str,
    /// Whether it connects from its vendor's machines and not from the person's.
    pub from_the_internet: bool,
    /// The URL of its metadata document, if it has one.
    pub document: Option<&'static str>,
    /// Where it wants the browser to go when it registers itself.
    redirects: &'static [&'static str],
    /// Which revision of MCP it asks for first.
    pub protocol: &'static str,
}

/// The clients that are tried.
pub const CLIENTS: [CheckedClient; 4] = [
    CheckedClient {
        name: "Claude",
        from_the_internet: true,
        document: Some("https://claude.ai/oauth/mcp-oauth-client-metadata"),
        redirects: &["https://claude.ai/api/mcp/auth_callback"],
        protocol: "2025-11-25",
    },
    CheckedClient {
        name: "ChatGPT",
        from_the_internet: true,
        document: Some("https://chatgpt.com/oauth/client.json"),
        redirects: &["https://chatgpt.com/connector_platform_oauth_redirect"],
        protocol: "2025-06-18",
    },
    CheckedClient {
        name: "VS Code",
        from_the_internet: false,
        document: Some("https://vscode.dev/oauth/client-metadata.json"),
        redirects: &["http://127.0.0.1:33418/", "https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect"],
        protocol: "2025-11-25",
    },
    CheckedClient {
        name: "Cursor",
        from_the_internet: false,
        document: None,
        redirects: &[
            "http://localhost:8787/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ],
        protocol: "2025-06-18",
    },
];

impl CheckedClient {
    /// Its document as its vendor published it.
    pub fn known_document(&self) -> Option<ClientDocument> {
        let url = DocumentUrl::parse(self.document?).ok()?;
        KnownClient::find(&url).map(KnownClient::document)
    }

    /// What it sends to register itself (RFC 7591 §3.1).
    pub fn registration(&self) -> Value {
        json!({
            "client_name": format!("{} (check)", self.name),
            "redirect_uris": self.redirects,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        })
    }

    /// Where it wants the browser to go.
    pub fn redirect(&self) -> &'static str {
        self.redirects[0]
    }

    /// Its first message.
    pub fn first_message(&self) -> Value {
        json!({
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": self.protocol,
                "capabilities": {},
                "clientInfo": { "name": "keyward-check", "title": self.name, "version": env!("CARGO_PKG_VERSION") },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::redirect_uri::RedirectUri;

    #[test]
    fn every_client_comes_back_to_where_its_document_says() {
        for client in CLIENTS {
            let redirect = RedirectUri::parse(client.redirect()).unwrap();
            assert_eq!(client.known_document().is_some(), client.document.is_some(), "{}", client.name);
            if let Some(document) = client.known_document() {
                assert!(document.metadata().redirect_uris.contains(&redirect), "{}", client.name);
            }
        }
    }
}
