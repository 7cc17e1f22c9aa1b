//! Servers that admins keep in the dashboard: added, changed, tried, switched and removed, and who reaches them meanwhile.

use crate::revocation::resource_server;
use crate::support::{
    Agent, Answer, Appliance, Browser, Served, Upstream, Wire, callback_parameters, free_address, parameter, set_up,
};
use axum::http::Method;
use keyward::access::{ServerName, ServerSource};
use keyward::clock::minutes;
use serde_json::{Value, json};
use std::time::Duration;

const SERVERS: &str = "/dashboard/servers";
const NEW: &str = "/dashboard/servers/new";
const FILES: &str = "/dashboard/servers/files";

/// Fields of a form: name and value.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// An appliance with an admin at a browser.
async fn story() -> (Appliance, Browser) {
    let appliance = Appliance::new();
    let browser = Browser::signed_in(&appliance).await;
    (appliance, browser)
}

async fn send(appliance: &Appliance, browser: &mut Browser, path: &str, fields: Fields<'_>) -> Answer {
    let form = browser.get(appliance, path).await.expect(200);
    browser.submit(appliance, &form, path, fields).await
}

/// Adds a server at a URL.
async fn add(appliance: &Appliance, browser: &mut Browser, name: &str, url: &str) {
    send(appliance, browser, NEW, &[("name", name), ("url", url)]).await.expect(303);
}

async fn switch(appliance: &Appliance, browser: &mut Browser, name: &str) {
    let path = format!("{SERVERS}/{name}");
    let page = browser.get(appliance, &path).await.expect(200);
    browser.submit(appliance, &page, &format!("{path}/enable"), &[]).await.expect(303);
}

async fn remove(appliance: &Appliance, browser: &mut Browser, name: &str) {
    let path = format!("{SERVERS}/{name}/remove");
    let page = browser.get(appliance, &path).await.expect(200);
    assert!(page.body.contains(&format!("Remove “{name}”?")), "{}", page.body);
    browser.submit(appliance, &page, &path, &[]).await.expect(303);
}

fn name(text: &str) -> ServerName {
    ServerName::parse(text).unwrap()
}

/// What the page says right after the field with this id.
fn problem<'p>(page: &'p Answer, field: &str) -> Option<&'p str> {
    let (_, rest) = page.body.split_once(&format!("<p class=\"problem\" id=\"{field}-problem\">"))?;
    rest.split('<').next()
}

async fn echo(appliance: &Appliance, token: &str, path: &str) -> u16 {
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": "echo", "arguments": {"text": "x"}}});
    let bearer = format!("Bearer {token}");
    appliance.post_json(path, &message, &[("authorization", &bearer)]).await.status.as_u16()
}

/// Connects an agent to the server called `server`; its tokens.
async fn connect(appliance: &Appliance, browser: &mut Browser, agent: &Agent, server: &str) -> Value {
    let resource = appliance.url_of(server);
    let callback = agent.authorize_with(appliance, browser, &[("resource", &resource)], "approve").await;
    let code = parameter(&callback, "code").unwrap();
    agent.redeem_with(appliance, &code, &[("resource", &resource)]).await.expect(200).json()
}

#[tokio::test]
async fn a_server_is_added_and_an_agent_calls_a_tool_through_it_at_once() {
    let (appliance, mut browser) = story().await;
    let upstream = Upstream::start();
    let form = browser.get(&appliance, NEW).await.expect(200);
    let url = upstream.url();
    let fields = [
        ("name", "files"),
        ("title", "Files & <drafts>"),
        ("url", url.as_str()),
        ("whose", "shared"),
        ("credential_header", "X-Key"),
        ("credential_prefix", ""),
        ("credential_value", "hunter2"),
        ("scopes", "files:write = write_*, edit_*"),
    ];
    let added = browser.submit(&appliance, &form, NEW, &fields).await.expect(303);
    assert_eq!(added.location(), "/dashboard/servers/files?done=server-added");
    let page = browser.get(&appliance, added.location()).await.expect(200);
    for part in ["Files &#38; &#60;drafts&#62;", &appliance.url_of("files"), "The server is added.", "files:write"] {
        assert!(page.body.contains(part), "{part}");
    }
    assert!(!page.body.contains("hunter2"));

    let agent = Agent::register(&appliance, "Desk").await;
    let tokens = connect(&appliance, &mut browser, &agent, "files").await;
    assert_eq!(echo(&appliance, tokens["access_token"].as_str().unwrap(), "/mcp/files").await, 200);
    assert_eq!(upstream.last().header("x-key"), "hunter2");
    let metadata = "/.well-known/oauth-protected-resource/mcp/files";
    assert_eq!(appliance.get(metadata, &[]).await.expect(200).json()["resource_name"], "Files & <drafts>");
}

