//! How does a client find its way? The two discovery documents: of this authorization server (RFC 8414 §2, with RFC 9207 §3
//! and the client ID metadata document draft) and of one protected resource (RFC 9728 §2).
//!
//! Invariants: `issuer` is the one [`Issuer`], byte for byte; every URL hangs below it; nothing is advertised that the
//! server does not do, because clients act on it (a client that reads `client_id_metadata_document_supported` does not
//! register any more, and one that reads of `iss` refuses an answer without it). There is no `openid-configuration`.

use super::client::{AuthMethod, GrantType};
use super::client_keys::SigningAlgorithm;
use super::issuer::Issuer;
use super::pkce;
use super::resource::ResourceUri;
use super::scope::{self, ScopeSet};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is put before the path of a resource to get the path of its document (RFC 9728 §3.1).
pub const RESOURCE_WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The paths of the endpoints, each beginning with a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints<'a> {
    /// Authorization endpoint.
    pub authorize: &'a str,
    /// Token endpoint.
    pub token: &'a str,
    /// Registration endpoint; `None` while dynamic registration is switched off.
    pub register: Option<&'a str>,
    /// Revocation endpoint.
    pub revoke: &'a str,
    /// Introspection endpoint.
    pub introspect: &'a str,
    /// Public signing keys.
    pub jwks: &'a str,
}

/// The authorization server's metadata (RFC 8414 §2). Serialises to the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorizationServerMetadata {
    issuer: Issuer,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    revocation_endpoint: String,
    introspection_endpoint: String,
    jwks_uri: String,
    scopes_supported: Vec<String>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    code_challenge_methods_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 4],
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    revocation_endpoint_auth_methods_supported: [&'static str; 4],
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    client_id_metadata_document_supported: bool,
    authorization_response_iss_parameter_supported: bool,
}

impl AuthorizationServerMetadata {
    /// The document of `issuer` with these endpoints and the scopes of all its servers, in any order; `mcp` and
    /// `offline_access` are always among them. `client_documents` says whether a client may be known by the URL of its
    /// metadata document.
    pub fn new<'a>(
        issuer: &Issuer,
        endpoints: &Endpoints<'_>,
        scopes: impl IntoIterator<Item = &'a str>,
        client_documents: bool,
    ) -> Self {
        let first = [scope::MCP, scope::OFFLINE_ACCESS];
        let others: BTreeSet<_> = scopes.into_iter().filter(|name| !first.contains(name)).collect();
        let methods = AuthMethod::ALL.map(AuthMethod::as_str);
        let [_, with_proof @ ..] = methods;
        Self {
            issuer: issuer.clone(),
            authorization_endpoint: issuer.join(endpoints.authorize),
            token_endpoint: issuer.join(endpoints.token),
            registration_endpoint: endpoints.register.map(|path| issuer.join(path)),
            revocation_endpoint: issuer.join(endpoints.revoke),
            introspection_endpoint: issuer.join(endpoints.introspect),
            jwks_uri: issuer.join(endpoints.jwks),
            scopes_supported: first.into_iter().chain(others).map(str::to_owned).collect(),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: GrantType::ALL.map(GrantType::as_str),
            code_challenge_methods_supported: [pkce::METHOD],
            token_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: SigningAlgorithm::NAMES,
            revocation_endpoint_auth_methods_supported: methods,
            revocation_endpoint_auth_signing_alg_values_supported: SigningAlgorithm::NAMES,
            introspection_endpoint_auth_methods_supported: with_proof,
            introspection_endpoint_auth_signing_alg_values_supported: SigningAlgorithm::NAMES,
            client_id_metadata_document_supported: client_documents,
            authorization_response_iss_parameter_supported: true,
        }
    }
}

/// A protected resource's metadata (RFC 9728 §2). Serialises to the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectedResourceMetadata {
    resource: ResourceUri,
    authorization_servers: [Issuer; 1],
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    resource_name: String,
}

