//! Connected apps: what one may do is lowered, at the next request, and never raised.

use crate::support::{Agent, Appliance, Browser, Grant, call};
use keyward::clock::{Clock, hours, minutes};
use keyward::oauth::scope::ScopeSet;
use std::time::Duration;

/// An app that may do everything, its browser and its tokens.
async fn connected(appliance: &Appliance) -> (Browser, Agent, Grant) {
    let mut browser = Browser::signed_in(appliance).await;
    let agent = Agent::register(appliance, "Claude Code").await;
    let grant = agent.connect(appliance, &mut browser).await;
    (browser, agent, grant)
}

fn path(appliance: &Appliance) -> String {
    let id = appliance.app.connections(appliance.admin.id).unwrap()[0].grant.id;
    format!("/dashboard/connections/{id}/narrow")
}

#[tokio::test]
async fn what_an_app_may_do_is_lowered_at_its_next_request_and_a_refresh_gives_the_less() {
    let mut appliance = Appliance::new();
    let (mut browser, agent, before) = connected(&appliance).await;
    call(&appliance, &before.access_token).await.expect(200);
    let path = path(&appliance);
    let form = browser.get(&appliance, &path).await.expect(200);
    browser.submit(&appliance, &form, &path, &[]).await.expect(303);
    let refused = call(&appliance, &before.access_token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("was lowered"), "{:?}", refused.headers);
    let list = browser.get(&appliance, "/dashboard/connections").await.expect(200);
    assert!(list.body.contains("reading, stay connected") && list.body.contains("lowered"), "{}", list.body);

    let answer = agent.refresh(&appliance, &before.refresh_token).await.expect(200).json();
    assert_eq!(answer["scope"], "mcp:read offline_access");
    let after = Grant::of(&answer);
    call(&appliance, &after.access_token).await.expect(200);
    appliance.restart();
    call(&appliance, &before.access_token).await.expect(401);
    call(&appliance, &after.access_token).await.expect(200);
    appliance.advance(minutes(10));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", after.refresh_token.as_str()),
        ("client_id", agent.client_id.as_str()),
        ("scope", "mcp offline_access"),
    ];
    let asked_for_more = appliance.post_form("/token", &fields, &[]).await.expect(200).json();
    assert_eq!(asked_for_more["scope"], "mcp:read offline_access", "never more than is left");
}

#[tokio::test]
async fn a_connection_is_lowered_to_something_less_and_to_nothing_else() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let (_, _, grant) = connected(&appliance).await;
    let (app, owner) = (&appliance.app, appliance.admin.id);
    let id = app.connections(owner).unwrap()[0].grant.id;
    let to = |user, scopes: &str| app.narrow_connection(user, id, &ScopeSet::parse(scopes).unwrap());
    for scopes in ["mcp", "", "root", "offline_access", "mcp mcp:read"] {
        assert!(to(owner, scopes).is_err(), "{scopes}");
    }
    assert!(to(ben.id, "mcp:read").is_err());
    call(&appliance, &grant.access_token).await.expect(200);
    to(owner, "mcp:read").unwrap();
    for scopes in ["mcp", "mcp:read"] {
        assert!(to(owner, scopes).is_err(), "{scopes} is not less any more");
    }
    assert_eq!(app.connection(owner, id).unwrap().grant.scopes.as_str(), "mcp:read offline_access");
    call(&appliance, &grant.access_token).await.expect(401);
    let set = app.live().revoked().len();
    appliance.advance(hours(26));
    app.refresh_revocations().unwrap();
    assert!(app.live().revoked().len() < set, "what nobody needs any more is let go of");
}

#[tokio::test]
async fn a_token_of_the_same_second_is_the_narrow_one() {
    let appliance = Appliance::new();
    let (_, agent, grant) = connected(&appliance).await;
    appliance.advance(Duration::from_millis(1_500));
    let id = appliance.app.connections(appliance.admin.id).unwrap()[0].grant.id;
    let broad = Grant::of(&agent.refresh(&appliance, &grant.refresh_token).await.expect(200).json());
    appliance.app.narrow_connection(appliance.admin.id, id, &ScopeSet::parse("mcp:read").unwrap()).unwrap();
    let narrow = Grant::of(&agent.refresh(&appliance, &broad.refresh_token).await.expect(200).json());
    call(&appliance, &broad.access_token).await.expect(401);
    call(&appliance, &narrow.access_token).await.expect(200);
    assert!(appliance.clock.now() > keyward::clock::Timestamp::EPOCH);
}

#[tokio::test]
async fn connections_of_one_client_stand_together() {
    let appliance = Appliance::new();
    let (mut browser, agent, _) = connected(&appliance).await;
    agent.connect(&appliance, &mut browser).await;
    Agent::register(&appliance, "Cursor").await.connect(&appliance, &mut browser).await;
    let list = browser.get(&appliance, "/dashboard/connections").await.expect(200);
    assert!(list.body.contains("2 connections, one for each time that you allowed it"), "{}", list.body);
    assert_eq!(list.body.matches("scope=\"rowgroup\"").count(), 1);
}