#[tokio::test]
async fn a_restart_keeps_the_servers_and_their_secrets() {
    let (mut appliance, mut browser) = story().await;
    let upstream = Upstream::start();
    let fields = [("name", "files"), ("url", &upstream.url()), ("whose", "shared"), ("credential_value", "hunter2")];
    send(&appliance, &mut browser, NEW, &fields).await.expect(303);
    let (_, token) = appliance.personal_token("Laptop");
    appliance.restart();
    assert_eq!(echo(&appliance, &token, "/mcp/files").await, 200);
    assert_eq!(upstream.last().header("authorization"), "Bearer hunter2");
    let edit = browser.get(&appliance, "/dashboard/servers/files/edit").await.expect(200);
    assert!(edit.body.contains("One was entered and is kept") && !edit.body.contains("hunter2"));
}

#[tokio::test]
async fn a_change_holds_at_once_and_leaves_the_streams_of_other_servers_alone() {
    let (appliance, mut browser) = story().await;
    let (files, mail, other) = (Upstream::start(), Upstream::start(), Upstream::start());
    add(&appliance, &mut browser, "files", &files.url()).await;
    add(&appliance, &mut browser, "mail", &mail.url()).await;
    let (_, token) = appliance.personal_token("Laptop");
    let wire = Wire::to(appliance.listen(), &token);
    let mut stream = wire.send(Method::GET, "/mcp/mail", &[], String::new()).await.expect(200);
    mail.until_open(1).await;
    let before = appliance.app.live().servers().by_name(&name("mail")).cloned().unwrap();

    let edit = "/dashboard/servers/files/edit";
    let saved = send(&appliance, &mut browser, edit, &[("url", &other.url()), ("title", "Other")]).await.expect(303);
    assert_eq!(saved.location(), "/dashboard/servers/files?done=server-changed");
    assert_eq!(echo(&appliance, &token, "/mcp/files").await, 200);
    assert_eq!((files.seen().len(), other.seen().len()), (0, 1));
    let after = appliance.app.live().servers().by_name(&name("mail")).cloned().unwrap();
    assert!(std::sync::Arc::ptr_eq(&before, &after), "what is not changed stays the same, with all that hangs on it");
    mail.step();
    assert!(stream.next().await.unwrap().unwrap().contains("\"step\":1"));

    switch(&appliance, &mut browser, "files").await;
    add(&appliance, &mut browser, "third", &files.url()).await;
    remove(&appliance, &mut browser, "third").await;
    mail.step();
    assert!(stream.next().await.unwrap().unwrap().contains("\"step\":2"));
}

