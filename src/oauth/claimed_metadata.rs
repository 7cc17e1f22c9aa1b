//! What does a client say about itself? The metadata fields of RFC 7591 §2, read from a stranger's JSON.
//!
//! Both doors read alike: [`super::registration`] (a request body) and [`super::client_document`] (a fetched document).
//! What a client needs in order to work is parsed strictly and refused with a reason; what only describes it (names of
//! contacts, links, versions) is kept if it is sound and dropped if not, because clients send a wide variety of it.
//! Unknown fields are ignored (RFC 7591 §2). Texts are the client's own claims: whoever shows them says so.

use super::client::{ApplicationType, AuthMethod, ClientMetadata, GrantType};
use super::client_keys::{ClientKeys, ClientKeysError};
use super::document_url::DocumentUrl;
use super::error::{ErrorCode, ProtocolError};
use super::redirect_uri::{RedirectUri, RedirectUriError};
use super::scope::ScopeSet;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// Most redirect URIs of one client.
pub const MAX_REDIRECT_URIS: usize = 10;
/// Longest client name, in characters.
pub const MAX_NAME: usize = 100;
/// Longest of the other texts and links, in bytes.
pub const MAX_TEXT: usize = 512;
/// Most contacts that are kept.
pub const MAX_CONTACTS: usize = 10;

/// Why a client's metadata is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not a JSON object, a field stands twice, or larger than the limit in bytes.
    #[error("the client metadata is not a JSON object of at most {0} bytes without repeated fields")]
    Json(usize),
    /// Not 1 to [`MAX_REDIRECT_URIS`] strings.
    #[error("redirect_uris must be a list of 1 to 10 strings")]
    RedirectUris,
    /// One of them must not be redirected to.
    #[error("redirect_uris, number {place}: {reason}")]
    RedirectUri {
        /// Which one, from 1.
        place: usize,
        /// What is wrong with it.
        reason: RedirectUriError,
    },
    /// See [`parse_client_name`].
    #[error("client_name must be a text of at most 100 characters without control or direction characters")]
    Name,
    /// No way to authenticate that both sides know.
    #[error("token_endpoint_auth_method: use {0}")]
    AuthMethod(&'static str),
    /// `authorization_code` is not among them.
    #[error("grant_types must include authorization_code")]
    GrantTypes,
    /// `code` is not among them.
    #[error("response_types must include code")]
    ResponseTypes,
    /// `private_key_jwt` without keys, or with keys in two places.
    #[error("private_key_jwt needs either jwks or jwks_uri (https)")]
    NoKeys,
    /// The keys are unusable.
    #[error("jwks: {0}")]
    Keys(ClientKeysError),
}

impl From<MetadataError> for ProtocolError {
    /// RFC 7591 §3.2.2.
    fn from(error: MetadataError) -> Self {
        let code = match error {
            MetadataError::RedirectUris | MetadataError::RedirectUri { .. } => ErrorCode::InvalidRedirectUri,
            _ => ErrorCode::InvalidClientMetadata,
        };
        Self::new(code, error.to_string())
    }
}

