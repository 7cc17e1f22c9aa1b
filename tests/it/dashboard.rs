//! What people do in the dashboard: tokens, connected apps, clients, signing keys, password.

use crate::support::{Agent, Answer, Appliance, Browser, call};
use keyward::account::personal_token::{Reach, TokenState};
use keyward::clock::{Clock, Timestamp, days, hours, minutes};
use keyward::entropy::OsEntropy;
use keyward::id::{GrantId, KeyId, TokenId};
use keyward::web::when::When;

const TOKENS: &str = "/dashboard/api-keys";
const NEW_TOKEN: &str = "/dashboard/api-keys/new";
const PASSWORD: &str = "four quiet random words";

/// The token that a page shows.
fn shown_token(page: &Answer) -> Option<String> {
    let (_, rest) = page.body.split_once("<pre id=\"token\"><code>")?;
    Some(rest.split('<').next()?.to_owned())
}

async fn create(appliance: &Appliance, browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    let page = browser.get(appliance, NEW_TOKEN).await.expect(200);
    browser.submit(appliance, &page, NEW_TOKEN, fields).await
}

/// Whether the page says so right after the field with this id.
fn problem<'p>(page: &'p Answer, id: &str) -> Option<&'p str> {
    let (_, rest) = page.body.split_once(&format!("<p class=\"problem\" id=\"{id}\">"))?;
    rest.split('<').next()
}

#[tokio::test]
async fn a_token_is_shown_once_and_works() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let form = browser.get(&appliance, NEW_TOKEN).await.expect(200);
    let page = browser.submit(&appliance, &form, NEW_TOKEN, &[("name", "Laptop")]).await.expect(200);
    let token = shown_token(&page).unwrap();
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.location(), "");
    assert!(page.body.matches(&token).count() > 6, "the snippets are ready to paste");
    assert!(call(&appliance, &token).await.expect(200).body.contains("Laptop"));

    let list = browser.get(&appliance, TOKENS).await.expect(200);
    assert!(list.body.contains("Laptop") && !list.body.contains(&token));
    for _ in 0..2 {
        let again = browser.submit(&appliance, &form, NEW_TOKEN, &[("name", "Laptop")]).await.expect(200);
        assert!(again.body.contains("was already shown") && !again.body.contains("eyJ"), "{}", again.body);
    }
    let other = browser.submit(&appliance, &form, NEW_TOKEN, &[("name", "Another")]).await.expect(200);
    assert!(other.body.contains("“Laptop” was already shown"), "the form made its token");
    let tokens = appliance.app.personal_tokens(appliance.admin.id).unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].token.reach, Reach::AllServers);
    assert_eq!(tokens[0].token.expires_at, appliance.clock.now() + days(365), "a year is the default");
}

#[tokio::test]
async fn a_token_lives_as_long_as_was_chosen() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let now = appliance.clock.now();
    let choices: [(&str, &str, Timestamp); 5] = [
        ("7", "", now + days(7)),
        ("30", "2027-01-01", now + days(30)),
        ("90", "", now + days(90)),
        ("365", "", now + days(365)),
        ("date", "2026-12-31", Timestamp::from_unix_seconds(1_798_761_599)),
    ];
    for (expiry, date, expires_at) in choices {
        let fields = [("name", expiry), ("expiry", expiry), ("expiry_date", date)];
        create(&appliance, &mut browser, &fields).await.expect(200);
        let newest = appliance.app.personal_tokens(appliance.admin.id).unwrap();
        let made = newest.iter().find(|entry| entry.token.name.as_str() == expiry).unwrap();
        assert_eq!(made.token.expires_at, expires_at, "{expiry}");
    }
    for (expiry, date) in [("date", "2026-11-22"), ("date", "2027-11-24"), ("date", ""), ("date", "x"), ("366", "")] {
        let fields = [("name", "refused"), ("expiry", expiry), ("expiry_date", date)];
        let refused = create(&appliance, &mut browser, &fields).await.expect(422);
        assert!(problem(&refused, "expiry-problem").is_some(), "{expiry} {date}");
        assert!(refused.body.contains("value=\"refused\""), "the rest of the form is kept");
    }
    let list = browser.get(&appliance, TOKENS).await.expect(200);
    assert!(
        list.body.contains(">in 7 days<") && list.body.contains(">in 30 days<"),
        "not a minute was rounded to a day"
    );
    assert_eq!(list.body.matches("expires soon").count(), 0, "nothing that was made just now");
    appliance.advance(days(5) + hours(7));
    let list = browser.get(&appliance, TOKENS).await.expect(200);
    assert_eq!(list.body.matches("expires very soon").count(), 1, "three quarters of the week are over");
    appliance.advance(days(10));
    browser.get(&appliance, TOKENS).await.expect(200);
    appliance.advance(days(7) + hours(12));
    let list = browser.get(&appliance, TOKENS).await.expect(200);
    assert_eq!(list.body.matches("expires soon").count(), 1, "of the thirty days too");
}

