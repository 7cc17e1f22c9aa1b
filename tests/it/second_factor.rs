//! What a password alone opens once there is a second factor: nothing.

use crate::support::{Agent, Answer, Appliance, AuthenticatorApp, Browser, call, recovery_codes};
use keyward::account::user::{User, Username};
use keyward::app::events::{EventFilter, EventPlace};
use keyward::app::notices::UserNotice;
use keyward::clock::{hours, minutes};
use keyward::control::{self, Request};
use keyward::event::EventKind;
use std::sync::Arc;
use std::time::Duration;

const PASSWORD: &str = "four quiet random words";
const SESSION: &str = "keyward-session";
const HALF: &str = "keyward-half-session";
const SECOND: &str = "/login/second-factor";
const SECURITY: &str = "/dashboard/security";
const AUTHENTICATOR: &str = "/dashboard/security/authenticator";
const CODES: &str = "/dashboard/security/recovery-codes";
const POLICY: &str = "/dashboard/users/policy";

/// An appliance whose admin has an authenticator app, the browser where it was added, and the recovery codes.
async fn guarded_by_code() -> (Appliance, Browser, AuthenticatorApp, Vec<String>) {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (app, codes) = AuthenticatorApp::added_with_codes(&appliance, &mut browser).await;
    (appliance, browser, app, codes)
}

/// A browser in which the password was given, and the page that asks for the code.
async fn half_signed_in(appliance: &Appliance) -> (Browser, Answer) {
    let mut browser = Browser::new();
    let answer = browser.sign_in(appliance, "ada", PASSWORD).await.expect(303);
    assert_eq!(answer.location(), SECOND);
    let page = browser.get(appliance, SECOND).await.expect(200);
    (browser, page)
}

async fn enter(appliance: &Appliance, browser: &mut Browser, page: &Answer, code: &str) -> Answer {
    browser.submit(appliance, page, SECOND, &[("code", code)]).await
}

fn kinds(appliance: &Appliance) -> Vec<EventKind> {
    appliance.app.flush_events().unwrap();
    let all = appliance.app.events(&EventFilter::default(), EventPlace::Newest, 1_000).unwrap().events;
    all.into_iter().rev().map(|(_, event)| event.kind).collect()
}

async fn set_policy(appliance: &Appliance, browser: &mut Browser, who: &str) {
    let page = browser.get(appliance, POLICY).await.expect(200);
    browser.submit(appliance, &page, POLICY, &[("second_factor", who)]).await.expect(303);
}

#[tokio::test]
async fn the_password_alone_opens_no_page_any_more() {
    let (appliance, mut own, app, _) = guarded_by_code().await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let (mut browser, page) = half_signed_in(&appliance).await;
    assert!(!browser.cookies.contains_key(SESSION), "there is no session yet");
    let half = browser.cookies[HALF].clone();
    for path in ["/dashboard", "/dashboard/api-keys/new", SECURITY, AUTHENTICATOR, CODES, POLICY, "/logout"] {
        assert!(browser.get(&appliance, path).await.expect(303).location().starts_with("/login"), "{path}");
    }
    let authorize = agent.authorize_path(&appliance, &[]);
    assert!(browser.get(&appliance, &authorize).await.expect(303).location().starts_with("/login?next=%2Fauthorize"));
    // Nor does its cookie under the name of a session's, or the other way round.
    browser.cookies.insert(SESSION.to_owned(), half);
    browser.get(&appliance, "/dashboard").await.expect(303);
    browser.cookies.remove(SESSION);
    let mut swapped = Browser::new();
    swapped.cookies.insert(HALF.to_owned(), own.cookies[SESSION].clone());
    assert_eq!(swapped.get(&appliance, SECOND).await.expect(303).location(), "/login?done=sign-in-over");
    // A form of another page with the token of this one does nothing.
    let form = Browser::form(&page, SECOND);
    browser.send(&appliance, "/logout", &form, &[]).await.expect(403);
    let sent = browser.send(&appliance, "/dashboard/api-keys/new", &form, &[("name", "Laptop")]).await.expect(303);
    assert_eq!(sent.location(), "/login");

    let code = app.next_code(&appliance);
    let answer = enter(&appliance, &mut browser, &page, &code).await.expect(303);
    assert_eq!(answer.location(), "/dashboard");
    assert!(browser.cookies.contains_key(SESSION) && !browser.cookies.contains_key(HALF));
    browser.get(&appliance, "/dashboard").await.expect(200);
    own.get(&appliance, "/dashboard").await.expect(200);
    assert_eq!(kinds(&appliance).last(), Some(&EventKind::SignedIn));
}

