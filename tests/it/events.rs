//! What the audit log tells: each act leaves its line with the act, calls come in batches, everybody sees their own.

use crate::support::{
    Agent, Answer, Appliance, Browser, Person, Served, Upstream, Wire, call, free_address, make_token, set_up,
};
use keyward::account::user::User;
use keyward::app::events::{EventFilter, EventPage, EventPlace, KEPT, PAGE};
use keyward::clock::{Clock, days, hours, minutes};
use keyward::event::{Actor, DAYS, Event, EventClass, EventKind};
use keyward::id::EventId;
use keyward::secret::PlainTokenKind;
use keyward::store::encode_record;
use serde_json::{Value, json};

const ACTIVITY: &str = "/dashboard/activity";
const EVENTS: &str = "/dashboard/events";
const EXPORT: &str = "/dashboard/events.jsonl";
const PASSWORD: &str = "four quiet random words";
const POLYGLOT: &str = "\"'><svg/onload=alert(1)>{{7*7}}</title></textarea><img src=x onerror=alert(2)>";

fn page(appliance: &Appliance, filter: &EventFilter, place: EventPlace) -> EventPage {
    appliance.app.events(filter, place, PAGE).unwrap()
}

/// All lines, the oldest first, after what waits was written.
pub fn lines(appliance: &Appliance) -> Vec<(EventId, Event)> {
    appliance.app.flush_events().unwrap();
    let mut all = appliance.app.events(&EventFilter::default(), EventPlace::Newest, 100_000).unwrap().events;
    all.reverse();
    all
}

fn kinds(appliance: &Appliance) -> Vec<EventKind> {
    lines(appliance).into_iter().map(|(_, event)| event.kind).collect()
}

/// The lines that `act` leaves.
async fn left_by<F: Future>(appliance: &Appliance, act: F) -> (Vec<Event>, F::Output) {
    let before = lines(appliance).len();
    let output = act.await;
    (lines(appliance).into_iter().skip(before).map(|(_, event)| event).collect(), output)
}

async fn call_tool(appliance: &Appliance, token: &str, tool: &str, arguments: Value) -> Answer {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments}});
    let bearer = format!("Bearer {token}");
    appliance.post_json("/mcp", &body, &[("authorization", &bearer), ("mcp-protocol-version", "2025-11-25")]).await
}

