//! How people come in and go out.

use crate::support::{Appliance, Browser, call};
use keyward::clock::days;
use std::sync::Arc;
use std::time::Duration;

const SESSION: &str = "keyward-session";
const ADMIN: &str = "ada";
const PASSWORD: &str = "four quiet random words";

/// The page, without what differs from one look at it to the next.
fn without_tokens(body: &str, browser_writes: &str) -> String {
    let parts = body.split("value=\"").enumerate();
    let shown = parts.map(|(place, part)| if place == 0 { part } else { part.split_once('"').unwrap().1 });
    shown.collect::<String>().replace(browser_writes, "")
}

#[tokio::test]
async fn signing_in_leads_to_the_page_that_was_asked_for() {
    let appliance = Appliance::new();
    let mut browser = Browser::new();
    let (reached, page) = browser.visit(&appliance, "/dashboard/api-keys/new?name=Laptop").await;
    assert_eq!(reached, "/login?next=%2Fdashboard%2Fapi-keys%2Fnew%3Fname%3DLaptop");
    let fields = [("username", "ADA "), ("password", PASSWORD)];
    let answer = browser.submit(&appliance, &page, "/login", &fields).await.expect(303);
    assert_eq!(answer.location(), "/dashboard/api-keys/new?name=Laptop");
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["keyward-session=v4.local.", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=7776000"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("ses_"), "a sealed cookie says nothing");
    let page = browser.get(&appliance, answer.location()).await.expect(200);
    assert!(page.body.contains("value=\"Laptop\""));
    assert_eq!(browser.get(&appliance, "/login").await.expect(303).location(), "/dashboard", "no second time");
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_the_same() {
    let appliance = Appliance::new();
    let mut browser = Browser::new();
    let wrong_password = browser.sign_in(&appliance, ADMIN, "wrong").await.expect(401);
    let wrong_name = browser.sign_in(&appliance, "nobody", PASSWORD).await.expect(401);
    let no_name = browser.sign_in(&appliance, "<script>alert(1)</script>", PASSWORD).await.expect(401);
    assert_eq!(without_tokens(&wrong_password.body, ADMIN), without_tokens(&wrong_name.body, "nobody"));
    assert_eq!(without_tokens(&wrong_password.body, ADMIN), without_tokens(&no_name.body, ""));
    assert!(!no_name.body.contains("<script>alert"));
    assert!(!browser.cookies.contains_key(SESSION));
    assert!(!wrong_password.body.contains("value=\"wrong\""), "a password is not repeated");
}

#[tokio::test]
async fn wrong_passwords_are_slowed_also_for_the_right_one_and_never_locked_out() {
    let appliance = Appliance::new();
    let mut browser = Browser::new();
    for _ in 0..4 {
        browser.sign_in(&appliance, ADMIN, "wrong").await.expect(401);
    }
    let slowed = browser.sign_in(&appliance, ADMIN, PASSWORD).await.expect(429);
    assert_eq!(slowed.header("retry-after"), "3");
    assert!(slowed.body.contains("Wait 3 seconds"), "{}", slowed.body);
    assert!(slowed.body.contains("value=\"ada\""), "the form is there to try again");
    let elsewhere = Browser::new().sign_in(&appliance, "ADA", "wrong").await;
    assert_eq!(elsewhere.status, 429, "the account is slowed, however its name is written");
    appliance.advance(Duration::from_secs(3));
    browser.sign_in(&appliance, ADMIN, PASSWORD).await.expect(303);
    browser.get(&appliance, "/dashboard").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_sign_in_at_once_hold_up_no_call() {
    let appliance = Arc::new(Appliance::with(&[("KEYWARD_LIMITS_RATE_LIMITS", "false")]));
    let (_, token) = appliance.personal_token("Laptop");
    let attempts: Vec<_> = (0..30)
        .map(|_| {
            let appliance = Arc::clone(&appliance);
            tokio::spawn(async move { Browser::new().sign_in(&appliance, "nobody", "wrong").await.status.as_u16() })
        })
        .collect();
    // Until the first of them has been answered, the others wait for their turn to be hashed.
    while !attempts.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..20 {
        call(&appliance, &token).await.expect(200);
    }
    let waiting = attempts.iter().filter(|attempt| !attempt.is_finished()).count();
    assert!(waiting > 10, "passwords are hashed two at a time, and calls do not stand in that queue: {waiting}");
    for attempt in attempts {
        let status = attempt.await.unwrap();
        assert!([401, 503].contains(&status), "{status}");
    }
}

#[tokio::test]
async fn whoever_guesses_elsewhere_keeps_the_owners_own_browser_from_nothing() {
    let appliance = Appliance::new();
    let mut own = Browser::signed_in(&appliance).await;
    let page = own.get(&appliance, "/logout").await;
    own.submit(&appliance, &page, "/logout", &[]).await.expect(303);
    let mut slowed = 0;
    for _ in 0..30 {
        let answer = Browser::new().sign_in(&appliance, "ada", "a guess at the words").await;
        slowed += usize::from(answer.status == 429);
    }
    assert!(slowed > 20, "{slowed}");
    Browser::new().sign_in(&appliance, "ada", PASSWORD).await.expect(429);
    own.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    let known = own.cookies.iter().filter(|(name, _)| name.contains("known"));
    let mut stranger = Browser { cookies: known.map(|(name, value)| (name.clone(), value.clone())).collect() };
    for _ in 0..5 {
        stranger.sign_in(&appliance, "bob", "a guess at the words").await;
    }
    stranger.sign_in(&appliance, "bob", "a guess at the words").await.expect(429);
}

#[tokio::test]
async fn a_hash_with_other_parameters_is_made_anew_when_the_password_is_given() {
    let appliance = Appliance::new();
    let hash = || appliance.app.user_entry(appliance.admin.id).unwrap().user.password;
    assert!(hash().is_outdated(), "one that is kept in memory costs least");
    Browser::new().sign_in(&appliance, "ada", "a wrong one").await.expect(401);
    assert!(hash().is_outdated());
    Browser::signed_in(&appliance).await;
    let renewed = hash();
    assert!(!renewed.is_outdated() && renewed.verify(PASSWORD));
    Browser::signed_in(&appliance).await;
    assert_eq!(hash(), renewed);
}

#[tokio::test]
async fn signing_in_always_makes_a_new_session_and_ends_the_one_before() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let before = browser.clone();
    let page = browser.get(&appliance, "/login?next=%2Fauthorize%3Fclient_id%3Da%26prompt%3Dlogin").await.expect(200);
    let fields = [("username", ADMIN), ("password", PASSWORD)];
    browser.submit(&appliance, &page, "/login", &fields).await.expect(303);
    assert_ne!(browser.cookies[SESSION], before.cookies[SESSION]);
    browser.get(&appliance, "/dashboard").await.expect(200);
    assert_eq!(before.clone().get(&appliance, "/dashboard").await.expect(303).location(), "/login?next=%2Fdashboard");

    let mut planted = Browser::new();
    let page = planted.get(&appliance, "/login").await;
    planted.cookies.insert(SESSION.to_owned(), browser.cookies[SESSION].clone());
    planted.submit(&appliance, &page, "/login", &fields).await.expect(303);
    assert_ne!(planted.cookies[SESSION], browser.cookies[SESSION]);
    browser.get(&appliance, "/dashboard").await.expect(303);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_only_when_it_is_said() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let copy = browser.clone();
    let page = browser.get(&appliance, "/logout").await.expect(200);
    browser.get(&appliance, "/dashboard").await.expect(200);
    let answer = browser.submit(&appliance, &page, "/logout", &[]).await.expect(303);
    assert!(!browser.cookies.contains_key(SESSION));
    assert!(browser.get(&appliance, answer.location()).await.expect(200).body.contains("You are signed out."));
    assert_eq!(copy.clone().get(&appliance, "/dashboard").await.status, 303, "a copy of the cookie is worth nothing");
}

#[tokio::test]
async fn a_session_ends_when_nobody_comes_and_after_its_longest_life() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    for _ in 0..8 {
        appliance.advance(days(11));
        browser.get(&appliance, "/dashboard").await.expect(200);
    }
    appliance.advance(days(2));
    browser.get(&appliance, "/dashboard").await.expect(303);
    browser.cookies.clear();
    browser.sign_in(&appliance, ADMIN, PASSWORD).await.expect(303);
    appliance.advance(days(14));
    browser.get(&appliance, "/dashboard").await.expect(303);
}

#[tokio::test]
async fn a_login_page_from_before_a_restart_is_shown_again_and_forgets_nothing_but_the_password() {
    let mut appliance = Appliance::new();
    let mut browser = Browser::new();
    let (_, page) = browser.visit(&appliance, "/dashboard/security").await;
    appliance.restart();
    let fields = [("username", ADMIN), ("password", PASSWORD)];
    let again = browser.submit(&appliance, &page, "/login", &fields).await.expect(403);
    assert!(again.body.contains("open too long") && !again.body.contains(PASSWORD));
    let answer = browser.submit(&appliance, &again, "/login", &[("password", PASSWORD)]).await.expect(303);
    assert_eq!(answer.location(), "/dashboard/security");
}

#[tokio::test]
async fn nobody_is_led_to_another_site_after_signing_in() {
    let appliance = Appliance::new();
    let mut signed_in = Browser::signed_in(&appliance).await;
    let corpus = [
        "https://evil.example/",
        "//evil.example/dashboard",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "%2f%2fevil.example",
        "/dashboard/..//evil.example",
        "/dashboard/%2e%2e/%2e%2e//evil.example",
        "/dashboard//evil.example",
        "/dashboard\\@evil.example",
        "/dashboard@evil.example",
        "/dashboard.evil.example",
        "http:evil.example",
        "https:/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\tevil.example",
        "/dashboard\r\nLocation: https://evil.example",
        "/dashboard#//evil.example",
        " /dashboard",
        "/logout",
        "/token",
        "/mcp",
        "dashboard",
        "?next=/dashboard",
        "",
    ];
    for next in corpus {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        let answer = signed_in.get(&appliance, &format!("/login?{query}")).await.expect(303);
        assert_eq!(answer.location(), "/dashboard", "GET {next:?}");
        let mut browser = Browser::new();
        let page = browser.get(&appliance, &format!("/login?{query}")).await.expect(200);
        let fields = [("username", ADMIN), ("password", PASSWORD), ("next", next)];
        let answer = browser.submit(&appliance, &page, "/login", &fields).await.expect(303);
        assert_eq!(answer.location(), "/dashboard", "POST {next:?}");
    }
}

#[tokio::test]
async fn the_login_page_on_the_way_to_a_client_lets_its_form_reach_the_client() {
    let appliance = Appliance::new();
    let policy = async |path: &str| {
        let page = Browser::new().get(&appliance, path).await.expect(200);
        page.header("content-security-policy").to_owned()
    };
    let to_app = "/login?next=%2Fauthorize%3Fclient_id%3Da%26redirect_uri%3Dcursor%253A%252F%252Fanysphere%252Fcb";
    assert!(policy(to_app).await.ends_with("form-action 'self' https: http: cursor:"));
    assert!(policy("/login?next=%2Fauthorize%3Fclient_id%3Da").await.ends_with("form-action 'self' https: http:"));
    assert!(policy("/login").await.ends_with("form-action 'self'"));
}

#[tokio::test]
async fn the_first_admin_is_made_once_and_only_with_the_secret() {
    let (appliance, secret) = Appliance::unclaimed();
    let mut browser = Browser::new();
    let link = format!("/setup?secret={secret}");
    let nothing = browser.get(&appliance, "/no-such-page").await.expect(404);
    for wrong in ["/setup", "/setup?secret=", "/setup?secret=kwi_wrong", &format!("{link}x")] {
        let answer = browser.get(&appliance, wrong).await.expect(404);
        assert_eq!(answer.body, nothing.body, "{wrong}");
    }
    browser.get(&appliance, &link).await.expect(200);
    let page = browser.get(&appliance, &link).await.expect(200);
    let fill = |name, password, again| [("username", name), ("password", password), ("password_again", again)];

    let differs = browser.submit(&appliance, &page, "/setup", &fill("grace", PASSWORD, "another")).await.expect(422);
    assert!(differs.body.contains("The two passwords differ.") && differs.body.contains("value=\"grace\""));
    let weak = browser.submit(&appliance, &page, "/setup", &fill("a b", "password", "password")).await.expect(422);
    assert!(weak.body.contains("id=\"username-problem\"") && weak.body.contains("most common"));
    let mut other = fill("grace", PASSWORD, PASSWORD).to_vec();
    other.push(("secret", "kwi_wrong"));
    let refused = browser.submit(&appliance, &page, "/setup", &other).await.expect(404);
    assert_eq!(refused.body, nothing.body);

    let good = fill("grace", PASSWORD, PASSWORD);
    let answer = browser.submit(&appliance, &page, "/setup", &good).await.expect(303);
    assert!(browser.get(&appliance, answer.location()).await.expect(200).body.contains("grace"));
    assert_eq!(browser.get(&appliance, &link).await.expect(404).body, nothing.body, "the link is spent");
    let again = browser.submit(&appliance, &page, "/setup", &fill("mallory", PASSWORD, PASSWORD)).await;
    assert_eq!(again.expect(404).body, nothing.body);
    Browser::new().sign_in(&appliance, "mallory", PASSWORD).await.expect(401);
    Browser::new().sign_in(&appliance, "grace", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn of_two_racing_set_ups_one_wins() {
    let (appliance, secret) = Appliance::unclaimed();
    let link = format!("/setup?secret={secret}");
    let one = async |name: &str| {
        let mut browser = Browser::new();
        let page = browser.get(&appliance, &link).await.expect(200);
        let fields = [("username", name), ("password", PASSWORD), ("password_again", PASSWORD)];
        browser.submit(&appliance, &page, "/setup", &fields).await.status.as_u16()
    };
    let (first, second) = tokio::join!(one("grace"), one("mallory"));
    assert!([(303, 404), (404, 303)].contains(&(first, second)), "{first} {second}");
}