#[tokio::test]
async fn what_is_wrong_with_a_new_token_stands_at_its_field() {
    let appliance = Appliance::with(&[("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", "1")]);
    let mut browser = Browser::signed_in(&appliance).await;
    for name in ["", "   ", "a\u{202e}b", "x\ny", &"x".repeat(81)] {
        let refused = create(&appliance, &mut browser, &[("name", name)]).await.expect(422);
        assert!(problem(&refused, "name-problem").unwrap().contains("1 to 80"), "{name:?}");
    }
    let refused = create(&appliance, &mut browser, &[("name", "a"), ("reach", "chosen")]).await.expect(422);
    assert_eq!(problem(&refused, "reach-problem"), Some("Choose one server at least."));
    create(&appliance, &mut browser, &[("name", "Laptop"), ("reach", "chosen"), ("server", "keyward")])
        .await
        .expect(200);
    let refused = create(&appliance, &mut browser, &[("name", "lapTOP")]).await.expect(422);
    assert!(refused.body.contains("the most"), "the limit comes first");
    let strange = [("name", "b"), ("reach", "chosen"), ("server", "nowhere")];
    create(&appliance, &mut browser, &strange).await.expect(404);
    create(&appliance, &mut browser, &[("name", "b"), ("reach", "x")]).await.expect(400);
    create(&appliance, &mut browser, &[("name", "b"), ("creation", "x")]).await.expect(400);
    create(&appliance, &mut browser, &[("name", "b"), ("name", "c")]).await.expect(400);

    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    create(&appliance, &mut browser, &[("name", "Laptop")]).await.expect(200);
    let taken = create(&appliance, &mut browser, &[("name", "lapTOP")]).await.expect(422);
    assert!(problem(&taken, "name-problem").unwrap().contains("already have a token"), "{}", taken.body);
}

#[tokio::test]
async fn an_address_fills_the_form_of_a_new_token_in() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let path = format!("{NEW_TOKEN}?name=Backup+%3Cjob%3E&expiry=30&server=keyward&server=nowhere");
    let page = browser.get(&appliance, &path).await.expect(200);
    let form = Browser::form(&page, NEW_TOKEN);
    let field = |name: &str| form.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    assert_eq!(field("name"), Some("Backup <job>"));
    assert_eq!((field("expiry"), field("reach"), field("server")), (Some("30"), Some("chosen"), Some("keyward")));
    let page = browser.get(&appliance, &format!("{NEW_TOKEN}?expiry=2027-01-31")).await.expect(200);
    let form = Browser::form(&page, NEW_TOKEN);
    assert!(form.fields.contains(&("expiry_date".to_owned(), "2027-01-31".to_owned())), "{form:?}");
    for odd in ["?expiry=x", "?expiry=-1", "?name=", "?server=", "?x=y"] {
        browser.get(&appliance, &format!("{NEW_TOKEN}{odd}")).await.expect(200);
    }
    assert!(appliance.app.personal_tokens(appliance.admin.id).unwrap().is_empty());
}