#[tokio::test]
async fn each_kind_of_act_leaves_exactly_its_line() {
    use EventKind::*;
    let appliance = Appliance::new();
    let mut browser = Browser::new();
    assert_eq!(kinds(&appliance), [SetUp]);
    let single = async |what: &str, expected: &[EventKind], (left, _): (Vec<Event>, Answer)| {
        let kinds: Vec<_> = left.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, expected, "{what}");
        left
    };

    single("a wrong password", &[SignInFailed], left_by(&appliance, browser.sign_in(&appliance, "ada", "no")).await)
        .await;
    let left = left_by(&appliance, browser.sign_in(&appliance, "ada", PASSWORD)).await;
    let left = single("signing in", &[SignedIn], left).await;
    assert!(matches!(&left[0].by, Actor::User(user) if user.name == "ada" && user.id == appliance.admin.id));

    let new = "/dashboard/api-keys/new";
    let form = browser.get(&appliance, new).await;
    let left = left_by(&appliance, browser.submit(&appliance, &form, new, &[("name", "Laptop")])).await;
    let left = single("a token", &[TokenMade], left).await;
    let token = left[0].token.as_ref().unwrap();
    assert_eq!(token.name, "Laptop");
    let again = left_by(&appliance, browser.submit(&appliance, &form, new, &[("name", "Laptop")])).await;
    single("the same form", &[], again).await;
    let form = browser.get(&appliance, new).await;
    let refused = left_by(&appliance, browser.submit(&appliance, &form, new, &[("name", "laptop")])).await;
    single("what is refused", &[], refused).await;

    let rename = format!("/dashboard/api-keys/{}/rename", token.id);
    let form = browser.get(&appliance, &rename).await;
    let left = left_by(&appliance, browser.submit(&appliance, &form, &rename, &[("name", "Desk")])).await;
    single("another name", &[TokenRenamed], left).await;
    let revoke = format!("/dashboard/api-keys/{}/revoke", token.id);
    let form = browser.get(&appliance, &revoke).await;
    let left = left_by(&appliance, browser.submit(&appliance, &form, &revoke, &[])).await;
    single("a revocation", &[TokenRevoked], left).await;
    let left = left_by(&appliance, browser.submit(&appliance, &form, &revoke, &[])).await;
    single("a second revocation", &[], left).await;

    let (left, agent) = left_by(&appliance, Agent::register(&appliance, "Claude Code")).await;
    assert_eq!(left.iter().map(|event| event.kind).collect::<Vec<_>>(), [ClientRegistered]);
    assert_eq!(left[0].by, Actor::Stranger);
    let denied = agent.authorize_with(&appliance, &mut browser, &[], "deny");
    let (left, _) = left_by(&appliance, denied).await;
    assert_eq!(left.iter().map(|event| event.kind).collect::<Vec<_>>(), [AccessDenied]);
    let (left, tokens) = left_by(&appliance, agent.connect(&appliance, &mut browser)).await;
    assert_eq!(left.iter().map(|event| event.kind).collect::<Vec<_>>(), [AccessApproved]);
    assert_eq!(left[0].client.as_ref().unwrap().name, "Claude Code");
    let left = left_by(&appliance, call(&appliance, &tokens.access_token)).await;
    let left = single("a call", &[Called], left).await;
    assert_eq!((left[0].server.as_deref(), left[0].call.as_ref().unwrap().tool.as_str()), (Some("keyward"), "whoami"));
    assert_eq!(left[0].client.as_ref().unwrap().name, "Claude Code");

    appliance.advance(minutes(1));
    let next = agent.refresh(&appliance, &tokens.refresh_token).await.expect(200).json();
    appliance.advance(minutes(30));
    let left = left_by(&appliance, agent.refresh(&appliance, &tokens.refresh_token)).await;
    let left = single("a refresh token that comes again", &[RefreshReused], left).await;
    assert_eq!(left[0].user.as_ref().unwrap().name, "ada");
    let left = left_by(&appliance, agent.refresh(&appliance, next["refresh_token"].as_str().unwrap())).await;
    let left = single("the family is over", &[Refused], left).await;
    assert_eq!((left[0].user.as_ref().unwrap().name.as_str(), left[0].server.as_deref()), ("ada", Some("keyward")));

    agent.connect(&appliance, &mut browser).await;
    let left = left_by(&appliance, browser.prove_again(&appliance)).await;
    single("a proof", &[ProvedAgain], left).await;
    let all = "/dashboard/connections/revoke-all";
    let form = browser.get(&appliance, all).await;
    let left = left_by(&appliance, browser.submit(&appliance, &form, all, &[])).await;
    single("an app is revoked", &[ConnectionRevoked], left).await;
    let remove = format!("/dashboard/clients/remove?client_id={}", agent.client_id);
    let form = browser.get(&appliance, &remove).await;
    let fields = Browser::form(&form, "/dashboard/clients/remove");
    let left = left_by(&appliance, browser.send(&appliance, "/dashboard/clients/remove", &fields, &[])).await;
    single("a client is removed", &[ClientRemoved], left).await;

    appliance.advance(days(2));
    let keys = "/dashboard/signing-keys";
    let form = browser.get(&appliance, keys).await;
    let path = "/dashboard/signing-keys/rotate";
    let left = left_by(&appliance, browser.submit(&appliance, &form, path, &[])).await;
    single("keys rotate", &[KeysRotated], left).await;
    let form = browser.get(&appliance, "/dashboard").await;
    let left = left_by(&appliance, browser.submit(&appliance, &form, "/logout", &[])).await;
    single("signing out", &[SignedOut], left).await;

    let by_admin = lines(&appliance).into_iter().filter(|(_, event)| event.kind == KeysRotated);
    for (_, event) in by_admin {
        assert_eq!(event.actor().map(|user| user.id), Some(appliance.admin.id), "who did it is known");
    }
}