#[tokio::test]
async fn on_the_way_to_a_client_the_second_factor_is_asked_for_too() {
    let (appliance, _, app, _) = guarded_by_code().await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let mut browser = Browser::new();
    let (reached, login) = browser.visit(&appliance, &agent.authorize_path(&appliance, &[])).await;
    assert!(reached.starts_with("/login?next="));
    let fields = [("username", "ada"), ("password", PASSWORD)];
    let answer = browser.submit(&appliance, &login, "/login", &fields).await.expect(303);
    assert!(answer.location().starts_with("/login/second-factor?next=%2Fauthorize"), "{}", answer.location());
    let page = browser.get(&appliance, answer.location()).await.expect(200);
    assert!(page.header("content-security-policy").ends_with("form-action 'self' https: http:"));
    let wrong = enter(&appliance, &mut browser, &page, "000000").await.expect(401);
    let code = app.next_code(&appliance);
    let answer = enter(&appliance, &mut browser, &wrong, &code).await.expect(303);
    let (_, consent) = browser.visit(&appliance, answer.location()).await;
    assert!(consent.body.contains("Claude Code"));
    agent.connect(&appliance, &mut browser).await;

    // prompt=login asks for both, too.
    appliance.advance(minutes(3));
    let again = agent.authorize_path(&appliance, &[("prompt", "login")]);
    let (_, login) = browser.visit(&appliance, &again).await;
    let before = browser.cookies[SESSION].clone();
    let answer = browser.submit(&appliance, &login, "/login", &fields).await.expect(303);
    assert!(answer.location().starts_with(SECOND));
    assert!(browser.get(&appliance, &again).await.expect(303).location().starts_with("/login"), "not yet");
    let page = browser.get(&appliance, answer.location()).await.expect(200);
    let code = app.next_code(&appliance);
    let answer = enter(&appliance, &mut browser, &page, &code).await.expect(303);
    assert_ne!(browser.cookies[SESSION], before);
    browser.get(&appliance, answer.location()).await.expect(200);
    let mut old = Browser::new();
    old.cookies.insert(SESSION.to_owned(), before);
    old.get(&appliance, "/dashboard").await.expect(303);
}

#[tokio::test]
async fn a_half_sign_in_ends_after_five_minutes_and_with_whatever_ends_sessions() {
    let (appliance, mut own, app, _) = guarded_by_code().await;
    let (mut browser, page) = half_signed_in(&appliance).await;
    appliance.advance(minutes(5));
    let code = app.code(&appliance);
    let answer = enter(&appliance, &mut browser, &page, &code).await.expect(303);
    assert_eq!(answer.location(), "/login?done=sign-in-over");
    assert!(!browser.cookies.contains_key(SESSION));
    assert_eq!(browser.get(&appliance, SECOND).await.expect(303).location(), "/login?done=sign-in-over");
    let (_, login) = browser.visit(&appliance, "/login/second-factor?next=%2Fdashboard%2Fsecurity").await;
    assert!(login.body.contains("longer than five minutes") && login.body.contains("value=\"/dashboard/security\""));

    let (mut browser, _) = half_signed_in(&appliance).await;
    let copy = browser.clone();
    let page = own.get(&appliance, SECURITY).await.expect(200);
    let others = "/dashboard/security/sign-out-everywhere";
    let form = Browser::form(&page, SECURITY_PASSWORD);
    own.send(&appliance, others, &form, &[]).await.expect(303);
    browser.get(&appliance, SECOND).await.expect(303);
    copy.clone().get(&appliance, SECOND).await.expect(303);

    let (mut browser, _) = half_signed_in(&appliance).await;
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "a lantern over it"),
        ("new_password_again", "a lantern over it"),
    ];
    appliance.advance(hours(1));
    own.prove_again(&appliance).await;
    own.submit(&appliance, &page, SECURITY_PASSWORD, &fields).await.expect(303);
    browser.get(&appliance, SECOND).await.expect(303);
}

const SECURITY_PASSWORD: &str = "/dashboard/security/password";