#[tokio::test]
async fn a_server_that_is_switched_off_is_refused_at_the_next_request_and_waits_for_its_clients() {
    let (appliance, mut browser) = story().await;
    let upstream = Upstream::start();
    add(&appliance, &mut browser, "files", &upstream.url()).await;
    let agent = Agent::register(&appliance, "Desk").await;
    let tokens = connect(&appliance, &mut browser, &agent, "files").await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(echo(&appliance, token, "/mcp/files").await, 200);
    switch(&appliance, &mut browser, "files").await;
    assert_eq!(echo(&appliance, token, "/mcp/files").await, 404);
    agent.refresh(&appliance, tokens["refresh_token"].as_str().unwrap()).await.expect(400);
    let page = browser.get(&appliance, FILES).await.expect(200);
    assert!(page.body.contains("This server is switched off") && page.body.contains("Switch on"));
    switch(&appliance, &mut browser, "files").await;
    assert_eq!(echo(&appliance, token, "/mcp/files").await, 200, "tokens outlive the pause");
    agent.refresh(&appliance, tokens["refresh_token"].as_str().unwrap()).await.expect(200);
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn who_was_let_in_to_a_removed_server_does_not_reach_what_is_set_up_there_later() {
    let (appliance, mut browser) = story().await;
    let (upstream, later) = (Upstream::start(), Upstream::start());
    add(&appliance, &mut browser, "files", &upstream.url()).await;
    let agent = Agent::register(&appliance, "Desk").await;
    let tokens = connect(&appliance, &mut browser, &agent, "files").await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let chosen = [("name", "Chosen"), ("reach", "chosen"), ("server", "files")];
    let page = send(&appliance, &mut browser, "/dashboard/api-keys/new", &chosen).await.expect(200);
    let (_, rest) = page.body.split_once("<pre id=\"token\"><code>").unwrap();
    let chosen = rest.split('<').next().unwrap();
    let (_, everywhere) = appliance.personal_token("Everywhere");
    for token in [access, chosen, &everywhere] {
        assert_eq!(echo(&appliance, token, "/mcp/files").await, 200);
    }
    remove(&appliance, &mut browser, "files").await;
    assert!(appliance.app.connections(appliance.admin.id).unwrap().is_empty(), "the app is disconnected");
    for token in [access, chosen, &everywhere] {
        assert_eq!(echo(&appliance, token, "/mcp/files").await, 404);
    }
    browser.get(&appliance, FILES).await.expect(404);

    appliance.advance(minutes(1));
    add(&appliance, &mut browser, "files", &later.url()).await;
    assert_eq!(echo(&appliance, access, "/mcp/files").await, 401);
    let refused = call_at(&appliance, chosen).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains("set up after this token was issued"), "{challenge}");
    agent.refresh(&appliance, refresh).await.expect(400);
    assert!(later.seen().is_empty());
    assert_eq!(echo(&appliance, &everywhere, "/mcp/files").await, 200, "a token for every server is for those to come");
    let (_, basic) = resource_server(&appliance);
    for (token, active) in [(access, false), (chosen, false), (everywhere.as_str(), true)] {
        let told =
            appliance.post_form("/introspect", &[("token", token)], &[("authorization", &basic)]).await.expect(200);
        assert_eq!(told.json()["active"], active, "introspection knows it too");
    }
    connect(&appliance, &mut browser, &agent, "files").await;
}

