//! What hands out power asks again who is there, when the last proof is ten minutes old.

use crate::events::lines;
use crate::pages::{everything, furnished};
use crate::support::{ADMIN, Answer, Appliance, Browser, NOW, PASSWORD};
use keyward::account::user::Role;
use keyward::clock::{Clock, Timestamp, minutes};
use keyward::event::EventKind;
use std::time::Duration;

const SESSION: &str = "keyward-session";
const NEW_TOKEN: &str = "/dashboard/api-keys/new";
const ASKS: &str = "Is it still you?";

/// The page of a new token, filled in.
async fn token_form(appliance: &Appliance, browser: &mut Browser) -> (Answer, [(&'static str, &'static str); 4]) {
    let page = browser.get(appliance, NEW_TOKEN).await.expect(200);
    (page, [("name", "Büro & <Laptop>"), ("expiry", "30"), ("reach", "all"), ("extent", "read")])
}

fn token_names(appliance: &Appliance) -> Vec<String> {
    let tokens = appliance.app.personal_tokens(appliance.admin.id).unwrap();
    tokens.into_iter().map(|entry| entry.token.name.to_string()).collect()
}

fn count_of(appliance: &Appliance, kind: EventKind) -> u32 {
    lines(appliance).iter().filter(|(_, event)| event.kind == kind).map(|(_, event)| event.times.max(1)).sum()
}

#[tokio::test]
async fn a_form_that_hands_out_power_waits_for_the_password_and_nothing_typed_is_lost() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (page, fields) = token_form(&appliance, &mut browser).await;
    Browser::signed_in(&appliance).await;
    let other_tab = browser.get(&appliance, "/dashboard/security/sign-out-everywhere").await.expect(200);
    appliance.advance(minutes(10));
    let before = browser.clone();
    let asked = browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(401);
    assert!(asked.body.contains(ASKS) && asked.body.contains("Nothing that you entered is lost"));
    assert!(!asked.body.contains("Laptop"), "the form is sealed");
    assert_eq!(asked.header("cache-control"), "no-store");
    assert_eq!(token_names(&appliance), [""; 0]);

    let wrong = browser.submit(&appliance, &asked, NEW_TOKEN, &[("password", "wrong")]).await.expect(401);
    assert!(wrong.body.contains("This is not your password"));
    assert_eq!(token_names(&appliance), [""; 0]);
    let made = browser.submit(&appliance, &wrong, NEW_TOKEN, &[("password", PASSWORD)]).await.expect(200);
    assert!(made.body.contains("eyJ0eXAiOiJwYXQrand0"), "the token is shown");
    assert_eq!(token_names(&appliance), ["Büro & <Laptop>"]);

    assert_ne!(browser.cookies[SESSION], before.cookies[SESSION], "the session is a new one");
    let copy = before.clone().get(&appliance, "/dashboard").await.expect(303);
    assert!(copy.location().starts_with("/login"), "a copy of the old one is worth nothing");
    browser.get(&appliance, "/dashboard").await.expect(200);
    assert_eq!(appliance.app.session_count(&appliance.admin).unwrap(), 2);
    assert_eq!(count_of(&appliance, EventKind::ProvedAgain), 1);
    assert_eq!(count_of(&appliance, EventKind::SignInFailed), 1);
    let form = Browser::form(&other_tab, "/dashboard/security/sign-out-everywhere");
    browser.send(&appliance, "/dashboard/security/sign-out-everywhere", &form, &[]).await.expect(303);
    browser.submit(&appliance, &other_tab, "/logout", &[]).await.expect(303);
}