#[tokio::test]
async fn an_app_counts_once_it_has_shown_a_code_and_other_browsers_are_signed_out() {
    let appliance = Appliance::new();
    let mut stays = Browser::signed_in(&appliance).await;
    let mut other = Browser::signed_in(&appliance).await;
    let (_, token) = appliance.personal_token("Laptop");
    let page = stays.get(&appliance, AUTHENTICATOR).await.expect(200);
    assert!(page.body.contains("<svg class=\"qr\""), "{}", page.body);
    let app = AuthenticatorApp::scanning(&page);
    let wrong = stays.submit(&appliance, &page, AUTHENTICATOR, &[("code", "000000")]).await.expect(422);
    assert!(wrong.body.contains("id=\"code-problem\""));
    assert_eq!(AuthenticatorApp::scanning(&wrong).code(&appliance), app.code(&appliance), "the key stays");
    Browser::new().sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    assert!(appliance.app.factors(&appliance.admin).unwrap().all.is_empty(), "nothing counts before");

    let before = stays.cookies[SESSION].clone();
    let code = app.code(&appliance);
    let shown = stays.submit(&appliance, &wrong, AUTHENTICATOR, &[("code", &code)]).await.expect(200);
    let codes = recovery_codes(&shown);
    assert_eq!(codes.len(), 10);
    assert!(shown.body.contains("download=\"keyward-recovery-codes.txt\"") && shown.body.contains(&codes[9]));
    assert_ne!(stays.cookies[SESSION], before, "the session is another");
    let mut old = Browser::new();
    old.cookies.insert(SESSION.to_owned(), before);
    old.get(&appliance, "/dashboard").await.expect(303);
    other.get(&appliance, "/dashboard").await.expect(303);
    call(&appliance, &token).await.expect(200);
    let page = stays.get(&appliance, SECURITY).await.expect(200);
    assert!(page.body.contains("Authenticator app") && page.body.contains("10 recovery codes left"));
    assert!(!page.body.contains(&codes[0]), "they are shown once");

    // The code that confirmed it does not sign in.
    let (mut browser, asked) = half_signed_in(&appliance).await;
    enter(&appliance, &mut browser, &asked, &app.code(&appliance)).await.expect(401);
    // A second app takes the place of none.
    let again = stays.get(&appliance, AUTHENTICATOR).await.expect(303);
    assert_eq!(again.location(), SECURITY);
}

