//! Who is the client behind an `https://` client id? Its metadata document, of which the id is the URL
//! (draft-ietf-oauth-client-id-metadata-document-02, MCP 2026-07-28 client registration, MCP SEP-991 and SEP-3149).
//!
//! [`super::document_url`] says which URLs are fetched at all and [`crate::wire::document_fetch`] fetches them;
//! [`ClientDocument`] is what came, checked. Invariants: the document names the URL that it came from; nothing in it is
//! or asks for a shared secret.

use super::claimed_metadata::{ClaimedMetadata, MetadataError, list};
use super::client::{AuthMethod, Client, ClientId, ClientKind, ClientMetadata};
use super::document_url::DocumentUrl;
use crate::clock::Timestamp;
use serde_json::Value;

/// Largest document that is read, in bytes (draft §8.7 recommends 5 kilobytes).
pub const MAX_DOCUMENT: usize = 5 * 1024;

/// A checked document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDocument {
    id: ClientId,
    metadata: ClientMetadata,
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// `client_id` is missing or another text than the URL (draft §4: MUST match).
    #[error("client_id in the document is not the URL that it was fetched from")]
    OtherClient,
    /// `client_secret` or its expiry in a public document (draft §4: MUST NOT).
    #[error("the document has a client secret")]
    Secret,
    /// A field that a client needs is not acceptable.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

impl ClientDocument {
    /// Checks the bytes that `url` answered with.
    pub fn parse(url: &DocumentUrl, json: &[u8]) -> Result<Self, DocumentError> {
        let claimed = ClaimedMetadata::read(json, MAX_DOCUMENT)?;
        if claimed.client_id.as_ref().and_then(Value::as_str) != Some(url.as_str()) {
            return Err(DocumentError::OtherClient);
        }
        if claimed.client_secret.is_some() || claimed.client_secret_expires_at.is_some() {
            return Err(DocumentError::Secret);
        }
        let id = ClientId::parse(url.as_str()).map_err(|_| DocumentError::OtherClient)?;
        let methods = methods(&claimed)?;
        Ok(Self { id, metadata: claimed.parse(&methods)? })
    }

    /// The client's id.
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// What the client says about itself.
    pub fn metadata(&self) -> &ClientMetadata {
        &self.metadata
    }

    /// The client, first met at `now`.
    pub fn to_client(&self, now: Timestamp) -> Client {
        Client {
            id: self.id.clone(),
            kind: ClientKind::Document,
            metadata: self.metadata.clone(),
            secret: None,
            created_at: now,
            created_by: None,
        }
    }
}

