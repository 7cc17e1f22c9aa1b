//! Whoever finds a token ends it, learns nothing by it, and its owner is told.

use crate::support::{Agent, Appliance, Browser, call};
use axum::body::Body;
use axum::http::Method;
use keyward::app::notices::UserNotice;
use keyward::clock::days;
use serde_json::json;
use std::time::{Duration, Instant};

const LEAKED: &str = "/leaked-token";

#[tokio::test]
async fn a_found_token_ends_whatever_form_the_report_has() {
    let mut appliance = Appliance::new();
    let tokens = ["form", "json", "text"].map(|name| appliance.personal_token(name).1);
    appliance.post_form(LEAKED, &[("token", &tokens[0])], &[]).await.expect(200);
    appliance.post_json(LEAKED, &json!({"token": tokens[1], "url": "https://x.example"}), &[]).await.expect(200);
    let plain = Body::from(format!("{}\n", tokens[2]));
    let foreign = [("origin", "https://scanner.example"), ("content-type", "text/plain")];
    let answer = appliance.request(Method::POST, LEAKED, &foreign, plain).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    for token in &tokens {
        let refused = call(&appliance, token).await.expect(401);
        assert!(refused.header("www-authenticate").contains("revoked"));
    }
    appliance.restart();
    call(&appliance, &tokens[0]).await.expect(401);
    let mut browser = Browser::signed_in(&appliance).await;
    let home = browser.get(&appliance, "/dashboard").await.expect(200);
    assert!(
        home.body.contains("3 notices") && home.body.contains("Somebody found the token “form” of ada"),
        "{}",
        home.body
    );
    let list = browser.get(&appliance, "/dashboard/api-keys").await.expect(200);
    assert_eq!(list.body.matches("found and ended").count(), 3);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
async fn the_answer_says_nothing_about_the_token_and_takes_the_same_time() {
    let appliance = Appliance::new();
    let (_, live) = appliance.personal_token("live");
    let (id, revoked) = appliance.personal_token("revoked");
    appliance.app.revoke_personal_token(appliance.admin.id, id).unwrap();
    let other = Appliance::with(&[("KEYWARD_PUBLIC_URL", "http://127.0.0.1:9999")]).personal_token("elsewhere").1;
    let mut answers = Vec::new();
    for token in [live.as_str(), &revoked, &other, "eyJ.a.b", "x"] {
        let began = Instant::now();
        let answer = appliance.post_form(LEAKED, &[("token", token)], &[]).await;
        assert!(began.elapsed() >= Duration::from_millis(300), "{token}");
        answers.push((answer.status, answer.body, answer.headers.len()));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    appliance.post_form(LEAKED, &[("x", "y")], &[]).await.expect(400);
    appliance.post_form(LEAKED, &[("token", &"x".repeat(20_000))], &[]).await.expect(413);
    assert_eq!(appliance.app.notices(appliance.admin.id).unwrap().len(), 1);
}

#[tokio::test]
async fn a_found_token_of_an_app_ends_its_connection() {
    for which in ["access", "refresh"] {
        let appliance = Appliance::new();
        let mut browser = Browser::signed_in(&appliance).await;
        let agent = Agent::register(&appliance, "Claude Code").await;
        let grant = agent.connect(&appliance, &mut browser).await;
        let token = if which == "access" { &grant.access_token } else { &grant.refresh_token };
        appliance.post_form(LEAKED, &[("token", token)], &[]).await.expect(200);
        call(&appliance, &grant.access_token).await.expect(401);
        agent.refresh(&appliance, &grant.refresh_token).await.expect(400);
        assert!(appliance.app.connections(appliance.admin.id).unwrap().is_empty(), "{which}");
        let home = browser.get(&appliance, "/dashboard").await.expect(200);
        assert!(home.body.contains("found a token of “Claude Code”"), "{}", home.body);
    }
}

#[tokio::test]
async fn an_old_refresh_token_ends_nothing_and_reports_are_slowed() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let grant = agent.connect(&appliance, &mut browser).await;
    agent.refresh(&appliance, &grant.refresh_token).await.expect(200);
    appliance.post_form(LEAKED, &[("token", &grant.refresh_token)], &[]).await.expect(200);
    call(&appliance, &grant.access_token).await.expect(200);

    let (_, token) = appliance.personal_token("laptop");
    for _ in 0..30 {
        appliance.app.admit_report(None).unwrap();
    }
    let slowed = appliance.post_form(LEAKED, &[("token", "x")], &[]).await;
    let right = appliance.post_form(LEAKED, &[("token", &token)], &[]).await;
    assert_eq!((slowed.status.as_u16(), right.status.as_u16()), (429, 429), "a right one too: {}", slowed.body);
    call(&appliance, &token).await.expect(200);
    appliance.advance(days(1));
    appliance.post_form(LEAKED, &[("token", &token)], &[]).await.expect(200);
    call(&appliance, &token).await.expect(401);
    assert!(matches!(appliance.app.notices(appliance.admin.id).unwrap()[0], UserNotice::Line(..)));
}
