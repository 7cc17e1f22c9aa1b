//! A new token in the place of another: both work for a while, and then the old one does not, whatever happened in between.

use crate::support::{Answer, Appliance, Browser, call};
use keyward::app::personal_tokens::{Made, NewPersonalToken, Overlap, Rotation};
use keyward::clock::{Clock, Timestamp, days, hours, minutes};
use keyward::entropy::OsEntropy;
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn rotation(appliance: &Appliance, replaces: TokenId, overlap: Overlap) -> Rotation {
    Rotation { id: TokenId::generate(appliance.clock.now(), &OsEntropy), replaces, overlap }
}

fn rotate(appliance: &Appliance, replaces: TokenId, overlap: Overlap) -> (TokenId, String) {
    let rotation = rotation(appliance, replaces, overlap);
    match appliance.app.rotate_personal_token(appliance.admin.id, rotation).unwrap() {
        Made::Now(token, secret) => (token.id, secret.expose().to_owned()),
        Made::Before(_) => panic!("the id is new"),
    }
}

/// The token that a page shows.
fn shown_token(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("<pre id=\"token\"><code>").expect("a token");
    rest.split('<').next().unwrap().to_owned()
}

async fn refusal(appliance: &Appliance, token: &str) -> String {
    call(appliance, token).await.expect(401).header("www-authenticate").to_owned()
}

#[tokio::test]
async fn a_rotated_token_works_until_its_overlap_ends_and_the_new_one_a_whole_life() {
    for (choice, overlap) in [("hour", hours(1)), ("day", days(1))] {
        let appliance = Appliance::new();
        let mut browser = Browser::signed_in(&appliance).await;
        let (id, old) = appliance.personal_token("Laptop");
        appliance.advance(days(300));
        let mut browser_later = Browser::signed_in(&appliance).await;
        std::mem::swap(&mut browser, &mut browser_later);
        let path = format!("/dashboard/api-keys/{id}/rotate");
        let question = browser.get(&appliance, &path).await.expect(200);
        assert!(question.body.contains("18 September 2028"), "the new expiry is shown before: {}", question.body);
        let shown = browser.submit(&appliance, &question, &path, &[("overlap", choice)]).await.expect(200);
        let new = shown_token(&shown);
        assert!(shown.body.contains("The token that it replaces works until"), "{}", shown.body);
        for token in [&old, &new] {
            call(&appliance, token).await.expect(200);
        }
        let again = browser.submit(&appliance, &question, &path, &[("overlap", choice)]).await.expect(200);
        assert!(again.body.contains("was already shown") && !again.body.contains("eyJ"));
        appliance.advance(overlap.saturating_sub(SECOND));
        call(&appliance, &old).await.expect(200);
        appliance.advance(SECOND);
        assert!(refusal(&appliance, &old).await.contains("replaced by a new one"));
        appliance.advance(days(364));
        call(&appliance, &new).await.expect(200);
        appliance.advance(days(2));
        assert!(refusal(&appliance, &new).await.contains("expired"));
    }
}

#[tokio::test]
async fn the_end_of_the_overlap_needs_no_clockwork_and_survives_restarts_on_a_real_disk() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("keyward");
    let mut appliance = Appliance::on_disk(&directory);
    let (id, old) = appliance.personal_token("Laptop");
    let (new_id, new) = rotate(&appliance, id, Overlap::Hour);
    appliance.restart_from_disk(&directory);
    call(&appliance, &old).await.expect(200);
    appliance.advance(hours(1).saturating_sub(SECOND));
    appliance.restart_from_disk(&directory);
    call(&appliance, &old).await.expect(200);
    appliance.advance(SECOND);
    refusal(&appliance, &old).await;
    appliance.restart_from_disk(&directory);
    refusal(&appliance, &old).await;
    call(&appliance, &new).await.expect(200);
    let entry = |id| appliance.app.personal_token(appliance.admin.id, id).unwrap().token;
    assert_eq!(entry(id).replaced.unwrap().by, new_id);
    assert_eq!(entry(new_id).replaces, Some(id));
}