#[tokio::test]
async fn a_member_sees_their_own_lines_and_no_others() {
    let mut appliance = Appliance::new();
    let ben: User = appliance.add_member("ben");
    let (_, secret) = appliance.personal_token("Secret plans");
    call(&appliance, &secret).await.expect(200);
    let (_, own) = appliance.personal_token_of(ben.id, "Bens laptop");
    call(&appliance, &own).await.expect(200);
    appliance.app.flush_events().unwrap();

    let mut browser = Browser::new();
    browser.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let shown = browser.get(&appliance, ACTIVITY).await.expect(200).body;
    assert!(shown.contains("ben signed in") && shown.contains("Bens laptop"), "{shown}");
    assert!(!shown.contains("Secret plans"));
    for query in ["?person=ada", &format!("?person={}", appliance.admin.id), "?server=keyward", "?kind=calls"] {
        let shown = browser.get(&appliance, &format!("{ACTIVITY}{query}")).await.expect(200).body;
        assert!(!shown.contains("Secret plans") && !shown.contains("ada "), "{query}");
    }
    for path in [EVENTS, EXPORT] {
        browser.get(&appliance, path).await.expect(403);
        assert_eq!(appliance.get(path, &[("accept", "text/html")]).await.status, 303);
    }
    let mut admin = Browser::signed_in(&appliance).await;
    let shown = admin.get(&appliance, EVENTS).await.expect(200).body;
    assert!(shown.contains("Secret plans") && shown.contains("Bens laptop"));
    let shown = admin.get(&appliance, &format!("{EVENTS}?person=ben")).await.expect(200).body;
    assert!(!shown.contains("Secret plans") && shown.contains("Bens laptop"));
    let shown = admin.get(&appliance, &format!("{EVENTS}?person=nobody")).await.expect(200).body;
    assert!(shown.contains("Nobody has this user name") && !shown.contains("Bens laptop"));
}

#[tokio::test]
async fn the_export_says_what_the_page_says() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    for n in 0..120 {
        appliance.advance(minutes(1));
        let (_, token) = appliance.personal_token(&format!("Token {n}"));
        if n % 3 == 0 {
            call(&appliance, &token).await.expect(200);
        }
        appliance.app.flush_events().unwrap();
        if n < 90 {
            let newest = appliance.app.personal_tokens(appliance.admin.id).unwrap();
            appliance.app.revoke_personal_token(appliance.admin.id, newest[0].token.id).unwrap();
        }
    }
    for query in ["", "?kind=calls", "?kind=tokens", "?person=ada&kind=sign-ins", "?server=keyward", "?from=2026-11-24"]
    {
        let answer = browser.get(&appliance, &format!("{EXPORT}{query}")).await.expect(200);
        assert!(answer.header("content-type").starts_with("application/x-ndjson"));
        let exported: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut shown: Vec<String> = Vec::new();
        let mut path = format!("{EVENTS}{query}");
        loop {
            let body = browser.get(&appliance, &path).await.expect(200).body;
            let (_, log) = body.split_once("id=\"log-heading\"").unwrap();
            let rows = log.split("<th scope=\"row\">").skip(1).filter(|row| row.contains("<span class=\"sub\">"));
            shown.extend(rows.map(|row| unescape(row.split("<span").next().unwrap())));
            let Some((before, _)) = log.split_once("\" rel=\"next\"") else { break };
            path = unescape(before.rsplit("href=\"").next().unwrap());
        }
        let sentences: Vec<_> = exported.iter().map(|line| line["sentence"].as_str().unwrap().to_owned()).collect();
        assert_eq!(shown, sentences, "{query}");
        assert!(!shown.is_empty() || query.contains("2026-11-24"), "{query}");
        let times: Vec<_> = exported.iter().map(|line| line["at"].as_str().unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a >= b), "newest first");
    }
}