#[tokio::test]
async fn a_key_is_offered_to_one_person_for_a_quarter_of_an_hour() {
    let mut appliance = Appliance::new();
    appliance.add_member("ben");
    let mut ada = Browser::signed_in(&appliance).await;
    let mut ben = Browser::new();
    ben.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let of_ada = ada.get(&appliance, AUTHENTICATOR).await.expect(200);
    let of_ben = ben.get(&appliance, AUTHENTICATOR).await.expect(200);
    let app = AuthenticatorApp::scanning(&of_ada);
    let enrolment = Browser::form(&of_ada, AUTHENTICATOR).fields;
    let enrolment = &enrolment.iter().find(|(name, _)| name == "enrolment").unwrap().1;
    let fields = [("code", app.code(&appliance)), ("enrolment", enrolment.clone())];
    let fields = [("code", fields[0].1.as_str()), ("enrolment", fields[1].1.as_str())];
    ben.submit(&appliance, &of_ben, AUTHENTICATOR, &fields).await.expect(422);
    appliance.advance(minutes(15));
    let asked = ada.submit(&appliance, &of_ada, AUTHENTICATOR, &[("code", &app.code(&appliance))]).await.expect(401);
    let late = ada.submit(&appliance, &asked, AUTHENTICATOR, &[("password", PASSWORD)]).await.expect(422);
    assert!(late.body.contains("open too long"));
    let app = AuthenticatorApp::scanning(&late);
    ada.submit(&appliance, &late, AUTHENTICATOR, &[("code", &app.code(&appliance))]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_posts_of_one_code_one_counts() {
    for recovery in [false, true] {
        let appliance = Arc::new(Appliance::with(&[("KEYWARD_LIMITS_RATE_LIMITS", "false")]));
        let mut browser = Browser::signed_in(&appliance).await;
        let (app, codes) = AuthenticatorApp::added_with_codes(&appliance, &mut browser).await;
        let code = if recovery { codes[3].clone() } else { app.next_code(&appliance) };
        let mut ready = Vec::new();
        for _ in 0..20 {
            ready.push(half_signed_in(&appliance).await);
        }
        let posts: Vec<_> = ready
            .into_iter()
            .map(|(mut browser, page)| {
                let (appliance, code) = (Arc::clone(&appliance), code.clone());
                tokio::spawn(async move { enter(&appliance, &mut browser, &page, &code).await.status.as_u16() })
            })
            .collect();
        let mut statuses = Vec::new();
        for post in posts {
            statuses.push(post.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [&[303][..], &[401; 19]].concat(), "recovery code: {recovery}");

        // One form sent twenty times is one sign-in, too.
        let code = if recovery { codes[4].clone() } else { app.next_code(&appliance) };
        let (browser, page) = half_signed_in(&appliance).await;
        let posts: Vec<_> = (0..20)
            .map(|_| {
                let (appliance, code) = (Arc::clone(&appliance), code.clone());
                let (mut browser, form) = (browser.clone(), Browser::form(&page, SECOND));
                tokio::spawn(async move {
                    browser.send(&appliance, SECOND, &form, &[("code", &code)]).await;
                    usize::from(browser.cookies.contains_key(SESSION))
                })
            })
            .collect();
        let mut sessions = 0;
        for post in posts {
            sessions += post.await.unwrap();
        }
        assert_eq!(sessions, 1);
    }
}

#[tokio::test]
async fn a_code_that_was_used_is_used_also_in_its_neighbouring_steps() {
    let (appliance, _, app, _) = guarded_by_code().await;
    let late = app.code(&appliance);
    let code = app.next_code(&appliance);
    let (mut browser, page) = half_signed_in(&appliance).await;
    enter(&appliance, &mut browser, &page, &code).await.expect(303);
    let (mut browser, page) = half_signed_in(&appliance).await;
    enter(&appliance, &mut browser, &page, &code).await.expect(401);
    enter(&appliance, &mut browser, &page, &late).await.expect(401);
    appliance.advance(Duration::from_secs(30));
    appliance.app.flush_events().unwrap();
    let mut restarted = appliance;
    restarted.restart();
    let (mut browser, page) = half_signed_in(&restarted).await;
    enter(&restarted, &mut browser, &page, &code).await.expect(401);
    let fresh = app.code(&restarted);
    enter(&restarted, &mut browser, &page, &fresh).await.expect(303);
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_and_few_that_are_left_are_told() {
    let (appliance, mut own, _, codes) = guarded_by_code().await;
    let (mut browser, page) = half_signed_in(&appliance).await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    let answer = enter(&appliance, &mut browser, &page, &typed).await.expect(303);
    assert_eq!(answer.location(), "/dashboard/security?done=recovery-code-used");
    let page = browser.get(&appliance, answer.location()).await.expect(200);
    assert!(page.body.contains("9 recovery codes left") && page.body.contains("It is used up."));
    let (mut again, page) = half_signed_in(&appliance).await;
    enter(&appliance, &mut again, &page, &codes[0]).await.expect(401);
    enter(&appliance, &mut again, &page, &codes[1]).await.expect(303);

    assert!(!own.get(&appliance, "/dashboard").await.expect(200).body.contains("recovery codes"));
    for code in &codes[2..8] {
        let (mut browser, page) = half_signed_in(&appliance).await;
        enter(&appliance, &mut browser, &page, code).await.expect(303);
    }
    assert!(own.get(&appliance, "/dashboard").await.expect(200).body.contains("You have 2 recovery codes left."));
    let page = own.get(&appliance, CODES).await.expect(200);
    assert!(page.body.contains("The 2 codes that you have left no longer work"));
    let shown = own.submit(&appliance, &page, CODES, &[]).await.expect(200);
    let new = recovery_codes(&shown);
    assert!(new.len() == 10 && !new.contains(&codes[9]));
    let (mut browser, page) = half_signed_in(&appliance).await;
    enter(&appliance, &mut browser, &page, &codes[9]).await.expect(401);
    enter(&appliance, &mut browser, &page, &new[0]).await.expect(303);
    assert!(kinds(&appliance).contains(&EventKind::RecoveryCodesMade));
}

/// How many guesses are looked at in an hour, and how many are sent away unread.
async fn guesses(appliance: &Appliance, mut guess: impl AsyncFnMut(&mut Browser, usize) -> Answer) -> (usize, usize) {
    let (mut read, mut unread) = (0, 0);
    let mut browser = Browser::new();
    for attempt in 0..3_600 {
        match guess(&mut browser, attempt).await.status.as_u16() {
            429 => unread += 1,
            _ => read += 1,
        }
        appliance.advance(Duration::from_secs(1));
    }
    (read, unread)
}

#[tokio::test]
async fn whoever_knows_the_password_is_slowed_at_guessing_codes() {
    let (appliance, _, _, _) = guarded_by_code().await;
    let mut page = None;
    // The password again and again, to clear the slate: it clears nothing.
    let (read, unread) = guesses(&appliance, async |browser: &mut Browser, attempt: usize| {
        if attempt.is_multiple_of(5) || page.is_none() {
            let answer = browser.sign_in(&appliance, "ada", PASSWORD).await;
            if answer.status == 303 {
                page = Some(browser.get(&appliance, SECOND).await.expect(200));
            }
            return answer;
        }
        enter(&appliance, browser, page.as_ref().unwrap(), &format!("{attempt:06}")).await
    })
    .await;
    assert!(read < 200 && unread > 3_300, "{read} of {}", read + unread);
    let kinds = kinds(&appliance);
    assert!(kinds.contains(&EventKind::FactorFailed) && kinds.contains(&EventKind::SignInSlowed), "{kinds:?}");
}

#[tokio::test]
async fn recovery_codes_are_guessed_no_faster_and_together_with_passwords() {
    let (appliance, _, _, codes) = guarded_by_code().await;
    let (mut browser, page) = half_signed_in(&appliance).await;
    for guess in ["0000-0000-0000-0000", "1111-1111-1111-1111"] {
        enter(&appliance, &mut browser, &page, guess).await.expect(401);
    }
    let mut other = Browser::new();
    other.sign_in(&appliance, "ada", "a wrong one").await.expect(401);
    let slowed = enter(&appliance, &mut browser, &page, &codes[0]).await.expect(429);
    assert_eq!(slowed.header("retry-after"), "3");
    assert!(slowed.body.contains("Wait 3 seconds"));
    other.sign_in(&appliance, "ada", PASSWORD).await.expect(429);
    appliance.advance(Duration::from_secs(3));
    enter(&appliance, &mut browser, &page, &codes[0]).await.expect(303);
    Browser::new().sign_in(&appliance, "ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_form_of_another_sign_in_or_another_site_is_not_taken() {
    let (appliance, _, app, _) = guarded_by_code().await;
    let (mut browser, _) = half_signed_in(&appliance).await;
    let (_, others) = half_signed_in(&appliance).await;
    let code = app.next_code(&appliance);
    let form = Browser::form(&others, SECOND);
    let again = browser.send(&appliance, SECOND, &form, &[("code", &code), ("next", SECURITY)]).await.expect(403);
    assert!(again.body.contains("open too long") && again.body.contains("value=\"/dashboard/security\""));
    let fields = [("code", code.as_str()), ("next", "//evil.example/dashboard")];
    let answer = browser.submit(&appliance, &again, SECOND, &fields).await.expect(303);
    assert_eq!(answer.location(), "/dashboard");
}

#[tokio::test]
async fn who_must_have_a_factor_adds_one_before_anything_else() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let agent = Agent::register(&appliance, "Claude Code").await;
    let mut ada = Browser::signed_in(&appliance).await;
    let mut browser = Browser::new();
    browser.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let grant = agent.connect(&appliance, &mut browser).await;

    set_policy(&appliance, &mut ada, "admins").await;
    browser.get(&appliance, "/dashboard").await.expect(200);
    assert_eq!(
        ada.get(&appliance, POLICY).await.expect(303).location(),
        format!("{AUTHENTICATOR}?next={}", POLICY.replace('/', "%2F"))
    );
    AuthenticatorApp::added(&appliance, &mut ada).await;
    set_policy(&appliance, &mut ada, "everybody").await;

    let pages = ["/dashboard", "/dashboard/api-keys/new", "/dashboard/connections", SECURITY, CODES];
    for path in pages {
        let answer = browser.get(&appliance, path).await.expect(303);
        assert!(answer.location().starts_with(&format!("{AUTHENTICATOR}?next=%2Fdashboard")), "{path}");
    }
    let authorize = agent.authorize_path(&appliance, &[]);
    let answer = browser.get(&appliance, &authorize).await.expect(303);
    assert!(answer.location().starts_with(&format!("{AUTHENTICATOR}?next=%2Fauthorize")));
    let page = browser.get(&appliance, answer.location()).await.expect(200);
    assert!(page.body.contains("needs a second factor") && page.body.contains("href=\"/logout\""));
    // With the token of this page no other form is taken.
    let form = Browser::form(&page, AUTHENTICATOR);
    for path in ["/dashboard/api-keys/new", SECURITY_PASSWORD, "/authorize"] {
        let sent = browser.send(&appliance, path, &form, &[("name", "Laptop"), ("request", "x")]).await.expect(303);
        assert_eq!(sent.location(), AUTHENTICATOR, "{path}");
    }
    // Another who knew the password waits at the same place, and is out when the factor is there.
    let mut thief = Browser::new();
    thief.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    thief.get(&appliance, AUTHENTICATOR).await.expect(200);
    let app = AuthenticatorApp::scanning(&page);
    let shown = browser.submit(&appliance, &page, AUTHENTICATOR, &[("code", &app.code(&appliance))]).await.expect(200);
    assert!(shown.body.contains("href=\"/authorize?"), "and on to where they wanted to go");
    browser.get(&appliance, &authorize).await.expect(200);
    browser.get(&appliance, "/dashboard").await.expect(200);
    assert!(thief.get(&appliance, "/dashboard").await.expect(303).location().starts_with("/login"));
    call(&appliance, &grant.access_token).await.expect(200);
    let answer = Browser::new().sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    assert_eq!(answer.location(), SECOND);

    // Without the factor they begin again, in every browser.
    let id = appliance.app.factors(&ben).unwrap().all[0].id;
    let remove = format!("/dashboard/security/factors/{id}/remove");
    let question = browser.get(&appliance, &remove).await.expect(200);
    assert!(question.body.contains("asked to add another"));
    browser.submit(&appliance, &question, &remove, &[]).await.expect(303);
    assert!(browser.get(&appliance, "/dashboard").await.expect(303).location().starts_with(AUTHENTICATOR));
    set_policy(&appliance, &mut ada, "nobody").await;
    browser.get(&appliance, "/dashboard").await.expect(200);
    assert_eq!(kinds(&appliance).iter().filter(|kind| **kind == EventKind::PolicyChanged).count(), 3);
}

#[tokio::test]
async fn who_was_invited_or_came_by_a_reset_link_must_add_a_factor_too() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let mut ada = Browser::signed_in(&appliance).await;
    AuthenticatorApp::added(&appliance, &mut ada).await;
    set_policy(&appliance, &mut ada, "everybody").await;
    let secret = appliance.invite(|new| "grace".clone_into(&mut new.name));
    let mut grace = Browser::new();
    let page = grace.get(&appliance, &format!("/invitation?secret={secret}")).await.expect(200);
    let fields = [("password", PASSWORD), ("password_again", PASSWORD)];
    grace.submit(&appliance, &page, "/invitation", &fields).await.expect(303);
    assert!(grace.get(&appliance, "/dashboard").await.expect(303).location().starts_with(AUTHENTICATOR));

    // A reset link gives a password and removes no factor.
    let mut browser = Browser::new();
    browser.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    AuthenticatorApp::added(&appliance, &mut browser).await;
    let secret = appliance.app.make_password_reset(appliance.by_admin(), ben.id).unwrap();
    let mut reset = Browser::new();
    let page = reset.get(&appliance, &format!("/reset?secret={}", secret.expose())).await.expect(200);
    let fields = [("password", "a lantern over it"), ("password_again", "a lantern over it")];
    reset.submit(&appliance, &page, "/reset", &fields).await.expect(303);
    let answer = reset.sign_in(&appliance, "ben", "a lantern over it").await.expect(303);
    assert_eq!(answer.location(), SECOND);
}

#[tokio::test]
async fn an_admin_or_the_command_line_lets_somebody_in_who_lost_the_factor() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let mut ada = Browser::signed_in(&appliance).await;
    let factors = |appliance: &Appliance, user: &User| appliance.app.factors(user).unwrap().all.len();
    for by_page in [true, false] {
        let mut browser = Browser::new();
        browser.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
        AuthenticatorApp::added(&appliance, &mut browser).await;
        let mut half = Browser::new();
        half.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
        if by_page {
            let user = ada.get(&appliance, &format!("/dashboard/users/{}", ben.id)).await.expect(200);
            let path = format!("/dashboard/users/{}/reset-factors", ben.id);
            assert!(user.body.contains("an authenticator app, 10 recovery codes left") && user.body.contains(&path));
            let question = ada.get(&appliance, &path).await.expect(200);
            ada.submit(&appliance, &question, &path, &[]).await.expect(303);
            ada.submit(&appliance, &question, &path, &[]).await.expect(422);
        } else {
            let request = Request::ResetFactors { name: Username::parse("BEN").unwrap() };
            let told = control::perform(&request, &appliance.app).unwrap();
            assert_eq!(told, "ben has no second factor any more and is signed out everywhere.\n");
            assert!(control::perform(&request, &appliance.app).is_err());
        }
        assert_eq!(factors(&appliance, &ben), 0);
        browser.get(&appliance, "/dashboard").await.expect(303);
        half.get(&appliance, SECOND).await.expect(303);
        let answer = Browser::new().sign_in(&appliance, "ben", PASSWORD).await.expect(303);
        assert_eq!(answer.location(), "/dashboard");
    }
    let kinds = kinds(&appliance);
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::FactorRemoved).count(), 2);
}