#[tokio::test]
async fn at_once_means_at_the_very_next_request() {
    let mut appliance = Appliance::new();
    let (id, old) = appliance.personal_token("Laptop");
    let (_, new) = rotate(&appliance, id, Overlap::None);
    refusal(&appliance, &old).await;
    call(&appliance, &new).await.expect(200);
    appliance.restart();
    refusal(&appliance, &old).await;
    call(&appliance, &new).await.expect(200);
}

#[tokio::test]
async fn a_token_that_was_replaced_can_still_be_revoked_before_its_time() {
    let appliance = Appliance::new();
    let (id, old) = appliance.personal_token("Laptop");
    let (_, new) = rotate(&appliance, id, Overlap::Day);
    appliance.app.revoke_personal_token(appliance.admin.id, id).unwrap();
    assert!(refusal(&appliance, &old).await.contains("revoked"));
    call(&appliance, &new).await.expect(200);
}

#[tokio::test]
async fn a_rotation_is_of_ones_own_live_token_once() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let (id, _) = appliance.personal_token("Laptop");
    let wanted = rotation(&appliance, id, Overlap::Day);
    assert!(appliance.app.rotate_personal_token(ben.id, wanted).is_err(), "of another person");
    let (new, _) = rotate(&appliance, id, Overlap::Day);
    let wanted = rotation(&appliance, id, Overlap::Day);
    assert!(appliance.app.rotate_personal_token(appliance.admin.id, wanted).is_err(), "a second time");
    let (others, _) = appliance.personal_token_of(ben.id, "Phone");
    let stolen = Rotation { id: others, ..rotation(&appliance, new, Overlap::None) };
    assert!(appliance.app.rotate_personal_token(appliance.admin.id, stolen).is_err(), "into a token of another person");
    appliance.app.revoke_personal_token(appliance.admin.id, new).unwrap();
    let wanted = rotation(&appliance, new, Overlap::Day);
    assert!(appliance.app.rotate_personal_token(appliance.admin.id, wanted).is_err(), "of one that has ended");
    assert_eq!(appliance.app.personal_token(ben.id, others).unwrap().token.name.as_str(), "Phone");
}

#[tokio::test]
async fn the_new_token_has_the_name_the_reach_and_the_life_of_the_old() {
    let appliance = Appliance::new();
    let owner = appliance.admin.id;
    let form = NewPersonalToken {
        id: TokenId::generate(appliance.clock.now(), &OsEntropy),
        name: "Reader".to_owned(),
        expires_at: Some(appliance.clock.now() + days(30)),
        servers: Some(vec!["keyward".to_owned()]),
        scopes: ScopeSet::parse("mcp:read").unwrap(),
    };
    appliance.app.create_personal_token(owner, &form).unwrap();
    appliance.advance(days(29));
    let (new, _) = rotate(&appliance, form.id, Overlap::Day);
    let [new, old] = [new, form.id].map(|id| appliance.app.personal_token(owner, id).unwrap().token);
    assert_eq!((&new.name, &new.reach, &new.scopes), (&old.name, &old.reach, &old.scopes));
    assert_eq!(new.expires_at, appliance.clock.now() + days(30));
    assert_eq!(old.ends_at(), old.expires_at.min(appliance.clock.now() + days(1)));
    let taken = NewPersonalToken { id: TokenId::generate(Timestamp::EPOCH, &OsEntropy), ..form };
    assert!(appliance.app.create_personal_token(owner, &taken).is_err(), "the name is the new one's");
    appliance.advance(days(2));
    assert!(appliance.app.create_personal_token(owner, &taken).is_err());
}

#[tokio::test]
async fn whoever_has_as_many_tokens_as_may_be_can_still_rotate_but_not_without_end() {
    let appliance = Appliance::with(&[("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", "2")]);
    appliance.personal_token("a");
    let (mut id, _) = appliance.personal_token("b");
    for _ in 0..2 {
        id = rotate(&appliance, id, Overlap::Day).0;
    }
    let wanted = rotation(&appliance, id, Overlap::Day);
    assert!(appliance.app.rotate_personal_token(appliance.admin.id, wanted).is_err());
    appliance.advance(days(1) + minutes(1));
    rotate(&appliance, id, Overlap::None);
}
