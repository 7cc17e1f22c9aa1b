//! Has this client proved itself with a signed assertion? RFC 7523 §3, authentication method `private_key_jwt`.
//!
//! Two steps, because the key to check with is the client's own: [`UnverifiedAssertion::parse`] tells which client
//! claims to speak, [`UnverifiedAssertion::verify`] checks it with that client's keys. The audience is this
//! authorization server and nobody else: an assertion that also names another server could be replayed by that server.
//! A [`ClientAssertion`] is good for one use: whoever accepts it remembers `id` until `expires`.

use super::client::ClientId;
use super::client_keys::{ClientKeys, SigningAlgorithm};
use crate::clock::{Timestamp, hours};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// The value of `client_assertion_type` (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Largest assertion that is looked at, in bytes.
pub const MAX_ASSERTION: usize = 8 * 1024;
/// By how much a client's clock may differ.
pub const CLOCK_LEEWAY: Duration = Duration::from_secs(30);
/// How far ahead an assertion may expire; also how long its id has to be remembered.
pub const MAX_LIFE: Duration = hours(1);
/// Longest `jti`, in bytes.
pub const MAX_ID: usize = 256;

/// An assertion of which only the form has been checked.
#[derive(Clone)]
pub struct UnverifiedAssertion {
    signed: String,
    signature: Vec<u8>,
    algorithm: SigningAlgorithm,
    key_id: Option<String>,
    client: ClientId,
    claims: Claims,
}

/// What a genuine assertion says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAssertion {
    /// The client that proved itself.
    pub client: ClientId,
    /// The `jti` claim: refuse it from this client until `expires`.
    pub id: String,
    /// When it can no longer be used, leeway included.
    pub expires: Timestamp,
}

/// Why an assertion is refused. Every one is `invalid_client` (RFC 7523 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionRefusal {
    /// Not a signed compact JWT with the claims of RFC 7523 §3 in their right types.
    #[error("the client assertion is not a JWT with string iss, sub and jti, an aud and a numeric exp")]
    Malformed,
    /// `alg` is not on the list.
    #[error("the client assertion must be signed with ES256, RS256 or EdDSA")]
    Algorithm,
    /// `typ` is that of another kind of token.
    #[error("the client assertion has the typ of another kind of token")]
    Kind,
    /// `iss` and `sub` differ, or are no client id.
    #[error("the client assertion must have the client's id as iss and as sub")]
    NotItsOwn,
    /// The client has no such key, now.
    #[error("the client has no key with the assertion's kid and alg")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the client assertion's signature does not verify")]
    Signature,
    /// It is not, or not only, for this authorization server.
    #[error("the client assertion's aud must be this server's issuer or token endpoint, and nothing else")]
    Audience,
    /// `exp` is over.
    #[error("the client assertion has expired")]
    Expired,
    /// `exp` is more than [`MAX_LIFE`] ahead.
    #[error("the client assertion may expire at most one hour ahead")]
    TooLong,
    /// `nbf` or `iat` is ahead.
    #[error("the client assertion is not valid yet")]
    NotYet,
}

