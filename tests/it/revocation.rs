//! Taking tokens back (RFC 7009) and asking about them (RFC 7662).

use crate::support::{Agent, Appliance, Browser, call};
use base64::Engine as _;
use keyward::app::clients::MadeClient;
use keyward::clock::{Clock, days, hours, minutes};
use keyward::entropy::OsEntropy;
use keyward::oauth::client::{AuthMethod, ClientId, ClientMetadata};
use keyward::oauth::redirect_uri::RedirectUri;

/// A resource server with a secret, made by the admin; its `Authorization` header comes along.
pub(crate) fn resource_server(appliance: &Appliance) -> (ClientId, String) {
    let redirect_uri = RedirectUri::parse("https://rs.example/cb").unwrap();
    let metadata = ClientMetadata {
        auth_method: AuthMethod::ClientSecretBasic,
        ..ClientMetadata::public(Some("Resource server".to_owned()), vec![redirect_uri])
    };
    let id = ClientId::generate(appliance.clock.now(), &OsEntropy);
    match appliance.app.create_client(id, metadata, appliance.admin.id).unwrap() {
        MadeClient::Now(client, Some(secret)) => {
            let pair = format!("{}:{}", client.id, secret.expose());
            (client.id, format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_gives_back_its_own_tokens_only() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let other = Agent::register(&appliance, "Other").await;
    let tokens = agent.connect(&appliance, &mut browser).await;

    let revoke = async |token: &str, client: &str| {
        appliance.post_form("/revoke", &[("token", token), ("client_id", client)], &[]).await
    };
    revoke(&tokens.access_token, &other.client_id).await.expect(200);
    revoke(&tokens.refresh_token, &other.client_id).await.expect(200);
    call(&appliance, &tokens.access_token).await.expect(200);
    revoke("nonsense", &agent.client_id).await.expect(200);
    revoke(&tokens.access_token, "cli_unknown").await.expect(401);

    revoke(&tokens.access_token, &agent.client_id).await.expect(200);
    call(&appliance, &tokens.access_token).await.expect(401);
    agent.refresh(&appliance, &tokens.refresh_token).await.expect(200);
    revoke(&tokens.refresh_token, &agent.client_id).await.expect(200);
    agent.refresh(&appliance, &tokens.refresh_token).await.expect(400);
    assert!(appliance.app.connections(appliance.admin.id).unwrap().is_empty());
}

#[tokio::test]
async fn introspection_is_for_admin_made_clients_with_their_secret() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("laptop");
    let (id, basic) = resource_server(&appliance);
    let agent = Agent::register(&appliance, "Claude Code").await;

    appliance.post_form("/introspect", &[("token", &token)], &[]).await.expect(401);
    let fields = [("token", token.as_str()), ("client_id", &agent.client_id)];
    assert!(appliance.post_form("/introspect", &fields, &[]).await.status.is_client_error());
    let wrong = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:wrong")));
    let refused =
        appliance.post_form("/introspect", &[("token", &token)], &[("authorization", &wrong)]).await.expect(401);
    assert!(refused.header("www-authenticate").starts_with("Basic"));

    let told = appliance.post_form("/introspect", &[("token", &token)], &[("authorization", &basic)]).await.expect(200);
    let told = told.json();
    assert_eq!((&told["active"], &told["username"]), (&true.into(), &"ada".into()));
    let gone =
        appliance.post_form("/introspect", &[("token", "x.y.z")], &[("authorization", &basic)]).await.expect(200);
    assert_eq!(gone.json(), serde_json::json!({"active": false}));
    appliance.advance(hours(24 * 366));
    let gone = appliance.post_form("/introspect", &[("token", &token)], &[("authorization", &basic)]).await.expect(200);
    assert_eq!(gone.json(), serde_json::json!({"active": false}));
}

#[tokio::test]
async fn the_background_refresh_brings_in_what_others_wrote() {
    let appliance = Appliance::new();
    let (id, token) = appliance.personal_token("laptop");
    let mut other = Appliance::beside(&appliance);
    other.app.revoke_personal_token(other.admin.id, id).unwrap();
    call(&other, &token).await.expect(401);
    call(&appliance, &token).await.expect(200);
    appliance.app.refresh_revocations().unwrap();
    call(&appliance, &token).await.expect(401);
    other.restart();
}

#[tokio::test]
async fn a_removed_client_has_nothing_left() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let tokens = agent.connect(&appliance, &mut browser).await;
    appliance.app.remove_client(&agent.client_id, appliance.admin.id).unwrap();
    call(&appliance, &tokens.access_token).await.expect(401);
    assert_eq!(agent.refresh(&appliance, &tokens.refresh_token).await.expect(401).json()["error"], "invalid_client");
}

#[tokio::test]
async fn a_shorter_life_of_access_tokens_brings_none_back() {
    let mut appliance = Appliance::with(&[("KEYWARD_TOKENS_ACCESS_TOKEN_LIFE", "24h")]);
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let tokens = agent.connect(&appliance, &mut browser).await;
    appliance.reconfigure(&[("KEYWARD_TOKENS_ACCESS_TOKEN_LIFE", "5m")]);
    call(&appliance, &tokens.access_token).await.expect(200);
    appliance.app.revoke_all_connections(appliance.admin.id).unwrap();
    appliance.advance(hours(2));
    appliance.app.refresh_revocations().unwrap();
    appliance.app.sweep().unwrap();
    appliance.restart();
    call(&appliance, &tokens.access_token).await.expect(401);
}

#[tokio::test]
async fn a_clock_that_ran_ahead_brings_no_revoked_token_back() {
    let mut appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let tokens = agent.connect(&appliance, &mut browser).await;
    appliance.app.revoke_all_connections(appliance.admin.id).unwrap();
    let right = appliance.clock.now();
    appliance.advance(days(2));
    appliance.app.refresh_revocations().unwrap();
    appliance.app.sweep().unwrap();
    for restart in [false, true] {
        appliance.clock.set(right + minutes(1));
        appliance.app.refresh_revocations().unwrap();
        call(&appliance, &tokens.access_token).await.expect(401);
        if !restart {
            appliance.clock.set(right + days(2));
            appliance.restart();
        }
    }
}
