//! Who are the clients that everybody uses, when their documents cannot be fetched? A built-in table of well-known
//! client metadata documents.
//!
//! Some vendors' edges refuse machines in data centres (anthropics/claude-ai-mcp#650, anthropics/claude-code#84263), and
//! some installations have no way out at all. Used only when a live fetch fails or is switched off, never instead of a
//! live document that came and was refused. Each entry is what the vendor published on its date, reduced to what Keyward
//! reads; Claude has its second callback besides, which the vendor asks servers to allow.

use super::client_document::ClientDocument;
use super::document_url::DocumentUrl;

/// A document as it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownClient {
    /// The client id.
    pub url: &'static str,
    /// The day on which the document was read, `YYYY-MM-DD`.
    pub as_of: &'static str,
    json: &'static str,
}

impl KnownClient {
    /// The built-in document of the client with exactly this id.
    pub fn find(url: &DocumentUrl) -> Option<&'static Self> {
        KNOWN_CLIENTS.iter().find(|known| known.url == url.as_str())
    }

    /// The document, checked like any other.
    pub fn document(&self) -> ClientDocument {
        let url = DocumentUrl::parse(self.url).expect("the URLs of the table are tested");
        ClientDocument::parse(&url, self.json.as_bytes()).expect("the documents of the table are tested")
    }
}

/// The table.
pub const KNOWN_CLIENTS: [KnownClient; 7] = [
    KnownClient {
        url: "https://claude.ai/oauth/mcp-oauth-client-metadata",
        as_of: "2026-09-24",
        json: r#"{
            "client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "client_name": "Claude",
            "client_uri": "https://claude.ai",
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none"
        }"#,
    },
    KnownClient {
        url: "https://claude.ai/oauth/claude-code-client-metadata",
        as_of: "2026-09-24",
        json: r#"{
            "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
            "client_name": "Claude Code",
            "client_uri": "https://claude.ai",
            "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none"
        }"#,
    },
    KnownClient {
        url: "https://vscode.dev/oauth/client-metadata.json",
        as_of: "2026-09-24",
        json: r#"{
            "client_id": "https://vscode.dev/oauth/client-metadata.json",
            "client_name": "Visual Studio Code",
            "client_uri": "https://vscode.dev/product",
            "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native"
        }"#,
    },
    KnownClient {
        url: "https://chatgpt.com/oauth/client.json",
        as_of: "2026-09-24",
        json: r#"{
            "client_id": "https://chatgpt.com/oauth/client.json",
            "client_name": "ChatGPT",
            "client_uri": "https://chatgpt.com/",
            "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "jwks_uri": "https://chatgpt.com/oauth/jwks.json"
        }"#,
    },
    KnownClient {
        url: "https://chatgpt.com/oauth/codex/client.json",
        as_of: "2026-09-24",
        json: r#"{
            "client_id": "https://chatgpt.com/oauth/codex/client.json",
            "client_name": "Codex",
            "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none"
        }"#,
    },
    KnownClient {
        url: "https://zed.dev/oauth/client-metadata.json",
        as_of: "2026-09-24",
        json: r#"{
            "client_id": "https://zed.dev/oauth/client-metadata.json",
            "client_name": "Zed",
            "client_uri": "https://zed.dev",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none"
        }"#,
    },
    KnownClient {
        url: "https://opencode.ai/oauth/opencode/client.json",
        as_of: "2026-09-24",
        json: r#"{
            "client_id": "https://opencode.ai/oauth/opencode/client.json",
            "client_name": "opencode",
            "client_uri": "https://opencode.ai",
            "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "token_endpoint_auth_methods_supported": ["none"],
            "application_type": "native"
        }"#,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::oauth::client::AuthMethod;
    use crate::oauth::redirect_uri::RedirectUri;

    fn find(url: &str) -> Option<&'static KnownClient> {
        KnownClient::find(&DocumentUrl::parse(url).unwrap())
    }

    #[test]
    fn every_built_in_document_is_sound_and_dated() {
        for known in &KNOWN_CLIENTS {
            assert_eq!(find(known.url), Some(known));
            let document = known.document();
            assert_eq!(document.id().as_str(), known.url);
            assert!(document.metadata().name.is_some());
            let date: Vec<u32> = known.as_of.split('-').map(|part| part.parse().unwrap()).collect();
            assert!(date.len() == 3 && date[0] >= 2026 && known.as_of.len() == 10, "{}", known.as_of);
        }
    }

    #[test]
    fn what_the_clients_send_is_allowed() {
        for (url, redirect) in [
            ("https://claude.ai/oauth/mcp-oauth-client-metadata", "https://claude.com/api/mcp/auth_callback"),
            ("https://claude.ai/oauth/claude-code-client-metadata", "http://localhost:51234/callback"),
            ("https://vscode.dev/oauth/client-metadata.json", "http://127.0.0.1:40000/"),
            ("https://chatgpt.com/oauth/client.json", "https://chatgpt.com/connector_platform_oauth_redirect"),
            ("https://chatgpt.com/oauth/codex/client.json", "http://127.0.0.1:1455/callback"),
            ("https://zed.dev/oauth/client-metadata.json", "http://127.0.0.1:49152/callback"),
            ("https://opencode.ai/oauth/opencode/client.json", "http://localhost:19876/callback"),
        ] {
            let client = find(url).unwrap().document().to_client(Timestamp::EPOCH);
            assert!(client.allows_redirect_to(&RedirectUri::parse(redirect).unwrap()), "{url} {redirect}");
            assert!(client.may_authenticate_with(AuthMethod::None), "{url}");
        }
    }

    #[test]
    fn only_the_exact_id_is_known() {
        assert_eq!(find("https://claude.ai/oauth/mcp-oauth-client-metadata/"), None);
        assert_eq!(find("https://claude.ai/oauth/mcp-oauth-client-metadata?x"), None);
        assert_eq!(find("https://chatgpt.com/oauth/abc/client.json"), None);
    }
}
