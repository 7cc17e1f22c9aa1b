//! Children that crash, are slow, large, loud or deaf, and what their callers are told.

use super::client::{Mcp, appliance, section};
use crate::support::{Appliance, until};
use keyward::gateway::stdio::ChildState;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_mid_call_is_a_502_and_the_next_call_finds_a_new_child() {
    let appliance = appliance("");
    for client in [Mcp::with_session(&appliance, json!({})).await, Mcp::modern(&appliance, json!({}))] {
        let before = client.tool("pid", json!({})).await;
        let beside = client.call("never", json!({}));
        let crash = client.call("crash", json!({}));
        let (ended, other) = tokio::join!(client.send(&beside), client.send(&crash));
        for (mut answer, id) in [(ended, &beside["id"]), (other, &crash["id"])] {
            assert_eq!(answer.status, 502);
            let answer = answer.json().await;
            assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(502), id));
            assert!(answer["error"]["message"].as_str().unwrap().contains("status 3"), "{answer}");
        }
        let after = client.tool("pid", json!({})).await;
        assert_ne!(before, after);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_keeps_crashing_is_given_pauses_and_callers_are_told_at_once() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({})).await;
    for _ in 0..2 {
        client.send(&client.call("crash", json!({}))).await.expect(502);
    }
    let mut refused = client.send(&client.call("echo", json!({}))).await.expect(502);
    let message = refused.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("2 times in a row"), "{message}");
    let view = appliance.children.view();
    let failing = view.children.iter().any(|child| matches!(child.state, ChildState::Failing { failures: 2, .. }));
    assert!(failing, "{view:?}");
    appliance.advance(Duration::from_secs(2));
    assert_eq!(client.told("echo", json!({"a": 1})).await, json!({"a": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_own_child_has_crashed_is_over() {
    let appliance = appliance("mode = \"per-session\"");
    let mut client = Mcp::with_session(&appliance, json!({})).await;
    client.send(&client.call("crash", json!({}))).await.expect(502);
    client.send(&client.call("echo", json!({}))).await.expect(404);
    client.initialize(json!({})).await;
    client.tool("echo", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_not_there_is_told_without_its_reason() {
    let text = "[servers.scripted]\ncommand = [\"/no/such/program\", \"--secret\"]";
    let appliance = Appliance::with_file(text);
    let client = Mcp::modern(&appliance, json!({}));
    let mut refused = client.send(&client.call("echo", json!({}))).await.expect(502);
    let message = refused.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("cannot be started") && !message.contains("/no/such"), "{message}");
    let view = appliance.children.view();
    let ChildState::Failing { why, failures: 1, .. } = &view.children[0].state else { panic!("{view:?}") };
    assert!(why.contains("/no/such/program"), "{why}");
    let mut refused = client.send(&client.call("echo", json!({}))).await.expect(502);
    assert!(refused.json().await["error"]["message"].as_str().unwrap().contains("tried again in 2 seconds"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_refuses_to_start_is_told_of_to_the_admin() {
    let appliance = Appliance::with_file(&section("", "STDIO_CHILD = \"refuses\""));
    let client = Mcp::legacy(&appliance);
    client.send(&client.call("echo", json!({}))).await.expect(502);
    let view = appliance.children.view();
    let ChildState::Failing { why, .. } = &view.children[0].state else { panic!("{view:?}") };
    assert!(why.contains("status 9") && why.contains("the child speaks"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_call_holds_up_nobody() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({})).await;
    let slow = client.call("slow", json!({"ms": 1_500}));
    let (slow, quick) = tokio::join!(client.send(&slow), async {
        let mut quick = 0;
        while quick < 20 {
            client.tool("echo", json!({})).await;
            quick += 1;
        }
        quick
    });
    assert_eq!((slow.status.as_u16(), quick), (200, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_10_mb_arrives_and_one_that_is_too_long_is_a_502() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({})).await;
    assert_eq!(client.tool("large", json!({"bytes": 10_000_000})).await.len(), 10_000_000);
    let modern = Mcp::modern(&appliance, json!({}));
    assert_eq!(modern.tool("large", json!({"bytes": 10_000_000})).await.len(), 10_000_000);
    let mut refused = client.send(&client.call("large", json!({"bytes": 17 * 1024 * 1024}))).await.expect(502);
    let message = refused.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("more than 16777216 bytes"), "{message}");
    assert_eq!(client.told("echo", json!({"a": 1})).await, json!({"a": 1}), "the line after it is read");
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_passed_over_and_complaints_are_kept_for_the_admin() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({})).await;
    assert_eq!(client.tool("noise", json!({})).await, "done");
    assert_eq!(client.tool("complain", json!({"lines": 1_000})).await, "done");
    until("the last complaint is read", async || {
        let view = appliance.children.view();
        view.children[0].last_complaint.as_deref() == Some("complaint 999")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_does_not_read_holds_up_its_own_callers_only() {
    let text = format!("{}\n{}", section("", ""), section("", "").replace("[servers.scripted]", "[servers.other]"));
    let appliance = Appliance::with_file(&text);
    let client = Mcp::with_session(&appliance, json!({})).await;
    let mut listening = client.listen().await;
    let deaf = client.call("deaf", json!({}));
    let waiting = async {
        // More than its pipe and the queue before it hold.
        let large = "x".repeat(100 * 1024);
        let calls: Vec<_> = (0..4).map(|_| client.call("echo", json!({"a": large}))).collect();
        listening.message().await;
        let sends = calls.iter().map(|call| Box::pin(client.send(call)));
        let mut sends: Vec<_> = sends.collect();
        let last = sends.pop().unwrap();
        for send in &mut sends {
            let _ = tokio::time::timeout(Duration::from_millis(200), send).await;
        }
        let status = last.await.status;
        drop(sends);
        status
    };
    let status = tokio::select! {
        mut answer = client.send(&deaf) => panic!("it does not answer: {:?}", answer.next().await),
        status = waiting => status,
    };
    assert_eq!(status, 504);
}
