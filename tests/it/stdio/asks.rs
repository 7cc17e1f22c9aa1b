//! What a child asks of its clients.

use super::client::{Mcp, Messages, appliance};
use crate::support::until;
use serde_json::{Value, json};

const ELICIT: &str = "elicitation/create";

fn question() -> Value {
    json!({"method": ELICIT, "params": {"message": "Which?", "requestedSchema": {"type": "object", "properties": {}}}})
}

fn accepted() -> Value {
    json!({"action": "accept", "content": {"which": "this"}})
}

async fn answer_on(client: &Mcp, stream: &mut Messages) -> Value {
    let asked = stream.message().await;
    assert_eq!((&asked["method"], &asked["params"]), (&json!(ELICIT), &question()["params"]));
    assert_ne!(asked["id"], json!("ask-elicitation/create"), "the child's own id stays inside");
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": accepted()})).await.expect(202);
    asked["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_is_asked_on_the_answer_to_its_request() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({"elicitation": {}})).await;
    let stranger = Mcp::with_session(&appliance, json!({"elicitation": {}})).await;
    let mut stream = client.stream(&client.call("ask", question())).await;
    let id = answer_on(&client, &mut stream).await;
    let end = stream.message().await;
    let told: Value = serde_json::from_str(end["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(told["result"], accepted());

    let again = json!({"jsonrpc": "2.0", "id": id, "result": accepted()});
    client.send(&again).await.expect(400);
    let mut stream = client.stream(&client.call("ask", question())).await;
    let asked = stream.message().await;
    stranger.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": accepted()})).await.expect(400);
    client
        .send(&json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -1, "message": "no"}}))
        .await
        .expect(202);
    assert!(stream.message().await["result"]["content"][0]["text"].as_str().unwrap().contains("\"no\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_what_they_did_not_declare() {
    let per_user = appliance("");
    let shared = appliance("mode = \"shared\"");
    for (appliance, capabilities) in
        [(&per_user, json!({})), (&per_user, json!({"sampling": {}})), (&shared, json!({"elicitation": {}}))]
    {
        let legacy = Mcp::with_session(appliance, capabilities.clone()).await;
        for client in [legacy, Mcp::modern(appliance, capabilities.clone()), Mcp::legacy(appliance)] {
            let told = client.told("ask", question()).await;
            assert_eq!(told["error"]["code"], -32601, "{capabilities}");
        }
    }
    let client = Mcp::with_session(&per_user, json!({"elicitation": {}})).await;
    for (method, code) in [("roots/list", json!(-32601)), ("no/such", json!(-32601)), ("ping", Value::Null)] {
        let told = client.told("ask", json!({"method": method, "params": {}})).await;
        assert_eq!(told["error"]["code"], code, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_its_own_child_is_asked_for_its_roots_on_its_stream() {
    let appliance = appliance("mode = \"per-session\"");
    let client = Mcp::with_session(&appliance, json!({"roots": {}})).await;
    let call = client.call("ask", json!({"method": "roots/list", "params": {}}));
    let mut stream = client.stream(&call).await;
    let asked = stream.message().await;
    assert_eq!(asked["method"], "roots/list");
    let roots = json!({"roots": [{"uri": "file:///home"}]});
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": roots})).await.expect(202);
    assert!(stream.message().await["result"]["content"][0]["text"].as_str().unwrap().contains("file:///home"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_is_asked_by_a_result_and_answers_with_a_repetition() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({"elicitation": {"form": {}}}));
    let first = client.send(&client.call("ask", question())).await.json().await["result"].clone();
    assert_eq!(first["resultType"], "input_required");
    let requests = first["inputRequests"].as_object().unwrap();
    let (key, asked) = requests.iter().next().unwrap();
    assert_eq!((requests.len(), asked), (1, &json!({"method": ELICIT, "params": question()["params"]})));

    let mut again = client.call("ask", question());
    again["params"]["requestState"] = first["requestState"].clone();
    let unanswered = client.send(&again).await.json().await;
    assert_eq!(unanswered["error"]["code"], -32602);
    again["params"]["inputResponses"] = json!({key: accepted()});
    for state in [format!("{}-tampered", first["requestState"].as_str().unwrap()), "not ours".to_owned()] {
        let mut tampered = again.clone();
        tampered["params"]["requestState"] = json!(state);
        assert_eq!(client.send(&tampered).await.json().await["error"]["code"], -32602, "{state}");
    }
    let mut elsewhere = again.clone();
    elsewhere["params"]["name"] = json!("echo");
    assert_eq!(client.send(&elsewhere).await.json().await["error"]["code"], -32602, "bound to its request");
    let answered = client.send(&again).await.json().await;
    assert_eq!(answered["id"], again["id"]);
    let told: Value = serde_json::from_str(answered["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(told["result"], accepted());
    assert_eq!(client.send(&again).await.json().await["error"]["code"], -32602, "taken once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_that_does_not_come_back_has_cancelled() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({"elicitation": {}}));
    client.send(&client.call("ask", question())).await.expect(200).json().await;
    assert_eq!(client.told("cancelled", json!({})).await, json!([]));
    appliance.advance(keyward::clock::minutes(11));
    until("the child is told", async || client.told("cancelled", json!({})).await != json!([])).await;
}