#[tokio::test]
async fn a_browser_is_known_only_once_the_factor_was_given() {
    let (appliance, _, app, _) = guarded_by_code().await;
    let (mut browser, page) = half_signed_in(&appliance).await;
    assert!(!browser.cookies.keys().any(|name| name.contains("known")));
    let code = app.next_code(&appliance);
    enter(&appliance, &mut browser, &page, &code).await.expect(303);
    assert!(browser.cookies.keys().any(|name| name.contains("known")));
}

#[tokio::test]
async fn an_app_is_added_after_the_proof_that_it_waited_for_and_the_last_session_counts() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, AUTHENTICATOR).await.expect(200);
    let app = AuthenticatorApp::scanning(&page);
    appliance.advance(minutes(10));
    let looked = browser.get(&appliance, AUTHENTICATOR).await.expect(303);
    assert!(looked.location().starts_with("/confirm?next=%2Fdashboard%2Fsecurity%2Fauthenticator"));
    let code = app.code(&appliance);
    let asked = browser.submit(&appliance, &page, AUTHENTICATOR, &[("code", &code)]).await.expect(401);
    assert!(!asked.body.contains("Or a code"), "there is none yet");
    let shown = browser.submit(&appliance, &asked, AUTHENTICATOR, &[("password", PASSWORD)]).await.expect(200);
    assert_eq!(recovery_codes(&shown).len(), 10);
    browser.get(&appliance, "/dashboard").await.expect(200);
}

