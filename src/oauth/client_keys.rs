//! Which public keys does a client sign with? Its JWK Set (RFC 7517 §5), from its document or its `jwks_uri`.
//!
//! A set is strangers' text: keys that Keyward has no use for are passed over, but a private or symmetric key in a set
//! that the whole world may read spoils the set. A [`ClientKeys`] holds only keys that can verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Largest set that is read, in bytes.
pub const MAX_KEY_SET: usize = 64 * 1024;
/// Most keys in a set.
pub const MAX_KEYS: usize = 16;

/// The signature algorithms that clients may sign with, by their JOSE names (RFC 7518 §3.1, RFC 8037, RFC 9864).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a modulus of 2048 to 4096 bits.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl SigningAlgorithm {
    /// The names for `token_endpoint_auth_signing_alg_values_supported` (RFC 8414 §2).
    pub const NAMES: [&str; 4] = ["ES256", "RS256", "EdDSA", "Ed25519"];

    /// The algorithm with this JOSE name, if it is on the list.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A client's verification keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKeys(Vec<ClientKey>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct ClientKey {
    id: Option<String>,
    key: PublicKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PublicKey {
    /// Uncompressed point.
    P256([u8; 65]),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Ed25519([u8; 32]),
}

/// Why a JWK Set is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeysError {
    /// Not the JSON of RFC 7517 §5, or larger than [`MAX_KEY_SET`].
    #[error("the key set is not a JWK Set of at most 64 KB")]
    Malformed,
    /// More than [`MAX_KEYS`].
    #[error("the key set has more than 16 keys")]
    TooMany,
    /// A private or symmetric key lies open in the set.
    #[error("the key set shows a private or symmetric key; replace that key, it is no longer secret")]
    ExposesSecret,
    /// No key of the set can verify what Keyward accepts.
    #[error("the key set has no ES256, RS256 (2048 to 4096 bits) or Ed25519 key for signatures")]
    NothingUsable,
}

impl ClientKeys {
    /// Reads a JWK Set (RFC 7517 §5).
    pub fn parse(json: &[u8]) -> Result<Self, ClientKeysError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Jwk>,
        }
        if json.len() > MAX_KEY_SET {
            return Err(ClientKeysError::Malformed);
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| ClientKeysError::Malformed)?;
        if set.keys.len() > MAX_KEYS {
            return Err(ClientKeysError::TooMany);
        }
        if set.keys.iter().any(Jwk::exposes_secret) {
            return Err(ClientKeysError::ExposesSecret);
        }
        let usable: Vec<_> = set.keys.into_iter().filter_map(Jwk::into_key).collect();
        if usable.is_empty() { Err(ClientKeysError::NothingUsable) } else { Ok(Self(usable)) }
    }

    /// Whether a key named `id` (any key, if the signer did not name one) can verify `algorithm`.
    pub fn has(&self, algorithm: SigningAlgorithm, id: Option<&str>) -> bool {
        self.candidates(algorithm, id).next().is_some()
    }

    /// Whether one of those keys made `signature` over `message`.
    pub fn verify(&self, algorithm: SigningAlgorithm, id: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        self.candidates(algorithm, id).any(|candidate| candidate.key.verify(message, signature))
    }

    fn candidates(&self, algorithm: SigningAlgorithm, id: Option<&str>) -> impl Iterator<Item = &ClientKey> {
        self.0.iter().filter(move |candidate| {
            candidate.key.algorithm() == algorithm && (id.is_none() || candidate.id.as_deref() == id)
        })
    }
}

impl PublicKey {
    fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::P256(_) => SigningAlgorithm::Es256,
            Self::Rsa { .. } => SigningAlgorithm::Rs256,
            Self::Ed25519(_) => SigningAlgorithm::EdDsa,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Self::Rsa { modulus, exponent } => ring::signature::RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        }
        .is_ok()
    }
}

/// RFC 7517 §4, RFC 7518 §6, RFC 8037 §2. Unknown members are ignored, as RFC 7517 §4 asks.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    use_: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    // Secrets: their presence is all that matters.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl Jwk {
    fn exposes_secret(&self) -> bool {
        self.kty == "oct" || self.d.is_some() || self.p.is_some() || self.q.is_some() || self.k.is_some()
    }

    fn into_key(self) -> Option<ClientKey> {
        let signs = self.use_.as_deref().is_none_or(|use_| use_ == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        let key = self.public_key()?;
        let fits = self.alg.as_deref().is_none_or(|name| SigningAlgorithm::from_name(name) == Some(key.algorithm()));
        (signs && fits).then_some(ClientKey { id: self.kid, key })
    }

    fn public_key(&self) -> Option<PublicKey> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(&coordinate(self.x.as_deref())?);
                point[33..].copy_from_slice(&coordinate(self.y.as_deref())?);
                Some(PublicKey::P256(point))
            }
            ("OKP", Some("Ed25519")) => coordinate(self.x.as_deref()).map(PublicKey::Ed25519),
            ("RSA", _) => {
                let modulus = unsigned(self.n.as_deref())?;
                let exponent = unsigned(self.e.as_deref())?;
                let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
                ((2048..=4096).contains(&bits) && exponent.len() <= 4).then_some(PublicKey::Rsa { modulus, exponent })
            }
            _ => None,
        }
    }
}