fn unescape(text: &str) -> String {
    text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&")
}

#[tokio::test]
async fn pages_go_back_and_forth_and_every_filter_shows_what_it_should() {
    let mut appliance = Appliance::new();
    let people = [appliance.admin.clone(), appliance.add_member("ben"), appliance.add_member("cy")];
    for n in 0..260_usize {
        appliance.advance(hours(1));
        let user = &people[n % people.len()];
        let (id, token) = appliance.personal_token_of(user.id, &format!("Token {n}"));
        if n % 4 == 0 {
            call(&appliance, &token).await.expect(200);
        }
        appliance.app.revoke_personal_token(user.id, id).unwrap();
        appliance.app.flush_events().unwrap();
    }
    let all = lines(&appliance);
    let begin = appliance.clock.now() - hours(200);
    for user in [None, Some(people[1].id)] {
        for class in [None, Some(EventClass::Calls), Some(EventClass::Tokens), Some(EventClass::Keys)] {
            for server in [None, Some("keyward".to_owned())] {
                for from in [None, Some(begin)] {
                    let until = from.map(|from| from + hours(100));
                    let filter = EventFilter { user, class, server: server.clone(), from, until, client: None };
                    let fits = |id: &EventId, event: &Event| {
                        let by = event.actor().map(|actor| actor.id);
                        let about = event.user.as_ref().map(|user| user.id);
                        user.is_none_or(|user| by == Some(user) || about == Some(user))
                            && class.is_none_or(|class| event.kind.class() == class)
                            && server.as_ref().is_none_or(|server| event.server.as_ref() == Some(server))
                            && from.is_none_or(|from| id.made_at() >= from)
                            && until.is_none_or(|until| id.made_at() < until)
                    };
                    let mut expected: Vec<_> =
                        all.iter().filter(|(id, event)| fits(id, event)).map(|(id, _)| *id).collect();
                    expected.reverse();
                    let (mut found, mut place) = (Vec::new(), EventPlace::Newest);
                    let mut last = None;
                    loop {
                        let page = page(&appliance, &filter, place);
                        assert!(page.events.len() <= PAGE && !page.is_cut_short);
                        found.extend(page.events.iter().map(|(id, _)| *id));
                        let Some(older) = page.older else { break };
                        (place, last) = (EventPlace::OlderThan(older), Some(page));
                    }
                    assert_eq!(found, expected, "{filter:?}");
                    if let (EventPlace::OlderThan(_), Some(before)) = (place, last) {
                        let here = page(&appliance, &filter, place);
                        let back = page(&appliance, &filter, EventPlace::NewerThan(here.newer.unwrap()));
                        let ids = |page: &EventPage| page.events.iter().map(|(id, _)| *id).collect::<Vec<_>>();
                        assert_eq!(ids(&back), ids(&before), "and back again");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn what_others_wrote_is_text_in_the_log() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (_, token) = appliance.personal_token(POLYGLOT);
    let agent = Agent::register(&appliance, POLYGLOT).await;
    let tokens = agent.connect(&appliance, &mut browser).await;
    for token in [&token, &tokens.access_token] {
        call_tool(&appliance, token, POLYGLOT, json!({})).await;
        call(&appliance, token).await.expect(200);
    }
    appliance.app.flush_events().unwrap();
    let quoted: String = url::form_urlencoded::byte_serialize(POLYGLOT.as_bytes()).collect();
    for path in [
        EVENTS.to_owned(),
        ACTIVITY.to_owned(),
        format!(
            "{EVENTS}?person={quoted}&client={quoted}&server={quoted}&from={quoted}&to={quoted}&at={quoted}&kind={quoted}"
        ),
    ] {
        let body = browser.get(&appliance, &path).await.expect(200).body;
        assert!(body.contains("onerror=alert(2)&#62;"), "{path} shows it");
        for live in ["<svg/onload", "<img", "</title></textarea>", "\"'><"] {
            assert!(!body.contains(live), "{path}: {live}");
        }
    }
}

#[tokio::test]
async fn no_line_has_a_secret_or_an_argument() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    Browser::new().sign_in(&appliance, "ada", "hunter2hunter2").await;
    Browser::new().sign_in(&appliance, "my-password-in-the-wrong-field", "x").await;
    let (_, personal) = appliance.personal_token("Laptop");
    let agent = Agent::register(&appliance, "Claude Code").await;
    let tokens = agent.connect(&appliance, &mut browser).await;
    call_tool(&appliance, &personal, "whoami", json!({"argument": "an-argument-of-a-call"})).await;
    call_tool(&appliance, &tokens.access_token, "list_servers", json!({})).await.expect(200);
    call_tool(&appliance, &format!("{personal}x"), "whoami", json!({})).await.expect(401);
    call_tool(&appliance, &tokens.refresh_token, "whoami", json!({})).await.expect(401);
    agent.refresh(&appliance, &tokens.refresh_token).await.expect(200);
    let fields = [("token", tokens.refresh_token.as_str()), ("client_id", agent.client_id.as_str())];
    appliance.post_form("/revoke", &fields, &[]).await.expect(200);
    appliance.app.revoke_all_connections(appliance.admin.id).unwrap();

    let mut bytes: Vec<u8> = Vec::new();
    for (_, event) in lines(&appliance) {
        bytes.extend(encode_record(&event).unwrap());
    }
    let pages = [EVENTS, ACTIVITY, EXPORT];
    for path in pages {
        bytes.extend(browser.get(&appliance, path).await.expect(200).body.into_bytes());
    }
    assert!(bytes.len() > 5_000);
    let text = String::from_utf8_lossy(&bytes);
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let secrets = [
        signature(&personal),
        signature(&tokens.access_token),
        tokens.refresh_token.clone(),
        PASSWORD.to_owned(),
        "hunter2hunter2".to_owned(),
        "my-password-in-the-wrong-field".to_owned(),
        "an-argument-of-a-call".to_owned(),
        agent.pkce.verifier.clone(),
        PlainTokenKind::RefreshToken.prefix().to_owned(),
        "eyJ".to_owned(),
    ];
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret}");
    }
}

#[tokio::test]
async fn calls_that_find_no_room_are_counted_and_said() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Loop");
    for _ in 0..4_200 {
        call(&appliance, &token).await;
    }
    let all = lines(&appliance);
    let of = |kind| all.iter().filter(|(_, event)| event.kind == kind).map(|(_, event)| event.times).sum::<u32>();
    assert_eq!((of(EventKind::Called), of(EventKind::CallsNotLogged)), (4_096, 104));
    let days = appliance.app.server_days("keyward").unwrap();
    let today = keyward::event::day_of(appliance.clock.now());
    assert_eq!(days.calls.until(today)[DAYS - 1], 4_200, "counts leave out nothing");
    let owned = appliance.app.personal_tokens(appliance.admin.id).unwrap()[0].token.id;
    assert_eq!(appliance.app.token_days(owned).unwrap()[DAYS - 1], 4_200);
}

#[tokio::test]
async fn the_owner_of_a_token_reads_why_it_was_refused() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let (id, token) = appliance.personal_token("Laptop");
    let (_, bens) = appliance.personal_token_of(ben.id, "Bens laptop");
    call(&appliance, &token).await.expect(200);
    call(&appliance, &bens).await.expect(200);
    appliance.app.revoke_personal_token(appliance.admin.id, id).unwrap();
    for _ in 0..5 {
        call(&appliance, &token).await.expect(401);
    }
    appliance.advance(days(368));
    call(&appliance, &bens).await.expect(401);
    // Nobody but its owner, and not without its signature.
    call(&appliance, &format!("{}x", &bens[..bens.len() - 1])).await.expect(401);
    call(&appliance, "not-a-token").await.expect(401);

    let mut browser = Browser::signed_in(&appliance).await;
    let shown = browser.get(&appliance, ACTIVITY).await.expect(200).body;
    assert!(shown.contains("The token was revoked.") && shown.contains("5 times"), "{shown}");
    assert!(!shown.contains("expired"));
    let shown = browser.get(&appliance, EVENTS).await.expect(200).body;
    assert!(shown.contains("The token was revoked.") && shown.contains("The token expired 3 days ago."), "{shown}");
    assert!(shown.contains("The token was not made here.") && shown.contains("nobody known"));
    assert!(!shown.contains("not-a-token"));

    let mut other = Browser::new();
    other.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let shown = other.get(&appliance, ACTIVITY).await.expect(200).body;
    assert!(shown.contains("The token expired 3 days ago.") && !shown.contains("was revoked"), "{shown}");
    assert!(shown.contains("with Bens laptop"));

    let logged: Vec<_> = lines(&appliance).into_iter().filter(|(_, event)| event.kind == EventKind::Refused).collect();
    assert_eq!(logged.len(), 2, "what repeats itself is one line");
    assert_eq!(KEPT.of_one_user, 50);
}

