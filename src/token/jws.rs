//! How do claims become a string, and which strings are looked at? The JWS compact serialization (RFC 7515 §7.1) with
//! `EdDSA` (RFC 8037 §3.1).
//!
//! Invariants: the header is always the same bytes but for `typ` and `kid`, and only those bytes are read: nothing else
//! that a header may hold (`alg`, `jku`, `jwk`, `x5u`, `crit`) has any say. `typ` separates the kinds (RFC 8725 §3.11).
//! base64url is strict: no padding, no line breaks, no stray bits; so a signed text has one spelling.
//!
//! **Never change the header's byte order**: secret scanners look for [`PERSONAL_TOKEN_PREFIX`].

use crate::id::KeyId;
use crate::keys::{ActiveSigner, Signature};
use crate::secret::PlainTokenKind;
use crate::token::refusal::TokenRefusal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;

/// What every personal token begins with, for ever: the header up to `"kid":"key_` (56 characters).
pub const PERSONAL_TOKEN_PREFIX: &str = "eyJ0eXAiOiJwYXQrand0IiwiYWxnIjoiRWREU0EiLCJraWQiOiJrZXlf";

/// What every access token begins with: the header up to `"kid":"key` and a part of the `_` (54 characters).
pub const ACCESS_TOKEN_PREFIX: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6ImtleV";

const SIGNATURE_CHARACTERS: usize = 86;
const LONGEST_HEADER: usize = 72;

/// The media type in the header (RFC 7515 §4.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typ {
    /// `at+jwt` (RFC 9068 §2.1).
    Access,
    /// `pat+jwt`.
    Personal,
}

impl Typ {
    /// The header up to the key's id, which `"}` follows.
    const fn header_start(self) -> &'static str {
        match self {
            Self::Access => r#"{"typ":"at+jwt","alg":"EdDSA","kid":""#,
            Self::Personal => r#"{"typ":"pat+jwt","alg":"EdDSA","kid":""#,
        }
    }
}

/// A string in the form of a token, taken apart. Nothing about it is proved.
pub(super) struct Parts<'a> {
    /// The key that is said to have signed it.
    pub(super) key: KeyId,
    /// What is signed: header, dot, payload.
    pub(super) signed: &'a [u8],
    payload: &'a str,
    /// The signature.
    pub(super) signature: Signature,
}

/// Which kind of token this wants to be, by its length and first characters: what nearly all of the internet's noise
/// does not pass.
pub(super) fn recognise(presented: &str) -> Result<Typ, TokenRefusal> {
    if presented.len() > MAX_TOKEN {
        return Err(TokenRefusal::TooLong);
    }
    if presented.starts_with(PERSONAL_TOKEN_PREFIX) {
        return Ok(Typ::Personal);
    }
    if presented.starts_with(ACCESS_TOKEN_PREFIX) {
        return Ok(Typ::Access);
    }
    let opaque = [PlainTokenKind::AuthorizationCode, PlainTokenKind::RefreshToken, PlainTokenKind::ClientSecret];
    if opaque.iter().any(|kind| presented.starts_with(kind.prefix())) {
        return Err(TokenRefusal::WrongKind);
    }
    Err(TokenRefusal::Malformed)
}

impl<'a> Parts<'a> {
    /// Takes a recognised string apart.
    pub(super) fn split(typ: Typ, presented: &'a str) -> Result<Self, TokenRefusal> {
        let (signed, signature) = presented.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenRefusal::Malformed)?;
        if signature.len() != SIGNATURE_CHARACTERS || payload.is_empty() || payload.contains('.') {
            return Err(TokenRefusal::Malformed);
        }
        let key = read_header(typ, header).ok_or(TokenRefusal::Malformed)?;
        let mut bytes: Signature = [0; 64];
        match URL_SAFE_NO_PAD.decode_slice(signature, &mut bytes) {
            Ok(64) => Ok(Self { key, signed: signed.as_bytes(), payload, signature: bytes }),
            _ => Err(TokenRefusal::Malformed),
        }
    }

    /// The claims' JSON. Call it after the signature was verified.
    pub(super) fn payload(&self) -> Result<Vec<u8>, TokenRefusal> {
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| TokenRefusal::Malformed)
    }
}

fn read_header(typ: Typ, header: &str) -> Option<KeyId> {
    let mut bytes = [0; LONGEST_HEADER];
    let length = URL_SAFE_NO_PAD.decode_slice(header, &mut bytes).ok()?;
    let rest = bytes.get(..length)?.strip_prefix(typ.header_start().as_bytes())?;
    std::str::from_utf8(rest.strip_suffix(br#""}"#)?).ok()?.parse().ok()
}

/// Signs the claims' JSON and writes the token.
pub(super) fn write(typ: Typ, claims: &[u8], signer: &ActiveSigner) -> String {
    compact(typ.header_start(), claims, signer)
}

/// Signs the claims' JSON of an assertion, which is no token and is never read here.
pub(super) fn write_assertion(claims: &[u8], signer: &ActiveSigner) -> String {
    compact(r#"{"typ":"assertion+jwt","alg":"EdDSA","kid":""#, claims, signer)
}

fn compact(header_start: &str, claims: &[u8], signer: &ActiveSigner) -> String {
    let header = format!("{header_start}{}\"}}", signer.id());
    let mut token = String::with_capacity(104 + 1 + claims.len() * 4 / 3 + 4 + 1 + SIGNATURE_CHARACTERS);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = signer.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}