#[tokio::test]
async fn a_token_is_renamed_and_revoked_after_a_question() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (id, token) = appliance.personal_token("Laptop");
    appliance.personal_token("Phone");
    let rename = format!("{TOKENS}/{id}/rename");
    let page = browser.get(&appliance, &rename).await.expect(200);
    for (name, why) in [("phone", "already have a token"), ("", "1 to 80")] {
        let refused = browser.submit(&appliance, &page, &rename, &[("name", name)]).await.expect(422);
        assert!(problem(&refused, "name-problem").unwrap().contains(why), "{name}");
    }
    let renamed = browser.submit(&appliance, &page, &rename, &[("name", "Desk")]).await.expect(303);
    let list = browser.get(&appliance, renamed.location()).await.expect(200);
    assert!(list.body.contains("The token has its new name.") && list.body.contains("Desk"));

    let revoke = format!("{TOKENS}/{id}/revoke");
    let page = browser.get(&appliance, &revoke).await.expect(200);
    assert!(page.body.contains("Revoke “Desk”?"));
    call(&appliance, &token).await.expect(200);
    let revoked = browser.submit(&appliance, &page, &revoke, &[]).await.expect(303);
    call(&appliance, &token).await.expect(401);
    assert!(browser.get(&appliance, revoked.location()).await.expect(200).body.contains("is revoked"));
    browser.submit(&appliance, &page, &revoke, &[]).await.expect(303);
    let state = appliance.app.personal_token(appliance.admin.id, id).unwrap().state;
    assert_eq!(state, TokenState::Revoked);
}

#[tokio::test]
async fn the_list_tells_the_last_use_at_once() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (_, token) = appliance.personal_token("Laptop");
    assert!(browser.get(&appliance, TOKENS).await.body.contains("never"));
    let bearer = format!("Bearer {token}");
    let ping = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let headers = [("authorization", bearer.as_str()), ("user-agent", "Claude-Code/2.1")];
    appliance.post_json("/mcp", &ping, &headers).await.expect(200);
    appliance.advance(minutes(2));
    let list = browser.get(&appliance, TOKENS).await.expect(200);
    assert!(list.body.contains("Claude-Code/2.1") && list.body.contains("2 minutes ago"), "{}", list.body);
}

#[tokio::test]
async fn a_connected_app_is_listed_with_its_host_and_revoked() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let first = Agent::register(&appliance, "Claude Code").await.connect(&appliance, &mut browser).await;
    let second = Agent::register(&appliance, "Cursor").await.connect(&appliance, &mut browser).await;
    let third = Agent::register(&appliance, "Inspector").await.connect(&appliance, &mut browser).await;
    let list = browser.get(&appliance, "/dashboard/connections").await.expect(200);
    for part in
        ["Claude Code", "Cursor", "127.0.0.1:33418", "not verified", "everything that you may do", "stay connected"]
    {
        assert!(list.body.contains(part), "{part}");
    }
    let connections = appliance.app.connections(appliance.admin.id).unwrap();
    let id = connections.iter().find(|connection| connection.grant.client_name == "Cursor").unwrap().grant.id;
    let revoke = format!("/dashboard/connections/{id}/revoke");
    let page = browser.get(&appliance, &revoke).await.expect(200);
    call(&appliance, &second.access_token).await.expect(200);
    let revoked = browser.submit(&appliance, &page, &revoke, &[]).await.expect(303);
    assert_eq!(revoked.location(), "/dashboard/connections?done=app-revoked");
    call(&appliance, &second.access_token).await.expect(401);
    call(&appliance, &first.access_token).await.expect(200);
    browser.get(&appliance, &revoke).await.expect(404);

    let all = "/dashboard/connections/revoke-all";
    let page = browser.get(&appliance, all).await.expect(200);
    assert!(page.body.contains("Revoke all 2 apps?"));
    browser.submit(&appliance, &page, all, &[]).await.expect(303);
    for grant in [first, third] {
        call(&appliance, &grant.access_token).await.expect(401);
    }
    assert_eq!(browser.get(&appliance, all).await.expect(303).location(), "/dashboard/connections");
}

