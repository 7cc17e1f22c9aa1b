//! Which client speaks at the token endpoint, and has it proved so? RFC 6749 §2.3 and §3.2.1, RFC 7523 §2.2.
//!
//! Two steps. [`ClientCredentials::parse`] finds what was presented: exactly one method, or none at all from a public
//! client. [`ClientCredentials::against`] holds it against the client that the store has under that id. Only these make
//! an [`AuthenticatedClient`]; a client with keys takes one more step, because its keys may have to be fetched first.
//! A presented secret is digested at the door and not kept.

use super::client::{AuthMethod, Client, ClientId};
use super::client_assertion::{ASSERTION_TYPE, AssertionRefusal, ClientAssertion, UnverifiedAssertion};
use super::client_keys::ClientKeys;
use super::error::ProtocolError;
use crate::clock::Timestamp;
use crate::secret::TokenDigest;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Longest `Authorization` header that is looked at, in bytes.
pub const MAX_HEADER: usize = 2048;

/// The parameters of a form that speak of the client; each stands at most once in it.
#[derive(Clone, Copy, Default)]
pub struct ClientParameters<'a> {
    /// `client_id`.
    pub client_id: Option<&'a str>,
    /// `client_secret`.
    pub client_secret: Option<&'a str>,
    /// `client_assertion_type`.
    pub client_assertion_type: Option<&'a str>,
    /// `client_assertion`.
    pub client_assertion: Option<&'a str>,
}

/// What a client presented, not yet checked.
#[derive(Debug, Clone)]
pub enum ClientCredentials {
    /// Its id alone.
    Id(ClientId),
    /// Its id and a secret.
    Secret {
        /// The id.
        client: ClientId,
        /// The digest of the secret.
        digest: TokenDigest,
        /// Where the secret stood.
        method: AuthMethod,
    },
    /// A signed assertion.
    Assertion(UnverifiedAssertion),
}

/// A client that has proved itself as its registration asks. Made only here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedClient {
    client: Box<Client>,
    method: AuthMethod,
}

/// What holding credentials against a client comes to.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// It is that client.
    Done(AuthenticatedClient),
    /// Its keys will tell.
    NeedsKeys(Box<PendingAssertion>),
}

/// An assertion that waits for its client's keys.
#[derive(Debug, Clone)]
pub struct PendingAssertion {
    client: Client,
    assertion: UnverifiedAssertion,
}

impl ClientCredentials {
    /// Finds the credentials in the `Authorization` header and in the form.
    pub fn parse(authorization: Option<&[u8]>, form: ClientParameters<'_>) -> Result<Self, ProtocolError> {
        // RFC 6749 §2.3.1: an empty secret may be left out, so an empty parameter is none.
        let secret = form.client_secret.filter(|secret| !secret.is_empty());
        let assertion = match (form.client_assertion_type, form.client_assertion) {
            (None, None) => None,
            (Some(ASSERTION_TYPE), Some(assertion)) => Some(assertion),
            (Some(ASSERTION_TYPE) | None, _) => {
                return Err(ProtocolError::invalid_request(
                    "client_assertion_type and client_assertion go together: one of them is missing",
                ));
            }
            (Some(_), _) => return Err(ProtocolError::invalid_client("this client_assertion_type is not supported")),
        };
        if usize::from(authorization.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some()) > 1 {
            return Err(ProtocolError::invalid_request(
                "a client may authenticate in one way only (RFC 6749 section 2.3)",
            ));
        }
        let found = if let Some(header) = authorization {
            basic(header)?
        } else if let Some(assertion) = assertion {
            let assertion = UnverifiedAssertion::parse(assertion)?;
            Self::Assertion(assertion)
        } else {
            let client = form.client_id.ok_or_else(|| ProtocolError::invalid_client("client_id is missing"))?;
            let client = client_id(client)?;
            secret.map_or(Self::Id(client.clone()), |secret| Self::Secret {
                client,
                digest: TokenDigest::of(secret),
                method: AuthMethod::ClientSecretPost,
            })
        };
        match form.client_id {
            Some(named) if named != found.client().as_str() => {
                Err(ProtocolError::invalid_request("client_id differs from the client that authenticates"))
            }
            _ => Ok(found),
        }
    }