fn coordinate(text: Option<&str>) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text?).ok()?.try_into().ok()
}

/// A big-endian number without leading zeros; some signers write one (RFC 7518 §6.3.1.1 tells them not to).
fn unsigned(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const OKP: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"b","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn set(keys: &[&str]) -> Result<ClientKeys, ClientKeysError> {
        ClientKeys::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn a_key_is_found_by_its_name_and_algorithm() {
        let keys = set(&[EC, OKP]).unwrap();
        assert!(keys.has(SigningAlgorithm::Es256, Some("a")));
        assert!(keys.has(SigningAlgorithm::EdDsa, None));
        assert!(!keys.has(SigningAlgorithm::Es256, Some("b")), "the key b is of another kind");
        assert!(!keys.has(SigningAlgorithm::Rs256, None));
    }

    #[test]
    fn keys_for_something_else_are_passed_over() {
        let of_no_use = [
            r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"new","anything":[1,2]}"#.to_owned(),
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
            format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, URL_SAFE_NO_PAD.encode([0xff; 128])),
            format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, URL_SAFE_NO_PAD.encode([0xff; 513])),
            format!(r#"{{"kty":"RSA","n":"{}","e":""}}"#, URL_SAFE_NO_PAD.encode([0xff; 256])),
            EC.replace(r#""kty""#, r#""use":"enc","kty""#),
            EC.replace(r#""kty""#, r#""key_ops":["encrypt"],"kty""#),
            EC.replace(r#""kty""#, r#""alg":"ES512","kty""#),
            OKP.replace(r#""kty""#, r#""alg":"ES256","kty""#),
            OKP.replace("11qY", "11q"),
        ];
        for key in &of_no_use {
            assert_eq!(set(&[key]), Err(ClientKeysError::NothingUsable), "{key}");
            assert!(set(&[key, EC]).is_ok(), "{key}");
        }
        let large = format!(r#"{{"kty":"RSA","use":"sig","n":"{}","e":"AQAB"}}"#, URL_SAFE_NO_PAD.encode([0xff; 512]));
        assert!(set(&[&large]).unwrap().has(SigningAlgorithm::Rs256, None));
        let padded = format!(r#"{{"kty":"RSA","n":"AP{}","e":"AQAB"}}"#, &URL_SAFE_NO_PAD.encode([0xff; 255]));
        assert!(set(&[&padded]).is_err(), "2040 bits after a zero byte are too few");
    }

    #[test]
    fn a_set_that_shows_a_secret_is_refused() {
        for secret in [
            r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
            EC.replace(r#""kty""#, r#""d":"AA","kty""#),
            OKP.replace(r#""kty""#, r#""d":null,"d2":1,"k":"AA","kty""#),
            r#"{"kty":"RSA","n":"AA","e":"AQAB","p":"AA"}"#.to_owned(),
        ] {
            assert_eq!(set(&[EC, &secret]), Err(ClientKeysError::ExposesSecret), "{secret}");
        }
    }

    #[test]
    fn size_and_shape_are_limited() {
        assert_eq!(set(&[EC; MAX_KEYS + 1]), Err(ClientKeysError::TooMany));
        assert_eq!(ClientKeys::parse(&vec![b' '; MAX_KEY_SET + 1]), Err(ClientKeysError::Malformed));
        for wrong in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(ClientKeys::parse(wrong.as_bytes()), Err(ClientKeysError::Malformed), "{wrong}");
        }
        assert_eq!(set(&[]), Err(ClientKeysError::NothingUsable));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(kty in "(EC|OKP|RSA|oct)", n in "[A-Za-z0-9_-]{0,60}", crv in "(P-256|Ed25519)") {
            let key = format!(r#"{{"kty":"{kty}","crv":"{crv}","x":"{n}","y":"{n}","n":"{n}","e":"{n}"}}"#);
            let _ = set(&[&key]);
        }
    }
}
