//! What holds for every page: forms of other sites do nothing, looking changes nothing, tokens open none.

use crate::support::{Agent, Answer, Appliance, AuthenticatorApp, Browser, post_forms};
use axum::body::Body;
use axum::http::Method;
use keyward::access::ServerName;
use keyward::account::sign_in_policy::{Demanded, SignInPolicy};
use keyward::account::user::Role;
use std::collections::BTreeSet;

/// Headers that a request has beside those of every request.
type Headers<'h> = &'h [(&'h str, &'h str)];

/// Endpoints for programs: they take no cookies, so no browser's rights can be borrowed for them.
const FOR_PROGRAMS: [&str; 8] =
    ["MCP", "MCP_SERVER", "VERIFY", "TOKEN", "REGISTER", "REVOKE", "LEAKED_TOKEN", "INTROSPECT"];

/// What can be changed through pages, as text.
pub fn everything(appliance: &Appliance) -> String {
    let (app, user) = (&appliance.app, appliance.admin.id);
    let tokens: Vec<_> = app.personal_tokens(user).unwrap().into_iter().map(|entry| entry.token).collect();
    let grants: Vec<_> = app.connections(user).unwrap().into_iter().map(|connection| connection.grant).collect();
    let clients: Vec<_> = app.clients().unwrap().0.into_iter().map(|entry| entry.client).collect();
    let sessions = app.session_count(&appliance.admin).unwrap();
    let keys: Vec<_> = app.upstream_key_places(user).unwrap().into_iter().map(|place| place.since).collect();
    let people =
        format!("{:?} {:?} {:?}", app.users("", 1).unwrap(), app.groups().unwrap(), app.invitations().unwrap());
    let factors = format!("{:?} {:?}", app.factors(&appliance.admin).unwrap(), app.sign_in_policy().unwrap());
    let servers = app.server_entries().unwrap();
    let things = format!("{tokens:?} {grants:?} {clients:?} {servers:?} {keys:?}");
    format!("{things} {:?} {sessions} {people} {factors}", app.signing_keys().unwrap())
}

/// An appliance with one of each thing, and its owner's browser.
pub async fn furnished() -> (Appliance, Browser) {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    appliance.put_into(&ben, &["writers"]);
    appliance.invite(|_| {});
    let mut browser = Browser::signed_in(&appliance).await;
    AuthenticatorApp::added(&appliance, &mut browser).await;
    appliance.personal_token("Laptop");
    Agent::register(&appliance, "Cursor").await.connect(&appliance, &mut browser).await;
    let form = browser.get(&appliance, "/dashboard/servers/new").await.expect(200);
    let fields = [("name", "files"), ("url", "http://127.0.0.1:1/mcp"), ("whose", "own")];
    browser.submit(&appliance, &form, "/dashboard/servers/new", &fields).await.expect(303);
    appliance.app.set_upstream_key(appliance.admin.id, &ServerName::parse("files").unwrap(), "ntn_1").unwrap();
    (appliance, browser)
}

/// Every path that `src/wire/paths.rs` names, with the ids of what `appliance` has.
fn all_paths(appliance: &Appliance) -> Vec<(String, String)> {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/paths.rs")).unwrap();
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = \""));
    let user = appliance.admin.id;
    let token = appliance.app.personal_tokens(user).unwrap()[0].token.id.to_string();
    let grant = appliance.app.connections(user).unwrap()[0].grant.id.to_string();
    let key = appliance.app.signing_keys().unwrap()[0].id.to_string();
    let client = appliance.app.clients().unwrap().0[0].client.id.to_string();
    let other = appliance.app.users("ben", 1).unwrap().entries[0].user.id.to_string();
    let factor = appliance.app.factors(&appliance.admin).unwrap().all[0].id.to_string();
    let invitation = appliance.app.invitations().unwrap()[0].invitation.id.to_string();
    let session = appliance.app.sessions(&appliance.admin).unwrap()[0].id.to_string();
    let path_of = |name: &str, path: &str| {
        let path = path.replace("{group}", "writers");
        let id = match name {
            _ if name.starts_with("USER") => &other,
            _ if name.starts_with("INVITATION") => &invitation,
            _ if name.starts_with("SESSION") => &session,
            _ if name.starts_with("PERSONAL") => &token,
            _ if name.starts_with("CONNECTION") => &grant,
            _ if name.starts_with("FACTOR") => &factor,
            _ => &key,
        };
        let path = path
            .replace("{id}", id)
            .replace("{client_id}", &client)
            .replace("{server}", "none")
            .replace("{name}", "files");
        path.replace("{*path}", "none")
    };
    constants.map(|(name, path)| (name.to_owned(), path_of(name, path.trim_end_matches("\";")))).collect()
}