#[tokio::test]
async fn a_consent_page_that_was_open_meanwhile_gives_nothing_of_the_server_that_is_set_up_later() {
    let (appliance, mut browser) = story().await;
    let (upstream, later) = (Upstream::start(), Upstream::start());
    add(&appliance, &mut browser, "files", &upstream.url()).await;
    let agent = Agent::register(&appliance, "Desk").await;
    let asked = agent.authorize_path(&appliance, &[("resource", &appliance.url_of("files"))]);
    let page = browser.get(&appliance, &asked).await.expect(200);
    remove(&appliance, &mut browser, "files").await;
    appliance.advance(minutes(1));
    add(&appliance, &mut browser, "files", &later.url()).await;
    let form = Browser::form(&page, "/authorize");
    let answer = browser.send(&appliance, "/authorize", &form, &[("decision", "approve")]).await;
    let callback = callback_parameters(answer.header("location"));
    assert_eq!(parameter(&callback, "error").as_deref(), Some("invalid_target"));
    assert!(appliance.app.connections(appliance.admin.id).unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_moves_leaves_its_clients_behind_and_nobody_inherits_them() {
    let (appliance, mut browser) = story().await;
    let (first, second) = (Upstream::start(), Upstream::start());
    add(&appliance, &mut browser, "first", &first.url()).await;
    add(&appliance, &mut browser, "second", &second.url()).await;
    let agent = Agent::register(&appliance, "Desk").await;
    let tokens = connect(&appliance, &mut browser, &agent, "first").await;
    let access = tokens["access_token"].as_str().unwrap();
    appliance.advance(minutes(1));
    send(&appliance, &mut browser, "/dashboard/servers/first/edit", &[("path", "/mcp/third")]).await.expect(303);
    send(&appliance, &mut browser, "/dashboard/servers/second/edit", &[("path", "/mcp/first")]).await.expect(303);
    assert_eq!(echo(&appliance, access, "/mcp/first").await, 401);
    assert_eq!(echo(&appliance, access, "/mcp/third").await, 401);
    assert!(second.seen().is_empty());
}

async fn call_at(appliance: &Appliance, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    appliance.post_json("/mcp/files", &ping, &[("authorization", &bearer)]).await
}

#[tokio::test]
async fn what_is_wrong_with_a_server_stands_at_its_field_and_nothing_that_was_entered_is_lost() {
    let (appliance, mut browser) = story().await;
    for (fields, field, told) in [
        (&[("name", "")][..], "name", "Give the server a name"),
        (&[("name", "Files"), ("url", "http://h")], "name", "A server&#39;s name has"),
        (&[("name", "new"), ("url", "http://h")], "name", "No server can be called new"),
        (&[("name", "keyward"), ("url", "http://h")], "name", "The built-in server has that name"),
        (&[("name", "a"), ("url", "")], "url", "Say where the server is"),
        (&[("name", "a"), ("url", "unix:/run/x")], "url", "Only http:// and https://"),
        (&[("name", "a"), ("url", "http://ada:x@h/")], "url", "must not hold a user name"),
        (&[("name", "a"), ("url", "http://h"), ("path", "/mcp")], "path", "is said in the configuration file"),
        (&[("name", "a"), ("url", "http://h"), ("path", "/mcp/keyward/x")], "path", "must be /mcp or /mcp/NAME"),
        (&[("name", "a"), ("url", "http://h"), ("users", "an na")], "users", "is no user name"),
        (&[("name", "a"), ("url", "http://h"), ("scopes", "mcp = x")], "scopes", "has its meaning already"),
        (&[("name", "a"), ("url", "http://h"), ("most", "ben = x")], "most", "names the scope x"),
        (&[("name", "a"), ("url", "http://h"), ("idle_timeout", "0s")], "idle_timeout", "Must be 1s to 1d"),
        (&[("name", "a"), ("url", "http://h"), ("idle_timeout", "soon")], "idle_timeout", "Write it as"),
        (&[("name", "a"), ("url", "http://h"), ("whose", "shared")], "credential", "Enter the value"),
        (
            &[
                ("name", "a"),
                ("url", "http://h"),
                ("whose", "shared"),
                ("credential_header", "Host"),
                ("credential_value", "x"),
            ],
            "credential",
            "set by the gateway itself",
        ),
        (&[("name", "a"), ("kind", "proxied"), ("proxied_url", "http://h/x")], "proxied_url", "it must be https"),
    ] {
        let refused = send(&appliance, &mut browser, NEW, fields).await.expect(422);
        let said = problem(&refused, field).unwrap_or_else(|| panic!("{fields:?} {}", refused.body));
        assert!(said.contains(told), "{fields:?}: {said}");
    }
    let long = "x".repeat(20_000);
    let refused = send(&appliance, &mut browser, NEW, &[("name", "a"), ("url", "http://h"), ("users", &long)]).await;
    assert!(refused.expect(422).body.contains("Make it shorter"));
    assert_eq!(appliance.app.server_entries().unwrap().len(), 1);

    let upstream = Upstream::start();
    let url = format!("{}?key=hunter3", upstream.url());
    let fields = [("name", "Bad"), ("url", &url), ("whose", "shared"), ("credential_value", "hunter2"), ("title", "T")];
    let refused = send(&appliance, &mut browser, NEW, &fields).await.expect(422);
    assert!(!refused.body.contains("hunter"), "secrets are not shown again");
    assert!(refused.body.contains("value=\"T\"") && refused.body.contains("has a query"));
    let again = [("name", "good"), ("url", ""), ("credential_value", "")];
    browser.submit(&appliance, &refused, NEW, &again).await.expect(303);
    let (_, token) = appliance.personal_token("Laptop");
    assert_eq!(echo(&appliance, &token, "/mcp/good").await, 200);
    assert_eq!(upstream.last().header("authorization"), "Bearer hunter2");
    assert_eq!(upstream.last().target, "/mcp?key=hunter3");
}

#[tokio::test]
async fn of_two_admins_at_once_neither_loses_what_they_said() {
    let (appliance, mut ada) = story().await;
    add(&appliance, &mut ada, "files", "http://127.0.0.1:1/mcp").await;
    let mut other = Browser::signed_in(&appliance).await;
    let edit = "/dashboard/servers/files/edit";
    let (form, others) = (ada.get(&appliance, edit).await, other.get(&appliance, edit).await);
    let question = ada.get(&appliance, "/dashboard/servers/files/remove").await;
    other.submit(&appliance, &others, edit, &[("title", "Theirs")]).await.expect(303);

    let refused = ada.submit(&appliance, &form, edit, &[("title", "Mine")]).await.expect(409);
    assert!(refused.body.contains("ada changed this server while this page was open"), "{}", refused.body);
    assert!(refused.body.contains("value=\"Mine\""), "what was entered is still there");
    let title = || appliance.app.live().servers().by_name(&name("files")).unwrap().title.clone();
    assert_eq!(title(), "Theirs");
    let gone = ada.submit(&appliance, &question, "/dashboard/servers/files/remove", &[]).await;
    assert!(gone.expect(409).body.contains("Nothing of yours was saved"));
    ada.submit(&appliance, &refused, edit, &[]).await.expect(303);
    assert_eq!(title(), "Mine", "whoever saves again does so knowingly");
}

#[tokio::test]
async fn servers_of_the_file_are_shown_and_changed_there() {
    let upstream = Upstream::start();
    let appliance = Appliance::with_file(&format!("[servers.files]\nurl = \"{}\"\n", upstream.url()));
    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, FILES).await.expect(200);
    assert!(page.body.contains("[servers.files]") && !page.body.contains("Switch off"));
    let form = Browser::form(&page, "/logout");
    for path in ["edit", "remove"] {
        browser.get(&appliance, &format!("{FILES}/{path}")).await.expect(404);
    }
    let fields = [("name", "x"), ("url", "http://h"), ("edition", ""), ("enabled", "false")];
    for path in ["edit", "remove", "enable"] {
        browser.send(&appliance, &format!("{FILES}/{path}"), &form, &fields).await.expect(404);
    }
    assert_eq!(appliance.app.live().servers().by_name(&name("files")).unwrap().source, ServerSource::File);
    let taken = send(&appliance, &mut browser, NEW, &[("name", "files"), ("url", "http://h")]).await.expect(422);
    assert!(problem(&taken, "name").unwrap().contains("of the configuration file has that name"));
    let fields = [("name", "other"), ("url", "http://h"), ("path", "/mcp/files")];
    let taken = send(&appliance, &mut browser, NEW, &fields).await.expect(422);
    assert!(problem(&taken, "path").unwrap().contains("is at that address"));
}

#[tokio::test]
async fn a_server_whose_place_the_file_takes_waits_and_says_why() {
    let (mut appliance, mut browser) = story().await;
    let (own, files) = (Upstream::start(), Upstream::start());
    add(&appliance, &mut browser, "files", &own.url()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("[servers.drive]\npath = \"/mcp/files\"\nurl = \"{}\"\n", files.url()))
        .unwrap();
    appliance.reconfigure(&[("KEYWARD_CONFIG", file.path().to_str().unwrap())]);
    let unserved = appliance.app.unserved_servers().unwrap();
    assert_eq!(unserved.len(), 1);
    assert!(unserved[0].1.to_string().contains("The server drive of the configuration file"), "{}", unserved[0].1);
    let page = browser.get(&appliance, FILES).await.expect(200);
    assert!(page.body.contains("This server is not served") && page.body.contains("drive"), "{}", page.body);
    assert!(browser.get(&appliance, SERVERS).await.expect(200).body.contains("not served"));
    let agent = Agent::register(&appliance, "Desk").await;
    appliance.advance(minutes(1));
    let resource = appliance.url_of("files");
    let callback = agent.authorize_with(&appliance, &mut browser, &[("resource", &resource)], "approve").await;
    let code = parameter(&callback, "code").unwrap();
    let tokens = agent.redeem_with(&appliance, &code, &[("resource", &resource)]).await.expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!((echo(&appliance, access, "/mcp/files").await, files.seen().len()), (200, 1));

    std::fs::write(file.path(), "").unwrap();
    appliance.advance(minutes(1));
    appliance.restart();
    assert_eq!(echo(&appliance, access, "/mcp/files").await, 401, "that was said about another server");
    let refused = agent.refresh(&appliance, tokens["refresh_token"].as_str().unwrap()).await.expect(400);
    assert_eq!(refused.json()["error"], "invalid_grant");
    let (_, everywhere) = appliance.personal_token("Everywhere");
    assert_eq!((echo(&appliance, &everywhere, "/mcp/files").await, own.seen().len()), (200, 1));
}

#[tokio::test]
async fn programs_are_added_only_where_the_configuration_says_so() {
    let (mut appliance, mut browser) = story().await;
    let program = std::env::current_exe().unwrap();
    let command = format!("{}\n--exact\nstdio::child::speaks\n--nocapture", program.display());
    let fields = [
        ("name", "scripted"),
        ("kind", "command"),
        ("command", command.as_str()),
        ("environment", "STDIO_CHILD=legacy\nTOKEN=hunter2"),
        ("mode", "shared"),
        ("max_children", "3"),
    ];
    for then in ["save", "test"] {
        let all = [&fields[..], &[("then", then)]].concat();
        let refused = send(&appliance, &mut browser, NEW, &all).await.expect(422);
        assert!(refused.body.contains("configuration file only"), "{}", refused.body);
    }
    assert_eq!(appliance.app.server_entries().unwrap().len(), 1);

    appliance.reconfigure(&[("KEYWARD_DASHBOARD_COMMANDS", "true")]);
    let mut browser = Browser::signed_in(&appliance).await;
    let tried = send(&appliance, &mut browser, NEW, &[&fields[..], &[("then", "test")]].concat()).await.expect(200);
    assert!(tried.body.contains("It works:"), "{}", tried.body);
    assert!(!tried.body.contains("hunter2"));
    let (_, token) = appliance.personal_token("Laptop");
    browser.submit(&appliance, &tried, NEW, &[("then", "save"), ("command", &command)]).await.expect(303);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let bearer = format!("Bearer {token}");
    let told = appliance.post_json("/mcp/scripted", &list, &[("authorization", &bearer)]).await.expect(200);
    assert!(told.json()["result"]["tools"].is_array());
    let page = browser.get(&appliance, "/dashboard/servers/scripted").await.expect(200);
    for part in ["running", "MiB in", "everybody", "STDIO_CHILD, TOKEN (values not shown)"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    switch(&appliance, &mut browser, "scripted").await;
    for _ in 0..100 {
        if appliance.children.view().running == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(appliance.children.view().running, 0, "a server that is off runs nothing");
    switch(&appliance, &mut browser, "scripted").await;

    appliance.reconfigure(&[("KEYWARD_DASHBOARD_COMMANDS", "false")]);
    let refused = appliance.post_json("/mcp/scripted", &list, &[("authorization", &bearer)]).await;
    assert_eq!(refused.status, 404, "what was added then is not run now");
    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, "/dashboard/servers/scripted").await.expect(200);
    assert!(page.body.contains("not served") && page.body.contains("dashboard_commands"));
    assert_eq!(appliance.children.view().children.len(), 0);
}

#[tokio::test]
async fn a_connection_is_tried_before_anything_is_saved_and_what_is_wrong_is_told() {
    let (appliance, mut browser) = story().await;
    let upstream = Upstream::start();
    let url = upstream.url();
    let test = |url: &str| vec![("name", "files".to_owned()), ("url", url.to_owned()), ("then", "test".to_owned())];
    let mut tried = async |url: &str| {
        let fields = test(url);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        send(&appliance, &mut browser, NEW, &fields).await.expect(200)
    };
    let good = tried(&url).await;
    assert!(good.body.contains("It works: x answers, by revision 2025-11-25"), "{}", good.body);
    assert!(good.body.contains("<code>echo</code>"));
    let seen = upstream.seen();
    let methods: Vec<_> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.body["method"])).collect();
    assert_eq!(
        methods,
        [
            "POST \"server/discover\"",
            "POST \"initialize\"",
            "POST \"notifications/initialized\"",
            "POST \"tools/list\"",
            "DELETE null"
        ]
    );
    assert_eq!((seen[3].header("mcp-session-id"), seen[0].header("x-keyward-user")), ("session-1", "ada"));

    let closed = free_address();
    let plain_tls = url.replace("http://", "https://");
    let elsewhere = url.replace("/mcp", "/nowhere");
    for (url, told) in [
        (format!("http://{closed}/mcp"), "Nothing listens at"),
        (plain_tls, "it speaks no TLS"),
        (elsewhere, "there is no MCP server at this path"),
        ("http://no-such-host.invalid/mcp".to_owned(), "is not known"),
    ] {
        let bad = tried(&url).await;
        assert!(bad.body.contains(told), "{url}: {}", bad.body);
    }
    assert_eq!(appliance.app.server_entries().unwrap().len(), 1, "nothing was saved");
}