#[tokio::test]
async fn a_code_is_proof_as_good_as_the_password_and_is_used_up() {
    let (appliance, mut browser, app, codes) = guarded_by_code().await;
    let new = "/dashboard/api-keys/new";
    let page = browser.get(&appliance, new).await.expect(200);
    appliance.advance(minutes(10));
    let asked = browser.submit(&appliance, &page, new, &[("name", "Laptop")]).await.expect(401);
    assert!(asked.body.contains("Or a code of your authenticator app"));
    let wrong = browser.submit(&appliance, &asked, new, &[("code", "000000")]).await.expect(401);
    assert!(appliance.app.personal_tokens(appliance.admin.id).unwrap().is_empty());
    let before = browser.cookies[SESSION].clone();
    let code = app.code(&appliance);
    browser.submit(&appliance, &wrong, new, &[("code", &code)]).await.expect(200);
    assert_ne!(browser.cookies[SESSION], before);
    assert_eq!(appliance.app.personal_tokens(appliance.admin.id).unwrap().len(), 1);
    let (mut other, page) = half_signed_in(&appliance).await;
    enter(&appliance, &mut other, &page, &code).await.expect(401);

    appliance.advance(minutes(10));
    let asked = browser.get(&appliance, "/confirm?next=%2Fdashboard%2Fsecurity").await.expect(200);
    let answer = browser.submit(&appliance, &asked, "/confirm", &[("code", &codes[0])]).await.expect(303);
    assert_eq!(answer.location(), SECURITY);
    appliance.advance(minutes(10));
    let asked = browser.get(&appliance, "/confirm?next=%2Fdashboard%2Fsecurity").await.expect(200);
    browser.submit(&appliance, &asked, "/confirm", &[("code", &codes[0])]).await.expect(401);
    let neither = browser.submit(&appliance, &asked, "/confirm", &[]).await.expect(401);
    browser.submit(&appliance, &neither, "/confirm", &[("password", PASSWORD)]).await.expect(303);
    // Guesses are slowed here as at sign-in.
    appliance.advance(minutes(10));
    let asked = browser.get(&appliance, "/confirm?next=%2Fdashboard%2Fsecurity").await.expect(200);
    for _ in 0..4 {
        browser.submit(&appliance, &asked, "/confirm", &[("code", "000000")]).await.expect(401);
    }
    let code = app.code(&appliance);
    browser.submit(&appliance, &asked, "/confirm", &[("code", &code)]).await.expect(429);
}