#[tokio::test]
async fn whoever_has_to_connect_again_reads_why() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (agent, other) = (Agent::register(&appliance, "Desk").await, Agent::register(&appliance, "Other").await);
    let tokens = agent.connect(&appliance, &mut browser).await;
    other.refresh(&appliance, &tokens.refresh_token).await.expect(400);
    agent.refresh(&appliance, "kwr_not-one-of-ours").await.expect(400);
    let shown = browser.get(&appliance, ACTIVITY).await.expect(200).body;
    assert!(shown.contains("None of your tokens and apps was refused of late."), "strangers write nothing: {shown}");
    appliance.advance(days(31));
    agent.refresh(&appliance, &tokens.refresh_token).await.expect(400);
    browser.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    let shown = browser.get(&appliance, ACTIVITY).await.expect(200).body;
    assert!(shown.contains("The connection was not renewed, because the refresh token has expired."), "{shown}");
    assert!(shown.contains("a new access token of keyward") && shown.contains("with Desk"));
    assert!(shown.contains("Connect the app again."));
}

#[tokio::test]
async fn a_token_for_another_server_is_told_which() {
    let text = "[servers.notes]\nurl = \"http://127.0.0.1:9/mcp\"\n[servers.files]\nurl = \"http://127.0.0.1:9/mcp\"\n";
    let appliance = Appliance::with_file(text);
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let notes = appliance.url_of("notes");
    let callback = agent.authorize_with(&appliance, &mut browser, &[("resource", &notes)], "approve").await;
    let code = crate::support::parameter(&callback, "code").unwrap();
    let tokens = agent.redeem_with(&appliance, &code, &[("resource", &notes)]).await.expect(200).json();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    appliance.post_json("/mcp/files", &ping, &[("authorization", &bearer)]).await.expect(401);
    let shown = browser.get(&appliance, ACTIVITY).await.expect(200).body;
    let (files, notes) = (appliance.url_of("files"), appliance.url_of("notes"));
    assert!(shown.contains(&format!("The token is for {notes}, but {files} was asked.")), "{shown}");
    assert!(shown.contains("with Claude Code"));
}

