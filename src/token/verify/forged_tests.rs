//! Forged and mangled tokens, by name, with the reason for which each is refused.
//!
//! Most are signed by the active key: the signature is no excuse for sloppy reading. See RFC 8725 for the attacks.

use super::*;
use crate::clock::days;
use crate::keys::KeyState;
use crate::secret::hmac_sha256;
use crate::token::workshop::{NOW, Workshop, encode, parts, payload};
use crate::token::{Audience, MAX_TOKEN};
use TokenRefusal::{BadClaims, BadSignature, Malformed, UnknownKey, WrongIssuer, WrongKind};

/// A name, a token, and why it is refused.
type Row = (String, String, TokenRefusal);

/// Rows, and the good tokens that they are made from.
struct Table {
    workshop: Workshop,
    /// A good access token and its JSON.
    access: String,
    access_json: String,
    /// A good personal token and its JSON.
    personal: String,
    personal_json: String,
    rows: Vec<Row>,
}

impl Table {
    fn new() -> Self {
        let workshop = Workshop::new(1);
        let access = workshop.access().expose().to_owned();
        let personal = workshop.personal(Audience::EveryServer).expose().to_owned();
        let (access_json, personal_json) = (payload(&access), payload(&personal));
        Self { workshop, access, access_json, personal, personal_json, rows: Vec::new() }
    }

    fn row(&mut self, name: &str, token: impl Into<String>, refusal: TokenRefusal) {
        self.rows.push((name.to_owned(), token.into(), refusal));
    }

    /// A personal token with another header, really signed.
    fn header(&mut self, name: &str, header: &str) {
        let header = header.replace("KID", &self.workshop.ring.signer().id().to_string());
        let token = self.workshop.forge(header, &self.personal_json);
        self.row(&format!("header: {name}"), token, Malformed);
    }

    /// An access token with other claims, really signed.
    fn access_claims(&mut self, name: &str, from: &str, to: &str, refusal: TokenRefusal) {
        assert!(self.access_json.contains(from), "{name}: {from}");
        let json = self.access_json.replacen(from, to, 1);
        self.row(&format!("access: {name}"), self.signed(Typ::Access, json), refusal);
    }

    /// A personal token with other claims, really signed.
    fn personal_claims(&mut self, name: &str, from: &str, to: &str, refusal: TokenRefusal) {
        assert!(self.personal_json.contains(from), "{name}: {from}");
        let json = self.personal_json.replacen(from, to, 1);
        self.row(&format!("personal: {name}"), self.signed(Typ::Personal, json), refusal);
    }

    fn signed(&self, typ: Typ, json: impl AsRef<[u8]>) -> String {
        self.workshop.forge(self.workshop.header(typ), json)
    }

    /// Every row is refused for its reason: at first sight, again, and after the good tokens are remembered.
    fn check(&self) {
        for (name, token, refusal) in &self.rows {
            for round in ["first", "second"] {
                let refused = self.workshop.verify(token, NOW).err();
                assert_eq!(refused.as_ref(), Some(refusal), "{name}, {round} time: {token}");
            }
            assert!(self.workshop.verify(&self.access, NOW).is_ok());
            assert!(self.workshop.verify(&self.personal, NOW).is_ok());
        }
    }
}