#[tokio::test]
async fn a_proof_is_good_for_ten_minutes() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (page, fields) = token_form(&appliance, &mut browser).await;
    appliance.advance(Duration::from_secs(599));
    browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(200);
    let confirm = browser.get(&appliance, "/confirm?next=%2Fdashboard%2Fsecurity").await.expect(303);
    assert_eq!(confirm.location(), "/dashboard/security", "nobody is asked without need");

    appliance.advance(Duration::from_secs(1));
    let asked = browser.get(&appliance, "/confirm?next=%2Fdashboard%2Fsecurity").await.expect(200);
    browser.submit(&appliance, &asked, "/confirm", &[("password", "wrong")]).await.expect(401);
    let proved = browser.submit(&appliance, &asked, "/confirm", &[("password", PASSWORD)]).await.expect(303);
    assert_eq!(proved.location(), "/dashboard/security");
    appliance.advance(minutes(9));
    let (page, _) = token_form(&appliance, &mut browser).await;
    browser.submit(&appliance, &page, NEW_TOKEN, &[("name", "Phone"), ("expiry", "7")]).await.expect(200);
    for elsewhere in ["https://evil.example", "//evil.example", "/logout"] {
        let next: String = url::form_urlencoded::byte_serialize(elsewhere.as_bytes()).collect();
        let led = browser.get(&appliance, &format!("/confirm?next={next}")).await.expect(303);
        assert_eq!(led.location(), "/dashboard", "{elsewhere}");
    }
    appliance.clock.set(Timestamp::from_unix_millis(NOW.unix_millis() - 86_400_000));
    let (page, fields) = token_form(&appliance, &mut browser).await;
    browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(401);
}

#[tokio::test]
async fn everything_that_hands_out_power_asks_and_does_nothing_before() {
    let (appliance, mut browser) = furnished().await;
    let app = &appliance.app;
    let ben = app.users("ben", 1).unwrap().entries[0].user.id;
    let key = app.signing_keys().unwrap()[0].id;
    let user = format!("/dashboard/users/{ben}");
    let server = [("name", "more"), ("url", "http://127.0.0.1:1/mcp"), ("whose", "nobody")];
    let token = [("name", "Phone"), ("expiry", "7"), ("reach", "all"), ("creation", "tok_01h00000000000000000000000")];
    let client = [("name", "App"), ("redirect_uris", "https://a.example/cb"), ("kind", "confidential")];
    let (client_id, invitation) =
        (("creation", "cli_01h00000000000000000000000"), ("creation", "inv_01h00000000000000000000000"));
    let factor = app.factors(&appliance.admin).unwrap().all[0].id;
    let new = "a lantern over the harbour wall";
    let password = [("current_password", "x"), ("new_password", new), ("new_password_again", new)];
    let acts: [(String, Vec<(&str, &str)>); 20] = [
        (NEW_TOKEN.into(), token.to_vec()),
        ("/dashboard/connections/revoke-all".into(), vec![]),
        ("/dashboard/invitations/new".into(), vec![invitation, ("role", "member")]),
        (format!("{user}/reset-link"), vec![]),
        (user.clone(), vec![("role", "admin")]),
        (format!("{user}/disable"), vec![]),
        (format!("{user}/enable"), vec![]),
        (format!("{user}/sign-out"), vec![]),
        (format!("{user}/revoke-all"), vec![]),
        (format!("{user}/reset-factors"), vec![]),
        (format!("{user}/delete"), vec![]),
        ("/dashboard/users/policy".into(), vec![("second_factor", "admins")]),
        ("/dashboard/security/recovery-codes".into(), vec![]),
        (format!("/dashboard/security/factors/{factor}/remove"), vec![]),
        ("/dashboard/security/password".into(), password.to_vec()),
        ("/dashboard/groups/writers/add".into(), vec![("username", "ada")]),
        ("/dashboard/servers/new".into(), server.to_vec()),
        ("/dashboard/servers/files/edit".into(), server.to_vec()),
        ("/dashboard/clients/new".into(), [&client[..], &[client_id]].concat()),
        (format!("/dashboard/signing-keys/{key}/condemn"), vec![]),
    ];
    appliance.advance(minutes(10));
    let before = everything(&appliance);
    let page = browser.get(&appliance, "/dashboard").await.expect(200);
    let form = Browser::form(&page, "/logout");
    for (path, fields) in &acts {
        let asked = browser.send(&appliance, path, &form, fields).await.expect(401);
        assert!(asked.body.contains(ASKS), "{path}");
        browser.submit(&appliance, &asked, path, &[("password", "a wrong one")]).await;
        appliance.advance(minutes(2));
    }
    assert_eq!(everything(&appliance), before);

    // The same forms are done when they are answered.
    let (path, fields) = &acts[4];
    let asked = browser.send(&appliance, path, &form, fields).await.expect(401);
    browser.submit(&appliance, &asked, path, &[("password", PASSWORD)]).await.expect(303);
    assert_eq!(app.user_entry(ben).unwrap().user.role, Role::Admin);
    for (path, fields) in &acts {
        let answer = browser.send(&appliance, path, &form, fields).await;
        assert_ne!(answer.status, 401, "{path} asks nobody who has just proved it");
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_is_not_kept() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (page, fields) = token_form(&appliance, &mut browser).await;
    appliance.advance(minutes(10));
    let form = Browser::form(&page, NEW_TOKEN);
    let stolen = browser.send(&appliance, NEW_TOKEN, &form, &[("form_token", "x")]).await.expect(403);
    assert!(!stolen.body.contains("kept_form"));
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("origin", "https://evil.example")];
    let sent: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    appliance.post_form(NEW_TOKEN, &[&sent[..], &fields].concat(), &headers).await.expect(403);
    let broken = browser.submit(&appliance, &page, NEW_TOKEN, &[("reach", "nowhere")]).await.expect(400);
    assert!(!broken.body.contains(ASKS), "what cannot be read is said at once");
}