#[tokio::test]
async fn a_call_of_a_server_behind_is_told_with_its_address_and_its_end() {
    let upstream = Upstream::start();
    let appliance = Appliance::with_file(&format!("[servers.files]\nurl = \"{}\"\n", upstream.url()));
    let (_, token) = appliance.personal_token("Laptop");
    let wire = Wire::to(appliance.listen(), &token);
    wire.call("/mcp/files", "echo", json!({"text": "x"})).await.expect(200).rest().await;
    // Its end is told when the answer has gone.
    let mut told = None;
    for _ in 0..500 {
        told = lines(&appliance).into_iter().map(|(_, event)| event).find(|event| event.kind == EventKind::Called);
        if told.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let told = told.expect("a line");
    assert_eq!((told.server.as_deref(), told.address), (Some("files"), Some([127, 0, 0, 1].into())));
    let call = told.call.unwrap();
    assert_eq!((call.tool.as_str(), call.outcome), ("echo", keyward::event::CallOutcome::Answered));
}

#[tokio::test]
async fn the_page_of_a_server_shows_what_goes_on_there() {
    let mut appliance = Appliance::with_file("[servers.files]\nurl = \"http://127.0.0.1:9/mcp\"\n");
    let ben = appliance.add_member("ben");
    let (_, adas) = appliance.personal_token("Adas laptop");
    let (id, bens) = appliance.personal_token_of(ben.id, "Bens laptop");
    let ask = async |token: &str| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x", "arguments": {}}});
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("mcp-protocol-version", "2025-11-25")];
        appliance.post_json("/mcp/files", &body, &headers).await.status.as_u16()
    };
    let mut admin = Browser::signed_in(&appliance).await;
    let (page, other) = ("/dashboard/servers/files", "/dashboard/servers/keyward");
    let shown = admin.get(&appliance, page).await.expect(200).body;
    assert!(shown.contains("No call in the last 30 days.") && shown.contains("Nobody was refused here of late."));
    assert_eq!((ask(&adas).await, ask(&bens).await), (502, 502));
    appliance.app.flush_events().unwrap();
    appliance.advance(days(3));
    call(&appliance, &adas).await.expect(200);
    assert_eq!(ask(&bens).await, 502);
    appliance.app.revoke_personal_token(ben.id, id).unwrap();
    assert_eq!(ask(&bens).await, 401);

    let shown = admin.get(&appliance, page).await.expect(200).body;
    assert!(shown.contains("aria-label=\"3 calls in 30 days; most 3 days ago: 2; 3 failed\""), "{shown}");
    assert!(shown.contains("3 failed</span> · 1 refused") && shown.contains("26 November 2026"));
    assert!(shown.contains("The token was revoked.") && shown.contains("with Bens laptop"));
    let shown = admin.get(&appliance, other).await.expect(200).body;
    assert!(shown.contains("1 call in 30 days") && !shown.contains("Bens laptop"));
    assert!(shown.contains("whoami") && shown.contains("revoke_my_token"), "its own tools are known");

    let mut browser = Browser::new();
    browser.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let shown = browser.get(&appliance, page).await.expect(200).body;
    assert!(shown.contains("The token was revoked.") && !shown.contains("calls in 30 days"), "{shown}");
    let shown = browser.get(&appliance, other).await.expect(200).body;
    assert!(!shown.contains("Why was I refused?"));
}