/// A client's name as it may be shown: trimmed; `None` if nothing is left. Control characters, and those that turn the
/// direction of writing or are invisible, would let a name pass for something else and are refused.
pub fn parse_client_name(text: &str) -> Result<Option<String>, MetadataError> {
    let name = text.trim();
    if name.chars().count() > MAX_NAME || name.chars().any(deceives) {
        return Err(MetadataError::Name);
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// Unicode: Cc, the bidirectional controls, line and paragraph separators, and the invisible of Cf. The two joiners stay: scripts and
/// emoji are written with them.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The fields that Keyward knows, each as it came. `null` counts as absent.
#[derive(Default, Deserialize)]
pub(super) struct ClaimedMetadata {
    pub(super) client_id: Option<Value>,
    pub(super) client_secret: Option<Value>,
    pub(super) client_secret_expires_at: Option<Value>,
    pub(super) token_endpoint_auth_method: Option<Value>,
    pub(super) token_endpoint_auth_methods_supported: Option<Value>,
    redirect_uris: Option<Value>,
    client_name: Option<Value>,
    grant_types: Option<Value>,
    response_types: Option<Value>,
    application_type: Option<Value>,
    scope: Option<Value>,
    client_uri: Option<Value>,
    logo_uri: Option<Value>,
    tos_uri: Option<Value>,
    policy_uri: Option<Value>,
    contacts: Option<Value>,
    software_id: Option<Value>,
    software_version: Option<Value>,
    jwks: Option<Value>,
    jwks_uri: Option<Value>,
}

impl ClaimedMetadata {
    /// Reads the JSON object, of at most `limit` bytes.
    pub(super) fn read(json: &[u8], limit: usize) -> Result<Self, MetadataError> {
        // A derived struct would also take a JSON array; metadata is an object.
        if json.len() > limit || json.trim_ascii_start().first() != Some(&b'{') {
            return Err(MetadataError::Json(limit));
        }
        // The whole of it: serde_json does not look at the characters of what it passes over.
        let json = std::str::from_utf8(json).map_err(|_| MetadataError::Json(limit))?;
        serde_json::from_str(json).map_err(|_| MetadataError::Json(limit))
    }

    /// Whether keys are claimed, in one place.
    pub(super) fn has_keys(&self) -> bool {
        self.jwks.is_some() != self.jwks_uri.is_some()
    }

    /// Parses everything else for a client that authenticates in these ways, the first being its own choice.
    pub(super) fn parse(self, methods: &[AuthMethod]) -> Result<ClientMetadata, MetadataError> {
        let (auth_method, more) = methods.split_first().ok_or(MetadataError::AuthMethod("a supported method"))?;
        let (mut jwks, mut jwks_uri) = (None, None);
        if methods.contains(&AuthMethod::PrivateKeyJwt) {
            match (&self.jwks, &self.jwks_uri) {
                (Some(set), None) => {
                    let set = set.to_string();
                    ClientKeys::parse(set.as_bytes()).map_err(MetadataError::Keys)?;
                    jwks = Some(set);
                }
                (None, Some(Value::String(uri))) => {
                    let uri = DocumentUrl::parse(uri).map_err(|_| MetadataError::NoKeys)?;
                    jwks_uri = Some(uri.as_str().to_owned());
                }
                _ => return Err(MetadataError::NoKeys),
            }
        }
        if !list(self.response_types.as_ref()).is_none_or(|types| types.is_empty() || types.contains(&"code")) {
            return Err(MetadataError::ResponseTypes);
        }
        let name = match &self.client_name {
            Some(Value::String(name)) => parse_client_name(name)?,
            Some(_) => return Err(MetadataError::Name),
            None => None,
        };
        Ok(ClientMetadata {
            name,
            redirect_uris: redirect_uris(self.redirect_uris.as_ref())?,
            auth_method: *auth_method,
            more_auth_methods: more.to_vec(),
            grant_types: grant_types(list(self.grant_types.as_ref()).as_deref())?,
            application_type: match self.application_type.as_ref().and_then(Value::as_str) {
                Some("web") => Some(ApplicationType::Web),
                Some("native") => Some(ApplicationType::Native),
                _ => None,
            },
            scope: (self.scope.as_ref().and_then(Value::as_str))
                .and_then(|scope| ScopeSet::parse(scope).ok())
                .filter(|scope| !scope.is_empty()),
            client_uri: link(self.client_uri.as_ref()),
            logo_uri: link(self.logo_uri.as_ref()),
            tos_uri: link(self.tos_uri.as_ref()),
            policy_uri: link(self.policy_uri.as_ref()),
            contacts: list(self.contacts.as_ref())
                .unwrap_or_default()
                .into_iter()
                .filter_map(text)
                .take(MAX_CONTACTS)
                .collect(),
            software_id: self.software_id.as_ref().and_then(Value::as_str).and_then(text),
            software_version: self.software_version.as_ref().and_then(Value::as_str).and_then(text),
            jwks,
            jwks_uri,
        })
    }
}

/// The strings of an array; other members are passed over. `None` if it is no array.
pub(super) fn list(value: Option<&Value>) -> Option<Vec<&str>> {
    Some(value?.as_array()?.iter().filter_map(Value::as_str).collect())
}

/// One dangerous URI refuses them all. Plain http to another machine is only of no use, so beside others that are it is
/// left out; so are repetitions.
fn redirect_uris(value: Option<&Value>) -> Result<Vec<RedirectUri>, MetadataError> {
    let claimed = value.and_then(Value::as_array).ok_or(MetadataError::RedirectUris)?;
    if claimed.is_empty() || claimed.len() > MAX_REDIRECT_URIS {
        return Err(MetadataError::RedirectUris);
    }
    let mut parsed = Vec::with_capacity(claimed.len());
    let mut useless = None;
    for (place, uri) in (1..).zip(claimed) {
        match RedirectUri::parse(uri.as_str().ok_or(MetadataError::RedirectUris)?) {
            Ok(uri) if parsed.contains(&uri) => {}
            Ok(uri) => parsed.push(uri),
            Err(reason @ RedirectUriError::NotLoopback) => {
                useless = Some(MetadataError::RedirectUri { place, reason });
            }
            Err(reason) => return Err(MetadataError::RedirectUri { place, reason }),
        }
    }
    match useless {
        Some(error) if parsed.is_empty() => Err(error),
        _ => Ok(parsed),
    }
}

/// Those that Keyward knows; all of them for a client that names none. A client that only wants to refresh needs a code
/// to begin with.
fn grant_types(claimed: Option<&[&str]>) -> Result<Vec<GrantType>, MetadataError> {
    let Some(claimed) = claimed.filter(|claimed| !claimed.is_empty()) else { return Ok(GrantType::ALL.to_vec()) };
    if claimed.contains(&GrantType::RefreshToken.as_str()) {
        Ok(GrantType::ALL.to_vec())
    } else if claimed.contains(&GrantType::AuthorizationCode.as_str()) {
        Ok(vec![GrantType::AuthorizationCode])
    } else {
        Err(MetadataError::GrantTypes)
    }
}

/// A web address that may become a link.
fn link(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str().filter(|text| text.len() <= MAX_TEXT)?;
    let url = Url::parse(text).ok()?;
    let sound = matches!(url.scheme(), "https" | "http")
        && url.username().is_empty()
        && url.password().is_none()
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| text.to_owned())
}

fn text(value: &str) -> Option<String> {
    let value = value.trim();
    let sound = !value.is_empty() && value.len() <= MAX_TEXT && !value.chars().any(deceives);
    sound.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(value: &Value) -> Result<ClientMetadata, MetadataError> {
        ClaimedMetadata::read(value.to_string().as_bytes(), 8192)?.parse(&[AuthMethod::None])
    }

    fn with(field: &str, value: Value) -> Result<ClientMetadata, MetadataError> {
        let mut metadata = json!({"redirect_uris": ["https://c.example/cb"]});
        metadata[field] = value;
        parse(&metadata)
    }

    #[test]
    fn names_are_plain_text() {
        for (text, name) in [
            ("Claude", Some("Claude")),
            ("  Visual Studio Code\n", Some("Visual Studio Code")),
            ("Größe 👩‍💻 नमस्ते", Some("Größe 👩‍💻 नमस्ते")),
            ("", None),
            (" \t ", None),
            (&"é".repeat(MAX_NAME), Some(&*"é".repeat(MAX_NAME))),
        ] {
            assert_eq!(parse_client_name(text), Ok(name.map(ToOwned::to_owned)), "{text:?}");
        }
        for wrong in [
            "a\nb",
            "a\0b",
            "a\u{1b}[31m",
            "a\u{85}b",
            "exe.\u{202e}edualc",
            "a\u{2066}b",
            "a\u{200f}b",
            "a\u{61c}b",
            "Cla\u{200b}ude",
            "a\u{2028}b",
            "a\u{feff}b",
            "a\u{e0041}b",
            "so\u{ad}ft",
            &"x".repeat(MAX_NAME + 1),
        ] {
            assert_eq!(parse_client_name(wrong), Err(MetadataError::Name), "{wrong:?}");
        }
        assert_eq!(with("client_name", json!(7)), Err(MetadataError::Name));
        assert_eq!(with("client_name", Value::Null).unwrap().name, None);
    }

    #[test]
    fn the_three_redirects_of_cursor_are_kept_in_order() {
        let uris = [
            "http://localhost:8787/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ];
        let metadata = parse(&json!({"redirect_uris": uris, "application_type": "web"})).unwrap();
        assert_eq!(metadata.redirect_uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>(), uris);
        assert_eq!(metadata.application_type, Some(ApplicationType::Web));
    }

    #[test]
    fn one_dangerous_redirect_refuses_the_rest() {
        for dangerous in ["javascript:alert(1)", "https://*.example/cb", "https://a@b.example/", "https://h/#f", ""] {
            let error = with("redirect_uris", json!(["https://c.example/cb", dangerous])).unwrap_err();
            assert!(matches!(error, MetadataError::RedirectUri { place: 2, .. }), "{dangerous}: {error}");
            assert_eq!(ProtocolError::from(error).code(), ErrorCode::InvalidRedirectUri);
        }
        let beside = with("redirect_uris", json!(["http://intranet.example/cb", "http://127.0.0.1/cb"])).unwrap();
        assert_eq!(beside.redirect_uris.len(), 1, "plain http elsewhere is left out");
        assert!(with("redirect_uris", json!(["http://intranet.example/cb"])).is_err());
        for wrong in [json!([]), json!("https://c.example/cb"), json!([1]), Value::Null, json!(vec!["https://h/"; 11])]
        {
            assert_eq!(with("redirect_uris", wrong.clone()), Err(MetadataError::RedirectUris), "{wrong}");
        }
        assert_eq!(with("redirect_uris", json!(vec!["https://h/"; 10])).unwrap().redirect_uris.len(), 1);
    }

    #[test]
    fn grant_and_response_types_are_read_leniently() {
        use GrantType::{AuthorizationCode, RefreshToken};
        let both = vec![AuthorizationCode, RefreshToken];
        for (claimed, granted) in [
            (Value::Null, both.clone()),
            (json!([]), both.clone()),
            (json!("authorization_code"), both.clone()),
            (json!(["refresh_token"]), both.clone()),
            (json!(["refresh_token", "authorization_code"]), both.clone()),
            (json!(["authorization_code"]), vec![AuthorizationCode]),
            (json!(["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"]), vec![AuthorizationCode]),
        ] {
            assert_eq!(with("grant_types", claimed.clone()).unwrap().grant_types, granted, "{claimed}");
        }
        assert_eq!(with("grant_types", json!(["client_credentials"])), Err(MetadataError::GrantTypes));
        for fine in [Value::Null, json!([]), json!(["code"]), json!(["id_token", "code"]), json!("code")] {
            assert!(with("response_types", fine.clone()).is_ok(), "{fine}");
        }
        assert_eq!(with("response_types", json!(["token"])), Err(MetadataError::ResponseTypes));
    }

    #[test]
    fn what_only_describes_is_dropped_when_unsound() {
        for field in ["client_uri", "logo_uri", "tos_uri", "policy_uri"] {
            for wrong in ["javascript:x", "data:image/png;base64,AA", "/logo.png", "https://u:p@h/", "https://h/ x", ""]
            {
                assert!(with(field, json!(wrong)).unwrap().client_uri.is_none(), "{field} {wrong}");
            }
        }
        assert!(with("client_uri", json!(format!("https://h/{}", "x".repeat(MAX_TEXT)))).unwrap().client_uri.is_none());
        assert_eq!(with("logo_uri", json!("https://h/l.png")).unwrap().logo_uri.as_deref(), Some("https://h/l.png"));
        assert!(with("contacts", json!("a@b")).unwrap().contacts.is_empty());
        assert_eq!(with("contacts", json!(["a@b", 1, "", "c\nd"])).unwrap().contacts, ["a@b"]);
        assert_eq!(with("contacts", json!(vec!["a@b"; 50])).unwrap().contacts.len(), MAX_CONTACTS);
        assert!(with("scope", json!("a \"b\"")).unwrap().scope.is_none());
        assert!(with("scope", json!("")).unwrap().scope.is_none());
        assert_eq!(with("scope", json!("openid mcp")).unwrap().scope.unwrap().as_str(), "mcp openid");
        assert_eq!(with("application_type", json!("spa")).unwrap().application_type, None);
        assert!(with("jwks_uri", json!("file:///etc/passwd")).unwrap().jwks_uri.is_none(), "of no use to it");
        assert!(with("x-unknown", json!({"a": [1, 2]})).is_ok());
    }

    #[test]
    fn keys_stand_in_one_place() {
        let keys = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
        let private = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "AA"}]});
        let base = json!({"redirect_uris": ["https://c.example/cb"]});
        let signing = |extra: Value| {
            let mut metadata = base.clone();
            metadata.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            ClaimedMetadata::read(metadata.to_string().as_bytes(), 8192).unwrap().parse(&[AuthMethod::PrivateKeyJwt])
        };
        assert!(signing(json!({"jwks": keys})).unwrap().jwks.is_some());
        let uri = "https://c.example/jwks.json";
        assert_eq!(signing(json!({"jwks_uri": uri})).unwrap().jwks_uri.as_deref(), Some(uri));
        for wrong in [
            json!({}),
            json!({"jwks": keys, "jwks_uri": uri}),
            json!({"jwks_uri": "http://c.example/jwks.json"}),
            json!({"jwks_uri": "https://10.0.0.1/jwks.json"}),
            json!({"jwks_uri": 7}),
        ] {
            assert_eq!(signing(wrong.clone()), Err(MetadataError::NoKeys), "{wrong}");
        }
        assert_eq!(signing(json!({"jwks": private})), Err(MetadataError::Keys(ClientKeysError::ExposesSecret)));
    }

    #[test]
    fn only_an_object_without_repetitions_is_read() {
        for wrong in [
            "",
            "[]",
            "null",
            "\"x\"",
            "{",
            "{}x",
            r#"{"scope":"a","scope":"b"}"#,
            &format!("{{{}}}", " ".repeat(8191)),
        ] {
            assert_eq!(ClaimedMetadata::read(wrong.as_bytes(), 8192).err(), Some(MetadataError::Json(8192)), "{wrong}");
        }
        assert!(ClaimedMetadata::read(b"{\"unknown\":\"\xff\"}", 8192).is_err(), "JSON is UTF-8");
    }

    proptest! {
        #[test]
        fn no_value_makes_the_parser_panic(
            field in "(redirect_uris|client_name|grant_types|scope|contacts|jwks|jwks_uri|logo_uri|response_types)",
            value in "(\\PC{0,20}|\\[\"\\PC{0,20}\"\\]|\\{\\}|-?[0-9.e]{1,8})",
        ) {
            let json = format!(r#"{{"redirect_uris":["https://h/"],"{field}":{value}}}"#);
            if let Ok(claimed) = ClaimedMetadata::read(json.as_bytes(), 8192) {
                let _ = claimed.parse(&[AuthMethod::None, AuthMethod::PrivateKeyJwt]);
            }
        }
    }
}
