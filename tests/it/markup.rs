//! Is what others write shown as text? Every field that a user, a client or a server behind Keyward fills in is filled with
//! markup; every page that the router tells of is opened by an admin, a member and a stranger.
//!
//! The table says where each field is seen, so that a field that is not shown any more, or not filled in, is noticed.

use crate::passkeys::{self, Authenticator};
use crate::support::{Agent, Answer, Appliance, Browser, Upstream};
use axum::http::Method;
use keyward::account::group::GroupName;
use keyward::account::user::Username;
use serde_json::json;
use std::collections::BTreeMap;

/// Breaks out of every place that does not escape it, and names its field.
fn markup(field: &str) -> String {
    format!("\"'></title></textarea><img src=x onerror=alert(1)>{field}")
}

/// What must not stand on a page: the beginning of an element or the end of an attribute that was written by somebody else.
const LIVE: [&str; 4] = ["<img", "'></title>", "\"'>", "</title></"];

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Where each field is seen by the admin. A path begins with the address of the page.
const SEEN: &[(&str, &[&str])] = &[
    (
        "token-name",
        &["/dashboard/api-keys", "RENAME", "REVOKE", "USER", "USER-REVOKE", "/dashboard/events", "/dashboard/activity"],
    ),
    (
        "client-name",
        &[
            "/dashboard/connections",
            "DISCONNECT",
            "/dashboard/clients",
            "CLIENT-REMOVE",
            "AUTHORIZE",
            "USER",
            "/dashboard/events",
            "/dashboard/access",
        ],
    ),
    ("agent-of-token", &["/dashboard/api-keys", "USER", "TOKENS-OF-ALL"]),
    ("passkey-name", &["/dashboard/security", "FACTOR-REMOVE"]),
    (
        "server-title",
        &[
            "/dashboard/servers",
            "SERVER",
            "SERVER-EDIT",
            "SERVER-REMOVE",
            "/dashboard/api-keys/new",
            "/dashboard/check",
            "CONNECT",
        ],
    ),
    ("tool-name", &["SERVER"]),
    ("tool-title", &["SERVER"]),
    ("called-tool", &["/dashboard/events", "/dashboard/activity"]),
    ("group-description", &["/dashboard/groups", "GROUP"]),
    ("invitation-note", &["/dashboard/invitations"]),
    ("prefix", &["SERVER-EDIT"]),
];

struct House {
    appliance: Appliance,
    admin: Browser,
    /// Pages by a word.
    places: BTreeMap<&'static str, String>,
    /// Keeps what stands behind the server alive.
    _upstream: Upstream,
}

