//! Personal tokens: a year, a name, one showing, and an end at once.

use crate::support::{Appliance, Browser, call};
use keyward::account::personal_token::TokenState;
use keyward::app::error::OperationError;
use keyward::app::personal_tokens::{Made, NewPersonalToken};
use keyward::clock::{Clock, days, hours, minutes};
use keyward::entropy::OsEntropy;
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use std::time::Duration;

fn new(appliance: &Appliance, name: &str) -> NewPersonalToken {
    let id = TokenId::generate(appliance.clock.now(), &OsEntropy);
    NewPersonalToken { id, name: name.to_owned(), expires_at: None, servers: None, scopes: ScopeSet::mcp() }
}

#[tokio::test]
async fn a_personal_token_works_for_a_year_and_not_a_day_longer() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("laptop");
    call(&appliance, &token).await.expect(200);
    appliance.advance(days(364) + hours(24).saturating_sub(Duration::from_secs(1)));
    call(&appliance, &token).await.expect(200);
    appliance.advance(Duration::from_secs(61));
    let refused = call(&appliance, &token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("expired"), "{:?}", refused.headers);
    appliance.advance(days(1));
    call(&appliance, &token).await.expect(401);
}

#[tokio::test]
async fn every_personal_token_begins_with_the_same_characters() {
    let appliance = Appliance::new();
    let (_, first) = appliance.personal_token("one");
    appliance.advance(days(100));
    appliance.app.rotate_by_schedule().unwrap();
    let (_, second) = appliance.personal_token("two");
    let constant = "eyJ0eXAiOiJwYXQrand0IiwiYWxnIjoiRWREU0EiLCJraWQiOiJr";
    assert!(first.starts_with(constant) && second.starts_with(constant), "{first}\n{second}");
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_the_very_next_request_and_after_a_restart() {
    let mut appliance = Appliance::new();
    let (id, token) = appliance.personal_token("laptop");
    call(&appliance, &token).await.expect(200);
    appliance.app.revoke_personal_token(appliance.admin.id, id).unwrap();
    let refused = call(&appliance, &token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("revoked"), "{:?}", refused.headers);
    appliance.restart();
    call(&appliance, &token).await.expect(401);
    appliance.advance(days(364));
    appliance.app.sweep().unwrap();
    appliance.restart();
    call(&appliance, &token).await.expect(401);
}

#[tokio::test]
async fn names_are_one_owners_and_unique_while_their_tokens_live() {
    let appliance = Appliance::new();
    let owner = appliance.admin.id;
    let (id, _) = appliance.personal_token("Laptop");
    let again = appliance.app.create_personal_token(owner, &new(&appliance, "LAPTOP"));
    assert!(matches!(again, Err(OperationError::NameTaken(_))));
    appliance.app.revoke_personal_token(owner, id).unwrap();
    appliance.advance(minutes(1));
    let (second, _) = appliance.personal_token("Laptop");
    appliance.advance(minutes(1));
    let (third, _) = appliance.personal_token("Phone");
    assert!(appliance.app.rename_personal_token(owner, third, "laptop").is_err());
    appliance.app.rename_personal_token(owner, second, "Desk").unwrap();
    appliance.app.rename_personal_token(owner, third, "laptop").unwrap();
    let names: Vec<_> =
        appliance.app.personal_tokens(owner).unwrap().iter().map(|entry| entry.token.name.to_string()).collect();
    assert_eq!(names, ["laptop", "Desk", "Laptop"], "the newest first, the revoked one with its old name");
}

#[tokio::test]
async fn the_same_form_sent_twice_makes_one_token() {
    let appliance = Appliance::new();
    let form = new(&appliance, "laptop");
    assert!(matches!(appliance.app.create_personal_token(appliance.admin.id, &form).unwrap(), Made::Now(..)));
    assert!(matches!(appliance.app.create_personal_token(appliance.admin.id, &form).unwrap(), Made::Before(_)));
    assert_eq!(appliance.app.personal_tokens(appliance.admin.id).unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_has_more_tokens_than_the_limit_or_a_longer_life() {
    let appliance = Appliance::with(&[("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", "3")]);
    let owner = appliance.admin.id;
    for name in ["a", "b", "c"] {
        appliance.personal_token(name);
    }
    assert!(appliance.app.create_personal_token(owner, &new(&appliance, "d")).is_err());
    let late = NewPersonalToken { expires_at: Some(appliance.clock.now() + days(400)), ..new(&appliance, "e") };
    assert!(
        matches!(appliance.app.create_personal_token(owner, &late), Err(OperationError::Invalid(why)) if why.contains("365"))
    );
    appliance.advance(days(366));
    appliance.personal_token("a");
    let states: Vec<_> = appliance.app.personal_tokens(owner).unwrap().iter().map(|entry| entry.state).collect();
    assert_eq!(states, [TokenState::Live, TokenState::Expired, TokenState::Expired, TokenState::Expired]);
    appliance.advance(days(90));
    appliance.app.sweep().unwrap();
    assert_eq!(appliance.app.personal_tokens(owner).unwrap().len(), 1, "ended tokens stay for ninety days");
}

#[tokio::test]
async fn last_use_is_seen_at_once_and_survives_a_flush_and_a_restart() {
    let mut appliance = Appliance::new();
    let (id, token) = appliance.personal_token("laptop");
    let last_use = |appliance: &Appliance| appliance.app.personal_token(appliance.admin.id, id).unwrap().last_use;
    assert_eq!(last_use(&appliance), None);
    appliance.advance(days(1));
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("user-agent", "Claude-Code/2.1")];
    let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    appliance.post_json("/mcp", &body, &headers).await.expect(200);
    let live = last_use(&appliance).unwrap();
    assert_eq!((live.at, live.user_agent.as_str()), (appliance.clock.now(), "Claude-Code/2.1"));
    appliance.app.flush_usage().unwrap();
    appliance.restart();
    assert_eq!(last_use(&appliance), Some(live));
}

#[tokio::test]
async fn a_personal_token_can_never_make_a_token() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("laptop");
    let bearer = format!("Bearer {token}");
    let page = Browser::signed_in(&appliance).await.get(&appliance, "/dashboard/api-keys/new").await.expect(200);
    let form = Browser::form(&page, "/dashboard/api-keys/new");
    let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for path in ["/dashboard/api-keys/new", "/dashboard/clients/new", "/authorize", "/register", "/token"] {
        let answer = appliance.post_form(path, &fields, &[("authorization", &bearer)]).await;
        assert!(answer.status.is_client_error() || answer.location().starts_with("/login"), "{path}: {answer:?}");
    }
    assert_eq!(appliance.app.personal_tokens(appliance.admin.id).unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_holds_a_personal_token_may_end_it() {
    let appliance = Appliance::new();
    let (id, token) = appliance.personal_token("laptop");
    appliance.post_form("/revoke", &[("token", &token)], &[]).await.expect(200);
    call(&appliance, &token).await.expect(401);
    appliance.post_form("/revoke", &[("token", &token)], &[]).await.expect(200);
    let entry = appliance.app.personal_token(appliance.admin.id, id).unwrap();
    assert_eq!(entry.state, TokenState::Revoked);
}
