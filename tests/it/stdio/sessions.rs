//! Sessions of the legacy era: whose they are, what they hear, how they end.

use super::client::{Mcp, appliance};
use crate::support::until;
use axum::http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_found_by_its_user_only_and_until_it_ends() {
    let mut appliance = appliance("");
    let ben = appliance.add_member("ben").id;
    let mut client = Mcp::with_session(&appliance, json!({})).await;
    let session = client.session().to_owned();
    let mut stranger = Mcp::of(&appliance, ben);
    stranger.set_session(Some(&session));
    stranger.send(&stranger.request("tools/list", json!({}))).await.expect(404);
    stranger.other(Method::GET, &[("mcp-session-id", &session)]).await.expect(404);
    stranger.other(Method::DELETE, &[("mcp-session-id", &session)]).await.expect(404);
    stranger.set_session(None);
    assert_ne!(stranger.tool("pid", json!({})).await, client.tool("pid", json!({})).await, "each has a child");

    for unknown in ["unknown", "", &session[..42], &session.to_lowercase()] {
        client.set_session(Some(unknown));
        client.send(&client.request("tools/list", json!({}))).await.expect(404);
        client.other(Method::GET, &[("mcp-session-id", unknown)]).await.expect(404);
        client.other(Method::DELETE, &[("mcp-session-id", unknown)]).await.expect(404);
    }
    client.set_session(Some(&session));
    client.send(&client.request("tools/list", json!({}))).await.expect(200);
    client.other(Method::DELETE, &[]).await.expect(400);
    client.other(Method::DELETE, &[("mcp-session-id", &session)]).await.expect(204);
    client.send(&client.request("tools/list", json!({}))).await.expect(404);
    client.other(Method::GET, &[("mcp-session-id", &session)]).await.expect(404);
    client.other(Method::GET, &[]).await.expect(405);
    client.other(Method::PUT, &[]).await.expect(405);
    assert_eq!(appliance.children.view().sessions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_a_session_tells_what_belongs_to_no_request() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({})).await;
    let bystander = Mcp::with_session(&appliance, json!({})).await;
    let mut stream = client.listen().await;
    client.tool("change", json!({})).await;
    assert_eq!(stream.message().await["method"], "notifications/tools/list_changed");

    client.ask("resources/subscribe", json!({"uri": "test://a"})).await;
    client.tool("touch", json!({"uri": "test://b"})).await;
    client.tool("touch", json!({"uri": "test://a"})).await;
    assert_eq!(stream.message().await["params"]["uri"], "test://a");
    client.tool("log", json!({})).await;
    assert_eq!(stream.message().await["params"]["data"], "logged");

    // What came while nobody listened, as far as it matters later.
    let mut late = bystander.listen().await;
    assert_eq!(late.message().await["method"], "notifications/tools/list_changed");
    client.other(Method::DELETE, &[("mcp-session-id", client.session())]).await.expect(204);
    assert_eq!(stream.next().await, None, "it ends with its session");
    bystander.tool("change", json!({})).await;
    assert_eq!(late.message().await["method"], "notifications/tools/list_changed", "others go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_one_user_share_a_child_unless_each_has_its_own() {
    let shared = appliance("");
    let (one, two) = (Mcp::with_session(&shared, json!({})).await, Mcp::with_session(&shared, json!({})).await);
    assert_eq!(one.tool("pid", json!({})).await, two.tool("pid", json!({})).await);
    assert_eq!(shared.children.view().running, 1);

    let own = appliance("mode = \"per-session\"");
    let (one, two) = (Mcp::with_session(&own, json!({})).await, Mcp::with_session(&own, json!({})).await);
    assert_ne!(one.tool("pid", json!({})).await, two.tool("pid", json!({})).await);
    assert_eq!(own.children.view().running, 2);
    let modern = Mcp::modern(&own, json!({}));
    assert_eq!(modern.tool("pid", json!({})).await, modern.tool("pid", json!({})).await);
    let stateless = Mcp::legacy(&own);
    stateless.send(&stateless.request("tools/list", json!({}))).await.expect(400);
    one.other(Method::DELETE, &[("mcp-session-id", one.session())]).await.expect(204);
    until("its child has ended", async || own.children.view().running == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_one_session_is_greeted_as_its_client_is() {
    let own = appliance("mode = \"per-session\"");
    let client = Mcp::with_session(&own, json!({"roots": {"listChanged": true}, "sampling": {}})).await;
    let greeted = client.told("client", json!({})).await;
    assert_eq!(greeted["capabilities"], json!({"roots": {"listChanged": true}, "sampling": {}}));
    assert_eq!(greeted["clientInfo"]["name"], "story");

    let per_user = appliance("");
    let client = Mcp::with_session(&per_user, json!({"roots": {}, "sampling": {"x": 1}})).await;
    let greeted = client.told("client", json!({})).await;
    assert_eq!(greeted["capabilities"], json!({"sampling": {}}), "roots are one client's own");
    assert_eq!(greeted["clientInfo"]["name"], "keyward");

    let shared = appliance("mode = \"shared\"");
    let client = Mcp::with_session(&shared, json!({"roots": {}, "sampling": {}})).await;
    assert_eq!(client.told("client", json!({})).await["capabilities"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_cancels_by_saying_so_and_not_by_leaving() {
    let appliance = appliance("");
    let client = Mcp::with_session(&appliance, json!({})).await;
    let left = client.call("slow", json!({"ms": 300}));
    let leaving = tokio::time::timeout(std::time::Duration::from_millis(100), client.send(&left)).await;
    assert!(leaving.is_err());
    assert_eq!(client.told("cancelled", json!({})).await, json!([]));

    let slow = client.call("never", json!({}));
    let (answer, ()) = tokio::join!(client.send(&slow), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        client.notify("notifications/cancelled", json!({"requestId": slow["id"]})).await;
        client.notify("notifications/cancelled", json!({"requestId": 424_242})).await;
    });
    assert_eq!(answer.expect(200).rest().await, "", "a cancelled request gets no answer");
    let cancelled = client.told("cancelled", json!({})).await;
    assert_eq!(cancelled.as_array().unwrap().len(), 1);
    assert_ne!(cancelled[0], slow["id"], "the child knows it by another id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_cancels_by_leaving() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({}));
    client.tool("echo", json!({})).await;
    let left = client.call("never", json!({}));
    let leaving = tokio::time::timeout(std::time::Duration::from_millis(200), client.send(&left)).await;
    assert!(leaving.is_err());
    until("the child is told", async || client.told("cancelled", json!({})).await != json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_share_a_child_hear_nothing_of_each_other() {
    let mut appliance = appliance("mode = \"shared\"");
    let ben = appliance.add_member("ben").id;
    let ada = Mcp::with_session(&appliance, json!({})).await;
    let mut ben = Mcp::of(&appliance, ben);
    ben.initialize(json!({})).await;
    assert_eq!(ada.tool("pid", json!({})).await, ben.tool("pid", json!({})).await);
    let (mut adas, mut bens) = (ada.listen().await, ben.listen().await);
    ada.ask("resources/subscribe", json!({"uri": "test://a"})).await;
    ada.tool("log", json!({})).await;
    ada.tool("touch", json!({"uri": "test://a"})).await;
    ada.tool("change", json!({})).await;
    assert_eq!(adas.message().await["params"], json!({"uri": "test://a"}));
    assert_eq!(bens.message().await["method"], "notifications/tools/list_changed", "nothing came before it");
}