/// The ways of authentication that both sides know, the client's own choice first.
///
/// The list (SEP-3149), where there is one, is all that the client can do, whatever the single field says. A shared
/// secret as the single choice is refused (draft §4.1). With neither field the client is public: RFC 7591's default
/// would be a shared secret, which a document cannot have.
fn methods(claimed: &ClaimedMetadata) -> Result<Vec<AuthMethod>, MetadataError> {
    const WANTED: MetadataError = MetadataError::AuthMethod("none or private_key_jwt");
    let chosen = match &claimed.token_endpoint_auth_method {
        None => None,
        Some(Value::String(name)) if name.starts_with("client_secret") => return Err(WANTED),
        Some(Value::String(name)) => Some(name.as_str()),
        Some(_) => return Err(WANTED),
    };
    let listed = match &claimed.token_endpoint_auth_methods_supported {
        None => vec![chosen.unwrap_or(AuthMethod::None.as_str())],
        some => list(some.as_ref()).ok_or(WANTED)?,
    };
    let mut methods: Vec<AuthMethod> = Vec::new();
    for name in chosen.into_iter().filter(|chosen| listed.contains(chosen)).chain(listed.iter().copied()) {
        match AuthMethod::from_name(name) {
            Some(method) if method.has_secret() || methods.contains(&method) => {}
            Some(AuthMethod::PrivateKeyJwt) if listed.len() > 1 && !claimed.has_keys() => {}
            Some(method) => methods.push(method),
            None => {}
        }
    }
    if methods.is_empty() { Err(WANTED) } else { Ok(methods) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::GrantType;
    use proptest::prelude::*;
    use serde_json::json;

    const URL: &str = "https://app.example/oauth/client.json";

    fn document() -> Value {
        json!({
            "client_id": URL,
            "client_name": "App",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none",
        })
    }

    fn parse(value: &Value) -> Result<ClientDocument, DocumentError> {
        ClientDocument::parse(&DocumentUrl::parse(URL).unwrap(), value.to_string().as_bytes())
    }

    fn with(field: &str, value: Value) -> Result<ClientDocument, DocumentError> {
        let mut document = document();
        document[field] = value;
        parse(&document)
    }

    #[test]
    fn a_document_names_its_own_url() {
        let client = parse(&document()).unwrap().to_client(Timestamp::from_unix_seconds(5));
        assert_eq!((client.id.as_str(), client.kind), (URL, ClientKind::Document));
        assert_eq!(client.metadata.name.as_deref(), Some("App"));
        assert_eq!(client.metadata.grant_types, GrantType::ALL);
        for other in [
            json!("https://app.example/oauth/client.json/"),
            json!("https://app.example:443/oauth/client.json"),
            json!("https://APP.example/oauth/client.json"),
            json!("https://evil.example/oauth/client.json"),
            json!(""),
            json!([URL]),
            Value::Null,
        ] {
            assert_eq!(with("client_id", other.clone()), Err(DocumentError::OtherClient), "{other}");
        }
    }

    #[test]
    fn a_document_holds_no_secret() {
        assert_eq!(with("client_secret", json!("s")), Err(DocumentError::Secret));
        assert_eq!(with("client_secret_expires_at", json!(0)), Err(DocumentError::Secret));
        for secret in ["client_secret_basic", "client_secret_post", "client_secret_jwt"] {
            assert!(with("token_endpoint_auth_method", json!(secret)).is_err(), "{secret}");
        }
    }

    #[test]
    fn methods_are_those_that_both_sides_know() {
        use AuthMethod::{None, PrivateKeyJwt};
        let chosen = |single: Value, plural: Value, keys: bool| {
            let mut document = document();
            document["token_endpoint_auth_method"] = single;
            document["token_endpoint_auth_methods_supported"] = plural;
            if keys {
                document["jwks_uri"] = json!("https://app.example/jwks.json");
            }
            parse(&document).ok().map(|document| {
                let ClientMetadata { auth_method, more_auth_methods, .. } = document.metadata;
                [vec![auth_method], more_auth_methods].concat()
            })
        };
        let absent = Value::Null;
        for (single, plural, keys, expected) in [
            (absent.clone(), absent.clone(), false, Some(vec![None])),
            (json!("none"), absent.clone(), true, Some(vec![None])),
            (json!("private_key_jwt"), absent.clone(), true, Some(vec![PrivateKeyJwt])),
            (json!("private_key_jwt"), absent.clone(), false, Option::None),
            (json!("private_key_jwt"), json!(["none", "private_key_jwt"]), true, Some(vec![PrivateKeyJwt, None])),
            (json!("private_key_jwt"), json!(["none", "private_key_jwt"]), false, Some(vec![None])),
            (json!("tls_client_auth"), json!(["tls_client_auth", "none"]), false, Some(vec![None])),
            (json!("tls_client_auth"), absent.clone(), false, Option::None),
            (absent.clone(), json!(["private_key_jwt"]), true, Some(vec![PrivateKeyJwt])),
            (absent.clone(), json!(["private_key_jwt"]), false, Option::None),
            (absent.clone(), json!(["none", "client_secret_basic", "none"]), false, Some(vec![None])),
            (json!("none"), json!(["private_key_jwt"]), true, Some(vec![PrivateKeyJwt])),
            (json!("none"), json!(["client_secret_basic"]), false, Option::None),
            (json!("none"), json!([]), false, Option::None),
            (json!("none"), json!("none"), false, Option::None),
            (json!(["none"]), absent.clone(), false, Option::None),
        ] {
            assert_eq!(chosen(single.clone(), plural.clone(), keys), expected, "{single} {plural} {keys}");
        }
    }

    #[test]
    fn a_document_that_is_too_large_or_of_no_use_is_refused() {
        let mut large = document();
        large["filler"] = json!("x".repeat(MAX_DOCUMENT));
        assert_eq!(parse(&large), Err(DocumentError::Metadata(MetadataError::Json(MAX_DOCUMENT))));
        for wrong in [json!([]), Value::Null, json!(["javascript:alert(1)"]), json!(["https://a.example", "data:,x"])] {
            assert!(with("redirect_uris", wrong.clone()).is_err(), "{wrong}");
        }
        assert!(with("grant_types", json!(["client_credentials"])).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = ClientDocument::parse(&DocumentUrl::parse(URL).unwrap(), text.as_bytes());
        }
    }
}
