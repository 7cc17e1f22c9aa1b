//! Clients register themselves.

use crate::support::{Agent, Appliance, Browser};
use keyward::clock::{days, hours, minutes};
use serde_json::{Value, json};

fn metadata(name: &str) -> Value {
    json!({"client_name": name, "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none"})
}

#[tokio::test]
async fn the_answer_echoes_everything_and_can_be_read_again() {
    let appliance = Appliance::new();
    let asked = json!({
        "client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none", "scope": "mcp", "client_uri": "https://claude.ai",
        "software_id": "claude", "software_version": "1", "contacts": ["a@example.org"], "unknown_field": {"x": 1},
    });
    let registered = appliance.post_json("/register", &asked, &[]).await.expect(201).json();
    for field in asked.as_object().unwrap().keys().filter(|field| *field != "unknown_field") {
        assert_eq!(registered[field], asked[field], "{field}");
    }
    assert!(registered.get("client_secret").is_none(), "a public client gets none");
    let uri = registered["registration_client_uri"].as_str().unwrap();
    let bearer = format!("Bearer {}", registered["registration_access_token"].as_str().unwrap());
    let read = appliance.get(uri, &[("authorization", &bearer)]).await.expect(200).json();
    assert_eq!(read["client_id"], registered["client_id"]);
    appliance.get(uri, &[]).await.expect(401);
    appliance.get(uri, &[("authorization", "Bearer kwg_wrong")]).await.expect(401);
}

#[tokio::test]
async fn the_same_public_client_gets_the_same_id_again_and_a_secret_one_a_new_one() {
    let appliance = Appliance::new();
    let register = async |body: Value| appliance.post_json("/register", &body, &[]).await.expect(201).json();
    let first = register(metadata("Claude")).await;
    assert_eq!(register(metadata("Claude")).await["client_id"], first["client_id"]);
    assert_ne!(register(metadata("Other")).await["client_id"], first["client_id"]);
    let secret = json!({"client_name": "C", "redirect_uris": ["https://c.example/cb"]});
    let (one, two) = (register(secret.clone()).await, register(secret).await);
    assert_eq!(one["token_endpoint_auth_method"], "client_secret_basic", "the default of RFC 7591");
    assert_ne!(one["client_id"], two["client_id"]);
    assert_ne!(one["client_secret"], two["client_secret"]);
    assert_eq!(one["client_secret_expires_at"], 0);
}

#[tokio::test]
async fn what_real_clients_send_is_taken_and_what_is_dangerous_is_not() {
    let appliance = Appliance::new();
    let cursor = json!({
        "client_name": "Cursor", "application_type": "web", "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://localhost:8787/callback", "https://www.cursor.com/agents/mcp/oauth/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback"],
    });
    appliance.post_json("/register", &cursor, &[]).await.expect(201);
    for uri in [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://a.example/#f",
        "https://good@evil.example/",
        "https://*.example/cb",
    ] {
        let body = json!({"redirect_uris": [uri], "token_endpoint_auth_method": "none"});
        let answer = appliance.post_json("/register", &body, &[]).await.expect(400);
        assert_eq!(answer.json()["error"], "invalid_redirect_uri", "{uri}");
    }
    let long = json!({"client_name": "x".repeat(9_000), "redirect_uris": ["https://a.example/cb"]});
    appliance.post_json("/register", &long, &[]).await.expect(413);
    appliance.post_json("/register", &json!([]), &[]).await.expect(400);
    appliance.post_form("/register", &[("a", "b")], &[]).await.expect(400);
}

#[tokio::test]
async fn registrations_are_bounded_and_never_cost_a_client_its_grant() {
    let appliance = Appliance::with(&[("KEYWARD_OAUTH_MAX_CLIENTS", "10"), ("KEYWARD_LIMITS_RATE_LIMITS", "false")]);
    let mut browser = Browser::signed_in(&appliance).await;
    let connected = Agent::register(&appliance, "Connected").await;
    let grant = connected.connect(&appliance, &mut browser).await;
    for number in 0..200 {
        appliance.advance(std::time::Duration::from_secs(1));
        appliance.post_json("/register", &metadata(&format!("client {number}")), &[]).await.expect(201);
    }
    assert!(appliance.app.clients().unwrap().0.len() <= 10);
    connected.refresh(&appliance, &grant.refresh_token).await.expect(200);
}

#[tokio::test]
async fn many_old_connections_leave_room_for_new_registrations() {
    let appliance = Appliance::with(&[("KEYWARD_OAUTH_MAX_CLIENTS", "80"), ("KEYWARD_LIMITS_RATE_LIMITS", "false")]);
    let mut browser = Browser::signed_in(&appliance).await;
    for number in 0..70 {
        Agent::register(&appliance, &format!("connected {number}")).await.connect(&appliance, &mut browser).await;
    }
    for number in 0..30 {
        appliance.advance(std::time::Duration::from_secs(1));
        appliance.post_json("/register", &metadata(&format!("client {number}")), &[]).await.expect(201);
    }
    let clients = appliance.app.clients().unwrap().0;
    assert_eq!(clients.len(), 80);
    assert_eq!(clients.iter().filter(|entry| entry.grants == 1).count(), 70);
}

