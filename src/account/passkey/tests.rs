//! An authenticator of the test's own makes and uses passkeys; then each part of its answers is changed.

use super::*;
use crate::oauth::issuer::Issuer;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const CHALLENGE: Challenge = [5; 32];
const ORIGIN: &str = "https://mcp.example.com";

struct Authenticator {
    pair: Ed25519KeyPair,
}

fn party() -> RelyingParty {
    RelyingParty::of(&Issuer::parse(ORIGIN).unwrap()).unwrap()
}

fn client_data(kind: &str, challenge: &Challenge, origin: &str, more: &str) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    format!("{{\"type\":\"{kind}\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\"{more}}}").into_bytes()
}

fn head(party: &str, flags: u8, counter: u32) -> Vec<u8> {
    [digest(&SHA256, party.as_bytes()).as_ref(), &[flags], &counter.to_be_bytes()].concat()
}

impl Authenticator {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { pair: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap() }
    }

    fn made(&self, party: &str, flags: u8) -> Vec<u8> {
        let key = [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20], self.pair.public_key().as_ref()];
        [&head(party, flags, 1)[..], &[0; 16], &[0, 4], b"cred", &key.concat()].concat()
    }

    fn used(&self, client_data: Vec<u8>, authenticator_data: Vec<u8>) -> UsedPasskey {
        let signed = [&authenticator_data[..], digest(&SHA256, &client_data).as_ref()].concat();
        let signature = self.pair.sign(&signed).as_ref().to_vec();
        UsedPasskey { credential: b"cred".to_vec(), owner: Vec::new(), client_data, authenticator_data, signature }
    }

    fn passkey(&self) -> Passkey {
        let made = MadePasskey {
            client_data: client_data("webauthn.create", &CHALLENGE, ORIGIN, ""),
            authenticator_data: self.made("mcp.example.com", 0x45),
        };
        Passkey::register(&made, "Phone".to_owned(), &CHALLENGE, &party()).unwrap()
    }
}

#[test]
fn a_passkey_is_made_and_used() {
    let authenticator = Authenticator::new();
    let passkey = authenticator.passkey();
    assert_eq!((passkey.credential.as_slice(), passkey.counter), (&b"cred"[..], 1));
    let more = ",\"crossOrigin\":false,\"other_keys_can_be_added_here\":\"x\"";
    let said = client_data("webauthn.get", &CHALLENGE, ORIGIN, more);
    let used = authenticator.used(said, head("mcp.example.com", 0x05, 9));
    let after = passkey.after(&used, &CHALLENGE, Assurance::Verified, &party()).unwrap();
    assert_eq!(after, Passkey { counter: 9, ..passkey });
    assert_eq!(after.after(&used, &CHALLENGE, Assurance::Verified, &party()), Err(PasskeyRefusal::WentBack));
}

#[test]
fn a_passkey_is_made_for_this_question_and_site_only() {
    let authenticator = Authenticator::new();
    let register = |kind, challenge: &Challenge, origin, more, data| {
        let made = MadePasskey { client_data: client_data(kind, challenge, origin, more), authenticator_data: data };
        Passkey::register(&made, "Phone".to_owned(), &CHALLENGE, &party()).err()
    };
    let data = || authenticator.made("mcp.example.com", 0x45);
    let create = "webauthn.create";
    assert_eq!(register(create, &CHALLENGE, ORIGIN, "", data()), None);
    let not_ours = Some(PasskeyRefusal::NotOurs);
    assert_eq!(register("webauthn.get", &CHALLENGE, ORIGIN, "", data()), not_ours);
    assert_eq!(register(create, &[6; 32], ORIGIN, "", data()), not_ours);
    for origin in ["https://evil.example", "http://mcp.example.com", "https://mcp.example.com:8443", "null"] {
        assert_eq!(register(create, &CHALLENGE, origin, "", data()), not_ours, "{origin}");
    }
    assert_eq!(register(create, &CHALLENGE, ORIGIN, ",\"crossOrigin\":true", data()), not_ours);
    assert_eq!(register(create, &CHALLENGE, ORIGIN, "", authenticator.made("evil.example", 0x45)), not_ours);
    let nobody = authenticator.made("mcp.example.com", 0x40);
    assert_eq!(register(create, &CHALLENGE, ORIGIN, "", nobody), Some(PasskeyRefusal::NobodyThere));
    let keyless = head("mcp.example.com", 0x05, 0);
    assert_eq!(register(create, &CHALLENGE, ORIGIN, "", keyless), Some(PasskeyRefusal::Unreadable));
    let twice = ",\"origin\":\"https://evil.example\"";
    assert_eq!(register(create, &CHALLENGE, ORIGIN, twice, data()), Some(PasskeyRefusal::Unreadable));
}

