use super::*;
use crate::clock::{days, hours};
use crate::keys::KeyState;
use crate::oauth::resource::ResourceUri;
use crate::token::workshop::{GRANT, NOW, USER, Workshop, issuer, payload, resource};
use crate::token::{ACCESS_TOKEN_PREFIX, Audience, PERSONAL_TOKEN_PREFIX, RevocationEntry, TokenKind, VerifiedToken};

fn refusal(workshop: &Workshop, token: &str, now: Timestamp) -> Option<TokenRefusal> {
    workshop.verify(token, now).err()
}

#[test]
fn a_token_says_what_was_issued_at_first_sight_and_later() {
    let workshop = Workshop::new(1);
    let one_server = Audience::Resources(vec![resource("/mcp")]);
    for issued in [workshop.access(), workshop.personal(Audience::EveryServer), workshop.personal(one_server)] {
        let first = workshop.verify(issued.expose(), NOW).unwrap();
        let later = workshop.verify(issued.expose(), NOW + hours(1) - Duration::from_millis(1)).unwrap();
        assert_eq!(first.claims(), issued.claims());
        assert!(std::ptr::eq(first.claims(), later.claims()), "the second look is at the cache");
        assert_eq!(first.key(), workshop.ring.signer().id());
    }
}

#[test]
fn the_first_characters_of_personal_tokens_never_change() {
    let workshop = Workshop::new(1);
    let token = workshop.personal(Audience::EveryServer);
    assert_eq!(PERSONAL_TOKEN_PREFIX, "eyJ0eXAiOiJwYXQrand0IiwiYWxnIjoiRWREU0EiLCJraWQiOiJrZXlf");
    assert!(token.expose().starts_with(PERSONAL_TOKEN_PREFIX));
    assert!(workshop.access().expose().starts_with(ACCESS_TOKEN_PREFIX));
    assert_eq!(workshop.access().expose().split('.').nth(2).unwrap().len(), 86);
    assert!(!ACCESS_TOKEN_PREFIX.starts_with(&PERSONAL_TOKEN_PREFIX[..20]));
}

/// Tokens live for a year: what was issued by an older version has to be read by this one. Never change these texts.
#[test]
fn tokens_of_older_versions_are_read() {
    let workshop = Workshop::new(1);
    for (token, frozen) in [
        (workshop.personal(Audience::EveryServer), include_str!("golden/personal.jwt")),
        (workshop.access(), include_str!("golden/access.jwt")),
    ] {
        assert_eq!(token.expose(), frozen.trim_end());
        assert!(workshop.verify(frozen.trim_end(), NOW).is_ok());
    }
}

#[test]
fn a_personal_token_is_good_for_a_year_and_no_day_more() {
    let workshop = Workshop::new(1);
    let token = workshop.personal(Audience::EveryServer);
    let leeway = VerifierOptions::default().leeway;
    assert_eq!(refusal(&workshop, token.expose(), NOW + days(365) - Duration::from_millis(1)), None);
    let over = NOW + days(365) + leeway;
    assert_eq!(refusal(&workshop, token.expose(), over - Duration::from_millis(1)), None);
    assert_eq!(refusal(&workshop, token.expose(), over), Some(TokenRefusal::Expired));
    assert_eq!(refusal(&Workshop::new(1), token.expose(), over), Some(TokenRefusal::Expired), "not seen before");
}

#[test]
fn a_token_from_the_future_waits() {
    let workshop = Workshop::new(1);
    let token = workshop.access();
    let leeway = VerifierOptions::default().leeway;
    assert_eq!(refusal(&workshop, token.expose(), NOW - leeway), None);
    let early = NOW - leeway - Duration::from_millis(1);
    assert_eq!(refusal(&workshop, token.expose(), early), Some(TokenRefusal::NotYetValid));
}

#[test]
fn leeway_stays_within_what_the_rest_reckons_with() {
    let with = |leeway| {
        let workshop = Workshop::new(1);
        let token = workshop.access();
        let verifier = Verifier::new(issuer(), VerifierOptions { leeway, ..VerifierOptions::default() });
        let good = |now| verifier.verify(token.expose(), &workshop.ring, &workshop.revoked, now).is_ok();
        let over = NOW + hours(1);
        (good(over + Duration::from_secs(1)), good(over + Duration::from_secs(59)), good(over + minutes(1)))
    };
    assert_eq!(with(Duration::ZERO), (true, false, false));
    assert_eq!(with(hours(1)), (true, true, false));
}

