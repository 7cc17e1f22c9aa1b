//! Which application asks? OAuth clients (RFC 6749 §2) as Keyward keeps them, however they came to be registered.
//!
//! Neighbours: [`super::registration`] reads RFC 7591 bodies, [`super::client_document`] reads client ID metadata documents,
//! [`super::client_authentication`] reads credentials. Here are the types that they meet in. A client's name and addresses
//! are its own claims; only the host of a document URL and the redirect hosts say something about who it is.

use super::redirect_uri::RedirectUri;
use super::scope::ScopeSet;
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::id::{RegisteredClientId, UserId};
use crate::secret::TokenDigest;
use std::fmt;
use std::sync::Arc;

/// Longest client id, in bytes; a client ID metadata document has to have a URL that fits.
pub const MAX_CLIENT_ID: usize = 256;

/// The name that a client goes by: `cli_…`, made here, or the `https://` URL of its metadata document. Compared as plain
/// strings (RFC 6749 §2.2). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

/// The text is not a client id of this server's: it never registered such a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a client id: neither one that this server gave nor the https:// URL of a metadata document")]
pub struct NotAClientId;

impl ClientId {
    /// A new id for a client that registers or that an admin makes.
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        RegisteredClientId::generate(now, entropy).into()
    }

    /// Parses an id. For a document URL only length and characters are checked: before anything is fetched,
    /// [`super::client_document`] parses the rest.
    pub fn parse(text: &str) -> Result<Self, NotAClientId> {
        let document = text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
            && text.len() <= MAX_CLIENT_ID
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if document || text.parse::<RegisteredClientId>().is_ok() { Ok(Self(text.into())) } else { Err(NotAClientId) }
    }

    /// The id as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of the client's metadata document, if it is known by one.
    pub fn document_url(&self) -> Option<&str> {
        self.0.starts_with("https://").then_some(&*self.0)
    }
}

impl From<RegisteredClientId> for ClientId {
    fn from(id: RegisteredClientId) -> Self {
        Self(id.to_string().into())
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ClientId {
    type Err = NotAClientId;

    fn from_str(text: &str) -> Result<Self, NotAClientId> {
        Self::parse(text)
    }
}

impl serde::Serialize for ClientId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ClientId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// How a client came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ClientKind {
    /// An admin made it.
    Admin,
    /// It registered itself (RFC 7591).
    Dynamic,
    /// Its id is the URL of a metadata document (client ID metadata document).
    Document,
}

/// How a client proves who it is at the token endpoint (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum AuthMethod {
    /// `none`: a public client; PKCE alone ties the code to it.
    None,
    /// `client_secret_basic`: secret in the `Authorization` header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// `client_secret_post`: secret in the form (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// `private_key_jwt`: an assertion signed by the client's key (RFC 7523 §2.2).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// Every method, in the order of the metadata.
    pub const ALL: [Self; 4] = [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Does it use a secret that the server gave?
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// What a client may exchange for tokens (RFC 7591 §2, `grant_types`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum GrantType {
    /// `authorization_code`.
    AuthorizationCode,
    /// `refresh_token`.
    RefreshToken,
}

impl GrantType {
    /// Every grant type: what a client gets that names none.
    pub const ALL: [Self; 2] = [Self::AuthorizationCode, Self::RefreshToken];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// The grant type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant_type| grant_type.as_str() == name)
    }
}

/// What kind of application (OIDC Registration §2, `application_type`). Kept and echoed; nothing is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ApplicationType {
    /// `web`.
    Web,
    /// `native`.
    Native,
}

impl ApplicationType {
    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
        }
    }
}

/// What a client says about itself (RFC 7591 §2), parsed. Kept in the store: plain fields only.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClientMetadata {
    /// `client_name`, as claimed.
    pub name: Option<String>,
    /// `redirect_uris`, at least one.
    pub redirect_uris: Vec<RedirectUri>,
    /// `token_endpoint_auth_method`.
    pub auth_method: AuthMethod,
    /// Further methods that it may use (`token_endpoint_auth_methods_supported` of a metadata document, MCP SEP-3149).
    pub more_auth_methods: Vec<AuthMethod>,
    /// `grant_types` that this server knows; a client that named none has both.
    pub grant_types: Vec<GrantType>,
    /// `application_type`.
    pub application_type: Option<ApplicationType>,
    /// `scope`: what the client says it will ask for. Kept and echoed; nothing is decided by it.
    pub scope: Option<ScopeSet>,
    /// `client_uri`.
    pub client_uri: Option<String>,
    /// `logo_uri`; never loaded.
    pub logo_uri: Option<String>,
    /// `tos_uri`.
    pub tos_uri: Option<String>,
    /// `policy_uri`.
    pub policy_uri: Option<String>,
    /// `contacts`.
    pub contacts: Vec<String>,
    /// `software_id`.
    pub software_id: Option<String>,
    /// `software_version`.
    pub software_version: Option<String>,
    /// `jwks` as JSON text, for `private_key_jwt`.
    pub jwks: Option<String>,
    /// `jwks_uri`, for `private_key_jwt`.
    pub jwks_uri: Option<String>,
}

impl ClientMetadata {
    /// Public metadata with these redirect URIs, both grant types and nothing else.
    pub fn public(name: Option<String>, redirect_uris: Vec<RedirectUri>) -> Self {
        Self {
            name,
            redirect_uris,
            auth_method: AuthMethod::None,
            more_auth_methods: Vec::new(),
            grant_types: GrantType::ALL.to_vec(),
            application_type: None,
            scope: None,
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            contacts: Vec::new(),
            software_id: None,
            software_version: None,
            jwks: None,
            jwks_uri: None,
        }
    }
}