impl UnverifiedAssertion {
    /// Reads the compact form (RFC 7515 §7.1) without checking the signature.
    pub fn parse(assertion: &str) -> Result<Self, AssertionRefusal> {
        use AssertionRefusal::{Algorithm, Kind, Malformed, NotItsOwn};
        if assertion.len() > MAX_ASSERTION {
            return Err(Malformed);
        }
        let (signed, signature) = assertion.rsplit_once('.').ok_or(Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Malformed)?;
        let header: Header = json(header)?;
        let claims: Claims = json(claims)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Malformed)?;
        let algorithm = SigningAlgorithm::from_name(&header.alg).ok_or(Algorithm)?;
        // RFC 7515 §4.1.11: an extension that must be understood, and none is.
        if header.crit.is_some() || !(1..=MAX_ID).contains(&claims.jti.len()) || claims.aud.0.is_empty() {
            return Err(Malformed);
        }
        if !header.typ.as_deref().is_none_or(is_client_assertion) {
            return Err(Kind);
        }
        if claims.iss != claims.sub {
            return Err(NotItsOwn);
        }
        let client = ClientId::parse(&claims.sub).map_err(|_| NotItsOwn)?;
        Ok(Self { signed: signed.to_owned(), signature, algorithm, key_id: header.kid, client, claims })
    }

    /// The client that it claims to come from.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// Checks it with the client's keys. `audiences`: the issuer and the token endpoint.
    pub fn verify(
        &self,
        keys: &ClientKeys,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<ClientAssertion, AssertionRefusal> {
        let key_id = self.key_id.as_deref();
        if !keys.has(self.algorithm, key_id) {
            return Err(AssertionRefusal::UnknownKey);
        }
        if !keys.verify(self.algorithm, key_id, self.signed.as_bytes(), &self.signature) {
            return Err(AssertionRefusal::Signature);
        }
        let Claims { aud, jti, exp, nbf, iat, .. } = &self.claims;
        if !aud.0.iter().all(|audience| audiences.contains(&audience.as_str())) {
            return Err(AssertionRefusal::Audience);
        }
        let expires = exp.0 + CLOCK_LEEWAY;
        if expires <= now {
            return Err(AssertionRefusal::Expired);
        }
        if exp.0 > now + MAX_LIFE + CLOCK_LEEWAY {
            return Err(AssertionRefusal::TooLong);
        }
        if [nbf, iat].into_iter().flatten().any(|start| start.0 > now + CLOCK_LEEWAY) {
            return Err(AssertionRefusal::NotYet);
        }
        Ok(ClientAssertion { client: self.client.clone(), id: jti.clone(), expires })
    }
}

impl std::fmt::Debug for UnverifiedAssertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnverifiedAssertion")
    }
}

/// RFC 7515 §4.1.9 lets the type be left out, abbreviated and written in any case.
fn is_client_assertion(typ: &str) -> bool {
    let short = typ.get(.."application/".len()).filter(|prefix| prefix.eq_ignore_ascii_case("application/"));
    let name = short.map_or(typ, |prefix| &typ[prefix.len()..]);
    name.eq_ignore_ascii_case("jwt") || name.eq_ignore_ascii_case("client-authentication+jwt")
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, AssertionRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| AssertionRefusal::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| AssertionRefusal::Malformed)
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audiences,
    jti: String,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

/// One string or several (RFC 7519 §4.1.3).
#[derive(Clone)]
struct Audiences(Vec<String>);

impl<'de> Deserialize<'de> for Audiences {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            One(String),
            Many(Vec<String>),
        }
        Ok(Self(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(audience) => vec![audience],
            OneOrMany::Many(audiences) => audiences,
        }))
    }
}