#[test]
fn revocation_ends_a_token_at_the_very_next_request() {
    for (entry, by) in [
        (RevocationEntry::grant(GRANT, hours(1), NOW), RevokedBy::Grant),
        (RevocationEntry::user(USER, days(366), NOW), RevokedBy::User),
    ] {
        let workshop = Workshop::new(1);
        let token = workshop.access();
        assert_eq!(refusal(&workshop, token.expose(), NOW), None);
        workshop.revoked.publish(&entry);
        assert_eq!(refusal(&workshop, token.expose(), NOW), Some(TokenRefusal::Revoked(by)));
    }

    let workshop = Workshop::new(1);
    let (token, other) = (workshop.access(), workshop.access());
    assert_eq!(refusal(&workshop, token.expose(), NOW), None);
    workshop.revoked.publish(&RevocationEntry::token(token.claims().id, token.claims().expires_at, NOW));
    assert_eq!(refusal(&workshop, token.expose(), NOW), Some(TokenRefusal::Revoked(RevokedBy::Token)));
    assert_eq!(refusal(&workshop, other.expose(), NOW), None);
}

#[test]
fn a_personal_token_does_not_end_with_a_grant() {
    let workshop = Workshop::new(1);
    let token = workshop.personal(Audience::EveryServer);
    workshop.revoked.publish(&RevocationEntry::grant(GRANT, hours(1), NOW));
    assert_eq!(refusal(&workshop, token.expose(), NOW), None);
}

#[test]
fn a_token_that_is_made_right_after_the_revocation_of_its_user_is_good() {
    let workshop = Workshop::new(1);
    let now = NOW + Duration::from_millis(300);
    let before = workshop.access();
    workshop.revoked.publish(&RevocationEntry::user(USER, days(366), now));
    let issued_at = workshop.revoked.issue_time(USER, now);
    let grant = crate::token::PersonalGrant {
        user: USER,
        audience: Audience::EveryServer,
        scopes: crate::oauth::scope::ScopeSet::mcp(),
    };
    let after = workshop
        .tokens
        .personal(workshop.ring.signer(), workshop.token_id(), grant, issued_at, issued_at + days(1))
        .unwrap();
    assert_eq!(refusal(&workshop, before.expose(), now), Some(TokenRefusal::Revoked(RevokedBy::User)));
    assert_eq!(refusal(&workshop, after.expose(), now), None);
}

#[test]
fn condemning_a_key_ends_everything_it_signed_at_once() {
    let mut workshop = Workshop::new(1);
    let token = workshop.personal(Audience::EveryServer);
    assert_eq!(refusal(&workshop, token.expose(), NOW), None);
    workshop.succeed(KeyState::Condemned { since: NOW });
    assert_eq!(refusal(&workshop, token.expose(), NOW), Some(TokenRefusal::Revoked(RevokedBy::Key)));
    assert_eq!(refusal(&workshop, workshop.access().expose(), NOW), None);
}

#[test]
fn a_retired_key_verifies_for_its_time() {
    let mut workshop = Workshop::new(1);
    let token = workshop.personal(Audience::EveryServer);
    assert_eq!(refusal(&workshop, token.expose(), NOW), None);
    workshop.succeed(KeyState::Retired { since: NOW, verifies_until: NOW + days(1) });
    assert_eq!(refusal(&workshop, token.expose(), NOW + hours(23)), None);
    assert_eq!(refusal(&workshop, token.expose(), NOW + hours(24)), Some(TokenRefusal::UnknownKey));
}

#[test]
fn a_key_that_left_the_ring_ends_tokens_that_were_seen_before() {
    let workshop = Workshop::new(1);
    let token = workshop.access();
    assert_eq!(refusal(&workshop, token.expose(), NOW), None);
    let other = Workshop::new(2);
    let refused = workshop.verifier.verify(token.expose(), &other.ring, &workshop.revoked, NOW).err();
    assert_eq!(refused, Some(TokenRefusal::UnknownKey));
}

#[test]
fn a_token_opens_the_servers_it_is_for_and_no_others() {
    let workshop = Workshop::new(1);
    let for_server = |token: &str, server: &ResourceUri| -> Result<VerifiedToken, TokenRefusal> {
        workshop.verify(token, NOW).unwrap().for_resource(server)
    };
    let (main, files) = (resource("/mcp"), resource("/mcp/files"));

    let access = workshop.access();
    assert_eq!(for_server(access.expose(), &main).unwrap().resource(), &main);
    let refused = for_server(access.expose(), &files).unwrap_err();
    assert_eq!(refused.code(), "wrong_server");
    assert_eq!(
        refused.description(),
        "The token is not for https://mcp.example.com/mcp/files, it is for https://mcp.example.com/mcp"
    );

    let every = workshop.personal(Audience::EveryServer);
    assert!(for_server(every.expose(), &main).is_ok() && for_server(every.expose(), &files).is_ok());
    let chosen = workshop.personal(Audience::Resources(vec![files.clone()]));
    assert!(for_server(chosen.expose(), &main).is_err() && for_server(chosen.expose(), &files).is_ok());
    assert_eq!(for_server(chosen.expose(), &files).unwrap().claims().kind, TokenKind::Personal);
}

#[test]
fn two_tokens_of_one_moment_are_two() {
    let workshop = Workshop::new(1);
    let (first, second) = (workshop.access(), workshop.access());
    assert_ne!(first.claims().id, second.claims().id);
    assert_ne!(payload(first.expose()), payload(second.expose()));
}