#[tokio::test]
async fn a_kept_form_is_good_for_its_sender_at_its_address_in_its_time() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    appliance.put_into(&ben, &["writers"]);
    let mut browser = Browser::signed_in(&appliance).await;
    let mut bens = Browser::new();
    bens.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let (page, fields) = token_form(&appliance, &mut browser).await;
    appliance.advance(minutes(10));
    let asked = browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(401);
    let kept = Browser::form(&asked, NEW_TOKEN);
    let sealed = kept.fields.iter().find(|(name, _)| name == "kept_form").unwrap().1.clone();

    let bens_page = bens.get(&appliance, NEW_TOKEN).await.expect(200);
    let of_ben = Browser::form(&bens_page, NEW_TOKEN);
    let with_password = [("kept_form", sealed.as_str()), ("password", PASSWORD)];
    bens.send(&appliance, NEW_TOKEN, &of_ben, &with_password).await.expect(403);
    for elsewhere in ["/dashboard/connections/revoke-all", "/dashboard/api-keys/new?name=x"] {
        browser.send(&appliance, elsewhere, &kept, &[("password", PASSWORD)]).await.expect(403);
    }
    let torn = &sealed[..sealed.len() - 1];
    browser.send(&appliance, NEW_TOKEN, &kept, &[("kept_form", torn), ("password", PASSWORD)]).await.expect(403);
    appliance.advance(minutes(30));
    let late = browser.send(&appliance, NEW_TOKEN, &kept, &[("password", PASSWORD)]).await.expect(403);
    assert!(late.body.contains("kept for half an hour and is gone now"), "{}", late.body);
    appliance.advance(minutes(24 * 60));
    browser.send(&appliance, NEW_TOKEN, &kept, &[("password", PASSWORD)]).await.expect(403);
    assert_eq!(token_names(&appliance), [""; 0]);
    assert!(appliance.app.personal_tokens(ben.id).unwrap().is_empty());
}

