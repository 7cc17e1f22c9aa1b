//! What people should know before they ask: what expires, and what was used from somewhere new.

use crate::support::{Agent, Answer, Appliance, AuthenticatorApp, Browser, PASSWORD};
use keyward::app::notices::{Dismissal, UserNotice};
use keyward::app::usage::CallerRef;
use keyward::clock::{Clock, days};
use keyward::control::{self, Request};
use keyward::id::{TokenId, UserId};

fn used_from(appliance: &Appliance, id: TokenId, addresses: &[&str]) {
    for address in addresses {
        let caller = CallerRef { address: Some(address.parse().unwrap()), user_agent: "claude-code/2.1" };
        appliance.app.live().usage().tokens.record(id, appliance.clock.now(), caller);
    }
    appliance.app.flush_usage().unwrap();
}

fn sentences(appliance: &Appliance) -> Vec<String> {
    sentences_of(appliance, appliance.admin.id)
}

fn sentences_of(appliance: &Appliance, user: UserId) -> Vec<String> {
    let notices = appliance.app.notices(user).unwrap();
    let told = notices.into_iter().map(|notice| match notice {
        UserNotice::Line(id, event) => event.sentence(id.made_at()),
        UserNotice::Expiring(token) => format!("{} expires", token.name),
    });
    told.collect()
}

async fn home(appliance: &Appliance) -> (Browser, Answer) {
    let mut browser = Browser::signed_in(appliance).await;
    let page = browser.get(appliance, "/dashboard").await.expect(200);
    (browser, page)
}

#[tokio::test]
async fn a_token_that_expires_is_told_thirty_seven_and_one_day_before() {
    let appliance = Appliance::new();
    appliance.personal_token("Laptop");
    appliance.advance(days(334));
    assert!(sentences(&appliance).is_empty());
    for (passed, again) in [(2, true), (10, false), (12, true), (5, false), (1, true)] {
        appliance.advance(days(passed));
        assert_eq!(sentences(&appliance).len(), usize::from(again), "after {passed} more days");
        if again {
            let (mut browser, page) = home(&appliance).await;
            assert!(page.body.contains("1 notice<") && page.body.contains("The token “Laptop” expires."));
            let fields =
                [("notice", page.body.split("name=\"notice\" value=\"").nth(1).unwrap().split('"').next().unwrap())];
            browser.submit(&appliance, &page, "/dashboard/notices/dismiss", &fields).await.expect(303);
            assert!(sentences(&appliance).is_empty(), "dismissed until it is nearer");
        }
    }
}

#[tokio::test]
async fn a_token_on_a_new_network_is_told_once_and_the_first_use_is_no_news() {
    let mut appliance = Appliance::new();
    let (id, _) = appliance.personal_token("Laptop");
    used_from(&appliance, id, &["203.0.113.7"]);
    used_from(&appliance, id, &["203.0.113.99", "::ffff:203.0.113.4"]);
    assert!(sentences(&appliance).is_empty());
    used_from(&appliance, id, &["203.0.113.7", "198.51.100.1", "203.0.113.7"]);
    let told = "A new network used the token “Laptop”: 198.51.100.0/24";
    assert_eq!(sentences(&appliance), [told], "also one that came and went between two flushes");
    appliance.restart();
    used_from(&appliance, id, &["198.51.100.2", "203.0.113.1"]);
    assert_eq!(sentences(&appliance).len(), 1);
    used_from(&appliance, id, &["2001:db8:1::1"]);
    let sentences_now = sentences(&appliance);
    assert_eq!(sentences_now.len(), 1, "one notice a token");
    assert!(sentences_now[0].ends_with("2001:db8:1::/48"), "{sentences_now:?}");
    let (_, page) = home(&appliance).await;
    assert!(page.body.contains("2001:db8:1::/48"));
    appliance.app.dismiss_notice(appliance.admin.id, Dismissal::All).unwrap();
    assert!(sentences(&appliance).is_empty());
}

