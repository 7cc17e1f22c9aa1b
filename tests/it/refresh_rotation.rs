//! Refresh tokens: rotation, the grace for clients that race themselves, and the end of a family.

use crate::support::{Agent, Appliance, Browser, Grant, call};
use keyward::clock::days;
use std::sync::Arc;
use std::time::Duration;

async fn connected(appliance: &Appliance) -> (Agent, Grant) {
    let mut browser = Browser::signed_in(appliance).await;
    let agent = Agent::register(appliance, "Claude Code").await;
    let grant = agent.connect(appliance, &mut browser).await;
    (agent, grant)
}

async fn refreshed(appliance: &Appliance, agent: &Agent, token: &str) -> Grant {
    Grant::of(&agent.refresh(appliance, token).await.expect(200).json())
}

#[tokio::test]
async fn refreshed_tokens_work_and_refresh_again() {
    let appliance = Appliance::new();
    let (agent, first) = connected(&appliance).await;
    let second = refreshed(&appliance, &agent, &first.refresh_token).await;
    call(&appliance, &second.access_token).await.expect(200);
    let third = refreshed(&appliance, &agent, &second.refresh_token).await;
    call(&appliance, &third.access_token).await.expect(200);
    assert_ne!(second.refresh_token, third.refresh_token);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_refreshes_inside_the_grace_all_work_and_a_late_one_ends_the_family() {
    let appliance = Arc::new(Appliance::new());
    let (agent, first) = connected(&appliance).await;
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let (appliance, agent, token) = (Arc::clone(&appliance), agent.clone(), first.refresh_token.clone());
            tokio::spawn(async move { refreshed(&appliance, &agent, &token).await })
        })
        .collect();
    let mut family = Vec::new();
    for attempt in attempts {
        family.push(attempt.await.unwrap());
    }
    for tokens in &family {
        call(&appliance, &tokens.access_token).await.expect(200);
    }
    assert_eq!(appliance.app.connections(appliance.admin.id).unwrap().len(), 1, "one family");

    appliance.advance(Duration::from_secs(119));
    refreshed(&appliance, &agent, &first.refresh_token).await;
    appliance.advance(Duration::from_secs(1));
    let late = agent.refresh(&appliance, &first.refresh_token).await.expect(400).json();
    assert_eq!(late["error"], "invalid_grant");
    for tokens in &family {
        call(&appliance, &tokens.access_token).await.expect(401);
        agent.refresh(&appliance, &tokens.refresh_token).await.expect(400);
    }
}

#[tokio::test]
async fn a_loop_of_refreshes_is_slowed_and_ends_nothing() {
    let appliance = Appliance::new();
    let (agent, first) = connected(&appliance).await;
    let mut given = Vec::new();
    for _ in 0..300 {
        let answer = agent.refresh(&appliance, &first.refresh_token).await;
        if answer.status == 200 {
            given.push(Grant::of(&answer.json()));
        } else {
            let answer = answer.expect(503);
            assert_eq!(answer.json()["error"], "temporarily_unavailable");
            assert!(!answer.header("retry-after").is_empty());
        }
    }
    assert_eq!(given.len(), 64, "each leaves a record behind");
    // The siblings are slowed together with the first; the grant stays.
    agent.refresh(&appliance, &given[7].refresh_token).await.expect(503);
    call(&appliance, &given[7].access_token).await.expect(200);
    appliance.advance(Duration::from_secs(30));
    refreshed(&appliance, &agent, &first.refresh_token).await;
    refreshed(&appliance, &agent, &given[7].refresh_token).await;
    // One that always uses the newest is slowed likewise.
    appliance.advance(Duration::from_secs(1_000));
    let mut newest = given.remove(8).refresh_token;
    let mut count = 0;
    while let Ok(answer) = serde_json::from_str(&agent.refresh(&appliance, &newest).await.body) {
        let answer: serde_json::Value = answer;
        let Some(next) = answer["refresh_token"].as_str() else { break };
        (newest, count) = (next.to_owned(), count + 1);
    }
    assert_eq!(count, 64);
}

#[tokio::test]
async fn a_replayed_refresh_token_ends_the_family_also_after_a_restart() {
    let mut appliance = Appliance::new();
    let (agent, first) = connected(&appliance).await;
    let second = refreshed(&appliance, &agent, &first.refresh_token).await;
    appliance.restart();
    call(&appliance, &second.access_token).await.expect(200);
    appliance.advance(Duration::from_secs(121));
    agent.refresh(&appliance, &first.refresh_token).await.expect(400);
    appliance.restart();
    call(&appliance, &second.access_token).await.expect(401);
}

#[tokio::test]
async fn a_refresh_token_is_for_its_client_only() {
    let appliance = Appliance::new();
    let (agent, first) = connected(&appliance).await;
    let other = Agent::register(&appliance, "Another").await;
    assert_eq!(other.refresh(&appliance, &first.refresh_token).await.expect(400).json()["error"], "invalid_grant");
    refreshed(&appliance, &agent, &first.refresh_token).await;
}

#[tokio::test]
async fn a_family_rests_thirty_days_at_most_and_lives_a_year_at_most() {
    let appliance = Appliance::new();
    let (agent, first) = connected(&appliance).await;
    let mut current = first;
    for _ in 0..12 {
        appliance.advance(days(29));
        current = refreshed(&appliance, &agent, &current.refresh_token).await;
    }
    appliance.advance(days(29));
    assert_eq!(agent.refresh(&appliance, &current.refresh_token).await.expect(400).json()["error"], "invalid_grant");

    let (agent, rested) = connected(&appliance).await;
    appliance.advance(days(30));
    agent.refresh(&appliance, &rested.refresh_token).await.expect(400);
}

#[tokio::test]
async fn a_revoked_connection_refreshes_no_more() {
    let appliance = Appliance::new();
    let (agent, tokens) = connected(&appliance).await;
    let connection = appliance.app.connections(appliance.admin.id).unwrap().remove(0);
    appliance.app.revoke_connection(appliance.admin.id, connection.grant.id).unwrap();
    call(&appliance, &tokens.access_token).await.expect(401);
    assert_eq!(agent.refresh(&appliance, &tokens.refresh_token).await.expect(400).json()["error"], "invalid_grant");
    assert!(appliance.app.connections(appliance.admin.id).unwrap().is_empty());
}

#[tokio::test]
async fn of_two_connections_of_one_client_neither_ends_the_other() {
    let appliance = Appliance::new();
    let (agent, laptop) = connected(&appliance).await;
    let (same, phone) = connected(&appliance).await;
    assert_eq!(agent.client_id, same.client_id);
    call(&appliance, &laptop.access_token).await.expect(200);
    refreshed(&appliance, &agent, &phone.refresh_token).await;
    refreshed(&appliance, &agent, &laptop.refresh_token).await;
    assert_eq!(appliance.app.connections(appliance.admin.id).unwrap().len(), 2);
}
