//! When children begin and end, and how many there are.

use super::client::{Mcp, appliance, is_alive, section};
use crate::support::{Appliance, Wire, descriptors, memory, tasks, until};
use keyward::clock::minutes;
use keyward::gateway::stdio::ChildState;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_child_sees_nothing_of_keywards_environment() {
    let appliance = Appliance::with_file(&section("", "STDIO_CHILD = \"legacy\", OWN = \"value\""));
    let client = Mcp::modern(&appliance, json!({}));
    let environment = client.told("environment", json!({})).await;
    let names: Vec<&str> = environment.as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    let allowed = ["PATH", "HOME", "LANG", "TMPDIR", "USER", "STDIO_CHILD", "OWN"];
    let foreign: Vec<_> = names.iter().filter(|name| !allowed.contains(name)).collect();
    // The test's own environment is Cargo's, full of CARGO_….
    assert!(foreign.is_empty() && names.contains(&"OWN") && names.contains(&"PATH"), "{foreign:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_nobody_uses_ends_and_comes_back_when_it_is_needed() {
    let appliance = appliance("idle = \"1m\"");
    let client = Mcp::with_session(&appliance, json!({})).await;
    let before = client.tool("pid", json!({})).await;
    appliance.advance(minutes(2));
    until("it has ended", async || !is_alive(&before)).await;
    until("its place is free", async || appliance.children.view().running == 0).await;
    assert!(matches!(appliance.children.view().children[0].state, ChildState::Stopped));
    let after = client.tool("pid", json!({})).await;
    assert_ne!(before, after);

    let own = super::client::appliance("mode = \"per-session\"\nidle = \"1m\"");
    let client = Mcp::with_session(&own, json!({})).await;
    let mut stream = client.listen().await;
    own.advance(minutes(2));
    assert_eq!(stream.next().await, None, "a stream that nobody uses keeps nothing alive");
    client.send(&client.call("echo", json!({}))).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_keeps_its_child_however_long_it_takes_until_it_takes_too_long() {
    let appliance = appliance("idle = \"1m\"");
    let client = Mcp::with_session(&appliance, json!({})).await;
    let pid = client.tool("pid", json!({})).await;
    let never = client.call("never", json!({}));
    let (answer, ()) = tokio::join!(client.send(&never), async {
        until("it works", async || {
            matches!(appliance.children.view().children[0].state, ChildState::Running { calls: 1, .. })
        })
        .await;
        appliance.advance(minutes(20));
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        assert!(is_alive(&pid));
        appliance.advance(minutes(11));
    });
    assert_eq!(answer.status, 504);
    assert_eq!(client.told("cancelled", json!({})).await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_once_wait_for_one_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let environment = format!("STDIO_CHILD = \"legacy\", STDIO_STARTS = {:?}", file.path());
    let appliance = Appliance::with_file(&section("", &environment));
    let client = Mcp::modern(&appliance, json!({}));
    let calls: Vec<_> = (0..20).map(|_| client.call("echo", json!({"a": 1}))).collect();
    let mut answers = tokio::task::JoinSet::new();
    let client = std::sync::Arc::new(client);
    for call in calls {
        let client = std::sync::Arc::clone(&client);
        answers.spawn(async move { client.send(&call).await.status });
    }
    for status in answers.join_all().await {
        assert_eq!(status, 200);
    }
    assert_eq!(std::fs::read_to_string(file.path()).unwrap().lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_children_than_there_may_be() {
    let appliance = appliance("mode = \"per-session\"\nmax_children = 2");
    let (one, two) = (Mcp::with_session(&appliance, json!({})).await, Mcp::with_session(&appliance, json!({})).await);
    let (busy, idle) = (one.call("never", json!({})), two.session().to_owned());
    let three = tokio::select! {
        _ = one.send(&busy) => panic!("it does not answer"),
        three = async {
            until("it works", async || appliance.children.view().children.iter().any(|child| {
                matches!(child.state, ChildState::Running { calls: 1, .. })
            }))
            .await;
            // The one that nobody uses makes room.
            let three = Mcp::with_session(&appliance, json!({})).await;
            two.send(&two.call("echo", json!({}))).await.expect(404);
            let (four, busy) = (Mcp::legacy(&appliance), three.call("never", json!({})));
            tokio::select! {
                _ = three.send(&busy) => panic!("it does not answer"),
                () = async {
                    until("both work", async || appliance.children.view().children.iter().filter(|child| {
                        matches!(child.state, ChildState::Running { calls: 1, .. })
                    }).count() == 2).await;
                    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
                    let mut refused = four.send(&four.request("initialize", params)).await.expect(503);
                    assert!(refused.json().await["error"]["message"].as_str().unwrap().contains("All 2 programs"));
                } => {}
            }
            three
        } => three,
    };
    assert_ne!(three.session(), idle);
    assert!(appliance.children.view().running <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_children_of_all_servers_together_than_there_may_be() {
    let other = section("", "").replace("[servers.scripted]", "[servers.other]");
    let file = format!("limits.children = 1\n{}\n{other}", section("", ""));
    let appliance = Appliance::with_file(&file);
    let client = Mcp::with_session(&appliance, json!({})).await;
    let before = client.tool("pid", json!({})).await;
    let wire = Wire::to(appliance.listen(), &appliance.personal_token("Laptop").1);
    // The one that nobody uses makes room, whichever server it is of.
    wire.call("/mcp/other", "echo", json!({})).await.expect(200);
    assert!(!is_alive(&before) && appliance.children.view().running == 1);
    let never = client.call("never", json!({}));
    tokio::select! {
        _ = client.send(&never) => panic!("it does not answer"),
        () = async {
            until("it works", async || appliance.children.view().children.iter().any(|child| {
                matches!(child.state, ChildState::Running { calls: 1, .. })
            }))
            .await;
            let mut refused = wire.call("/mcp/other", "echo", json!({})).await.expect(503);
            assert!(refused.json().await["error"]["message"].as_str().unwrap().contains("All 1 programs"));
        } => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_every_child() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({})).await;
    client.tool("echo", json!({})).await;
    let view = appliance.children.view();
    assert_eq!((view.running, view.limit, view.sessions, view.children.len()), (1, 64, 1, 1));
    let child = &view.children[0];
    assert_eq!((child.server.as_str(), child.user, child.restarts), ("scripted", Some(appliance.admin.id), 0));
    let ChildState::Running { pid, memory, calls: 0, .. } = child.state else { panic!("{child:?}") };
    let (bytes, processes) = memory.unwrap();
    assert!(bytes > 500_000 && processes == 2, "{bytes} bytes, {processes} processes of group {pid}");
}

/// A program that answers one greeting, as small as can be: what is counted is what Keyward leaves.
const SMALL: &str = r#"while read -r line; do case "$line" in *initialize\"*) echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"small","version":"1"}}}';; esac; done"#;

/// In a process of its own, whose memory and descriptors are nobody else's.
#[test]
fn a_thousand_sessions_opened_and_dropped_leave_nothing_behind() {
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stdio::life::a_thousand_sessions_alone", "--nocapture"])
        .env("STDIO_ALONE", "1")
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&alone.stdout), String::from_utf8_lossy(&alone.stderr));
    assert!(alone.status.success(), "{out}\n{errors}");
    println!("{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sessions_alone() {
    if std::env::var_os("STDIO_ALONE").is_none() {
        return;
    }
    let text = |mode: &str| {
        format!("[servers.scripted]\ncommand = [\"sh\", \"-c\", {SMALL:?}]\nmode = {mode:?}\nmax_children = 8")
    };
    for (mode, count) in [("per-user", 1_000), ("per-session", 250)] {
        let appliance = Appliance::with_file(&text(mode));
        let mut client = Mcp::legacy(&appliance);
        client.initialize(json!({})).await;
        let began = (descriptors(), memory(), tasks());
        for number in 0..count {
            client.set_session(None);
            client.initialize(json!({})).await;
            if number % 2 == 0 {
                let session = client.session().to_owned();
                client.other(axum::http::Method::DELETE, &[("mcp-session-id", &session)]).await.expect(204);
            }
        }
        let open = appliance.children.view();
        appliance.advance(minutes(120));
        until("all have ended", async || {
            let view = appliance.children.view();
            view.running == 0 && view.sessions == 0
        })
        .await;
        until("no task is left", async || tasks() <= began.2).await;
        let (descriptors, memory) = (descriptors(), memory());
        println!(
            "{count} sessions {mode}: {} children and {} sessions at the end of it; then 0 and 0; descriptors {} before, \
             {descriptors} after; tasks {} before, {} after; memory {} kB before, {memory} kB after",
            open.running,
            open.sessions,
            began.0,
            began.2,
            tasks(),
            began.1
        );
        assert!(descriptors <= began.0 + 2, "{descriptors} descriptors, {} before", began.0);
        assert!(memory < began.1 + 20_000, "{memory} kB, {} kB before", began.1);
        let left = small_programs();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What runs of [`SMALL`], supervisors included.
fn small_programs() -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let all = all.map(|command| String::from_utf8_lossy(&command).into_owned());
    all.filter(|command| command.contains("\"name\":\"small\"")).collect()
}