#[tokio::test]
async fn requests_are_drawn_day_by_day() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (id, token) = appliance.personal_token("Laptop");
    for count in [3, 1] {
        for _ in 0..count {
            call(&appliance, &token).await.expect(200);
        }
        appliance.app.flush_usage().unwrap();
        appliance.advance(days(2));
    }
    call(&appliance, &token).await.expect(200);
    let counted = appliance.app.token_days(id).unwrap();
    assert_eq!(counted[DAYS - 5..], [3, 0, 1, 0, 1], "what was not written yet is counted as well");
    let shown = browser.get(&appliance, "/dashboard/api-keys").await.expect(200).body;
    assert!(shown.contains("aria-label=\"5 requests in 30 days; most 4 days ago: 3\""), "{shown}");
    assert!(!shown.contains("style="));

    let grant = Agent::register(&appliance, "Claude Code").await.connect(&appliance, &mut browser).await;
    for _ in 0..2 {
        call(&appliance, &grant.access_token).await.expect(200);
    }
    let shown = browser.get(&appliance, "/dashboard/connections").await.expect(200).body;
    assert!(shown.contains("aria-label=\"2 requests in 30 days"), "{shown}");
}

#[tokio::test]
async fn calls_go_after_their_time_and_what_people_did_stays_longer() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    call(&appliance, &token).await.expect(200);
    assert_eq!(kinds(&appliance), [EventKind::SetUp, EventKind::TokenMade, EventKind::Called]);
    appliance.advance(days(89));
    appliance.app.sweep().unwrap();
    assert_eq!(lines(&appliance).len(), 3);
    appliance.advance(days(2));
    appliance.app.sweep().unwrap();
    assert_eq!(kinds(&appliance), [EventKind::SetUp, EventKind::TokenMade]);
    appliance.advance(days(275));
    appliance.app.sweep().unwrap();
    assert_eq!(kinds(&appliance), []);
    assert_eq!(appliance.app.event_count().unwrap(), 0);
    let facets = EventFilter { user: Some(appliance.admin.id), ..EventFilter::default() };
    assert!(page(&appliance, &facets, EventPlace::Newest).events.is_empty());
}