async fn furnished() -> House {
    let mut appliance = Appliance::new();
    appliance.reconfigure(&[("KEYWARD_PUBLIC_URL", passkeys::ORIGIN)]);
    let eve = appliance.add_member("eve");
    appliance.put_into(&eve, &["writers"]);
    let writers = GroupName::parse("writers").unwrap();
    appliance.app.describe_group(appliance.by_admin(), &writers, &markup("group-description")).unwrap();
    appliance.invite(|new| new.note = markup("invitation-note"));
    let mut admin = Browser::signed_in(&appliance).await;
    let name = markup("passkey-name");
    passkeys::add(&appliance, &mut admin, &mut Authenticator::new(), &name).await.expect(200);

    let tool = json!({"name": markup("tool-name"), "title": markup("tool-title"), "description": markup("tool-description"),
        "annotations": {"title": markup("tool-annotation"), "readOnlyHint": true}});
    let info =
        json!({"name": markup("server-name"), "title": markup("server-says"), "version": markup("server-version")});
    let upstream = Upstream::describing(info, tool);
    let form = admin.get(&appliance, "/dashboard/servers/new").await.expect(200);
    let (title, prefix, url) = (markup("server-title"), markup("prefix"), upstream.url());
    let fields = [
        ("name", "files"),
        ("title", title.as_str()),
        ("url", url.as_str()),
        ("whose", "shared"),
        ("credential_prefix", prefix.as_str()),
        ("credential_value", "hunter2"),
    ];
    admin.submit(&appliance, &form, "/dashboard/servers/new", &fields).await.expect(303);

    let (token, secret) = appliance.personal_token(&markup("token-name"));
    let agent = Agent::register(&appliance, &markup("client-name")).await;
    agent.connect(&appliance, &mut admin).await;
    // What else clients say of themselves is kept, and shown nowhere.
    let said = ["client_uri", "logo_uri", "tos_uri", "policy_uri", "software_id", "software_version"];
    let mut metadata = json!({"client_name": markup("other-client"), "redirect_uris": ["https://a.example/'cb'"]});
    for field in said {
        metadata[field] = markup(field).into();
    }
    appliance.post_json("/register", &metadata, &[]).await.expect(201);
    let (bearer, user_agent) = (format!("Bearer {secret}"), markup("agent-of-token"));
    let headers = [("authorization", bearer.as_str()), ("user-agent", user_agent.as_str())];
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    appliance.post_json("/mcp/files", &list, &headers).await.expect(200);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": markup("called-tool")}});
    appliance.post_json("/mcp", &call, &headers).await;
    Browser::new().sign_in(&appliance, &markup("failed-name"), "x").await.expect(401);
    // A browser that calls itself so.
    let mut phone = Browser::new();
    let login = phone.get(&appliance, "/login").await.expect(200);
    let mut fields = Browser::form(&login, "/login").fields;
    fields.retain(|(name, _)| name != "username" && name != "password");
    fields.extend(
        [("username", "eve"), ("password", "four quiet random words")].map(|(n, v)| (n.to_owned(), v.to_owned())),
    );
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (cookies, says) = (phone.cookie_header(), markup("agent-of-session"));
    let headers = [("cookie", cookies.as_str()), ("origin", appliance.issuer()), ("user-agent", says.as_str())];
    appliance.post_form("/login", &fields, &headers).await.expect(303);
    appliance.app.flush_events().unwrap();

    let user = appliance.admin.id;
    let grant = appliance.app.connections(user).unwrap()[0].grant.id;
    let invitation = appliance.app.invitations().unwrap()[0].invitation.id;
    let key = appliance.app.signing_keys().unwrap()[0].id;
    let factor = appliance.app.factors(&appliance.admin).unwrap().all[0].id;
    let places = BTreeMap::from([
        ("RENAME", format!("/dashboard/api-keys/{token}/rename")),
        ("REVOKE", format!("/dashboard/api-keys/{token}/revoke")),
        ("USER", format!("/dashboard/users/{user}")),
        ("USER-REVOKE", format!("/dashboard/users/{user}/revoke?token={token}")),
        ("USER-DISCONNECT", format!("/dashboard/users/{user}/revoke?connection={grant}")),
        ("DISCONNECT", format!("/dashboard/connections/{grant}/revoke")),
        ("TOKENS-OF-ALL", "/dashboard/access?what=tokens".to_owned()),
        ("FACTOR-REMOVE", format!("/dashboard/security/factors/{factor}/remove")),
        ("CLIENT-REMOVE", format!("/dashboard/clients/remove?client_id={}", agent.client_id)),
        ("AUTHORIZE", agent.authorize_path(&appliance, &[])),
        ("LOGIN", format!("/login?next={}", encoded(&agent.authorize_path(&appliance, &[])))),
        ("SERVER", "/dashboard/servers/files".to_owned()),
        ("SERVER-EDIT", "/dashboard/servers/files/edit".to_owned()),
        ("SERVER-REMOVE", "/dashboard/servers/files/remove".to_owned()),
        ("GROUP", "/dashboard/groups/writers".to_owned()),
        ("CONNECT", "/mcp/files".to_owned()),
        ("api-keys", token.to_string()),
        ("connections", grant.to_string()),
        ("users", user.to_string()),
        ("security", factor.to_string()),
        ("invitations", invitation.to_string()),
        ("signing-keys", key.to_string()),
    ]);
    House { appliance, admin, places, _upstream: upstream }
}

impl House {
    /// Every address that can be looked at: of each route, and those of the places.
    fn addresses(&self) -> Vec<String> {
        let looked_at = self.appliance.routes().into_iter().filter(|(_, methods)| methods.contains(&Method::GET));
        let of_routes = looked_at.map(|(pattern, _)| {
            let kind = pattern.split('/').nth(2).unwrap_or_default();
            let id = self.places.get(kind).map_or("none", String::as_str);
            let text = encoded(&markup("path"));
            let path = pattern.replace("{id}", id).replace("{group}", "writers").replace("{name}", "files");
            path.replace("{*path}", &text).replace("{client_id}", &text)
        });
        of_routes.chain(self.places.values().filter(|place| place.starts_with('/')).cloned()).collect()
    }

    fn place<'a>(&'a self, word: &'a str) -> &'a str {
        self.places.get(word).map_or(word, String::as_str)
    }
}

/// Where something of it is more than text.
fn live(address: &str, answer: &Answer) -> Option<String> {
    let found = LIVE.iter().find(|live| answer.body.contains(**live))?;
    let kind = answer.header("content-type");
    if !kind.is_empty() && !kind.starts_with("text/html") && answer.header("x-content-type-options") == "nosniff" {
        return None;
    }
    let (before, after) = answer.body.split_once(found).unwrap();
    let near = before.chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    Some(format!("{address}: {near}{found}{}", after.chars().take(60).collect::<String>()))
}

