//! From a client's request to a person's answer.

use crate::support::{Agent, Appliance, Browser, callback_parameters, parameter};
use keyward::clock::minutes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn an_approval_brings_code_state_and_issuer() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let callback = agent.authorize(&appliance, &mut browser).await;
    assert!(parameter(&callback, "code").unwrap().starts_with("kwc_"));
    assert_eq!(parameter(&callback, "state").as_deref(), Some("state-1"));
    assert_eq!(parameter(&callback, "iss").as_deref(), Some(appliance.issuer()));
}

#[tokio::test]
async fn a_denial_brings_an_error_with_state_and_issuer() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let callback = agent.authorize_with(&appliance, &mut browser, &[], "deny").await;
    assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&callback, "state").as_deref(), Some("state-1"));
    assert_eq!(parameter(&callback, "iss").as_deref(), Some(appliance.issuer()));
    assert_eq!(parameter(&callback, "code"), None);
}

#[tokio::test]
async fn looking_at_the_consent_page_changes_nothing() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let path = agent.authorize_path(&appliance, &[]);
    let first = browser.get(&appliance, &path).await.expect(200);
    let second = browser.get(&appliance, &path).await.expect(200);
    assert!(appliance.app.connections(appliance.admin.id).unwrap().is_empty());
    for page in [second, first] {
        let answer = browser.submit(&appliance, &page, "/authorize", &[("decision", "approve")]).await.expect(303);
        assert!(answer.location().contains("code=kwc_"), "each page still works");
    }
}

#[tokio::test]
async fn who_is_not_signed_in_signs_in_first_and_comes_back() {
    let appliance = Appliance::new();
    let agent = Agent::register(&appliance, "Claude Code").await;
    let mut browser = Browser::new();
    let (reached, page) = browser.visit(&appliance, &agent.authorize_path(&appliance, &[])).await;
    assert!(reached.starts_with("/login?next="), "{reached}");
    let fields = [("username", "ada"), ("password", "four quiet random words")];
    let answer = browser.submit(&appliance, &page, "/login", &fields).await.expect(303);
    assert!(answer.location().starts_with("/authorize?"), "{}", answer.location());
    let (_, consent) = browser.visit(&appliance, answer.location()).await;
    assert!(consent.expect(200).body.contains("Claude Code"));
}

#[tokio::test]
async fn the_consent_page_names_who_asks_and_where_the_answer_goes() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "<script>alert(1)</script>Claude").await;
    let page = browser.get(&appliance, &agent.authorize_path(&appliance, &[])).await.expect(200);
    assert!(page.body.contains("127.0.0.1:33418"), "the redirect host");
    assert!(page.body.contains("ada"), "the user");
    assert!(!page.body.contains("<script>alert"), "a name is text");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self' https: http:"), "{policy}");
}

#[tokio::test]
async fn errors_before_client_and_redirect_fit_together_never_redirect() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let evil = "https://evil.example/callback";
    let good = agent.redirect_uri.as_str();
    let everything_else = [("response_type", "token"), ("scope", "\u{1}"), ("code_challenge", ""), ("prompt", "none")];
    for (client, redirect) in
        [("cli_unknown", good), ("cli_unknown", evil), (agent.client_id.as_str(), evil), ("", good)]
    {
        let mut changes = vec![("client_id", client), ("redirect_uri", redirect)];
        for further in [&[][..], &everything_else[..]] {
            changes.extend_from_slice(further);
            let answer = browser.get(&appliance, &agent.authorize_path(&appliance, &changes)).await;
            assert!(answer.status.is_client_error(), "{client} {redirect}: {}", answer.status);
            assert_eq!(answer.location(), "", "{client} {redirect}");
        }
    }
}