#[test]
fn a_passkey_signs_for_this_question_and_site_only() {
    let authenticator = Authenticator::new();
    let passkey = authenticator.passkey();
    let refusal =
        |passkey: &Passkey, used: &UsedPasskey, assurance| passkey.after(used, &CHALLENGE, assurance, &party()).err();
    let good =
        || authenticator.used(client_data("webauthn.get", &CHALLENGE, ORIGIN, ""), head("mcp.example.com", 5, 2));
    let verified = Assurance::Verified;
    assert_eq!(refusal(&passkey, &good(), verified), None);

    let said = |kind, challenge, origin| client_data(kind, challenge, origin, "");
    for client_data in [
        said("webauthn.create", &CHALLENGE, ORIGIN),
        said("webauthn.get", &[6; 32], ORIGIN),
        said("webauthn.get", &CHALLENGE, "https://evil.example"),
        client_data("webauthn.get", &CHALLENGE, ORIGIN, ",\"crossOrigin\":true"),
    ] {
        let used = authenticator.used(client_data, head("mcp.example.com", 5, 2));
        assert_eq!(refusal(&passkey, &used, verified), Some(PasskeyRefusal::NotOurs));
    }
    let answer = |party, flags| authenticator.used(said("webauthn.get", &CHALLENGE, ORIGIN), head(party, flags, 2));
    assert_eq!(refusal(&passkey, &answer("evil.example", 5), verified), Some(PasskeyRefusal::NotOurs));
    assert_eq!(refusal(&passkey, &answer("mcp.example.com", 4), verified), Some(PasskeyRefusal::NobodyThere));
    assert_eq!(refusal(&passkey, &answer("mcp.example.com", 1), verified), Some(PasskeyRefusal::NobodyThere));
    assert_eq!(refusal(&passkey, &answer("mcp.example.com", 1), Assurance::Present), None);

    let stranger = Authenticator::new();
    let forged = stranger.used(said("webauthn.get", &CHALLENGE, ORIGIN), head("mcp.example.com", 5, 2));
    assert_eq!(refusal(&passkey, &forged, verified), Some(PasskeyRefusal::Signature));
    let counted_up = UsedPasskey { authenticator_data: head("mcp.example.com", 5, 3), ..good() };
    assert_eq!(refusal(&passkey, &counted_up, verified), Some(PasskeyRefusal::Signature));
    let other = UsedPasskey { credential: b"else".to_vec(), ..good() };
    assert_eq!(refusal(&passkey, &other, verified), Some(PasskeyRefusal::Unknown));
    let long = UsedPasskey { signature: vec![0; 513], ..good() };
    assert_eq!(refusal(&passkey, &long, verified), Some(PasskeyRefusal::Unreadable));
}

#[test]
fn a_counter_never_goes_back_and_those_that_do_not_count_stay_at_zero() {
    let authenticator = Authenticator::new();
    let used = |counter| {
        authenticator.used(client_data("webauthn.get", &CHALLENGE, ORIGIN, ""), head("mcp.example.com", 5, counter))
    };
    let after = |before: u32, counter: u32| {
        let passkey = Passkey { counter: before, ..authenticator.passkey() };
        passkey.after(&used(counter), &CHALLENGE, Assurance::Present, &party()).map(|passkey| passkey.counter)
    };
    assert_eq!(after(0, 0), Ok(0));
    assert_eq!(after(0, 7), Ok(7));
    assert_eq!(after(7, 8), Ok(8));
    for (before, counter) in [(7, 7), (7, 6), (7, 0), (1, 0)] {
        assert_eq!(after(before, counter), Err(PasskeyRefusal::WentBack), "{before} {counter}");
    }
}

#[test]
fn names_are_short_and_visible() {
    assert_eq!(parse_passkey_name("  YubiKey, blue "), Some("YubiKey, blue".to_owned()));
    for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
        assert_eq!(parse_passkey_name(bad), None, "{bad:?}");
    }
}
