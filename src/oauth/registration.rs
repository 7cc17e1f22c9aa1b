//! How does a client register itself? OAuth 2.0 Dynamic Client Registration (RFC 7591) and the reading half of its
//! management protocol (RFC 7592).
//!
//! A body is read leniently ([`super::claimed_metadata`] says how), because many clients depend on it; what a client is
//! told back is everything that was kept. Registering the same public metadata again gives the same client: clients
//! register anew on every connection, so [`ClientMetadata::digest`] tells which ones are the same. The token that reads a
//! registration is derived from the client's id, so that it is the same every time and nothing has to be stored for it.

use super::claimed_metadata::{ClaimedMetadata, MetadataError};
use super::client::{ApplicationType, AuthMethod, Client, ClientId, ClientMetadata};
use super::issuer::Issuer;
use super::redirect_uri::RedirectUri;
use super::scope::ScopeSet;
use crate::secret::{MasterSecret, PlainToken, Secret, TokenDigest, hmac_sha256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Largest registration body, in bytes.
pub const MAX_REGISTRATION: usize = 64 * 1024;

/// Reads the body of a registration request of at most `limit` bytes, or [`MAX_REGISTRATION`] (RFC 7591 §3.1).
pub fn parse_registration(body: &[u8], limit: usize) -> Result<ClientMetadata, MetadataError> {
    const WANTED: MetadataError =
        MetadataError::AuthMethod("none, client_secret_basic, client_secret_post or private_key_jwt");
    let claimed = ClaimedMetadata::read(body, limit.min(MAX_REGISTRATION))?;
    let method = match &claimed.token_endpoint_auth_method {
        // RFC 7591 §2.
        None => AuthMethod::ClientSecretBasic,
        Some(name) => name.as_str().and_then(AuthMethod::from_name).ok_or(WANTED)?,
    };
    claimed.parse(&[method])
}

/// SHA-256 of a client's metadata in a canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct MetadataDigest([u8; 32]);

impl MetadataDigest {
    /// The digest with these bytes, as the store kept them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ClientMetadata {
    /// Tells metadata apart, except for what makes no difference: the order of the redirect URIs and their ports on
    /// loopback (many clients listen on another one each time).
    pub fn digest(&self) -> MetadataDigest {
        let mut canonical: Vec<String> =
            self.redirect_uris.iter().map(|uri| uri.without_loopback_port().into_owned()).collect();
        canonical.sort_unstable();
        canonical.dedup();
        // The redirect URIs stand in their own form; the rest as the store would see it, whatever fields are added.
        let rest = Self { redirect_uris: Vec::new(), ..self.clone() };
        let text = serde_json::to_vec(&(canonical, rest)).expect("metadata is plain data");
        MetadataDigest(Sha256::new().chain_update("keyward/metadata/1\0").chain_update(text).finalize().into())
    }
}

/// Makes and checks the tokens with which clients read their own registration (RFC 7592 §1.2).
#[derive(Debug)]
pub struct RegistrationAccess(Secret<[u8; 32]>);

impl RegistrationAccess {
    /// The maker of the installation with this master secret.
    pub fn new(master: &MasterSecret) -> Self {
        Self(master.derive("keyward/registration-access/1"))
    }

    /// The token for the client with this id.
    pub fn token(&self, client: &ClientId) -> Secret<String> {
        let mac = hmac_sha256(self.0.expose(), &[client.as_str().as_bytes()]);
        Secret::new(format!("kwg_{}", URL_SAFE_NO_PAD.encode(mac)))
    }

    /// Whether `presented` is that client's token; in constant time.
    pub fn admits(&self, client: &ClientId, presented: &str) -> bool {
        TokenDigest::of(self.token(client).expose()) == TokenDigest::of(presented)
    }
}

/// What a registered client is told (RFC 7591 §3.2.1, RFC 7592 §3). Serialises to the body; status 201 for a
/// registration, also for one that was there before, and 200 for a reading.
#[derive(Serialize)]
pub struct RegistrationResponse<'a> {
    client_id: &'a str,
    client_id_issued_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    /// Zero: it does not expire. Required beside a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u64>,
    registration_client_uri: String,
    registration_access_token: &'a str,
    #[serde(flatten)]
    metadata: MetadataResponse<'a>,
}