    /// The client that they claim to be of.
    pub fn client(&self) -> &ClientId {
        match self {
            Self::Id(client) | Self::Secret { client, .. } => client,
            Self::Assertion(assertion) => assertion.client(),
        }
    }

    /// The method used.
    pub fn method(&self) -> AuthMethod {
        match self {
            Self::Id(_) => AuthMethod::None,
            Self::Secret { method, .. } => *method,
            Self::Assertion(_) => AuthMethod::PrivateKeyJwt,
        }
    }

    /// Holds the credentials against the client that is known under [`ClientCredentials::client`].
    pub fn against(self, client: Client) -> Result<Authentication, ProtocolError> {
        let method = self.method();
        if *self.client() != client.id {
            return Err(ProtocolError::invalid_client("these are the credentials of another client"));
        }
        if !client.may_authenticate_with(method) {
            return Err(ProtocolError::invalid_client(format!(
                "this client authenticates with {}, not with {}",
                client.metadata.auth_method.as_str(),
                method.as_str()
            )));
        }
        match self {
            Self::Id(_) => {}
            Self::Secret { digest, .. } if client.secret == Some(digest) => {}
            Self::Secret { .. } => return Err(ProtocolError::invalid_client("the client secret is wrong")),
            Self::Assertion(assertion) => {
                return Ok(Authentication::NeedsKeys(Box::new(PendingAssertion { client, assertion })));
            }
        }
        Ok(Authentication::Done(AuthenticatedClient { client: Box::new(client), method }))
    }
}

impl AuthenticatedClient {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How it proved itself.
    pub fn method(&self) -> AuthMethod {
        self.method
    }

    /// The client, for keeping.
    pub fn into_client(self) -> Client {
        *self.client
    }
}

impl PendingAssertion {
    /// The client whose keys are needed: `jwks` or `jwks_uri` of its metadata.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Checks the assertion (RFC 7523 §3). The caller then refuses it if that client used its `id` before.
    pub fn verify(
        &self,
        keys: &ClientKeys,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<(AuthenticatedClient, ClientAssertion), AssertionRefusal> {
        let assertion = self.assertion.verify(keys, audiences, now)?;
        Ok((
            AuthenticatedClient { client: Box::new(self.client.clone()), method: AuthMethod::PrivateKeyJwt },
            assertion,
        ))
    }
}

impl From<AssertionRefusal> for ProtocolError {
    fn from(refusal: AssertionRefusal) -> Self {
        Self::invalid_client(refusal.to_string())
    }
}

fn client_id(text: &str) -> Result<ClientId, ProtocolError> {
    ClientId::parse(text).map_err(|_| ProtocolError::invalid_client("no client with this client_id: register it again"))
}

/// `Basic` of RFC 7617, both halves form-encoded (RFC 6749 §2.3.1).
fn basic(header: &[u8]) -> Result<ClientCredentials, ProtocolError> {
    const PADDED_OR_NOT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let malformed = || ProtocolError::invalid_client("the Authorization header is not Basic with client id and secret");
    let (scheme, encoded) =
        header.split_at_checked("Basic ".len()).filter(|_| header.len() <= MAX_HEADER).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return Err(malformed());
    }
    let decoded = PADDED_OR_NOT.decode(encoded.trim_ascii()).map_err(|_| malformed())?;
    let colon = decoded.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
    let client = form_decoded(&decoded[..colon]).ok_or_else(malformed)?;
    let secret = form_decoded(&decoded[colon + 1..]).ok_or_else(malformed)?;
    let client = client_id(&client)?;
    Ok(if secret.is_empty() {
        ClientCredentials::Id(client)
    } else {
        ClientCredentials::Secret { client, digest: TokenDigest::of(&secret), method: AuthMethod::ClientSecretBasic }
    })
}

