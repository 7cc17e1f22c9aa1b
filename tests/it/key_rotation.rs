//! Signing keys: published ahead, rotated, retired and condemned.

use crate::support::{Appliance, call};
use keyward::clock::{days, hours};
use keyward::keys::KeyState;

fn active(appliance: &Appliance) -> keyward::id::KeyId {
    appliance.app.live().keys().signer().id()
}

async fn published(appliance: &Appliance) -> Vec<String> {
    let jwks = appliance.get("/.well-known/jwks.json", &[]).await.expect(200).json();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_next_key_is_published_before_it_signs() {
    let appliance = Appliance::new();
    let before = published(&appliance).await;
    assert!(appliance.app.rotate_signing_keys().is_err(), "verifiers may not know the next key yet");
    appliance.advance(hours(2));
    appliance.app.rotate_signing_keys().unwrap();
    assert!(before.contains(&active(&appliance).to_string()));
    assert_eq!(published(&appliance).await.len(), 3, "active, next and retired");
}

#[tokio::test]
async fn tokens_outlive_the_rotation_of_their_key_until_they_expire() {
    let mut appliance = Appliance::new();
    let (_, token) = appliance.personal_token("year");
    let first = active(&appliance);
    for _ in 0..4 {
        appliance.advance(days(90));
        appliance.app.rotate_by_schedule().unwrap();
        appliance.restart();
        call(&appliance, &token).await.expect(200);
    }
    assert_ne!(active(&appliance), first);
    assert!(published(&appliance).await.contains(&first.to_string()));
    appliance.advance(days(5) + hours(1));
    call(&appliance, &token).await.expect(401);
    appliance.advance(days(95));
    appliance.app.rotate_by_schedule().unwrap();
    assert!(!published(&appliance).await.contains(&first.to_string()), "no longer than anything that it signed");
}

#[tokio::test]
async fn the_schedule_rotates_every_ninety_days_and_not_before() {
    let appliance = Appliance::new();
    let first = active(&appliance);
    appliance.advance(days(89));
    appliance.app.rotate_by_schedule().unwrap();
    assert_eq!(active(&appliance), first);
    appliance.advance(days(1));
    appliance.app.rotate_by_schedule().unwrap();
    let second = active(&appliance);
    assert_ne!(second, first);
    appliance.app.rotate_by_schedule().unwrap();
    assert_eq!(active(&appliance), second, "planning again changes nothing");
}

#[tokio::test]
async fn nothing_that_a_condemned_key_signed_is_accepted_any_more() {
    let mut appliance = Appliance::new();
    let (_, token) = appliance.personal_token("laptop");
    call(&appliance, &token).await.expect(200);
    let condemned = active(&appliance);
    appliance.app.condemn_signing_key(condemned).unwrap();
    call(&appliance, &token).await.expect(401);
    assert!(!published(&appliance).await.contains(&condemned.to_string()));
    appliance.restart();
    call(&appliance, &token).await.expect(401);
    let (_, fresh) = appliance.personal_token("after");
    call(&appliance, &fresh).await.expect(200);
    let keys = appliance.app.signing_keys().unwrap();
    assert!(keys.iter().any(|key| key.id == condemned && matches!(key.state, KeyState::Condemned { .. })));
}