#[tokio::test]
async fn a_client_is_made_by_hand_and_its_secret_shown_once() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let new = "/dashboard/clients/new";
    let form = browser.get(&appliance, new).await.expect(200);
    let uris = "https://portal.example.org/cb\r\nhttp://localhost/cb";
    let fields = [("name", "Team portal"), ("redirect_uris", uris), ("kind", "confidential")];
    let made = browser.submit(&appliance, &form, new, &fields).await.expect(200);
    assert!(made.body.contains("kws_") && made.header("cache-control") == "no-store");
    let again = browser.submit(&appliance, &form, new, &fields).await.expect(200);
    assert!(!again.body.contains("kws_") && again.body.contains("already shown"));
    let form = browser.get(&appliance, new).await.expect(200);
    let public = [("name", "Desktop"), ("redirect_uris", "com.example.app:/cb"), ("kind", "public")];
    let made = browser.submit(&appliance, &form, new, &public).await.expect(200);
    assert!(!made.body.contains("kws_") && made.body.contains("has no secret"));
    let list = browser.get(&appliance, "/dashboard/clients").await.expect(200);
    for part in ["Team portal", "Desktop", "registered by an admin", "https://portal.example.org/cb", "confidential"] {
        assert!(list.body.contains(part), "{part}");
    }
    assert_eq!(appliance.app.clients().unwrap().0.len(), 2);

    let form = browser.get(&appliance, new).await.expect(200);
    let eleven = (0..11).map(|count| format!("https://a.example/{count}")).collect::<Vec<_>>().join("\n");
    for uris in ["", "https://a.example/cb\njavascript:alert(1)", "https://a.example/*\n", "ftp://x", &eleven] {
        let fields = [("name", ""), ("redirect_uris", uris), ("kind", "public")];
        let refused = browser.submit(&appliance, &form, new, &fields).await.expect(422);
        assert!(problem(&refused, "name-problem").is_some() && problem(&refused, "redirect-uris-problem").is_some());
    }
    let strange = [("name", "x"), ("redirect_uris", "https://a.example/"), ("creation", "https://evil.example/client")];
    let refused = browser.submit(&appliance, &form, new, &[&strange[..], &[("kind", "public")]].concat()).await;
    assert_eq!(refused.status, 422, "an id that is somebody's address cannot be taken");
    assert_eq!(appliance.app.clients().unwrap().0.len(), 2);
}

#[tokio::test]
async fn a_document_is_pinned_or_says_what_is_wrong_with_it() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let pin = "/dashboard/clients/pin";
    let page = browser.get(&appliance, pin).await.expect(200);
    let url = "https://app.example.org/client.json";
    let document = serde_json::json!({
        "client_id": url, "client_name": "Pinned", "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
    });
    let document = document.to_string();
    for bad in ["", "http://app.example.org/client.json", "https://10.0.0.1/x", "x"] {
        let refused =
            browser.submit(&appliance, &page, pin, &[("url", bad), ("document", &document)]).await.expect(422);
        assert!(problem(&refused, "url-problem").is_some(), "{bad}");
    }
    for bad in ["", "{}", "[", &document.replace("client.json", "other.json"), &" ".repeat(9_000)] {
        let refused = browser.submit(&appliance, &page, pin, &[("url", url), ("document", bad)]).await.expect(422);
        assert!(problem(&refused, "document-problem").is_some(), "{bad}");
    }
    browser.submit(&appliance, &page, pin, &[("url", url), ("document", &document)]).await.expect(303);
    let list = browser.get(&appliance, "/dashboard/clients?done=client-pinned").await.expect(200);
    for part in ["document pinned", "vouched for by app.example.org", "Pinned", "The document is pinned."] {
        assert!(list.body.contains(part), "{part}");
    }
}