#[tokio::test]
async fn a_test_shows_nothing_of_an_answer_but_names() {
    let (appliance, mut browser) = story().await;
    let http = |head: &str, body: &str| format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let json = "200 OK\r\ncontent-type: application/json";
    for (answer, told) in [
        (http("401 No\r\nwww-authenticate: Basic realm=hunter2", "hunter2"), "answers 401"),
        (http("307 Gone\r\nlocation: http://hunter2/", ""), "sends us elsewhere"),
        (http("200 OK\r\ncontent-type: text/html", "hunter2"), "it is no MCP server"),
        (http("500 hunter2", "hunter2"), "answers with the error 500"),
        (http("404 hunter2", "hunter2"), "no MCP server at this path"),
        (http(json, r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"hunter2"}}"#), "it is no MCP server"),
        (http(json, r#"{"jsonrpc":"2.0","id":2,"result":{"hunter2":1}}"#), "it is no MCP server"),
        ("hunter2 220 mail.example ESMTP\r\n".to_owned(), "does not speak HTTP"),
    ] {
        let sent = answer.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let sent = sent.clone();
                tokio::spawn(async move {
                    use tokio::io::{AsyncReadExt, AsyncWriteExt};
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(sent.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        let fields = [("name", "files"), ("url", url.as_str()), ("then", "test")];
        let page = send(&appliance, &mut browser, NEW, &fields).await.expect(200);
        assert!(page.body.contains(told), "{answer}: {}", page.body);
        assert!(!page.body.contains("hunter2"), "{answer}");
        serving.abort();
    }
}

#[tokio::test]
async fn members_see_what_they_may_use_and_nothing_else() {
    let (mut appliance, mut browser) = story().await;
    let upstream = Upstream::start();
    let url = upstream.url();
    for (server, users) in [("files", ""), ("secret", "ada")] {
        let fields = [("name", server), ("url", url.as_str()), ("users", users), ("most", "ben = mcp:read")];
        send(&appliance, &mut browser, NEW, &fields).await.expect(303);
    }
    let ben = appliance.add_member("ben");
    let mut browser = Browser::new();
    browser.sign_in(&appliance, ben.name.as_str(), "four quiet random words").await.expect(303);
    let list = browser.get(&appliance, SERVERS).await.expect(200);
    assert!(list.body.contains(&appliance.url_of("files")) && !list.body.contains("secret"));
    let page = browser.get(&appliance, FILES).await.expect(200);
    assert!(page.body.contains(">reading<") && !page.body.contains("127.0.0.1:1") && !page.body.contains("Test the"));
    assert!(!page.body.contains(&url), "what stands behind it is not for members");
    let hidden = browser.get(&appliance, "/dashboard/servers/secret").await.expect(404);
    let missing = browser.get(&appliance, "/dashboard/servers/nowhere").await.expect(404);
    assert_eq!(hidden.body, missing.body, "a server that is not for them is not there");
    let form = Browser::form(&list, "/logout");
    for path in ["new", "files/edit", "files/test", "files/enable", "files/remove", "nowhere/edit"] {
        let path = format!("{SERVERS}/{path}");
        let looked = browser.get(&appliance, &path).await.status.as_u16();
        assert!(matches!(looked, 403 | 405), "{path}: {looked}");
        let fields = [("name", "x"), ("url", url.as_str()), ("then", "test"), ("enabled", "false"), ("edition", "")];
        browser.send(&appliance, &path, &form, &fields).await.expect(403);
    }
    assert!(upstream.seen().is_empty(), "nobody but an admin makes Keyward call anybody");
    appliance.app.server_entry(&name("files")).unwrap();
}

#[tokio::test]
async fn what_servers_are_called_and_what_they_say_stays_text() {
    const MARKUP: &str = "\"'><svg/onload=alert(1)><img src=x onerror=alert(2)>";
    let (appliance, mut browser) = story().await;
    let upstream = Upstream::naming_its_tool(MARKUP);
    let fields = [("name", "files"), ("title", MARKUP), ("url", &upstream.url())];
    send(&appliance, &mut browser, NEW, &fields).await.expect(303);
    let page = browser.get(&appliance, FILES).await.expect(200);
    let tested = browser.submit(&appliance, &page, "/dashboard/servers/files/test", &[]).await.expect(200);
    assert!(tested.body.contains("It works"), "{}", tested.body);
    let mut pages = vec![tested.body];
    for path in [SERVERS, FILES, "/dashboard/servers/files/edit", "/dashboard/servers/files/remove", "/dashboard"] {
        pages.push(browser.get(&appliance, path).await.expect(200).body);
    }
    for page in pages {
        assert!(page.contains("onerror=alert(2)&#62;"), "it is shown");
        assert!(!page.contains("<svg/onload") && !page.contains("<img"), "{page}");
    }
}

#[tokio::test]
async fn users_keys_for_a_server_go_with_it() {
    let (appliance, mut browser) = story().await;
    let upstream = Upstream::start();
    let fields = [("name", "files"), ("url", &upstream.url()), ("whose", "own"), ("credential_prefix", "Bearer ")];
    send(&appliance, &mut browser, NEW, &fields).await.expect(303);
    let page = browser.get(&appliance, FILES).await.expect(200);
    assert!(page.body.contains("needs your key") && page.body.contains("/dashboard/servers/files/key"));
    let key = "/dashboard/servers/files/key";
    send(&appliance, &mut browser, key, &[("key", "ntn_1")]).await.expect(303);
    let (_, token) = appliance.personal_token("Laptop");
    assert_eq!(echo(&appliance, &token, "/mcp/files").await, 200);
    assert_eq!(upstream.last().header("authorization"), "Bearer ntn_1");
    let page = browser.get(&appliance, FILES).await.expect(200);
    let tested = browser.submit(&appliance, &page, "/dashboard/servers/files/test", &[]).await.expect(200);
    assert!(tested.body.contains("It works") && !tested.body.contains("ntn_1"));
    assert_eq!(upstream.last().header("authorization"), "Bearer ntn_1", "an admin tries with their own key");

    remove(&appliance, &mut browser, "files").await;
    assert!(appliance.app.live().upstream_key(appliance.admin.id, &name("files")).is_none());
    send(&appliance, &mut browser, NEW, &fields).await.expect(303);
    assert!(browser.get(&appliance, FILES).await.expect(200).body.contains("needs your key"));
}

#[tokio::test]
async fn the_tools_of_a_server_are_shown_with_the_scopes_that_open_them() {
    let (appliance, mut browser) = story().await;
    let upstream = Upstream::start();
    let fields = [("name", "files"), ("url", &upstream.url()), ("scopes", "files:say = ec*")];
    send(&appliance, &mut browser, NEW, &fields).await.expect(303);
    assert!(!browser.get(&appliance, FILES).await.body.contains("As the server told them"));
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    appliance.post_json("/mcp/files", &list, &[("authorization", &bearer)]).await.expect(200);
    let page = browser.get(&appliance, FILES).await.expect(200);
    assert!(page.body.contains("As the server told them") && page.body.contains("<code>echo</code>"), "{}", page.body);
    assert!(page.body.contains("<code>files:say</code> or <code>mcp</code>"), "{}", page.body);
}

#[test]
fn a_secret_that_is_entered_is_not_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let served = Served::start(&data, free_address());
    let mut person = set_up(&served);
    let page = person.get(&served, NEW);
    let fields = [
        ("name", "files"),
        ("url", "http://127.0.0.1:1/mcp?key=hunter3-in-the-query"),
        ("whose", "shared"),
        ("credential_value", "hunter2-in-the-header"),
    ];
    assert_eq!(person.submit(&served, &page, NEW, &fields).status, 303);
    let address = served.address;
    served.kill();
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("files") && has("v4.local."), "the server is there");
    assert!(!has("hunter2") && !has("hunter3"), "and its secrets are sealed");

    let served = Served::start(&data, address);
    assert!(person.get(&served, FILES).body.contains("in the header authorization, not shown"), "a crash keeps it");
    served.stop();
}