#[tokio::test]
async fn an_owner_is_told_what_somebody_else_did_to_what_is_theirs() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let mut bens = Browser::new();
    bens.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    AuthenticatorApp::added(&appliance, &mut bens).await;
    for name in ["Cursor", "Claude Code"] {
        Agent::register(&appliance, name).await.connect(&appliance, &mut bens).await;
    }
    let connections = appliance.app.connections(ben.id).unwrap();
    let grant_of = |name: &str| connections.iter().find(|own| own.grant.client_name == name).unwrap().grant.clone();
    let grant = grant_of("Claude Code").id;
    let (laptop, _) = appliance.personal_token_of(ben.id, "Laptop");
    appliance.personal_token_of(ben.id, "Phone");
    let mut ada = Browser::signed_in(&appliance).await;
    let (remove, client) = ("/dashboard/clients/remove", grant_of("Cursor").client);
    let question = ada.get(&appliance, &format!("{remove}?client_id={}", client.as_str())).await.expect(200);
    ada.submit(&appliance, &question, remove, &[]).await.expect(303);
    let user = format!("/dashboard/users/{}", ben.id);
    for (path, query) in [
        ("revoke", format!("?token={laptop}")),
        ("revoke", format!("?connection={grant}")),
        ("reset-factors", String::new()),
        ("reset-link", String::new()),
        ("revoke-all", String::new()),
    ] {
        let path = format!("{user}/{path}");
        let question = ada.get(&appliance, &format!("{path}{query}")).await.expect(200);
        let done = ada.submit(&appliance, &question, &path, &[]).await;
        assert!(done.status == 303 || done.status == 200, "{path}: {}", done.body);
    }
    assert_eq!(
        sentences_of(&appliance, ben.id),
        [
            "ada revoked everything of ben",
            "ada made a link with which ben sets a new password",
            "ada removed a second factor of ben: all there were",
            "ada revoked the connection of “Claude Code” of ben",
            "ada revoked the token “Laptop” of ben",
            "ada revoked the connection of “Cursor” of ben",
        ]
    );
    assert!(sentences(&appliance).is_empty(), "who did it knows");
    bens.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let page = bens.get(&appliance, "/dashboard").await.expect(200);
    assert!(page.body.contains("6 notices") && page.body.contains("Add a second factor"), "{}", page.body);
    bens.submit(&appliance, &page, "/dashboard/notices/dismiss", &[("notice", "all")]).await.expect(303);
    assert!(sentences_of(&appliance, ben.id).is_empty());
}

#[tokio::test]
async fn nobody_is_told_what_they_did_themselves_and_everybody_what_the_command_line_did() {
    let appliance = Appliance::new();
    let (laptop, _) = appliance.personal_token("Laptop");
    appliance.personal_token("Phone");
    let mut ada = Browser::signed_in(&appliance).await;
    let path = format!("/dashboard/api-keys/{laptop}/revoke");
    let question = ada.get(&appliance, &path).await.expect(200);
    ada.submit(&appliance, &question, &path, &[]).await.expect(303);
    let user = format!("/dashboard/users/{}", appliance.admin.id);
    for act in ["reset-link", "revoke-all"] {
        let path = format!("{user}/{act}");
        let question = ada.get(&appliance, &path).await.expect(200);
        ada.submit(&appliance, &question, &path, &[]).await;
    }
    assert!(sentences(&appliance).is_empty());
    let (tablet, _) = appliance.personal_token("Tablet");
    control::perform(&Request::RevokeToken { id: tablet }, &appliance.app).unwrap();
    assert_eq!(sentences(&appliance), ["The command line revoked the token “Tablet” of ada"]);
}

#[tokio::test]
async fn notices_are_bounded_and_ones_own() {
    let mut appliance = Appliance::with(&[("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", "200")]);
    let ben = appliance.add_member("ben");
    for number in 0..60 {
        let (id, _) = appliance.personal_token(&format!("token-{number}"));
        used_from(&appliance, id, &["203.0.113.7", "198.51.100.1"]);
    }
    assert_eq!(sentences(&appliance).len(), 50);
    assert!(appliance.app.notices(ben.id).unwrap().is_empty());
    let UserNotice::Line(id, _) = appliance.app.notices(appliance.admin.id).unwrap().remove(0) else { panic!() };
    appliance.app.dismiss_notice(ben.id, Dismissal::Line(id)).unwrap();
    assert_eq!(sentences(&appliance).len(), 50, "nobody dismisses another's");
    appliance.app.dismiss_notice(appliance.admin.id, Dismissal::Line(id)).unwrap();
    assert_eq!(sentences(&appliance).len(), 49);
}