#[tokio::test]
async fn a_removed_client_takes_its_connections_along() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Cursor").await;
    let grant = agent.connect(&appliance, &mut browser).await;
    let remove = "/dashboard/clients/remove";
    let page = browser.get(&appliance, &format!("{remove}?client_id={}", agent.client_id)).await.expect(200);
    assert!(page.body.contains("Remove “Cursor”?") && page.body.contains("1 connection"));
    call(&appliance, &grant.access_token).await.expect(200);
    browser.submit(&appliance, &page, remove, &[]).await.expect(303);
    call(&appliance, &grant.access_token).await.expect(401);
    browser.submit(&appliance, &page, remove, &[]).await.expect(404);
    for query in ["", "?client_id=x", "?client_id=", "?client_id=a&client_id=b"] {
        browser.get(&appliance, &format!("{remove}{query}")).await.expect(400);
    }
}

#[tokio::test]
async fn signing_keys_are_rotated_and_condemned_by_hand() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (_, token) = appliance.personal_token("Laptop");
    let first = appliance.app.live().keys().signer().id();
    let rotate = "/dashboard/signing-keys/rotate";
    let list = browser.get(&appliance, "/dashboard/signing-keys").await.expect(200);
    let hour = When::new(appliance.clock.now() + hours(1), appliance.clock.now()).minute().to_string();
    assert!(list.body.contains(&format!("possible from {hour}")), "{}", list.body);
    assert!(list.body.contains("<button type=\"submit\" disabled"), "{}", list.body);
    let early = browser.submit(&appliance, &list, rotate, &[]).await.expect(409);
    assert!(early.body.contains("has not been published for long enough"), "{}", early.body);
    appliance.advance(hours(1));
    let list = browser.get(&appliance, "/dashboard/signing-keys").await.expect(200);
    assert!(!list.body.contains("possible from") && !list.body.contains(" disabled"), "{}", list.body);
    let rotated = browser.submit(&appliance, &list, rotate, &[]).await.expect(303);
    let list = browser.get(&appliance, rotated.location()).await.expect(200);
    for part in ["next", "active", "retired", &first.to_string()] {
        assert!(list.body.contains(part), "{part}");
    }
    call(&appliance, &token).await.expect(200);

    let condemn = format!("/dashboard/signing-keys/{first}/condemn");
    let page = browser.get(&appliance, &condemn).await.expect(200);
    assert!(page.body.contains("1 personal access token stops working"), "{}", page.body);
    call(&appliance, &token).await.expect(200);
    let asked = browser.submit(&appliance, &page, &condemn, &[]).await.expect(401);
    call(&appliance, &token).await.expect(200);
    browser.submit(&appliance, &asked, &condemn, &[("password", PASSWORD)]).await.expect(303);
    call(&appliance, &token).await.expect(401);
    browser.submit(&appliance, &page, &condemn, &[]).await.expect(303);
    assert!(browser.get(&appliance, "/dashboard/signing-keys").await.body.contains("condemned"));
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_renews_this_one() {
    let appliance = Appliance::new();
    let (mut browser, mut other) = (Browser::signed_in(&appliance).await, Browser::signed_in(&appliance).await);
    let before = browser.clone();
    let change = "/dashboard/security/password";
    let page = browser.get(&appliance, "/dashboard/security").await.expect(200);
    assert!(page.body.contains("in 2 browsers"));
    let new = "a lantern over the harbour wall";
    let fill =
        |current, new, again| [("current_password", current), ("new_password", new), ("new_password_again", again)];
    let differs = browser.submit(&appliance, &page, change, &fill(PASSWORD, new, "x")).await.expect(422);
    assert_eq!(problem(&differs, "new-problem"), Some("The two new passwords differ."));
    let weak = browser.submit(&appliance, &page, change, &fill(PASSWORD, "password", "password")).await.expect(422);
    assert!(problem(&weak, "new-problem").is_some());
    let wrong = browser.submit(&appliance, &page, change, &fill("x", new, new)).await.expect(422);
    assert!(problem(&wrong, "current-problem").unwrap().contains("not right") && !wrong.body.contains(new));
    appliance.advance(minutes(10));
    let changed = browser.submit(&appliance, &page, change, &fill(PASSWORD, new, new)).await.expect(303);
    assert!(browser.get(&appliance, changed.location()).await.expect(200).body.contains("Your password is changed"));
    other.get(&appliance, "/dashboard").await.expect(303);
    before.clone().get(&appliance, "/dashboard").await.expect(303);
    Browser::new().sign_in(&appliance, "ada", PASSWORD).await.expect(401);
    Browser::new().sign_in(&appliance, "ada", new).await.expect(303);
}