/// A client that this server knows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Client {
    /// Its name on the wire.
    pub id: ClientId,
    /// How it came to be known.
    pub kind: ClientKind,
    /// What it says about itself.
    pub metadata: ClientMetadata,
    /// Digest of its secret, if its method has one.
    pub secret: Option<TokenDigest>,
    /// When it was made, registered or first fetched.
    pub created_at: Timestamp,
    /// The admin who made it.
    pub created_by: Option<UserId>,
}

impl Client {
    /// Does any registered URI match the requested one? An empty list matches nothing.
    pub fn allows_redirect_to(&self, requested: &RedirectUri) -> bool {
        self.metadata.redirect_uris.iter().any(|registered| registered.matches(requested))
    }

    /// May it use this grant type?
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant_type)
    }

    /// May it prove itself in this way? Whoever has a secret may send it in the header or in the form: some clients do not
    /// keep to the place that they registered.
    pub fn may_authenticate_with(&self, method: AuthMethod) -> bool {
        let ClientMetadata { auth_method, more_auth_methods, .. } = &self.metadata;
        *auth_method == method
            || more_auth_methods.contains(&method)
            || (auth_method.has_secret() && method.has_secret())
    }

    /// Do all its answers go to this machine? Then anything that runs here could have asked (a warning at consent).
    pub fn is_loopback_only(&self) -> bool {
        self.metadata.redirect_uris.iter().all(RedirectUri::is_loopback)
    }

    /// The name to show: as claimed, or the id.
    pub fn display_name(&self) -> &str {
        self.metadata.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(self.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn an_id_is_ours_or_a_document_url() {
        let own = ClientId::generate(Timestamp::from_unix_seconds(1_790_000_000), &SeededEntropy::new(1));
        assert_eq!(ClientId::parse(own.as_str()), Ok(own.clone()));
        assert!(own.as_str().starts_with("cli_") && own.document_url().is_none());
        let document = ClientId::parse("https://claude.ai/oauth/claude-code-client-metadata").unwrap();
        assert_eq!(document.document_url(), Some(document.as_str()));
        let longest = format!("https://h/{}", "a".repeat(MAX_CLIENT_ID - 10));
        assert!(ClientId::parse(&longest).is_ok());
        for wrong in [
            "",
            "cli_",
            "cli_short",
            "CLI_01m0000000000000000000000",
            "claude",
            "https://",
            "HTTPS://claude.ai/x",
            "http://claude.ai/x",
            "https://claude.ai/ x",
            "https://claude.ai/\n",
            "https://cläude.ai/x",
            &format!("{longest}a"),
        ] {
            assert_eq!(ClientId::parse(wrong), Err(NotAClientId), "{wrong:?}");
        }
        assert_ne!(ClientId::parse("https://h/x"), ClientId::parse("https://h:443/x"));
    }

    #[test]
    fn names_and_methods_are_one_to_one() {
        for method in AuthMethod::ALL {
            assert_eq!(AuthMethod::from_name(method.as_str()), Some(method));
        }
        for grant_type in GrantType::ALL {
            assert_eq!(GrantType::from_name(grant_type.as_str()), Some(grant_type));
        }
        assert_eq!(AuthMethod::from_name("tls_client_auth"), None);
        assert_eq!(GrantType::from_name("password"), None);
    }

    #[test]
    fn a_secret_may_come_in_the_header_or_in_the_form() {
        let mut client = Client {
            id: ClientId::parse("https://h/client.json").unwrap(),
            kind: ClientKind::Admin,
            metadata: ClientMetadata::public(None, Vec::new()),
            secret: None,
            created_at: Timestamp::EPOCH,
            created_by: None,
        };
        let allowed = |client: &Client| AuthMethod::ALL.map(|method| client.may_authenticate_with(method));
        assert_eq!(allowed(&client), [true, false, false, false]);
        client.metadata.auth_method = AuthMethod::ClientSecretPost;
        assert_eq!(allowed(&client), [false, true, true, false]);
        client.metadata.auth_method = AuthMethod::PrivateKeyJwt;
        assert_eq!(allowed(&client), [false, false, false, true]);
        client.metadata.more_auth_methods = vec![AuthMethod::None];
        assert_eq!(allowed(&client), [true, false, false, true]);
    }

    #[test]
    fn a_client_survives_storage() {
        let redirect = |text| RedirectUri::parse(text).unwrap();
        let mut metadata = ClientMetadata::public(
            Some("  ".to_owned()),
            vec![redirect("http://localhost/callback"), redirect("cursor://anysphere.cursor-mcp/oauth/callback")],
        );
        metadata.scope = Some(ScopeSet::mcp());
        let client = Client {
            id: ClientId::parse("https://h/client.json").unwrap(),
            kind: ClientKind::Document,
            metadata,
            secret: None,
            created_at: Timestamp::from_unix_seconds(7),
            created_by: None,
        };
        let config = bincode::config::standard();
        let stored = bincode::serde::encode_to_vec(&client, config).unwrap();
        assert_eq!(
            bincode::serde::decode_from_slice::<Client, _>(&stored, config).unwrap(),
            (client.clone(), stored.len())
        );

        assert_eq!(client.display_name(), "https://h/client.json");
        assert!(client.may_authenticate_with(AuthMethod::None));
        assert!(!client.may_authenticate_with(AuthMethod::PrivateKeyJwt));
        assert!(!client.is_loopback_only());
        assert!(client.allows_redirect_to(&redirect("http://localhost:9/callback")));
        assert!(!client.allows_redirect_to(&redirect("http://localhost:9/callback/")));
        let none = Client { metadata: ClientMetadata::public(None, Vec::new()), ..client };
        assert!(!none.allows_redirect_to(&redirect("http://localhost/callback")));
    }
}