#[tokio::test]
async fn errors_after_that_go_to_the_client() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("resource", "https://elsewhere.example/mcp")], "invalid_target"),
        (&[("prompt", "none")], "interaction_required"),
        (&[("response_mode", "fragment")], "invalid_request"),
    ];
    for (changes, error) in cases {
        let answer = browser.get(&appliance, &agent.authorize_path(&appliance, changes)).await.expect(303);
        let parameters = callback_parameters(answer.location());
        assert!(answer.location().starts_with(&agent.redirect_uri), "{}", answer.location());
        assert_eq!(parameter(&parameters, "error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(parameter(&parameters, "iss").as_deref(), Some(appliance.issuer()));
        assert_eq!(parameter(&parameters, "state").as_deref(), Some("state-1"));
    }
}

#[tokio::test]
async fn a_link_with_a_mistake_leads_no_stranger_to_a_site_that_registered_itself() {
    let appliance = Appliance::new();
    let body = serde_json::json!({
        "client_name": "Prize", "redirect_uris": ["https://evil.example/cb"], "token_endpoint_auth_method": "none",
    });
    let registered = appliance.post_json("/register", &body, &[]).await.expect(201).json();
    let agent = Agent::register(&appliance, "Claude Code").await;
    let client =
        [("client_id", registered["client_id"].as_str().unwrap()), ("redirect_uri", "https://evil.example/cb")];
    for mistake in [("response_type", "token"), ("prompt", "none"), ("resource", "https://elsewhere.example/mcp")] {
        let path = agent.authorize_path(&appliance, &[client[0], client[1], mistake]);
        let stranger = appliance.get(&path, &[]).await.expect(303);
        assert!(stranger.location().starts_with("/login?"), "{}", stranger.location());
        let mut browser = Browser::signed_in(&appliance).await;
        let answer = browser.get(&appliance, &path).await.expect(303);
        assert!(answer.location().starts_with("https://evil.example/cb?error="), "{}", answer.location());
        let program = appliance.get(&agent.authorize_path(&appliance, &[mistake]), &[]).await.expect(303);
        assert!(program.location().starts_with(&agent.redirect_uri), "a program on this machine hears of it at once");
    }
}

#[tokio::test]
async fn a_program_hears_of_a_forgotten_client_in_its_own_words() {
    let appliance = Appliance::new();
    let agent = Agent::register(&appliance, "Claude Code").await;
    let path = agent.authorize_path(&appliance, &[("client_id", "cli_01h0000000000000000000000x")]);
    let answer = appliance.get(&path, &[("accept", "application/json")]).await.expect(401);
    assert_eq!(answer.json()["error"], "invalid_client");
}

#[tokio::test]
async fn another_browser_cannot_answer_for_this_one() {
    let appliance = Appliance::new();
    let (mut ada, mut other) = (Browser::signed_in(&appliance).await, Browser::signed_in(&appliance).await);
    let agent = Agent::register(&appliance, "Claude Code").await;
    let path = agent.authorize_path(&appliance, &[]);
    let page = ada.get(&appliance, &path).await.expect(200);
    let theirs = other.get(&appliance, &path).await.expect(200);
    let sealed = Browser::form(&page, "/authorize").fields;
    let (_, sealed) = sealed.iter().find(|(name, _)| name == "request").unwrap();
    let fields = [("decision", "approve"), ("request", sealed.as_str())];
    let answer = other.submit(&appliance, &theirs, "/authorize", &fields).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let answer = other.submit(&appliance, &page, "/authorize", &[("decision", "approve")]).await;
    assert_eq!(answer.status, 403, "nor with the other's form token");
}

#[tokio::test]
async fn going_back_after_approving_shows_the_address_to_copy() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let path = agent.authorize_path(&appliance, &[]);
    let page = browser.get(&appliance, &path).await.expect(200);
    let answer = browser.submit(&appliance, &page, "/authorize", &[("decision", "approve")]).await.expect(303);
    let back = browser.get(&appliance, &path).await.expect(200);
    let code = callback_parameters(answer.location());
    assert!(back.body.contains(&parameter(&code, "code").unwrap()), "the callback address is there");
    let other = browser.get(&appliance, &agent.authorize_path(&appliance, &[("state", "state-2")])).await.expect(200);
    assert!(!other.body.contains("kwc_"), "another request is asked anew");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_leads_to_the_client_and_is_one_approval() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let page = browser.get(&appliance, &agent.authorize_path(&appliance, &[])).await.expect(200);
    let approve = [("decision", "approve")];
    let (mut same, mut late) = (browser.clone(), browser.clone());
    let (first, second) = tokio::join!(
        browser.submit(&appliance, &page, "/authorize", &approve),
        same.submit(&appliance, &page, "/authorize", &approve),
    );
    assert_eq!(first.expect(303).location(), second.location(), "whichever answer the browser shows");
    let code = parameter(&callback_parameters(second.expect(303).location()), "code").unwrap();
    agent.redeem(&appliance, &code).await.expect(200);
    // Later the form is over: it makes no second grant, and its one code is shown to nobody.
    for _ in 0..3 {
        let answer = late.submit(&appliance, &page, "/authorize", &approve).await.expect(200);
        assert!(answer.body.contains("You have allowed") && answer.body.contains("Claude Code"), "{}", answer.body);
        assert!(!answer.body.contains("kwc_"), "{}", answer.body);
    }
    assert_eq!(appliance.app.connections(appliance.admin.id).unwrap().len(), 1);
    let grant = appliance.app.connections(appliance.admin.id).unwrap().remove(0).grant.id;
    appliance.app.revoke_connection(appliance.admin.id, grant).unwrap();
    late.submit(&appliance, &page, "/authorize", &approve).await.expect(200);
    assert!(appliance.app.connections(appliance.admin.id).unwrap().is_empty(), "nor after it was taken back");
}

#[tokio::test]
async fn an_approval_whose_code_nobody_came_for_is_over() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let page = browser.get(&appliance, &agent.authorize_path(&appliance, &[])).await.expect(200);
    browser.submit(&appliance, &page, "/authorize", &[("decision", "approve")]).await.expect(303);
    appliance.advance(minutes(2));
    let answer = browser.submit(&appliance, &page, "/authorize", &[("decision", "approve")]).await.expect(200);
    assert!(answer.body.contains("connect again"), "{}", answer.body);
    appliance.advance(minutes(28));
    appliance.app.sweep().unwrap();
    browser.submit(&appliance, &page, "/authorize", &[("decision", "approve")]).await.expect(400);
}

/// An address on this machine, and how many have connected to it.
fn listener() -> (String, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client_id = format!("https://localhost:{}/client.json", listener.local_addr().unwrap().port());
    let connected = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connected);
    std::thread::spawn(move || {
        while let Ok((connection, _)) = listener.accept() {
            count.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    (client_id, connected)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_document_is_fetched_only_for_somebody_who_is_signed_in() {
    let appliance = Appliance::new();
    let agent = Agent::register(&appliance, "Claude Code").await;
    let (client_id, connected) = listener();
    let path = agent.authorize_path(&appliance, &[("client_id", &client_id)]);
    for accept in ["text/html", "application/json"] {
        let stranger = appliance.get(&path, &[("accept", accept)]).await.expect(303);
        assert!(stranger.location().starts_with("/login?"), "{}", stranger.location());
    }
    appliance.get(&path, &[("cookie", "kw_session=v4.local.x; __Host-kw_session=v4.local.x")]).await.expect(303);
    assert_eq!(connected.load(Ordering::SeqCst), 0, "a stranger makes this server fetch nothing");
    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, &path).await.expect(400);
    assert!(connected.load(Ordering::SeqCst) > 0);
    assert!(page.body.contains("could not be fetched") && page.body.contains("Try again in a minute"), "{}", page.body);
}