#[tokio::test]
async fn the_oldest_calls_make_room() {
    let appliance = Appliance::with(&[("KEYWARD_EVENTS_MOST_CALLS", "1000")]);
    let (_, token) = appliance.personal_token("Laptop");
    for round in 0..3 {
        for _ in 0..500 {
            call(&appliance, &token).await.expect(200);
        }
        appliance.app.flush_events().unwrap();
        appliance.app.sweep().unwrap();
        let calls = kinds(&appliance).into_iter().filter(|kind| *kind == EventKind::Called).count();
        assert_eq!(calls, ((round + 1) * 500).min(1_000));
        appliance.advance(minutes(1));
    }
    assert!(kinds(&appliance).contains(&EventKind::TokenMade));
}

#[tokio::test]
async fn strangers_do_not_fill_the_log() {
    let appliance = Appliance::with(&[("KEYWARD_LIMITS_RATE_LIMITS", "false")]);
    let before = lines(&appliance).len();
    for n in 0..40 {
        Browser::new().sign_in(&appliance, if n % 2 == 0 { "ada" } else { "nobody" }, "wrong").await.expect(401);
    }
    for n in 0..100 {
        Agent::register(&appliance, &format!("Client {n}")).await;
    }
    let left: Vec<_> = lines(&appliance).into_iter().skip(before).map(|(_, event)| event).collect();
    let failed: Vec<_> = left.iter().filter(|event| event.kind == EventKind::SignInFailed).collect();
    assert_eq!(failed.iter().map(|event| event.times).collect::<Vec<_>>(), [20, 20]);
    let registered: Vec<_> = left.iter().filter(|event| event.kind == EventKind::ClientRegistered).collect();
    assert_eq!(registered.len(), 61);
    assert_eq!(registered.iter().map(|event| event.times).sum::<u32>(), 100);
}

#[test]
fn a_revocation_that_was_answered_has_its_line_after_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let (directory, address) = (data.path().join("keyward"), free_address());
    let served = Served::start(&directory, address);
    let mut person: Person = set_up(&served);
    let (id, token) = make_token(&served, &mut person, "Laptop");
    assert_eq!(served.call(&token).status, 200);
    let path = format!("/dashboard/api-keys/{id}/revoke");
    let form = person.get(&served, &path);
    assert_eq!(person.submit(&served, &form, &path, &[]).status, 303);
    served.kill();

    let served = Served::start(&directory, address);
    let log = person.get(&served, EVENTS).body;
    for line in ["ada became the first admin", "ada made the token “Laptop”", "ada revoked the token “Laptop”"]
    {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(log.contains("127.0.0.1"));
}

#[test]
fn a_stop_writes_the_calls_that_wait() {
    let data = tempfile::tempdir().unwrap();
    let (directory, address) = (data.path().join("keyward"), free_address());
    let served = Served::start(&directory, address);
    let mut person = set_up(&served);
    let (_, token) = make_token(&served, &mut person, "Laptop");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("accept", "*/*")];
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}});
    assert_eq!(served.send("POST", "/mcp", &headers, &body.to_string()).status, 200);
    served.stop();
    let served = Served::start(&directory, address);
    let log = person.get(&served, ACTIVITY).body;
    assert!(log.contains("ada called whoami of keyward with the token “Laptop”"), "{log}");
}