#[tokio::test]
async fn a_form_is_kept_for_half_an_hour_and_whoever_is_later_is_led_back_to_its_page() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (page, fields) = token_form(&appliance, &mut browser).await;
    appliance.advance(minutes(10));
    let form = Browser::form(&page, NEW_TOKEN);
    let own: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own: Vec<_> = own.into_iter().filter(|(name, _)| !fields.iter().any(|(changed, _)| changed == name)).collect();
    let cookies = browser.cookie_header();
    let from = format!("{}{NEW_TOKEN}?name=Laptop", appliance.issuer());
    let headers = [("cookie", cookies.as_str()), ("referer", &from)];
    let asked = appliance.post_form(NEW_TOKEN, &[&own[..], &fields].concat(), &headers).await.expect(401);
    let back = "href=\"/dashboard/api-keys/new?name=Laptop\"";
    assert!(asked.body.contains(back) && asked.body.contains("kept here for half an hour"), "{}", asked.body);
    // The page that asks again stands at the address of the form, and leads back to the page before it all the same.
    let wrong = browser.submit(&appliance, &asked, NEW_TOKEN, &[("password", "wrong")]).await.expect(401);
    assert!(wrong.body.contains(back), "{}", wrong.body);

    appliance.advance(minutes(30));
    let late = browser.submit(&appliance, &asked, NEW_TOKEN, &[("password", PASSWORD)]).await.expect(403);
    assert!(late.body.contains(back) && late.body.contains("enter it once more"), "{}", late.body);
    assert_eq!(token_names(&appliance), [""; 0]);
    let asked = browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(401);
    appliance.advance(Duration::from_secs(30 * 60 - 1));
    browser.submit(&appliance, &asked, NEW_TOKEN, &[("password", PASSWORD)]).await.expect(200);
}

#[tokio::test]
async fn a_form_that_is_too_long_to_be_kept_is_sent_again_after_the_proof() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (page, _) = token_form(&appliance, &mut browser).await;
    appliance.advance(minutes(10));
    let long = "x".repeat(40 * 1024);
    let fields = [("name", long.as_str()), ("expiry", "7")];
    let asked = browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(401);
    assert!(asked.body.contains("too long to be kept") && !asked.body.contains("kept_form"));
    browser.submit(&appliance, &asked, "/confirm", &[("password", PASSWORD)]).await.expect(303);
    browser.submit(&appliance, &page, NEW_TOKEN, &[("name", "Phone"), ("expiry", "7")]).await.expect(200);
}

#[tokio::test]
async fn wrong_answers_are_slowed_together_with_those_at_sign_in() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (page, fields) = token_form(&appliance, &mut browser).await;
    appliance.advance(minutes(10));
    let asked = browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(401);
    for _ in 0..4 {
        browser.submit(&appliance, &asked, NEW_TOKEN, &[("password", "a guess")]).await.expect(401);
    }
    let slowed = browser.submit(&appliance, &asked, NEW_TOKEN, &[("password", PASSWORD)]).await.expect(429);
    assert_eq!(slowed.header("retry-after"), "3");
    assert!(slowed.body.contains("Wait 3 seconds"), "{}", slowed.body);
    let confirm = browser.get(&appliance, "/confirm").await.expect(200);
    browser.submit(&appliance, &confirm, "/confirm", &[("password", PASSWORD)]).await.expect(429);
    let known = Browser { cookies: browser.cookies.clone().into_iter().filter(|(name, _)| name != SESSION).collect() };
    known.clone().sign_in(&appliance, ADMIN, PASSWORD).await.expect(429);
    appliance.advance(Duration::from_secs(3));
    browser.submit(&appliance, &slowed, NEW_TOKEN, &[("password", PASSWORD)]).await.expect(200);
    assert_eq!(count_of(&appliance, EventKind::SignInFailed), 4, "as at sign-in");
}

#[tokio::test]
async fn who_has_lost_the_account_meanwhile_proves_nothing() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let mut browser = Browser::new();
    browser.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let (page, fields) = token_form(&appliance, &mut browser).await;
    appliance.advance(minutes(10));
    let asked = browser.submit(&appliance, &page, NEW_TOKEN, &fields).await.expect(401);
    appliance.app.disable_user(appliance.by_admin(), ben.id).unwrap();
    let answer = browser.submit(&appliance, &asked, NEW_TOKEN, &[("password", PASSWORD)]).await.expect(303);
    assert!(answer.location().starts_with("/login"));
    appliance.app.enable_user(appliance.by_admin(), ben.id).unwrap();
    assert!(appliance.app.personal_tokens(ben.id).unwrap().is_empty());
    assert_eq!(appliance.clock.now(), NOW + minutes(10));
}