/// Those that take a form of a browser.
async fn form_paths(appliance: &Appliance, browser: &Browser) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for (name, path) in all_paths(appliance) {
        let answer = post(appliance, &path, &browser.cookie_header(), &[], &[]).await;
        if !matches!(answer.status.as_u16(), 404 | 405) && !FOR_PROGRAMS.contains(&name.as_str()) {
            paths.push((name, path));
        }
    }
    paths
}

async fn post(
    appliance: &Appliance,
    path: &str,
    cookies: &str,
    fields: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Answer {
    let mut all = vec![("accept", "text/html"), ("cookie", cookies)];
    all.extend_from_slice(headers);
    appliance.post_form(path, fields, &all).await
}

/// What each form needs beside its token, so that only the check of the form's origin can stop it.
fn good_fields(form_token: &str) -> Vec<(&'static str, String)> {
    let fields = [
        ("name", "Another name"),
        ("expiry", "7"),
        ("reach", "all"),
        ("creation", "tok_01h00000000000000000000000"),
        ("redirect_uris", "https://a.example/cb"),
        ("kind", "public"),
        ("username", "ada"),
        ("password", "four quiet random words"),
        ("current_password", "four quiet random words"),
        ("new_password", "a lantern over the harbour wall"),
        ("new_password_again", "a lantern over the harbour wall"),
        ("decision", "approve"),
        ("request", "x"),
        ("key", "ntn_2"),
        ("code", "123456"),
        ("enrolment", "x"),
        ("second_factor", "everybody"),
        ("url", "http://127.0.0.1:1/mcp"),
        ("enabled", "false"),
        ("edition", "0"),
        ("overlap", "hour"),
        ("extent", "read"),
        ("notice", "all"),
    ];
    let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    fields.push(("form_token", form_token.to_owned()));
    fields
}

/// The paths that take a form of a browser, by name.
const FORMS: &[&str] = &[
    "AUTHENTICATOR",
    "AUTHORIZE",
    "CHECK",
    "CLIENT_NEW",
    "CLIENT_PIN",
    "CLIENT_REMOVE",
    "CONFIRM",
    "CONNECTIONS_REVOKE_ALL",
    "CONNECTION_NARROW",
    "CONNECTION_REVOKE",
    "FACTOR_REMOVE",
    "GROUP",
    "GROUPS",
    "GROUP_ADD",
    "GROUP_REMOVE",
    "GROUP_TAKE_OUT",
    "INVITATION",
    "INVITATION_NEW",
    "INVITATION_REVOKE",
    "LOGIN",
    "LOGOUT",
    "PASSKEY_NEW",
    "PASSKEY_SECOND_FACTOR",
    "PASSKEY_SIGN_IN",
    "NOTICES_DISMISS",
    "PERSONAL_TOKEN_NEW",
    "PERSONAL_TOKEN_RENAME",
    "PERSONAL_TOKEN_REVOKE",
    "RECOVERY_CODES",
    "PERSONAL_TOKEN_ROTATE",
    "PERSONAL_TOKENS_REVOKE_ALL",
    "RESET",
    "SECOND_FACTOR",
    "SECURITY_PASSWORD",
    "SECURITY_SIGN_OUT_EVERYWHERE",
    "SERVER_EDIT",
    "SERVER_ENABLE",
    "SERVER_NEW",
    "SERVER_REMOVE",
    "SERVER_TEST",
    "SESSION_END",
    "SET_UP",
    "SIGNING_KEYS_ROTATE",
    "SIGNING_KEY_CONDEMN",
    "SIGN_IN_POLICY",
    "UPSTREAM_KEY",
    "UPSTREAM_KEY_REMOVE",
    "USER",
    "USER_DELETE",
    "USER_DISABLE",
    "USER_ENABLE",
    "USER_RESET_FACTORS",
    "USER_RESET_LINK",
    "USER_REVOKE",
    "USER_REVOKE_ALL",
    "USER_SIGN_OUT",
];

#[tokio::test]
async fn no_form_is_taken_from_another_site_another_browser_or_without_its_token() {
    let (appliance, mut browser) = furnished().await;
    let mut other = Browser::new();
    other.sign_in(&appliance, "ben", "four quiet random words").await.expect(303);
    let form_token = async |browser: &mut Browser| {
        let page = browser.get(&appliance, "/dashboard").await.expect(200);
        let forms = post_forms(&page.body);
        forms[0].fields.iter().find(|(name, _)| name == "form_token").unwrap().1.clone()
    };
    let (own, others) = (form_token(&mut browser).await, form_token(&mut other).await);
    let mut visitor = Browser::new();
    let login = visitor.get(&appliance, "/login").await.expect(200);
    let visitors = Browser::form(&login, "/login").fields[0].1.clone();
    let paths = form_paths(&appliance, &browser).await;
    let names: BTreeSet<&str> = paths.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, FORMS.iter().copied().collect(), "a form that is new belongs to this list");

    let before = everything(&appliance);
    let ours = ("origin", appliance.issuer());
    let cookies = browser.cookie_header();
    let refused: [(&str, &str, Headers<'_>); 9] = [
        ("no token", "", &[ours]),
        ("a wrong token", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &[ours]),
        ("the token of another session", &others, &[ours]),
        ("the token of a visitor", &visitors, &[ours]),
        ("another origin", &own, &[("origin", "https://evil.example")]),
        ("no origin at all to speak of", &own, &[("origin", "null")]),
        ("a neighbour's origin", &own, &[("origin", "http://127.0.0.1:9090")]),
        ("from another site", &own, &[ours, ("sec-fetch-site", "cross-site")]),
        ("from the same site", &own, &[("sec-fetch-site", "same-site")]),
    ];
    for (name, path) in &paths {
        for (what, token, headers) in &refused {
            let fields = good_fields(token);
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = post(&appliance, path, &cookies, &fields, headers).await;
            assert_eq!(answer.status, 403, "{name} {what}: {}", answer.body);
            assert_eq!(answer.header("set-cookie").find("session"), None, "{name} {what}");
        }
        let fields = good_fields(&own);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = post(&appliance, path, "", &fields, &[ours]).await;
        let to_login = answer.status == 303 && answer.location().starts_with("/login");
        assert!(answer.status == 403 || to_login, "{name} without a session: {}", answer.status);
        let twice = [&fields[..], &[("form_token", own.as_str())]].concat();
        assert_eq!(post(&appliance, path, &cookies, &twice, &[ours]).await.status, 403, "{name} with two tokens");
    }
    assert_eq!(everything(&appliance), before);

    // The same request from where it should come from is let through: the matrix above refuses for the right reason.
    let fields = good_fields(&own);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    post(&appliance, "/dashboard/api-keys/new", &cookies, &fields, &[ours]).await.expect(200);
}

#[tokio::test]
async fn looking_at_a_page_changes_nothing_and_no_page_is_left_open() {
    let (appliance, browser) = furnished().await;
    let before = everything(&appliance);
    let cookies = browser.cookie_header();
    for (name, path) in all_paths(&appliance) {
        for method in [Method::GET, Method::HEAD] {
            let headers = [("accept", "text/html"), ("cookie", cookies.as_str())];
            let answer = appliance.request(method.clone(), &path, &headers, Body::empty()).await;
            assert!(!answer.status.is_server_error(), "{method} {name}");
            assert!(method == Method::GET || answer.body.is_empty(), "{method} {name}");
            if answer.header("content-type").starts_with("text/html") {
                let policy = answer.header("content-security-policy");
                assert!(policy.starts_with("default-src 'none'; "), "{name}: {policy}");
                assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{name}: {policy}");
                assert_eq!(answer.header("cache-control"), "no-store", "{name}");
                assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
            }
        }
        let stranger = appliance.get(&path, &[("accept", "text/html")]).await;
        if path.starts_with("/dashboard") && stranger.status != 405 {
            assert_eq!(stranger.status, 303, "{name} is for those who are signed in");
            assert!(stranger.location().starts_with("/login?next=%2Fdashboard"), "{name}: {}", stranger.location());
        }
    }
    assert_eq!(everything(&appliance), before);
}

/// What is open to somebody who is not signed in, and what it takes to sign in.
const OPEN: [&str; 6] = ["LOGIN", "SECOND_FACTOR", "LOGOUT", "SET_UP", "INVITATION", "RESET"];

#[tokio::test]
async fn the_password_alone_opens_no_page_and_sends_no_form() {
    let (appliance, _) = furnished().await;
    let mut half = Browser::new();
    let asked = half.sign_in(&appliance, "ada", "four quiet random words").await.expect(303);
    let page = half.get(&appliance, asked.location()).await.expect(200);
    let token = Browser::form(&page, "/login/second-factor").fields[0].1.clone();
    let before = everything(&appliance);
    let cookies = half.cookie_header();
    for (name, path) in all_paths(&appliance) {
        if OPEN.contains(&name.as_str()) || FOR_PROGRAMS.contains(&name.as_str()) {
            continue;
        }
        let looked = half.get(&appliance, &path).await;
        let is_page = path.starts_with("/dashboard") || name == "AUTHORIZE";
        assert!(!is_page || looked.status != 200, "GET {name}");
        if path.starts_with("/dashboard") && looked.status != 405 {
            assert!(looked.location().starts_with("/login?next=%2Fdashboard"), "GET {name}: {}", looked.location());
        }
        let fields = good_fields(&token);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sent = post(&appliance, &path, &cookies, &fields, &[("origin", appliance.issuer())]).await;
        let to_login = sent.status == 303 && sent.location().starts_with("/login");
        assert!(to_login || sent.status.is_client_error(), "POST {name}: {}", sent.status);
    }
    assert_eq!(everything(&appliance), before);
}

#[tokio::test]
async fn who_must_add_a_factor_first_opens_and_sends_nothing_else() {
    let (appliance, _) = furnished().await;
    let policy = SignInPolicy { second_factor: Demanded::OfEverybody };
    appliance.app.set_sign_in_policy(appliance.by_admin(), policy).unwrap();
    let adds = "/dashboard/security/authenticator";
    let id = appliance.app.users("ben", 1).unwrap().entries[0].user.id;
    for role in [Role::Member, Role::Admin] {
        appliance.app.change_user(appliance.by_admin(), id, role, &[]).unwrap();
        let mut browser = Browser::new();
        browser.sign_in(&appliance, "ben", "four quiet random words").await.expect(303);
        let page = browser.get(&appliance, adds).await.expect(200);
        let token = Browser::form(&page, adds).fields[0].1.clone();
        let before = everything(&appliance);
        let cookies = browser.cookie_header();
        for (name, path) in all_paths(&appliance) {
            let may = ["AUTHENTICATOR", "CONFIRM", "PASSKEY_NEW"].contains(&name.as_str());
            if may || OPEN.contains(&name.as_str()) || FOR_PROGRAMS.contains(&name.as_str()) {
                continue;
            }
            let looked = browser.get(&appliance, &path).await;
            if path.starts_with("/dashboard") && looked.status != 405 {
                assert!(looked.location().starts_with(adds), "GET {name}: {} {}", looked.status, looked.location());
            }
            let fields = good_fields(&token);
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let sent = post(&appliance, &path, &cookies, &fields, &[("origin", appliance.issuer())]).await;
            let led = sent.status == 303 && sent.location().starts_with(adds);
            assert!(led || sent.status.is_client_error(), "POST {name}: {}", sent.status);
        }
        assert_eq!(everything(&appliance), before);
    }
}

#[tokio::test]
async fn a_token_opens_no_page() {
    let (appliance, mut browser) = furnished().await;
    let (_, personal) = appliance.personal_token("Phone");
    let access = Agent::register(&appliance, "Codex").await.connect(&appliance, &mut browser).await.access_token;
    let before = everything(&appliance);
    for token in [personal, access] {
        let bearer = format!("Bearer {token}");
        for (name, path) in all_paths(&appliance) {
            if !path.starts_with("/dashboard") && !["AUTHORIZE", "LOGOUT", "SET_UP"].contains(&name.as_str()) {
                continue;
            }
            let headers = [("accept", "text/html"), ("authorization", bearer.as_str())];
            let looked = appliance.get(&path, &headers).await;
            let to_login = looked.status == 303 && looked.location().starts_with("/login");
            assert!(to_login || looked.status.is_client_error() || name == "LOGOUT", "GET {name}: {}", looked.status);
            let fields = good_fields("");
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let sent = appliance.post_form(&path, &fields, &headers).await;
            let to_login = sent.status == 303 && sent.location().starts_with("/login");
            assert!(to_login || sent.status.is_client_error(), "POST {name}: {}", sent.status);
        }
    }
    assert_eq!(everything(&appliance), before);
}

#[tokio::test]
async fn pages_for_admins_are_for_admins() {
    let (appliance, mut browser) = furnished().await;
    let page = browser.get(&appliance, "/dashboard").await.expect(200);
    assert!(page.body.contains("href=\"/dashboard/clients\""));
    appliance.demote_admin();
    let page = browser.get(&appliance, "/dashboard").await.expect(200);
    assert!(!page.body.contains("href=\"/dashboard/clients\"") && !page.body.contains("signing-keys"));
    let form = Browser::form(&page, "/logout");
    let before = everything(&appliance);
    let mut count = 0;
    let of_admins = ["access", "check", "clients", "events", "groups", "invitations", "signing-keys", "users"];
    for (name, path) in all_paths(&appliance) {
        let kept_by_admins = name.starts_with("SERVER_");
        if kept_by_admins || of_admins.iter().any(|part| path.starts_with(&format!("/dashboard/{part}"))) {
            count += 1;
            let looked = browser.get(&appliance, &path).await;
            assert!(matches!(looked.status.as_u16(), 403 | 405), "{name}: {}", looked.status);
            let sent = browser.send(&appliance, &path, &form, &[]).await;
            assert!(matches!(sent.status.as_u16(), 403 | 405), "{name}: {}", sent.status);
        }
    }
    assert_eq!(count, 35);
    assert_eq!(everything(&appliance), before);
}

#[tokio::test]
async fn another_account_can_be_chosen_on_the_consent_page() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Claude Code").await;
    let consent = browser.get(&appliance, &agent.authorize_path(&appliance, &[])).await.expect(200);
    let (_, rest) = consent.body.split_once("<a href=\"/login?next=").expect("a link to the login page");
    let link = format!("/login?next={}", rest.split('"').next().unwrap());
    let (reached, login) = browser.visit(&appliance, &link).await;
    assert_eq!(reached, link, "the form is shown although somebody is signed in");
    let fields = [("username", "ada"), ("password", "four quiet random words")];
    let answer = browser.submit(&appliance, &login, "/login", &fields).await.expect(303);
    let (_, consent) = browser.visit(&appliance, answer.location()).await;
    assert!(consent.expect(200).body.contains("Claude Code"));
}