/// Seconds since the epoch; a fraction is allowed (RFC 7519 §2) and dropped.
#[derive(Clone, Copy)]
struct NumericDate(Timestamp);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = number.as_u64().or_else(|| {
            let fraction = number.as_f64().filter(|seconds| (0.0..=9e15).contains(seconds))?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just checked")]
            Some(fraction as u64)
        });
        let seconds = whole.ok_or_else(|| serde::de::Error::custom("not a NumericDate"))?;
        Ok(Self(Timestamp::from_unix_seconds(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    };
    use serde_json::{Value, json as value};

    const CLIENT: &str = "https://client.example/oauth.json";
    const ISSUER: &str = "https://keyward.example";
    const TOKEN: &str = "https://keyward.example/token";
    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);
    /// A key of its own for this test; it guards nothing.
    const RSA_PKCS8: &str = "MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQC3nb7eqRk3JtOtS+zWRNOyd3coGPXtp/mRkA2HVkU690LwQD3a/89a\
        /YhFrwAQhIuLbqcftRHElVqK/y2FVeytJtbVR4Z24BsTsAqcVw7nuGAXco7fQLOSwcnIvISTOi3pAm1UWPvp6QINVWgmbTw7HdZYzCqA\
        fIWuY6OOoIdNIyr3WMKznRPfzDHcCEFS+L35Autx17pKS1zmZ0ZvdzHYIwdECVAc9xLNJ8oeWkRB8JVmjdchCky0UPKyaF8UyaPLSbY7\
        uKJ6MhMW7H662amnqD42cPiadVsZxjZ2VXPxgmZPk0q1zgGhVozQ9znUESAuf2fld4vMwRK4M0Tmg5tFAgMBAAECggEACXAFtfsaDTAl\
        NCSRZUf/W45xZPG3fkIifT1avKiOAWRhH+klZMK+PS6H2REQH0k4xO9ojqQnaCPHFhrck5xhgFrdMvQssKJ/MclcGkINRZK/+aSNPGNe\
        d34XaYZrCAg3AOF7jhjOxeyQiu/nXQZDUMSNVl4UFyuPUXHUn8mXerrsENEFTB29Y7ttxAmDVYrczjXohuRa61dgvXPJ1EW0ob4nIfJK\
        wA+nnZ6r4BRavKfMcpK8w/dDX/eVNS69zpRYmu+b/UGH6jONPmtJEel59VfQp/AFPKa0Yfx3IiUx6NUYKNMFjunDkuE1rpYcoc/ztAUs\
        oziWh3W10/Xh2cADFwKBgQD0leOl6Tr78FweV0GTQ4TfMJSTbZGLZtS/5DL9OTeQUazFfIYyB9YthOfwALTShRBOP70IBXBVRqttx2Wd\
        bd3LlSO1R1x81QQ+ytO43KxLbpCF4hLO4zahpBmEEV0g+uXtJfkUCbVheYvkGzAuS0neKug031SKMmM3XMMj/dc6pwKBgQDAL3GvE6SD\
        +AoWOBxW9lH8kZUCRJPeICAVSegJ0yTsxHRxRUuChnywI3uC0BKXeFxpx09R/9JoRKYTbrgz94sy5NogDExAHOqwY+uETe3X6O6HcYmo\
        nqn+TK9ivWgwdUMP34dCzIXfwUlX5sYni580o/THdNlYUDZQ4B1rOZ80MwKBgQCkVBCfaBQ5MUSzHezxBGxBiGJKq1MeVfia9LdNayPp\
        0vZBuWhwNNOxwZoTpmXXC4/pAun+eaj/onuLRmz/WNGr9ogHQ+rf9D7l8WBO0/TuuVpgmYQJfJ83+wkpsoDfp7LToq+2xs8WrpNOrvWw\
        JOV8X1ekLmiecTw39hsmE2aIAQKBgQC4ilYteT0WA40b/NEpp+jeD6T3woYCWvKzvn3zQS5Js/Lj+Vgig6UjNU8aM1ZG4CpM4DeIU4/k\
        01ZtfnmeXOrq+dmBwI1PWvT4X1n9dx8VnfO9VwaKRaCSMWyP8bQkI9U7XrZxLBa43s7gexZ3TpiXYYBgLhGtvYgKbMmS9oerBQKBgQDl\
        1uy19S4ecD5HMXTSaZqjd7crCkCFjjfA6E1FNpWczgsiH1+v8b9CfoDQqkQkByMUPqPee/UahS5aHm4lIMlOm/Vt2zo/t6VbU85VQlaC\
        HiUYpJKlrQo7HKIcYBtB8ZMIVqTEWZq59OnCIB/FUS0NET3YO2gOmrD/6dDN4wdvOQ==";

    enum Signer {
        Ec(EcdsaKeyPair),
        Ed(Ed25519KeyPair),
        Rsa(RsaKeyPair),
    }

    impl Signer {
        fn all() -> [(&'static str, Self); 3] {
            let random = SystemRandom::new();
            let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap();
            let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
            let ed = Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap();
            let rsa = RsaKeyPair::from_pkcs8(&STANDARD.decode(RSA_PKCS8).unwrap()).unwrap();
            [("ES256", Self::Ec(ec)), ("EdDSA", Self::Ed(ed)), ("RS256", Self::Rsa(rsa))]
        }

        fn one() -> (&'static str, Self) {
            let [first, ..] = Self::all();
            first
        }

        fn jwk(&self, id: &str) -> Value {
            match self {
                Self::Ec(pair) => {
                    let point = pair.public_key().as_ref();
                    let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
                    value!({"kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y, "use": "sig"})
                }
                Self::Ed(pair) => {
                    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
                    value!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x})
                }
                Self::Rsa(pair) => {
                    let key = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                    let [n, e] = [key.n, key.e].map(|number| URL_SAFE_NO_PAD.encode(number));
                    value!({"kty": "RSA", "kid": id, "n": n, "e": e, "alg": "RS256"})
                }
            }
        }

        fn keys(&self, id: &str) -> ClientKeys {
            ClientKeys::parse(value!({"keys": [self.jwk(id)]}).to_string().as_bytes()).unwrap()
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            self.sign_text(&header.to_string(), &claims.to_string())
        }

        fn sign_text(&self, header: &str, claims: &str) -> String {
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let random = SystemRandom::new();
            let signature = match self {
                Self::Ec(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
                Self::Ed(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
                Self::Rsa(pair) => {
                    let mut signature = vec![0; pair.public().modulus_len()];
                    pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                    signature
                }
            };
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn claims() -> Value {
        let now = NOW.unix_seconds();
        value!({"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "jti": "one", "iat": now, "exp": now + 300})
    }

    fn check(assertion: &str, keys: &ClientKeys) -> Result<ClientAssertion, AssertionRefusal> {
        UnverifiedAssertion::parse(assertion)?.verify(keys, &[ISSUER, TOKEN], NOW)
    }

    #[test]
    fn every_algorithm_on_the_list_verifies_with_its_own_key_only() {
        let signers = Signer::all();
        for (algorithm, signer) in &signers {
            let assertion = signer.sign(&value!({"alg": algorithm, "kid": "k"}), &claims());
            assert_eq!(UnverifiedAssertion::parse(&assertion).unwrap().client().as_str(), CLIENT);
            let genuine = check(&assertion, &signer.keys("k")).unwrap();
            assert_eq!(genuine.client.as_str(), CLIENT);
            assert_eq!(genuine.id, "one");
            assert_eq!(genuine.expires, NOW + Duration::from_secs(330));

            assert_eq!(check(&assertion, &signer.keys("other")), Err(AssertionRefusal::UnknownKey), "{algorithm}");
            for (other, stranger) in &signers {
                if other != algorithm {
                    assert_eq!(check(&assertion, &stranger.keys("k")), Err(AssertionRefusal::UnknownKey), "{other}");
                }
            }
            let without_kid = signer.sign(&value!({"alg": algorithm}), &claims());
            assert!(check(&without_kid, &signer.keys("k")).is_ok(), "{algorithm}");
        }
        let [(_, twin), ..] = Signer::all();
        let assertion = signers[0].1.sign(&value!({"alg": "ES256", "kid": "k"}), &claims());
        assert_eq!(check(&assertion, &twin.keys("k")), Err(AssertionRefusal::Signature), "another key of that name");
    }

    #[test]
    fn claims_are_checked_one_by_one() {
        use AssertionRefusal::{Audience, Expired, Malformed, NotItsOwn, NotYet, TooLong};
        let (algorithm, signer) = Signer::one();
        let keys = signer.keys("k");
        let now = NOW.unix_seconds();
        let cases: Vec<(&str, Value, Option<AssertionRefusal>)> = vec![
            ("aud", value!(TOKEN), None),
            ("aud", value!([ISSUER]), None),
            ("aud", value!([ISSUER, TOKEN]), None),
            ("aud", value!([ISSUER, "https://other.example"]), Some(Audience)),
            ("aud", value!("https://other.example"), Some(Audience)),
            ("aud", value!("https://keyward.example/"), Some(Audience)),
            ("aud", value!("https://keyward.example.evil.example"), Some(Audience)),
            ("aud", value!([]), Some(Malformed)),
            ("aud", value!(1), Some(Malformed)),
            ("aud", value!([[ISSUER]]), Some(Malformed)),
            ("aud", Value::Null, Some(Malformed)),
            ("iss", value!("https://other.example"), Some(NotItsOwn)),
            ("sub", value!("https://other.example"), Some(NotItsOwn)),
            ("sub", value!(7), Some(Malformed)),
            ("jti", value!(""), Some(Malformed)),
            ("jti", value!(7), Some(Malformed)),
            ("jti", value!("x".repeat(MAX_ID)), None),
            ("jti", value!("x".repeat(MAX_ID + 1)), Some(Malformed)),
            ("exp", value!(now - 29), None),
            ("exp", value!(now - 30), Some(Expired)),
            ("exp", value!(now + 3630), None),
            ("exp", value!(now + 3631), Some(TooLong)),
            ("exp", value!(u64::MAX), Some(TooLong)),
            ("exp", value!(1.5), Some(Expired)),
            ("exp", value!(-1), Some(Malformed)),
            ("exp", value!("1790000300"), Some(Malformed)),
            ("exp", value!(1e300), Some(Malformed)),
            ("exp", Value::Null, Some(Malformed)),
            ("iat", value!(now + 30), None),
            ("iat", value!(now + 31), Some(NotYet)),
            ("iat", value!("now"), Some(Malformed)),
            ("nbf", value!(now + 30), None),
            ("nbf", value!(now + 31), Some(NotYet)),
            ("extra", value!({"nested": [1]}), None),
        ];
        for (name, replaced, expected) in cases {
            let mut claims = claims();
            claims[name] = replaced.clone();
            let assertion = signer.sign(&value!({"alg": algorithm, "kid": "k"}), &claims);
            assert_eq!(check(&assertion, &keys).err(), expected, "{name}: {replaced}");
        }
        for name in ["iss", "sub", "aud", "jti", "exp"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            let assertion = signer.sign(&value!({"alg": algorithm, "kid": "k"}), &claims);
            assert_eq!(check(&assertion, &keys), Err(Malformed), "without {name}");
        }
        let twice = claims().to_string().replacen('{', r#"{"sub":"other","#, 1);
        let assertion = signer.sign_text(r#"{"alg":"ES256"}"#, &twice);
        assert_eq!(check(&assertion, &keys), Err(Malformed), "a claim that stands twice");
    }

    #[test]
    fn headers_are_checked() {
        use AssertionRefusal::{Algorithm, Kind, Malformed};
        let (_, signer) = Signer::one();
        let keys = signer.keys("k");
        for (header, expected) in [
            (value!({"alg": "ES256", "typ": "JWT"}), None),
            (value!({"alg": "ES256", "typ": "jwt"}), None),
            (value!({"alg": "ES256", "typ": "client-authentication+jwt"}), None),
            (value!({"alg": "ES256", "typ": "application/client-authentication+jwt"}), None),
            (value!({"alg": "ES256", "typ": "at+jwt"}), Some(Kind)),
            (value!({"alg": "ES256", "typ": "pat+jwt"}), Some(Kind)),
            (value!({"alg": "ES256", "typ": "oauth-id-jag+jwt"}), Some(Kind)),
            (value!({"alg": "ES256", "typ": 1}), Some(Malformed)),
            (value!({"alg": "ES256", "kid": 1}), Some(Malformed)),
            (value!({"alg": "ES256", "crit": ["b64"], "b64": false}), Some(Malformed)),
            (value!({"alg": "ES256", "jwk": signer.jwk("evil"), "jku": "https://evil.example"}), None),
            (value!({"alg": "none"}), Some(Algorithm)),
            (value!({"alg": "HS256"}), Some(Algorithm)),
            (value!({"alg": "es256"}), Some(Algorithm)),
            (value!({"alg": "ES384"}), Some(Algorithm)),
            (value!({"alg": "RS1"}), Some(Algorithm)),
            (value!({}), Some(Malformed)),
            (value!([]), Some(Malformed)),
        ] {
            assert_eq!(check(&signer.sign(&header, &claims()), &keys).err(), expected, "{header}");
        }
    }

    #[test]
    fn a_mangled_assertion_is_refused() {
        let (_, signer) = Signer::one();
        let keys = signer.keys("k");
        let genuine = signer.sign(&value!({"alg": "ES256", "kid": "k"}), &claims());
        assert!(check(&genuine, &keys).is_ok());
        for cut in 0..genuine.len() {
            assert!(check(&genuine[..cut], &keys).is_err(), "{cut}");
        }
        for place in 0..genuine.len() {
            let mut bytes = genuine.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert!(check(std::str::from_utf8(&bytes).unwrap(), &keys).is_err(), "{place}");
        }
        let unsigned = format!("{}.", genuine.rsplit_once('.').unwrap().0);
        for wrong in [
            unsigned,
            format!("{genuine}="),
            format!("{genuine}."),
            format!(" {genuine}"),
            format!("{genuine}\n"),
            format!("{genuine}.{genuine}"),
            "..".to_owned(),
            "x".repeat(MAX_ASSERTION + 1),
        ] {
            assert!(check(&wrong, &keys).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(header in "\\PC{0,40}", claims in "\\PC{0,40}", text in "\\PC{0,80}") {
            let _ = UnverifiedAssertion::parse(&text);
            let encoded = format!("{}.{}.AA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            prop_assert!(UnverifiedAssertion::parse(&encoded).is_err());
        }

        #[test]
        fn a_typ_of_any_letters_is_read_without_panic(typ in "\\PC{0,20}") {
            let _ = is_client_assertion(&typ);
        }
    }
}