#[tokio::test]
async fn what_others_write_is_text_on_every_page_that_shows_it() {
    let house = furnished().await;
    let (appliance, mut admin) = (&house.appliance, house.admin.clone());
    let mut faults = Vec::new();

    for (field, pages) in SEEN {
        for page in *pages {
            let answer = admin.get(appliance, house.place(page)).await;
            if !answer.body.contains(&format!("alert(1)&#62;{field}")) {
                faults.push(format!("{page} does not show {field}: {}", answer.status));
            }
        }
    }
    let mut member = Browser::new();
    member.sign_in(appliance, "eve", "four quiet random words").await.expect(303);
    for (who, browser) in [("admin", &mut admin), ("member", &mut member), ("stranger", &mut Browser::new())] {
        for address in house.addresses() {
            // What a page says of its own query.
            let text = encoded(&markup("query"));
            let names = "name done next secret server person client kind from to page error error_description text state \
                         what client_id redirect_uri scope resource expires";
            let query = names.split(' ').map(|name| format!("{name}={text}")).collect::<Vec<_>>().join("&");
            let joined = format!("{address}{}{query}", if address.contains('?') { "&" } else { "?" });
            for address in [address, joined] {
                let answer = browser.get(appliance, &address).await;
                if answer.status.is_server_error() {
                    faults.push(format!("{who}: {address}: {}", answer.status));
                }
                faults.extend(live(&address, &answer).map(|fault| format!("{who}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn what_is_sent_back_from_a_form_is_text() {
    let house = furnished().await;
    let (appliance, mut admin) = (&house.appliance, house.admin.clone());
    let text = markup("field");
    let forms: &[(&str, &[&str])] = &[
        ("/dashboard/api-keys/new", &["name", "expiry"]),
        ("RENAME", &["name"]),
        ("/dashboard/clients/new", &["name", "redirect_uris"]),
        ("/dashboard/clients/pin", &["url", "document"]),
        (
            "/dashboard/servers/new",
            &["name", "title", "url", "users", "groups", "scopes", "most", "path", "credential_header"],
        ),
        ("SERVER-EDIT", &["title", "url", "users", "groups", "scopes", "most", "path", "credential_header"]),
        ("/dashboard/invitations/new", &["name", "note"]),
        ("/dashboard/groups", &["name", "description"]),
        ("GROUP", &["description"]),
    ];
    let mut faults = Vec::new();
    for (page, fields) in forms {
        let address = house.place(page);
        let form = admin.get(appliance, address).await.expect(200);
        let filled: Vec<_> = fields.iter().map(|field| (*field, text.as_str())).collect();
        let answer = admin.submit(appliance, &form, address, &filled).await;
        faults.extend(live(address, &answer));
        if answer.status.is_server_error() {
            faults.push(format!("{address}: {}", answer.status));
        }
        let tested = [&filled[..], &[("then", "test")]].concat();
        faults.extend(live(address, &admin.submit(appliance, &form, address, &tested).await));
    }

    // What a server says of itself when its connection is tried.
    let page = admin.get(appliance, "/dashboard/servers/files").await.expect(200);
    let tested = admin.submit(appliance, &page, "/dashboard/servers/files/test", &[]).await.expect(200);
    for field in ["server-says", "tool-name", "tool-title"] {
        assert!(tested.body.contains(&format!("alert(1)&#62;{field}")), "{field}: {}", tested.body);
    }
    faults.extend(live("test of a server", &tested));
    // A wrong name on the login page, and what an app is called that asks a stranger to sign in.
    faults.extend(live("login", &Browser::new().sign_in(appliance, &text, "x").await.expect(401)));
    let login = Browser::new().get(appliance, house.place("LOGIN")).await.expect(200);
    assert!(login.body.contains("alert(1)&#62;client-name"), "the login page says for whom");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_complains_of_is_text() {
    let complains = format!("echo {} >&2; exit 3", "'\"></title><img src=x onerror=alert(1)>complaint'");
    let appliance =
        Appliance::with_file(&format!("[servers.broken]\ncommand = [\"/bin/sh\", \"-c\", {complains:?}]\n"));
    let mut admin = Browser::signed_in(&appliance).await;
    let page = admin.get(&appliance, "/dashboard/servers/broken").await.expect(200);
    let tested = admin.submit(&appliance, &page, "/dashboard/servers/broken/test", &[]).await.expect(200);
    assert!(tested.body.contains("alert(1)&#62;complaint"), "{}", tested.body);
    let page = admin.get(&appliance, "/dashboard/servers/broken").await.expect(200);
    for (place, answer) in [("the test", &tested), ("the page", &page)] {
        assert_eq!(live(place, answer), None);
    }
}

#[tokio::test]
async fn what_a_client_sends_wrongly_is_shown_as_text() {
    let appliance = Appliance::new();
    let mut admin = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Cursor").await;
    let text = markup("parameter");
    let names =
        ["client_id", "redirect_uri", "response_type", "scope", "resource", "code_challenge", "prompt", "state"];
    for name in names {
        let address = agent.authorize_path(&appliance, &[(name, &text)]);
        for browser in [&mut admin, &mut Browser::new()] {
            let answer = browser.get(&appliance, &address).await;
            assert!(!answer.status.is_server_error(), "{name}: {}", answer.status);
            assert_eq!(live(name, &answer), None);
            let back = answer.location();
            assert!(!back.contains('<') && !back.contains('"'), "{name}: {back}");
        }
    }
}

#[test]
fn names_that_are_parts_of_addresses_hold_no_markup() {
    assert!(Username::parse(&markup("user")).is_err());
    assert!(GroupName::parse(&markup("group")).is_err());
}