#[tokio::test]
async fn whoever_has_a_factor_is_asked_again_before_a_new_password() {
    let (appliance, mut browser, app, _) = guarded_by_code().await;
    let (path, new) = ("/dashboard/security/password", "a lantern over the harbour wall");
    let fill = |current, new| [("current_password", current), ("new_password", new), ("new_password_again", new)];
    let page = browser.get(&appliance, SECURITY).await.expect(200);
    appliance.advance(minutes(10));
    let asked = browser.submit(&appliance, &page, path, &fill(PASSWORD, new)).await.expect(401);
    assert!(asked.body.contains("Is it still you?") && !asked.body.contains(new));
    Browser::new().sign_in(&appliance, "ada", new).await.expect(401);
    let code = app.next_code(&appliance);
    let changed = browser.submit(&appliance, &asked, path, &[("code", &code)]).await.expect(303);
    let page = browser.get(&appliance, changed.location()).await.expect(200);
    assert!(page.body.contains("Your password is changed"));
    assert_eq!(Browser::new().sign_in(&appliance, "ada", new).await.expect(303).location(), SECOND);
    browser.submit(&appliance, &page, path, &fill(new, PASSWORD)).await.expect(303);
}

#[tokio::test]
async fn after_many_wrong_codes_in_a_row_few_are_looked_at_and_the_owner_is_told_but_not_locked_out() {
    let (appliance, own, app, codes) = guarded_by_code().await;
    let pause = Duration::from_secs(61);
    let told = || {
        let notices = appliance.app.notices(appliance.admin.id).unwrap();
        let is_told =
            |notice: &UserNotice| matches!(notice, UserNotice::Line(_, event) if event.kind == EventKind::CodesSlowed);
        notices.iter().filter(|notice| is_told(notice)).count()
    };
    let (mut thief, mut page) = (Browser::new(), None);
    let (mut read, mut slowed) = (0, None);
    for attempt in 0..240 {
        if attempt % 4 == 0 {
            let half = thief.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
            page = Some(thief.get(&appliance, half.location()).await.expect(200));
            appliance.advance(pause);
        }
        let answer = enter(&appliance, &mut thief, page.as_ref().unwrap(), &format!("{attempt:06}")).await;
        match answer.status.as_u16() {
            401 => read += 1,
            429 => slowed = Some(answer),
            other => panic!("{other} {}", answer.body),
        }
        assert_eq!(told(), usize::from(read >= 20), "after {read}");
        appliance.advance(pause);
    }
    assert!((27..=32).contains(&read), "{read} in five hours");
    let slowed = slowed.unwrap();
    assert!(slowed.body.contains("A recovery code does not have to wait."), "{}", slowed.body);
    assert!(kinds(&appliance).contains(&EventKind::SignInSlowed));
    let half = thief.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    let page = thief.get(&appliance, half.location()).await.expect(200);
    appliance.advance(pause);
    enter(&appliance, &mut thief, &page, &app.next_code(&appliance)).await.expect(429);

    // A browser of the owner's, a recovery code in a new one, and any browser after a new password.
    let mut known = Browser { cookies: own.cookies.clone() };
    known.cookies.remove(SESSION);
    let half = known.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    let page = known.get(&appliance, half.location()).await.expect(200);
    enter(&appliance, &mut known, &page, &app.next_code(&appliance)).await.expect(303);
    let home = known.get(&appliance, "/dashboard").await.expect(200);
    assert!(
        home.body.contains("Many wrong codes were given for ada in a row")
            && home.body.contains("Change your password")
    );
    appliance.advance(pause);
    let (mut new, page) = half_signed_in(&appliance).await;
    appliance.advance(pause);
    enter(&appliance, &mut new, &page, &app.next_code(&appliance)).await.expect(429);
    appliance.advance(pause);
    enter(&appliance, &mut new, &page, &codes[0]).await.expect(303);
    let security = known.get(&appliance, SECURITY).await.expect(200);
    let changed = "a lantern over the harbour wall";
    let fields = [("current_password", PASSWORD), ("new_password", changed), ("new_password_again", changed)];
    known.submit(&appliance, &security, "/dashboard/security/password", &fields).await.expect(303);
    let mut new = Browser::new();
    let half = new.sign_in(&appliance, "ada", changed).await.expect(303);
    let page = new.get(&appliance, half.location()).await.expect(200);
    appliance.advance(pause);
    enter(&appliance, &mut new, &page, &app.next_code(&appliance)).await.expect(303);
}
