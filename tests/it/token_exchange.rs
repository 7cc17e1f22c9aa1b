//! Codes for tokens.

use crate::support::{Agent, Appliance, Browser, Grant, Pkce, call, parameter};
use keyward::clock::minutes;
use std::sync::Arc;
use std::time::Duration;

async fn code(appliance: &Appliance, browser: &mut Browser, agent: &Agent) -> String {
    parameter(&agent.authorize(appliance, browser).await, "code").unwrap()
}

#[tokio::test]
async fn a_code_gives_tokens_that_work() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let code = code(&appliance, &mut browser, &agent).await;
    let answer = agent.redeem(&appliance, &code).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3_600);
    assert_eq!(tokens["scope"], "mcp offline_access");
    call(&appliance, &Grant::of(&tokens).access_token).await.expect(200);
}

#[tokio::test]
async fn a_code_is_for_its_client_its_verifier_its_address_and_its_minute() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let other = Agent::register(&appliance, "Another").await;
    let wrong_verifier = Pkce::new("wrong").verifier;
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("client_id", &other.client_id)], "invalid_grant"),
        (&[("code_verifier", &wrong_verifier)], "invalid_grant"),
        (&[("code_verifier", "")], "invalid_grant"),
        (&[("redirect_uri", "http://127.0.0.1:9/callback")], "invalid_grant"),
        (&[("resource", "https://elsewhere.example/mcp")], "invalid_target"),
        (&[("client_id", "cli_unknown")], "invalid_client"),
    ];
    let right = code(&appliance, &mut browser, &agent).await;
    for (changes, error) in cases {
        let answer = agent.redeem_with(&appliance, &right, changes).await;
        assert_eq!(answer.json()["error"], error, "{changes:?}");
        assert_eq!(answer.status, if error == "invalid_client" { 401 } else { 400 });
    }
    appliance.advance(minutes(1));
    assert_eq!(agent.redeem(&appliance, &right).await.expect(400).json()["error"], "invalid_grant");

    let right = code(&appliance, &mut browser, &agent).await;
    appliance.advance(Duration::from_secs(59));
    agent.redeem(&appliance, &right).await.expect(200);
}

#[tokio::test]
async fn a_replayed_code_ends_what_it_gave_but_only_for_its_owner() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let code = code(&appliance, &mut browser, &agent).await;
    let tokens = Grant::of(&agent.redeem(&appliance, &code).await.expect(200).json());

    agent.redeem_with(&appliance, &code, &[("code_verifier", &Pkce::new("thief").verifier)]).await.expect(400);
    call(&appliance, &tokens.access_token).await.expect(200);
    agent.redeem(&appliance, &code).await.expect(400);
    call(&appliance, &tokens.access_token).await.expect(401);
    assert_eq!(agent.refresh(&appliance, &tokens.refresh_token).await.expect(400).json()["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_redemptions_of_one_code_one_succeeds() {
    let appliance = Arc::new(Appliance::new());
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let code = code(&appliance, &mut browser, &agent).await;
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let (appliance, agent, code) = (Arc::clone(&appliance), agent.clone(), code.clone());
            tokio::spawn(async move { agent.redeem(&appliance, &code).await.status })
        })
        .collect();
    let mut succeeded = 0;
    for attempt in attempts {
        succeeded += usize::from(attempt.await.unwrap() == 200);
    }
    assert_eq!(succeeded, 1);
}

#[tokio::test]
async fn the_pkce_challenge_survives_a_restart() {
    let mut appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let code = code(&appliance, &mut browser, &agent).await;
    appliance.restart();
    let wrong = [("code_verifier", Pkce::new("wrong").verifier)];
    let wrong: Vec<_> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    agent.redeem_with(&appliance, &code, &wrong).await.expect(400);
    agent.redeem(&appliance, &code).await.expect(200);
}