/// Undoes `application/x-www-form-urlencoded` for one value; `None` for a broken escape or text that is not UTF-8.
fn form_decoded(encoded: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::oauth::client::{ClientKind, ClientMetadata};
    use crate::oauth::error::ErrorCode;
    use proptest::prelude::*;

    const ID: &str = "cli_01kx6n0000000000000000000a";
    const OTHER: &str = "cli_01kx6n0000000000000000000b";

    fn encoded(text: &str) -> String {
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    fn parse(header: Option<&str>, form: ClientParameters<'_>) -> Result<ClientCredentials, ErrorCode> {
        ClientCredentials::parse(header.map(str::as_bytes), form).map_err(|error| error.code())
    }

    fn client(auth_method: AuthMethod, secret: Option<&str>) -> Client {
        Client {
            id: ClientId::parse(ID).unwrap(),
            kind: ClientKind::Dynamic,
            metadata: ClientMetadata { auth_method, ..ClientMetadata::public(None, Vec::new()) },
            secret: secret.map(TokenDigest::of),
            created_at: Timestamp::EPOCH,
            created_by: None,
        }
    }

    #[test]
    fn one_method_is_found_in_header_or_form() {
        let form = ClientParameters { client_id: Some(ID), ..ClientParameters::default() };
        let header = format!("Basic {}", encoded(&format!("{ID}:kws_x")));
        for (authorization, form, method) in [
            (None, form, AuthMethod::None),
            (None, ClientParameters { client_secret: Some(""), ..form }, AuthMethod::None),
            (None, ClientParameters { client_secret: Some("kws_x"), ..form }, AuthMethod::ClientSecretPost),
            (Some(header.as_str()), ClientParameters::default(), AuthMethod::ClientSecretBasic),
            (Some(header.as_str()), form, AuthMethod::ClientSecretBasic),
            (Some(&*header.replace("Basic ", "basic  ")), form, AuthMethod::ClientSecretBasic),
            (Some(header.trim_end_matches('=')), form, AuthMethod::ClientSecretBasic),
            (Some(&*format!("Basic {}", encoded(&format!("{ID}:")))), form, AuthMethod::None),
        ] {
            let found = parse(authorization, form).unwrap();
            assert_eq!((found.method(), found.client().as_str()), (method, ID), "{authorization:?}");
        }
    }

    #[test]
    fn anything_but_one_method_is_refused() {
        use ErrorCode::{InvalidClient, InvalidRequest};
        let none = ClientParameters::default();
        let form = ClientParameters { client_id: Some(ID), ..none };
        let post = ClientParameters { client_secret: Some("kws_x"), ..form };
        let asserted = ClientParameters {
            client_assertion_type: Some(ASSERTION_TYPE),
            client_assertion: Some("e30.e30.AA"),
            ..none
        };
        let header = format!("Basic {}", encoded(&format!("{ID}:kws_x")));
        let other = format!("Basic {}", encoded(&format!("{OTHER}:kws_x")));
        let long = format!("Basic {}", "A".repeat(MAX_HEADER));
        let not_utf8 = format!("Basic {}", encoded(&format!("{ID}:%ff")));
        let broken = format!("Basic {}", encoded(&format!("{ID}:%4")));
        for (authorization, form, code) in [
            (None, none, InvalidClient),
            (None, ClientParameters { client_id: Some(""), ..none }, InvalidClient),
            (None, ClientParameters { client_id: Some("someone"), ..none }, InvalidClient),
            (None, ClientParameters { client_secret: Some("kws_x"), ..none }, InvalidClient),
            (None, asserted, InvalidClient),
            (None, ClientParameters { client_assertion_type: Some("saml"), ..asserted }, InvalidClient),
            (None, ClientParameters { client_assertion_type: None, ..asserted }, InvalidRequest),
            (None, ClientParameters { client_assertion: None, ..asserted }, InvalidRequest),
            (None, ClientParameters { client_secret: Some("kws_x"), ..asserted }, InvalidRequest),
            (Some(header.as_str()), asserted, InvalidRequest),
            (Some(&header), post, InvalidRequest),
            (Some(&other), form, InvalidRequest),
            (Some(&header.replace("Basic", "Bearer")), form, InvalidClient),
            (Some("Basic"), form, InvalidClient),
            (Some("Basic "), form, InvalidClient),
            (Some("Basic !!!!"), form, InvalidClient),
            (Some(&format!("Basic {}", encoded(ID))), form, InvalidClient),
            (Some(&long), form, InvalidClient),
            (Some(&not_utf8), form, InvalidClient),
            (Some(&broken), form, InvalidClient),
        ] {
            assert_eq!(parse(authorization, form).err(), Some(code), "{authorization:?}");
        }
    }

    #[test]
    fn both_halves_of_basic_are_form_encoded() {
        let url = "https://h.example/c.json?a=b";
        let header = format!("Basic {}", encoded("https%3A%2F%2Fh.example%2Fc.json%3Fa%3Db:a+b%3a%2B%c3%a9"));
        match ClientCredentials::parse(Some(header.as_bytes()), ClientParameters::default()).unwrap() {
            ClientCredentials::Secret { client, digest, .. } => {
                assert_eq!(client.as_str(), url);
                assert_eq!(digest, TokenDigest::of("a b:+é"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_client_proves_itself_as_it_registered() {
        let form = ClientParameters { client_id: Some(ID), ..ClientParameters::default() };
        let posted = |secret| ClientParameters { client_secret: Some(secret), ..form };
        let public = client(AuthMethod::None, None);
        let secret = client(AuthMethod::ClientSecretBasic, Some("kws_right"));
        let without = client(AuthMethod::ClientSecretBasic, None);
        let keyed = client(AuthMethod::PrivateKeyJwt, None);
        for (form, client, proved) in [
            (form, &public, true),
            (posted("kws_right"), &public, false),
            (posted("kws_right"), &secret, true),
            (posted("kws_wrong"), &secret, false),
            (form, &secret, false),
            (posted("kws_right"), &without, false),
            (form, &keyed, false),
            (posted("kws_right"), &keyed, false),
            (ClientParameters { client_id: Some(OTHER), ..form }, &public, false),
        ] {
            let outcome = parse(None, form).unwrap().against(client.clone());
            match outcome {
                Ok(Authentication::Done(done)) => assert!(proved && done.client() == client),
                Ok(Authentication::NeedsKeys(_)) => panic!("nothing was signed"),
                Err(error) => assert!(!proved && error.code() == ErrorCode::InvalidClient, "{error}"),
            }
        }
    }

    #[test]
    fn a_client_with_keys_proves_itself_by_signing() {
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        use ring::signature::{Ed25519KeyPair, KeyPair as _};
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#);
        let claims = format!(r#"{{"iss":"{ID}","sub":"{ID}","aud":"https://k.example","jti":"j","exp":100}}"#);
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#), URL_SAFE_NO_PAD.encode(claims));
        let assertion = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes())));
        let form = ClientParameters {
            client_assertion_type: Some(ASSERTION_TYPE),
            client_assertion: Some(&assertion),
            ..ClientParameters::default()
        };

        assert_eq!(
            parse(None, ClientParameters { client_id: Some(OTHER), ..form }).err(),
            Some(ErrorCode::InvalidRequest),
            "client_id names another"
        );
        let public = parse(None, form).unwrap().against(client(AuthMethod::None, None));
        assert_eq!(public.err().map(|error| error.code()), Some(ErrorCode::InvalidClient));
        let keyed = client(AuthMethod::PrivateKeyJwt, None);
        let Ok(Authentication::NeedsKeys(pending)) = parse(None, form).unwrap().against(keyed.clone()) else {
            panic!("its keys are needed");
        };
        let keys = ClientKeys::parse(keys.as_bytes()).unwrap();
        let (done, used) = pending.verify(&keys, &["https://k.example"], Timestamp::EPOCH).unwrap();
        assert_eq!((done.client(), done.method(), used.id.as_str()), (&keyed, AuthMethod::PrivateKeyJwt, "j"));
        assert_eq!(
            pending.verify(&keys, &["https://other.example"], Timestamp::EPOCH),
            Err(AssertionRefusal::Audience)
        );
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret =
            crate::secret::PlainToken::generate(crate::secret::PlainTokenKind::ClientSecret, &SeededEntropy::new(1));
        let form = ClientParameters {
            client_id: Some(ID),
            client_secret: Some(secret.expose()),
            ..ClientParameters::default()
        };
        assert!(!format!("{:?}", parse(None, form).unwrap()).contains("kws_"));
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,30}") {
            let _ = ClientCredentials::parse(Some(&bytes), ClientParameters::default());
            let header = format!("Basic {}", encoded(&text));
            let _ = ClientCredentials::parse(Some(header.as_bytes()), ClientParameters::default());
        }
    }
}