impl ProtectedResourceMetadata {
    /// The document of `resource`, which people know as `name`. Clients ask for all of its `scopes` if nothing tells them
    /// better, so give few; `offline_access` is left out, since it says nothing about a resource (MCP SEP-2207).
    pub fn new(issuer: &Issuer, resource: &ResourceUri, name: &str, scopes: &ScopeSet) -> Self {
        Self {
            resource: resource.clone(),
            authorization_servers: [issuer.clone()],
            scopes_supported: scopes.without(scope::OFFLINE_ACCESS).iter().map(str::to_owned).collect(),
            bearer_methods_supported: ["header"],
            resource_name: name.to_owned(),
        }
    }
}

/// The URL of a resource's metadata document (RFC 9728 §3.1): the well-known path stands between its host and its path.
pub fn resource_metadata_url(resource: &ResourceUri) -> String {
    let (origin, text) = (resource.origin(), resource.as_str());
    format!("{origin}{RESOURCE_WELL_KNOWN}{}", &text[origin.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINTS: Endpoints<'_> = Endpoints {
        authorize: "/authorize",
        token: "/token",
        register: Some("/register"),
        revoke: "/revoke",
        introspect: "/introspect",
        jwks: "/.well-known/jwks.json",
    };

    fn issuer() -> Issuer {
        Issuer::parse("https://mcp.example/").unwrap()
    }

    #[test]
    fn the_authorization_server_document() {
        let document = AuthorizationServerMetadata::new(&issuer(), &ENDPOINTS, ["mcp", "mcp"], true);
        let expected = serde_json::json!({
            "issuer": "https://mcp.example",
            "authorization_endpoint": "https://mcp.example/authorize",
            "token_endpoint": "https://mcp.example/token",
            "registration_endpoint": "https://mcp.example/register",
            "revocation_endpoint": "https://mcp.example/revoke",
            "introspection_endpoint": "https://mcp.example/introspect",
            "jwks_uri": "https://mcp.example/.well-known/jwks.json",
            "scopes_supported": ["mcp", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported":
                ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256", "EdDSA", "Ed25519"],
            "revocation_endpoint_auth_methods_supported":
                ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
            "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256", "EdDSA", "Ed25519"],
            "introspection_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256", "EdDSA", "Ed25519"],
            "client_id_metadata_document_supported": true,
            "authorization_response_iss_parameter_supported": true,
        });
        assert_eq!(serde_json::to_value(&document).unwrap(), expected);
    }

    #[test]
    fn what_is_switched_off_is_not_advertised() {
        let endpoints = Endpoints { register: None, ..ENDPOINTS };
        let scopes = ["mcp", "mcp:read", "offline_access", "files:read", "mcp:read"];
        let document = AuthorizationServerMetadata::new(&issuer(), &endpoints, scopes, false);
        let document = serde_json::to_value(&document).unwrap();
        assert_eq!(document.get("registration_endpoint"), None);
        assert_eq!(document["client_id_metadata_document_supported"], false);
        assert_eq!(
            document["scopes_supported"],
            serde_json::json!(["mcp", "offline_access", "files:read", "mcp:read"])
        );
    }

    #[test]
    fn a_resource_document() {
        let resource = ResourceUri::parse("https://mcp.example/mcp/files").unwrap();
        let scopes = ScopeSet::parse("mcp offline_access").unwrap();
        let document = ProtectedResourceMetadata::new(&issuer(), &resource, "Files", &scopes);
        let expected = serde_json::json!({
            "resource": "https://mcp.example/mcp/files",
            "authorization_servers": ["https://mcp.example"],
            "scopes_supported": ["mcp"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Files",
        });
        assert_eq!(serde_json::to_value(&document).unwrap(), expected);
    }

    #[test]
    fn the_well_known_path_is_inserted_before_the_resources_own() {
        for (resource, url) in [
            ("https://h/public/mcp", "https://h/.well-known/oauth-protected-resource/public/mcp"),
            ("https://h", "https://h/.well-known/oauth-protected-resource"),
            ("http://[::1]:3000/mcp", "http://[::1]:3000/.well-known/oauth-protected-resource/mcp"),
            ("https://h/mcp?a=/b", "https://h/.well-known/oauth-protected-resource/mcp?a=/b"),
            ("https://h?a=/b", "https://h/.well-known/oauth-protected-resource?a=/b"),
        ] {
            assert_eq!(resource_metadata_url(&ResourceUri::parse(resource).unwrap()), url);
        }
    }
}