impl<'a> RegistrationResponse<'a> {
    /// The answer about `client`, with its `secret` if it was made just now and `access_token` from
    /// [`RegistrationAccess::token`]. `metadata` is what this very request asked for: it may differ from the client's
    /// in what [`ClientMetadata::digest`] passes over.
    pub fn new(
        client: &'a Client,
        metadata: &'a ClientMetadata,
        secret: Option<&'a PlainToken>,
        access_token: &'a Secret<String>,
        issuer: &Issuer,
    ) -> Self {
        let secret = secret.map(PlainToken::expose);
        Self {
            client_id: client.id.as_str(),
            client_id_issued_at: client.created_at.unix_seconds(),
            client_secret: secret,
            client_secret_expires_at: secret.map(|_| 0),
            registration_client_uri: issuer.join(&format!("/register/{}", client.id)),
            registration_access_token: access_token.expose(),
            metadata: MetadataResponse::new(metadata),
        }
    }
}

/// The metadata under its registered names (RFC 7591 §2).
#[derive(Serialize)]
struct MetadataResponse<'a> {
    redirect_uris: Vec<&'a str>,
    token_endpoint_auth_method: &'static str,
    grant_types: Vec<&'static str>,
    response_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    contacts: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<&'a str>,
}

impl<'a> MetadataResponse<'a> {
    fn new(metadata: &'a ClientMetadata) -> Self {
        Self {
            redirect_uris: metadata.redirect_uris.iter().map(RedirectUri::as_str).collect(),
            token_endpoint_auth_method: metadata.auth_method.as_str(),
            grant_types: metadata.grant_types.iter().map(|grant_type| grant_type.as_str()).collect(),
            response_types: ["code"],
            client_name: metadata.name.as_deref(),
            application_type: metadata.application_type.map(ApplicationType::as_str),
            scope: metadata.scope.as_ref(),
            client_uri: metadata.client_uri.as_deref(),
            logo_uri: metadata.logo_uri.as_deref(),
            tos_uri: metadata.tos_uri.as_deref(),
            policy_uri: metadata.policy_uri.as_deref(),
            contacts: &metadata.contacts,
            software_id: metadata.software_id.as_deref(),
            software_version: metadata.software_version.as_deref(),
            jwks: metadata.jwks.as_deref().and_then(|json| serde_json::from_str(json).ok()),
            jwks_uri: metadata.jwks_uri.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entropy::SeededEntropy;
    use crate::oauth::client::{ClientKind, GrantType};
    use crate::oauth::error::{ErrorCode, ProtocolError};
    use crate::secret::PlainTokenKind;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// What each client sends, as its source or a trace shows it (autumn 2026).
    const BODIES: [(&str, &str); 6] = [
        (
            "Cursor",
            r#"{"client_name":"Cursor","redirect_uris":["http://localhost:8787/callback","https://www.cursor.com/agents/mcp/oauth/callback","cursor://anysphere.cursor-mcp/oauth/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"web"}"#,
        ),
        (
            "Visual Studio Code",
            r#"{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"redirect_uris":["https://insiders.vscode.dev/redirect","https://vscode.dev/redirect","http://127.0.0.1/","http://127.0.0.1:33418/"],"scope":"openid","token_endpoint_auth_method":"none","application_type":"native"}"#,
        ),
        (
            "Zed",
            r#"{"client_name":"Zed","redirect_uris":["http://127.0.0.1:49152/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#,
        ),
        (
            "MCP Inspector",
            r#"{"redirect_uris":["http://localhost:6274/oauth/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"client_name":"MCP Inspector","client_uri":"https://github.com/modelcontextprotocol/inspector","scope":"","application_type":"native"}"#,
        ),
        (
            "MCP CLI Proxy",
            r#"{"client_name":"MCP CLI Proxy","redirect_uris":["http://localhost:3334/oauth/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"client_uri":"https://github.com/modelcontextprotocol/mcp-cli","software_id":"2e6dc280-f3c3-4e01-99a7-8181dbd1d23d","software_version":"0.7.0"}"#,
        ),
        (
            "OpenCode",
            r#"{"redirect_uris":["http://127.0.0.1:19876/mcp/oauth/callback"],"client_name":"OpenCode","client_uri":"https://opencode.ai","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#,
        ),
    ];

    fn register(metadata: &ClientMetadata, secret: Option<&PlainToken>) -> Value {
        let client = Client {
            id: ClientId::parse("cli_01kx6n0000000000000000000a").unwrap(),
            kind: ClientKind::Dynamic,
            metadata: metadata.clone(),
            secret: secret.map(PlainToken::digest),
            created_at: Timestamp::from_unix_seconds(1_790_000_000),
            created_by: None,
        };
        let access = RegistrationAccess::new(&MasterSecret::generate(&SeededEntropy::new(1))).token(&client.id);
        let issuer = Issuer::parse("https://keyward.example").unwrap();
        let answer = RegistrationResponse::new(&client, metadata, secret, &access, &issuer);
        serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap()
    }

    #[test]
    fn real_clients_register_and_get_everything_back() {
        for (name, body) in BODIES {
            let metadata =
                parse_registration(body.as_bytes(), MAX_REGISTRATION).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(metadata.name.as_deref(), Some(name));
            let answer = register(&metadata, None);
            for (field, value) in serde_json::from_str::<Value>(body).unwrap().as_object().unwrap() {
                if value != "" {
                    assert_eq!(answer[field], *value, "{name}: {field}");
                }
            }
            assert_eq!(
                answer["registration_client_uri"],
                "https://keyward.example/register/cli_01kx6n0000000000000000000a"
            );
            assert!(answer["registration_access_token"].as_str().unwrap().starts_with("kwg_"));
            assert_eq!(answer["client_id_issued_at"], 1_790_000_000_u64);
            assert!(answer.get("client_secret").is_none() && answer.get("client_secret_expires_at").is_none());
        }
    }

    #[test]
    fn the_least_that_a_client_can_send_gets_the_defaults() {
        let metadata = parse_registration(br#"{"redirect_uris":["https://c.example/cb"]}"#, MAX_REGISTRATION).unwrap();
        assert_eq!(metadata.auth_method, AuthMethod::ClientSecretBasic);
        assert_eq!(metadata.grant_types, GrantType::ALL);
        let secret = PlainToken::generate(PlainTokenKind::ClientSecret, &SeededEntropy::new(2));
        let answer = register(&metadata, Some(&secret));
        assert_eq!(answer["client_secret"], secret.expose());
        assert_eq!(answer["client_secret_expires_at"], 0);
        assert_eq!(answer["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(answer["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(answer["response_types"], json!(["code"]));
    }

    #[test]
    fn everything_known_is_echoed() {
        let body = json!({
            "redirect_uris": ["https://c.example/cb"],
            "client_name": "C", "client_uri": "https://c.example", "logo_uri": "https://c.example/l.png",
            "tos_uri": "https://c.example/tos", "policy_uri": "https://c.example/policy", "contacts": ["a@c.example"],
            "scope": "mcp offline_access", "software_id": "s", "software_version": "1", "application_type": "native",
            "token_endpoint_auth_method": "private_key_jwt", "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
        });
        let answer = register(&parse_registration(body.to_string().as_bytes(), MAX_REGISTRATION).unwrap(), None);
        for (field, value) in body.as_object().unwrap() {
            assert_eq!(answer[field], *value, "{field}");
        }
        let unknown =
            parse_registration(br#"{"redirect_uris":["https://c.example/cb"],"tls_client_x":1}"#, MAX_REGISTRATION)
                .unwrap();
        assert!(register(&unknown, None).get("tls_client_x").is_none());
    }

    #[test]
    fn refusals_have_the_codes_of_the_rfc() {
        use ErrorCode::{InvalidClientMetadata, InvalidRedirectUri};
        for (body, code) in [
            ("", InvalidClientMetadata),
            ("[]", InvalidClientMetadata),
            ("redirect_uris=x", InvalidClientMetadata),
            (
                r#"{"redirect_uris":["https://h/"],"token_endpoint_auth_method":"tls_client_auth"}"#,
                InvalidClientMetadata,
            ),
            (r#"{"redirect_uris":["https://h/"],"token_endpoint_auth_method":7}"#, InvalidClientMetadata),
            (
                r#"{"redirect_uris":["https://h/"],"token_endpoint_auth_method":"private_key_jwt"}"#,
                InvalidClientMetadata,
            ),
            (r#"{"redirect_uris":["https://h/"],"client_name":"a\u0000b"}"#, InvalidClientMetadata),
            (r#"{"client_name":"x"}"#, InvalidRedirectUri),
            (r#"{"redirect_uris":["javascript:alert(1)"]}"#, InvalidRedirectUri),
            (r#"{"redirect_uris":["https://h/", "vbscript:x"]}"#, InvalidRedirectUri),
        ] {
            let error = ProtocolError::from(parse_registration(body.as_bytes(), MAX_REGISTRATION).unwrap_err());
            assert_eq!((error.code(), error.status()), (code, 400), "{body}");
        }
        let large = format!(r#"{{"redirect_uris":["https://h/"],"x":"{}"}}"#, "x".repeat(MAX_REGISTRATION));
        assert_eq!(parse_registration(large.as_bytes(), MAX_REGISTRATION), Err(MetadataError::Json(MAX_REGISTRATION)));
    }

    #[test]
    fn the_same_client_has_the_same_digest() {
        let digest = |body: &str| parse_registration(body.as_bytes(), MAX_REGISTRATION).unwrap().digest();
        let first = digest(r#"{"client_name":"C","redirect_uris":["http://localhost:1/cb","https://c.example/cb"]}"#);
        for same in [
            r#"{"redirect_uris":["http://localhost:1/cb","https://c.example/cb"],"client_name":" C "}"#,
            r#"{"client_name":"C","redirect_uris":["https://c.example/cb","http://localhost:65535/cb"],"new":1}"#,
            r#"{"client_name":"C","redirect_uris":["https://c.example/cb","http://localhost/cb","http://localhost:9/cb"]}"#,
            r#"{"client_name":"C","redirect_uris":["http://localhost:1/cb","https://c.example/cb"],"response_types":["code"]}"#,
        ] {
            assert_eq!(digest(same), first, "{same}");
        }
        for other in [
            r#"{"client_name":"D","redirect_uris":["http://localhost:1/cb","https://c.example/cb"]}"#,
            r#"{"client_name":"C","redirect_uris":["http://localhost:1/cb/","https://c.example/cb"]}"#,
            r#"{"client_name":"C","redirect_uris":["http://127.0.0.1:1/cb","https://c.example/cb"]}"#,
            r#"{"client_name":"C","redirect_uris":["http://localhost:1/cb","https://c.example:8443/cb"]}"#,
            r#"{"client_name":"C","redirect_uris":["http://localhost:1/cb"]}"#,
            r#"{"client_name":"C","redirect_uris":["http://localhost:1/cb","https://c.example/cb"],"scope":"mcp"}"#,
            r#"{"client_name":"C","redirect_uris":["http://localhost:1/cb","https://c.example/cb"],"token_endpoint_auth_method":"none"}"#,
        ] {
            assert_ne!(digest(other), first, "{other}");
        }
    }

    #[test]
    fn a_registration_is_read_with_its_own_token() {
        let access = RegistrationAccess::new(&MasterSecret::generate(&SeededEntropy::new(3)));
        let [one, two] =
            ["cli_01kx6n0000000000000000000a", "cli_01kx6n0000000000000000000b"].map(|id| ClientId::parse(id).unwrap());
        let token = access.token(&one);
        assert!(access.admits(&one, token.expose()));
        assert!(!access.admits(&two, token.expose()));
        assert!(!access.admits(&one, ""));
        let elsewhere = RegistrationAccess::new(&MasterSecret::generate(&SeededEntropy::new(4)));
        assert!(!elsewhere.admits(&one, token.expose()));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            let _ = parse_registration(&bytes, MAX_REGISTRATION);
            let _ = parse_registration(text.as_bytes(), MAX_REGISTRATION);
        }

        #[test]
        fn what_is_registered_is_sound(uri in "[a-z]{1,12}:(//)?[a-zA-Z0-9.:@/%*#?-]{0,30}") {
            let body = json!({"redirect_uris": [uri], "token_endpoint_auth_method": "none"}).to_string();
            if let Ok(metadata) = parse_registration(body.as_bytes(), MAX_REGISTRATION) {
                prop_assert_eq!(metadata.redirect_uris[0].as_str(), uri);
                prop_assert_eq!(metadata.digest(), metadata.clone().digest());
            }
        }
    }
}