#[tokio::test]
async fn guessing_the_current_password_is_slowed() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, "/dashboard/security").await.expect(200);
    let new = "a lantern over the harbour wall";
    let fields = [("current_password", "x"), ("new_password", new), ("new_password_again", new)];
    let mut last = 0;
    for _ in 0..5 {
        last = browser.submit(&appliance, &page, "/dashboard/security/password", &fields).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn the_other_browsers_are_signed_out_and_this_one_stays() {
    let appliance = Appliance::new();
    let (mut browser, mut other) = (Browser::signed_in(&appliance).await, Browser::signed_in(&appliance).await);
    let path = "/dashboard/security/sign-out-everywhere";
    let page = browser.get(&appliance, path).await.expect(200);
    let answer = browser.submit(&appliance, &page, path, &[]).await.expect(303);
    let page = browser.get(&appliance, answer.location()).await.expect(200);
    assert!(page.body.contains("Every other browser is signed out.") && page.body.contains("in this browser only"));
    other.get(&appliance, "/dashboard").await.expect(303);
}

#[tokio::test]
async fn home_tells_the_address_and_the_counts() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    appliance.personal_token("Laptop");
    create(&appliance, &mut browser, &[("name", "Week"), ("expiry", "7")]).await.expect(200);
    Agent::register(&appliance, "Cursor").await.connect(&appliance, &mut browser).await;
    let page = browser.get(&appliance, "/dashboard").await.expect(200);
    assert!(!page.body.contains("1 expires soon"), "it was made just now");
    appliance.advance(days(6));
    let page = browser.get(&appliance, "/dashboard").await.expect(200);
    for part in
        ["http://127.0.0.1:8080/mcp", "<span class=\"tally-count\">2</span>", "1 expires soon", "claude mcp add"]
    {
        assert!(page.body.contains(part), "{part}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let now = appliance.clock.now();
    let (token, grant) = (TokenId::generate(now, &OsEntropy), GrantId::generate(now, &OsEntropy));
    let key = KeyId::generate(now, &OsEntropy);
    let client = "/dashboard/clients/remove?client_id=cli_01h00000000000000000000000";
    let paths = [
        format!("{TOKENS}/{token}/rename"),
        format!("{TOKENS}/{token}/revoke"),
        format!("{TOKENS}/x/revoke"),
        format!("{TOKENS}/{key}/revoke"),
        format!("/dashboard/connections/{grant}/revoke"),
        "/dashboard/connections/%00/revoke".to_owned(),
        format!("/dashboard/signing-keys/{key}/condemn"),
        client.to_owned(),
        "/dashboard/none".to_owned(),
    ];
    for path in paths {
        let page = browser.get(&appliance, &path).await.expect(404);
        assert!(page.body.contains("<h1"), "{path}");
    }
    let home = browser.get(&appliance, TOKENS).await.expect(200);
    let form = Browser::form(&home, "/logout");
    for path in [format!("{TOKENS}/{token}/revoke"), format!("/dashboard/signing-keys/{key}/condemn")] {
        browser.send(&appliance, &path, &form, &[]).await.expect(404);
    }
}

#[tokio::test]
async fn a_check_from_the_dashboard_says_what_is_in_the_way_and_asks_nobody_else() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, "/dashboard/check").await.expect(200);
    assert!(page.body.contains("Claude, ChatGPT, VS Code and Cursor") && !page.body.contains("in the way"));
    let form = Browser::form(&page, "/dashboard/check");
    // Nobody listens where this appliance believes to be.
    let done = browser.send(&appliance, "/dashboard/check", &form, &[("server", "keyward")]).await.expect(200);
    assert!(done.body.contains("Something is in the way") && done.body.contains("no connection"), "{}", done.body);
    let elsewhere = [("server", "https://evil.example/mcp")];
    browser.send(&appliance, "/dashboard/check", &form, &elsewhere).await.expect(400);
}