#[tokio::test]
async fn one_sweep_lets_go_of_a_whole_flood() {
    let appliance = Appliance::with(&[("KEYWARD_LIMITS_RATE_LIMITS", "false")]);
    for number in 0..1_100 {
        appliance.post_json("/register", &metadata(&format!("client {number}")), &[]).await.expect(201);
    }
    appliance.advance(days(2));
    appliance.app.sweep().unwrap();
    assert!(appliance.app.clients().unwrap().0.is_empty());
}

#[tokio::test]
async fn what_was_never_used_is_forgotten_and_told_so() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let unused = Agent::register(&appliance, "Unused").await;
    let used = Agent::register(&appliance, "Used").await;
    let grant = used.connect(&appliance, &mut browser).await;
    appliance.app.sweep().unwrap();
    assert_eq!(appliance.app.clients().unwrap().0.len(), 2, "not at once");
    appliance.advance(days(2));
    appliance.app.sweep().unwrap();
    let answer = unused.redeem(&appliance, "kwc_x").await.expect(401);
    assert_eq!(answer.json()["error"], "invalid_client", "so that it registers again");
    used.refresh(&appliance, &grant.refresh_token).await.expect(200);
    let again = Agent::register(&appliance, "Unused").await;
    assert_ne!(again.client_id, unused.client_id);
}

#[tokio::test]
async fn a_client_that_registers_again_is_kept_until_its_person_has_decided() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let first = appliance.post_json("/register", &metadata("Claude"), &[]).await.expect(201).json();
    appliance.advance(hours(23));
    let second = appliance.post_json("/register", &metadata("Claude"), &[]).await.expect(201).json();
    assert_eq!(second["client_id"], first["client_id"]);
    assert_eq!(second["client_id_issued_at"], first["client_id_issued_at"]);
    appliance.advance(hours(21));
    appliance.app.sweep().unwrap();
    assert_eq!(appliance.app.clients().unwrap().0.len(), 1, "its person may be on the way");
    appliance.post_json("/register", &metadata("Claude"), &[]).await.expect(201);
    appliance.advance(hours(21));
    appliance.app.sweep().unwrap();
    let agent = Agent {
        client_id: first["client_id"].as_str().unwrap().to_owned(),
        ..Agent::register(&appliance, "Other").await
    };
    let changes = [("redirect_uri", "http://127.0.0.1/callback")];
    agent.authorize_with(&appliance, &mut browser, &changes, "approve").await;
    appliance.advance(days(3));
    appliance.app.sweep().unwrap();
    assert_eq!(appliance.app.clients().unwrap().0.len(), 0, "a code that nobody came for keeps nothing");
}

#[tokio::test]
async fn a_full_table_lets_go_of_who_registered_longest_ago() {
    let appliance = Appliance::with(&[("KEYWARD_OAUTH_MAX_CLIENTS", "10"), ("KEYWARD_LIMITS_RATE_LIMITS", "false")]);
    let first = appliance.post_json("/register", &metadata("client 0"), &[]).await.expect(201).json();
    for number in 1..10 {
        appliance.advance(minutes(15));
        appliance.post_json("/register", &metadata(&format!("client {number}")), &[]).await.expect(201);
    }
    appliance.post_json("/register", &metadata("client 0"), &[]).await.expect(201);
    appliance.advance(minutes(1));
    appliance.post_json("/register", &metadata("one more"), &[]).await.expect(201);
    let kept = appliance.app.clients().unwrap().0;
    assert!(kept.iter().any(|entry| entry.client.id.as_str() == first["client_id"].as_str().unwrap()));
    assert!(!kept.iter().any(|entry| entry.client.display_name() == "client 1"));
}

#[tokio::test]
async fn registration_can_be_switched_off() {
    let appliance = Appliance::with(&[("KEYWARD_OAUTH_DYNAMIC_REGISTRATION", "false")]);
    appliance.post_json("/register", &metadata("Claude"), &[]).await.expect(403);
    let server = appliance.get("/.well-known/oauth-authorization-server", &[]).await.expect(200).json();
    assert!(server.get("registration_endpoint").is_none());
}

#[tokio::test]
async fn a_flood_of_registrations_is_slowed() {
    let appliance = Appliance::new();
    let mut refused = 0;
    for number in 0..400 {
        let answer = appliance.post_json("/register", &metadata(&format!("client {number}")), &[]).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused >= 100, "{refused}");
    appliance.post_json("/register", &metadata("client 0"), &[]).await.expect(201);
    appliance.advance(hours(1));
    appliance.post_json("/register", &metadata("later"), &[]).await.expect(201);
}