#[test]
fn no_header_but_the_one_we_write_is_read() {
    let mut table = Table::new();
    for (name, header) in [
        ("alg none", r#"{"typ":"pat+jwt","alg":"none","kid":"KID"}"#),
        ("alg None", r#"{"typ":"pat+jwt","alg":"None","kid":"KID"}"#),
        ("alg HS256", r#"{"typ":"pat+jwt","alg":"HS256","kid":"KID"}"#),
        ("alg ES256", r#"{"typ":"pat+jwt","alg":"ES256","kid":"KID"}"#),
        ("alg Ed25519 (RFC 9864)", r#"{"typ":"pat+jwt","alg":"Ed25519","kid":"KID"}"#),
        ("alg in small letters", r#"{"typ":"pat+jwt","alg":"eddsa","kid":"KID"}"#),
        ("alg missing", r#"{"typ":"pat+jwt","kid":"KID"}"#),
        ("alg null", r#"{"typ":"pat+jwt","alg":null,"kid":"KID"}"#),
        ("alg twice", r#"{"typ":"pat+jwt","alg":"EdDSA","alg":"none","kid":"KID"}"#),
        ("typ JWT", r#"{"typ":"JWT","alg":"EdDSA","kid":"KID"}"#),
        ("typ of another kind", r#"{"typ":"rt+jwt","alg":"EdDSA","kid":"KID"}"#),
        ("typ in capitals", r#"{"typ":"PAT+JWT","alg":"EdDSA","kid":"KID"}"#),
        ("typ with application/", r#"{"typ":"application/pat+jwt","alg":"EdDSA","kid":"KID"}"#),
        ("typ missing", r#"{"alg":"EdDSA","kid":"KID"}"#),
        ("typ escaped", r#"{"typ":"\u0070at+jwt","alg":"EdDSA","kid":"KID"}"#),
        ("another order", r#"{"alg":"EdDSA","typ":"pat+jwt","kid":"KID"}"#),
        ("kid first", r#"{"kid":"KID","typ":"pat+jwt","alg":"EdDSA"}"#),
        ("jku", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","jku":"https://evil.example/keys"}"#),
        ("jwk", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","jwk":{"kty":"OKP","crv":"Ed25519","x":"AQ"}}"#),
        ("x5u", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","x5u":"https://evil.example/cert"}"#),
        ("x5c", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","x5c":["MIIB"]}"#),
        ("crit", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","crit":["exp"],"exp":9}"#),
        ("b64 false", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","b64":false}"#),
        ("cty", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","cty":"JWT"}"#),
        ("a space inside", r#"{"typ":"pat+jwt","alg":"EdDSA","kid": "KID"}"#),
        ("a space behind", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID"} "#),
        ("kid missing", r#"{"typ":"pat+jwt","alg":"EdDSA"}"#),
        ("kid null", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":null}"#),
        ("kid a number", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":1}"#),
        ("kid twice", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"KID","kid":"KID"}"#),
        ("kid a path", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"../../dev/null"}"#),
        ("kid with SQL", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"key_' OR 1=1 --"}"#),
        ("kid in capitals", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"key_01JZ0000000000000000000000"}"#),
        ("kid of a token", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"tok_01040g2081040g2081040g2081"}"#),
        ("kid above 128 bits", r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"key_80000000000000000000000000"}"#),
        ("not JSON", "typ=pat+jwt"),
        ("empty", ""),
        ("an array", r#"["pat+jwt","EdDSA","KID"]"#),
    ] {
        table.header(name, header);
    }
    let stranger = r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"key_01040g2081040g2081040g2081"}"#;
    let token = table.workshop.forge(stranger, &table.personal_json);
    table.row("header: a kid that is nobody's", token, UnknownKey);
    assert!(table.rows.len() >= 39);
    table.check();
}

#[test]
fn no_algorithm_but_ours_signs() {
    let mut table = Table::new();
    let [_, claims, _] = parts(&table.personal).map(str::to_owned);
    let kid = table.workshop.ring.signer().id();
    let public = *table.workshop.ring.signer().public();
    for (name, alg) in [("none", "none"), ("HS256", "HS256"), ("HS256 under our own header", "EdDSA")] {
        let header = encode(format!(r#"{{"typ":"pat+jwt","alg":"{alg}","kid":"{kid}"}}"#));
        let mac = encode(hmac_sha256(&public, &[header.as_bytes(), b".", claims.as_bytes()]));
        table.row(&format!("{name}, signature empty"), format!("{header}.{claims}."), Malformed);
        table.row(&format!("{name}, public key as secret"), format!("{header}.{claims}.{mac}"), Malformed);
    }
    table.check();
}

#[test]
fn a_token_has_one_spelling() {
    let mut table = Table::new();
    let personal = table.personal.clone();
    let [header, claims, signature] = parts(&personal).map(str::to_owned);
    let opaque = "a".repeat(43);
    for (name, token) in [
        ("empty", String::new()),
        ("only dots", "..".to_owned()),
        ("one part", header.clone()),
        ("two parts", format!("{header}.{claims}")),
        ("two parts and a dot", format!("{header}.{claims}.")),
        ("four parts", format!("{personal}.{signature}")),
        ("five parts, as JWE", format!("{header}.{claims}.{claims}.{claims}.{signature}")),
        ("a dot before", format!(".{personal}")),
        ("a dot behind", format!("{personal}.")),
        ("claims empty", format!("{header}..{signature}")),
        ("header empty", format!(".{claims}.{signature}")),
        ("only the constant prefix", PERSONAL.to_owned()),
        ("a space before", format!(" {personal}")),
        ("a space behind", format!("{personal} ")),
        ("a newline behind", format!("{personal}\n")),
        ("NUL behind", format!("{personal}\0")),
        ("the scheme inside", format!("Bearer {personal}")),
        ("quoted", format!("\"{personal}\"")),
        ("a full-width dot", format!("{header}\u{ff0e}{claims}.{signature}")),
        ("JSON serialization", format!(r#"{{"payload":"{claims}","protected":"{header}","signature":"{signature}"}}"#)),
        ("signature padded", format!("{personal}==")),
        ("signature too short", personal[..personal.len() - 1].to_owned()),
        ("signature too long", format!("{personal}A")),
        ("signature in the other base64", format!("{header}.{claims}.+/{}", &signature[2..])),
        ("signature with stray bits", with_stray_bits(&personal)),
        ("a public key as PEM", "-----BEGIN PUBLIC KEY-----".to_owned()),
        ("a JWT of somebody else", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.AAAA".to_owned()),
        ("a set-up secret", format!("kwi_{opaque}")),
    ] {
        table.row(name, token, Malformed);
    }
    for (name, token) in [
        ("a tab inside", format!("{header}.\t{claims}.{signature}")),
        ("not ASCII", format!("{header}.{claims}é.{signature}")),
    ] {
        table.row(name, token, BadSignature);
    }
    // The same for parts that the signature covers: our key signs the odd spelling itself.
    let padded = |part: &str| format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4));
    for (name, signed) in [
        ("header padded", format!("{}.{claims}", padded(&header))),
        ("header with stray bits", format!("{}.{claims}", with_stray_bits(&header))),
        ("header with a line break", format!("{}\n{}.{claims}", &header[..60], &header[60..])),
        ("claims padded", format!("{header}.{}=", encode(&table.personal_json))),
        ("claims with stray bits", format!("{header}.{}", with_stray_bits(&encode(ends_oddly(&table.personal_json))))),
        ("claims in the other base64", format!("{header}.{}", encode("{\"?\":\"???>>>\"}").replace(['_', '-'], "/"))),
        ("claims with a space", format!("{header}.{claims} ")),
        ("claims not base64", format!("{header}.{{}}")),
    ] {
        let token = table.workshop.seal(&signed);
        table.row(name, token, Malformed);
    }
    for (name, prefix) in [("an authorization code", "kwc_"), ("a refresh token", "kwr_"), ("a client secret", "kws_")]
    {
        table.row(name, format!("{prefix}{opaque}"), WrongKind);
    }
    let long = table.signed(Typ::Personal, "x".repeat(MAX_TOKEN));
    table.row("too long, signed", long, TokenRefusal::TooLong);
    table.row("too long, noise", "x".repeat(MAX_TOKEN + 1), TokenRefusal::TooLong);
    table.row("noise of the largest size", "x".repeat(MAX_TOKEN), Malformed);
    table.row("the largest size, recognised", format!("{PERSONAL}{}", ".".repeat(MAX_TOKEN - 56)), Malformed);
    table.check();
}

const PERSONAL: &str = crate::token::PERSONAL_TOKEN_PREFIX;

/// The same text with a bit set that no decoded byte contains.
fn with_stray_bits(text: &str) -> String {
    assert_ne!(text.rsplit('.').next().unwrap().len() % 4, 0, "the last character has spare bits");
    let (rest, last) = text.split_at(text.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    format!("{rest}{}", &alphabet[place + 1..place + 2])
}

/// JSON of the same meaning whose last base64url character has spare bits.
fn ends_oddly(json: &str) -> String {
    let spaces = (0..3).find(|spaces| !(json.len() + spaces).is_multiple_of(3)).unwrap();
    json.replacen('{', &format!("{{{}", " ".repeat(spaces)), 1)
}

#[test]
fn no_signature_but_the_named_keys_own_counts() {
    let mut table = Table::new();
    let (access, personal) = (table.access.clone(), table.personal.clone());
    let [header, claims, signature] = parts(&personal).map(str::to_owned);
    let [_, _, of_another] = parts(&access).map(str::to_owned);
    let with = |signature: &[u8]| format!("{header}.{claims}.{}", encode(signature));

    table.row("zeros", with(&[0; 64]), BadSignature);
    table.row("ones", with(&[0xff; 64]), BadSignature);
    let mut neutral = [0; 64];
    neutral[0] = 1;
    table.row("R of small order, S zero", with(&neutral), BadSignature);
    table.row("S + L", with(&plus_order(&signature)), BadSignature);
    table.row("that of another token", format!("{header}.{claims}.{of_another}"), BadSignature);
    let other_claims = encode(table.personal_json.replace("\"mcp\"", "\"mcp admin\""));
    table.row("over other claims", format!("{header}.{other_claims}.{signature}"), BadSignature);
    let as_access = encode(table.workshop.header(Typ::Access));
    table.row("over another header", format!("{as_access}.{claims}.{signature}"), BadSignature);
    let signer = table.workshop.ring.signer().clone();
    table.row("over the claims alone", with(&signer.sign(claims.as_bytes())), BadSignature);
    table.row("over the decoded claims", with(&signer.sign(table.personal_json.as_bytes())), BadSignature);
    let text = format!("{header}.{claims}");
    table.row("over the digest", with(TokenDigest::of(&text).as_bytes().repeat(2).as_slice()), BadSignature);
    let stranger = Workshop::new(2);
    table.row("of a stranger's key under our kid", with(&stranger.ring.signer().sign(text.as_bytes())), BadSignature);
    let own_kid = stranger.personal(Audience::EveryServer);
    table.row("of a stranger's key under its own kid", own_kid.expose(), UnknownKey);
    table.check();
}

/// The signature with the group order added to S (RFC 8032 §5.1.7 asks for S < L).
fn plus_order(signature: &str) -> Vec<u8> {
    use base64::Engine as _;
    let mut order = [0_u8; 32];
    let low = 27_742_317_777_372_353_535_851_937_790_883_648_493_u128;
    order[..16].copy_from_slice(&low.to_le_bytes());
    order[31] = 0x10;
    let mut bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    bytes
}

#[test]
fn keys_that_do_not_count_any_more_sign_nothing() {
    for (state, refusal) in [
        (KeyState::Condemned { since: NOW }, TokenRefusal::Revoked(RevokedBy::Key)),
        (KeyState::Retired { since: NOW - days(9), verifies_until: NOW }, UnknownKey),
    ] {
        let mut table = Table::new();
        let (access, personal) = (table.access.clone(), table.personal.clone());
        table.row("access", access, refusal.clone());
        table.row("personal", personal, refusal);
        table.workshop.succeed(state);
        table.access = table.workshop.access().expose().to_owned();
        table.personal = table.workshop.personal(Audience::EveryServer).expose().to_owned();
        table.check();
    }
}

#[test]
fn a_token_that_is_cut_or_extended_anywhere_is_refused() {
    let workshop = Workshop::new(1);
    for token in [workshop.access(), workshop.personal(Audience::EveryServer)] {
        let text = token.expose();
        assert!(workshop.verify(text, NOW).is_ok());
        for place in 0..text.len() {
            assert!(workshop.verify(&text[..place], NOW).is_err(), "the first {place}");
            assert!(workshop.verify(&text[place + 1..], NOW).is_err(), "without the first {}", place + 1);
            let without = format!("{}{}", &text[..place], &text[place + 1..]);
            assert!(workshop.verify(&without, NOW).is_err(), "without {place}");
            let with = format!("{}A{}", &text[..place], &text[place..]);
            assert!(workshop.verify(&with, NOW).is_err(), "with one more at {place}");
        }
    }
}

#[test]
fn a_token_with_any_bit_flipped_is_refused() {
    let workshop = Workshop::new(1);
    for token in [workshop.access(), workshop.personal(Audience::EveryServer)] {
        assert!(workshop.verify(token.expose(), NOW).is_ok());
        for bit in 0..token.expose().len() * 8 {
            let mut bytes = token.expose().as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert!(workshop.verify(&flipped, NOW).is_err(), "bit {bit}: {flipped}");
            }
        }
    }
}

/// Claims that are signed and are not as they should be.
mod claims_tests;

mod properties {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static WORKSHOP: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(1));
    static TOKEN: LazyLock<String> = LazyLock::new(|| WORKSHOP.personal(Audience::EveryServer).expose().to_owned());

    proptest! {
        #[test]
        fn a_token_with_any_stretch_replaced_is_refused(
            start in 0..500_usize, length in 0..80_usize, with in "[A-Za-z0-9_.=-]{0,80}"
        ) {
            let start = start.min(TOKEN.len());
            let end = (start + length).min(TOKEN.len());
            let changed = format!("{}{with}{}", &TOKEN[..start], &TOKEN[end..]);
            prop_assert_eq!(WORKSHOP.verify(&changed, NOW).is_ok(), changed == *TOKEN);
        }

        #[test]
        fn no_text_makes_the_verifier_stumble(text in ".{0,300}", prefixed: bool) {
            let text = if prefixed { format!("{PERSONAL}{text}") } else { text };
            prop_assert!(WORKSHOP.verify(&text, NOW).is_err());
        }

        #[test]
        fn no_claims_make_the_verifier_stumble(json in "[\\[\\]{}\",:a-z0-9.-]{1,200}") {
            let token = WORKSHOP.forge(WORKSHOP.header(Typ::Access), json);
            prop_assert_eq!(WORKSHOP.verify(&token, NOW).err(), Some(BadClaims));
        }
    }
}
