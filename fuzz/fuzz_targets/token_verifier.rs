//! Whatever is presented: only the text that the key itself signs is genuine, for as long as it says, and it says nothing
//! that the issuer would not say.
//!
//! Input: a text to present; or `p` or `a` and claims, or `h`, a header, a line break and claims, all of which this target
//! signs with the real key.
#![cfg_attr(fuzzing, no_main)]

use keyward::clock::days;
use keyward::token::{PersonalGrant, TokenKind};
use keyward_fuzz::workshop::{NOW, Workshop, encode};
use keyward_fuzz::{Outcome, text, variant};
use std::sync::LazyLock;

static WORKSHOP: LazyLock<Workshop> = LazyLock::new(Workshop::new);

keyward_fuzz::target!(|data| match data.split_first() {
    Some((b'p', claims)) => present(&signed(&header("pat+jwt"), claims)),
    Some((b'a', claims)) => present(&signed(&header("at+jwt"), claims)),
    Some((b'h', rest)) => {
        let (header, claims) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
        present(&signed(header, claims.get(1..).unwrap_or_default()))
    }
    _ => text(data).map_or_else(|| "not text".into(), present),
});

fn header(typ: &str) -> Vec<u8> {
    format!(r#"{{"typ":"{typ}","alg":"EdDSA","kid":"{}"}}"#, WORKSHOP.ring.signer().id()).into_bytes()
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    WORKSHOP.sign(&format!("{}.{}", encode(header), encode(claims)))
}

fn present(token: &str) -> Outcome {
    let first = WORKSHOP.verify(token, NOW);
    let second = WORKSHOP.verify(token, NOW);
    assert_eq!(first.is_ok(), second.is_ok(), "seen before or not is no difference");
    let genuine = match first {
        Ok(genuine) => genuine,
        Err(refusal) => return variant(&refusal),
    };

    let (message, _) = token.rsplit_once('.').expect("a token has parts");
    assert_eq!(WORKSHOP.sign(message), token, "only the key's own signature is good");
    let claims = genuine.claims();
    assert!(claims.issued_at <= NOW + days(1) && claims.expires_at > NOW - days(1));
    assert!(WORKSHOP.verify(token, claims.expires_at + days(1)).is_err(), "it ends when it says");
    if claims.kind == TokenKind::Personal {
        let grant =
            PersonalGrant { user: claims.user, audience: claims.audience.clone(), scopes: claims.scopes.clone() };
        let signer = WORKSHOP.ring.signer();
        if let Ok(again) = WORKSHOP.tokens.personal(signer, claims.id, grant, claims.issued_at, claims.expires_at) {
            assert_eq!(again.claims(), claims);
            assert_eq!(again.expose().len(), token.len(), "the claims have one spelling, in whatever order");
        }
    }
    format!("genuine {}", claims.kind.name())
}
