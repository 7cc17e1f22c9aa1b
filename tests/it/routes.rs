//! What does each route answer to whom? Every route that the router itself tells of, for every state of a session, with and
//! without the form's token and from another origin, over real connections. A route that has no row here fails.

use crate::support::{Agent, Answer, Appliance, AuthenticatorApp, Browser, post_forms};
use axum::body::Bytes;
use axum::http::request::Builder;
use axum::http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use keyward::access::ServerName;
use keyward::clock::minutes;
use keyward::id::SessionId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Whom a route is for, and what it answers to them.
#[derive(Debug, Clone, Copy)]
enum To {
    /// To everybody the same, whatever cookies, forms and origins say.
    All(u16),
    /// To whoever is signed in; the others are sent to the login page.
    Users(u16),
    /// The same, but the thing is the admin's: what the admin is answered, and a member, who does not have it.
    Owner(u16, u16),
    /// To admins; members are refused.
    Admins(u16),
    /// To whoever has given a password and not the second factor; the others are sent on.
    Halves(u16),
    /// To nobody signed in, to somebody half signed in, to whose session has ended, to a member, to an admin.
    Each([u16; 5]),
}

use To::{Admins, All, Each, Halves, Owner, Users};

const GET: &str = "GET";
const POST: &str = "POST";
/// Everybody's password.
const PASSWORD: &str = "four quiet random words";
/// Whatever the method is.
const ANY: &str = "any";

/// Every route. Forms are sent with nothing in them but their token: whoever is let through is told what is missing, or has
/// confirmed what the page asked. They are sent in this order.
const TABLE: &[(&str, &str, To)] = &[
    // operations
    (GET, "/healthz", All(200)),
    (GET, "/healthz/stream", All(200)),
    (GET, "/readyz", All(200)),
    (GET, "/assets/{*path}", All(200)),
    // servers: a token counts there and no cookie
    (ANY, "/mcp", All(401)),
    (ANY, "/mcp/", All(404)),
    (ANY, "/mcp/{*server}", All(401)),
    (ANY, "/verify", All(403)),
    (ANY, "/verify/", All(403)),
    (ANY, "/verify/{*server}", All(403)),
    // discovery and the endpoints of programs
    (GET, "/.well-known/oauth-authorization-server", All(200)),
    (GET, "/.well-known/oauth-protected-resource", All(404)),
    (GET, "/.well-known/oauth-protected-resource/{*path}", All(200)),
    (GET, "/.well-known/jwks.json", All(200)),
    (GET, "/.well-known/{*path}", All(404)),
    (POST, "/token", All(401)),
    (POST, "/register", All(400)),
    (GET, "/register/{client_id}", All(401)),
    (POST, "/revoke", All(400)),
    (POST, "/introspect", All(401)),
    (POST, "/leaked-token", All(400)),
    // before and around signing in
    (GET, "/", All(303)),
    (GET, "/authorize", Users(200)),
    (POST, "/authorize", Users(400)),
    (GET, "/setup", All(404)),
    (POST, "/setup", Each([400, 403, 400, 400, 400])),
    (GET, "/invitation", All(404)),
    (POST, "/invitation", Each([400, 403, 400, 400, 400])),
    (GET, "/reset", All(410)),
    (POST, "/reset", Each([400, 403, 400, 400, 400])),
    (GET, "/login", Each([200, 200, 200, 303, 303])),
    (POST, "/login", Each([400, 403, 400, 400, 400])),
    (GET, "/login/second-factor", Halves(200)),
    (POST, "/login/second-factor", Each([400; 5])),
    (POST, "/login/passkey", Each([400, 403, 400, 400, 400])),
    (POST, "/login/second-factor/passkey", Each([400; 5])),
    (GET, "/confirm", Users(200)),
    (POST, "/confirm", Users(400)),
    (GET, "/logout", Each([303, 303, 303, 200, 200])),
    // for every user
    (GET, "/dashboard", Users(200)),
    (POST, "/dashboard/notices/dismiss", Users(400)),
    (GET, "/dashboard/api-keys", Users(200)),
    (GET, "/dashboard/api-keys/new", Users(200)),
    (POST, "/dashboard/api-keys/new", Users(400)),
    (GET, "/dashboard/api-keys/revoke-all", Owner(200, 303)),
    (GET, "/dashboard/api-keys/{id}", Owner(200, 404)),
    (GET, "/dashboard/api-keys/{id}/use", Owner(200, 404)),
    (GET, "/dashboard/api-keys/{id}/rotate", Owner(200, 404)),
    (POST, "/dashboard/api-keys/{id}/rotate", Users(400)),
    (GET, "/dashboard/api-keys/{id}/rename", Owner(200, 404)),
    (POST, "/dashboard/api-keys/{id}/rename", Users(400)),
    (GET, "/dashboard/api-keys/{id}/revoke", Owner(200, 404)),
    (POST, "/dashboard/api-keys/{id}/revoke", Owner(303, 404)),
    (POST, "/dashboard/api-keys/revoke-all", Users(303)),
    (GET, "/dashboard/connections", Users(200)),
    (GET, "/dashboard/connections/revoke-all", Owner(200, 303)),
    (GET, "/dashboard/connections/{id}/narrow", Owner(200, 404)),
    (POST, "/dashboard/connections/{id}/narrow", Users(400)),
    (GET, "/dashboard/connections/{id}/revoke", Owner(200, 404)),
    (POST, "/dashboard/connections/{id}/revoke", Owner(303, 404)),
    (POST, "/dashboard/connections/revoke-all", Users(303)),
    (GET, "/dashboard/security", Users(200)),
    (POST, "/dashboard/security/password", Users(400)),
    (GET, "/dashboard/security/sessions", Users(200)),
    (GET, "/dashboard/security/sessions/{id}/end", Users(404)),
    (POST, "/dashboard/security/sessions/{id}/end", Users(404)),
    (GET, "/dashboard/security/sign-out-everywhere", Users(303)),
    (POST, "/dashboard/security/sign-out-everywhere", Users(303)),
    (GET, "/dashboard/security/authenticator", Owner(303, 200)),
    (POST, "/dashboard/security/authenticator", Users(400)),
    (GET, "/dashboard/security/passkeys/new", Users(404)),
    (POST, "/dashboard/security/passkeys/new", Users(400)),
    (GET, "/dashboard/security/recovery-codes", Owner(200, 303)),
    (POST, "/dashboard/security/recovery-codes", Owner(200, 303)),
    (GET, "/dashboard/security/factors/{id}/remove", Owner(200, 404)),
    (POST, "/dashboard/security/factors/{id}/remove", Owner(303, 404)),
    (GET, "/dashboard/activity", Users(200)),
    (GET, "/dashboard/servers", Users(200)),
    (GET, "/dashboard/servers/{name}", Users(200)),
    (GET, "/dashboard/servers/{name}/key", Users(200)),
    (POST, "/dashboard/servers/{name}/key", Users(400)),
    (GET, "/dashboard/servers/{name}/key/remove", Owner(200, 303)),
    (POST, "/dashboard/servers/{name}/key/remove", Users(303)),
    // for admins
    (GET, "/dashboard/servers/new", Admins(200)),
    (POST, "/dashboard/servers/new", Admins(422)),
    (GET, "/dashboard/servers/{name}/edit", Admins(200)),
    (POST, "/dashboard/servers/{name}/edit", Admins(409)),
    (POST, "/dashboard/servers/{name}/test", Admins(200)),
    (POST, "/dashboard/servers/{name}/enable", Admins(400)),
    (GET, "/dashboard/servers/{name}/remove", Admins(200)),
    (POST, "/dashboard/servers/{name}/remove", Admins(400)),
    (GET, "/dashboard/access", Admins(200)),
    (GET, "/dashboard/users", Admins(200)),
    (GET, "/dashboard/users/{id}", Admins(200)),
    (POST, "/dashboard/users/{id}", Admins(400)),
    (GET, "/dashboard/users/{id}/disable", Admins(200)),
    (POST, "/dashboard/users/{id}/disable", Admins(303)),
    (GET, "/dashboard/users/{id}/enable", Admins(200)),
    (POST, "/dashboard/users/{id}/enable", Admins(303)),
    (GET, "/dashboard/users/{id}/sign-out", Admins(200)),
    (POST, "/dashboard/users/{id}/sign-out", Admins(303)),
    (GET, "/dashboard/users/{id}/reset-link", Admins(200)),
    (POST, "/dashboard/users/{id}/reset-link", Admins(200)),
    (GET, "/dashboard/users/{id}/revoke", Admins(404)),
    (POST, "/dashboard/users/{id}/revoke", Admins(404)),
    (GET, "/dashboard/users/{id}/revoke-all", Admins(200)),
    (POST, "/dashboard/users/{id}/revoke-all", Admins(303)),
    (GET, "/dashboard/users/{id}/reset-factors", Admins(200)),
    (POST, "/dashboard/users/{id}/reset-factors", Admins(422)),
    (GET, "/dashboard/users/policy", Admins(200)),
    (POST, "/dashboard/users/policy", Admins(400)),
    (GET, "/dashboard/users/{id}/delete", Admins(200)),
    (POST, "/dashboard/users/{id}/delete", Admins(303)),
    (GET, "/dashboard/groups", Admins(200)),
    (POST, "/dashboard/groups", Admins(400)),
    (GET, "/dashboard/groups/{group}", Admins(200)),
    (POST, "/dashboard/groups/{group}", Admins(303)),
    (POST, "/dashboard/groups/{group}/add", Admins(400)),
    (POST, "/dashboard/groups/{group}/take-out", Admins(400)),
    (GET, "/dashboard/groups/{group}/remove", Admins(200)),
    (POST, "/dashboard/groups/{group}/remove", Admins(303)),
    (GET, "/dashboard/invitations", Admins(200)),
    (GET, "/dashboard/invitations/new", Admins(200)),
    (POST, "/dashboard/invitations/new", Admins(400)),
    (GET, "/dashboard/invitations/{id}/revoke", Admins(200)),
    (POST, "/dashboard/invitations/{id}/revoke", Admins(303)),
    (GET, "/dashboard/signing-keys", Admins(200)),
    (POST, "/dashboard/signing-keys/rotate", Admins(409)),
    (GET, "/dashboard/signing-keys/{id}/condemn", Admins(200)),
    (POST, "/dashboard/signing-keys/{id}/condemn", Admins(303)),
    (GET, "/dashboard/clients", Admins(200)),
    (GET, "/dashboard/clients/new", Admins(200)),
    (POST, "/dashboard/clients/new", Admins(400)),
    (GET, "/dashboard/clients/pin", Admins(200)),
    (POST, "/dashboard/clients/pin", Admins(400)),
    (GET, "/dashboard/clients/remove", Admins(200)),
    (POST, "/dashboard/clients/remove", Admins(400)),
    (GET, "/dashboard/events", Admins(200)),
    (GET, "/dashboard/events.jsonl", Admins(200)),
    (GET, "/dashboard/check", Admins(200)),
    (POST, "/dashboard/check", Admins(400)),
    // last, since it ends the session
    (POST, "/logout", Each([303, 403, 303, 303, 303])),
];

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    Nobody,
    /// The password was right; the second factor is missing.
    Half,
    Ended,
    Member,
    Admin,
}

const SESSIONS: [Session; 5] = [Session::Nobody, Session::Half, Session::Ended, Session::Member, Session::Admin];

/// How a form comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// From our page, with its token.
    Well,
    /// Without a token.
    Tokenless,
    /// With its token, but from a page of another origin.
    FromElsewhere,
}

impl To {
    /// What a look, or a form that comes well, is answered.
    fn expected(self, session: Session) -> u16 {
        use Session::{Admin, Ended, Half, Member, Nobody};
        match (self, session) {
            _ if self.sends_away(session) => 303,
            (Admins(_), Member) => 403,
            (Owner(_, status) | Each([_, _, _, status, _]), Member)
            | (All(status) | Users(status) | Owner(status, _) | Admins(status) | Halves(status), _)
            | (Each([status, _, _, _, _]), Nobody)
            | (Each([_, status, _, _, _]), Half)
            | (Each([_, _, status, _, _]), Ended)
            | (Each([_, _, _, _, status]), Admin) => status,
        }
    }

    /// What a form is answered that does not come well: nobody gets through, signed in or not.
    fn refused(self, session: Session) -> u16 {
        match self {
            All(status) => status,
            _ if self.sends_away(session) => 303,
            _ => 403,
        }
    }

    /// Whether that session is sent on to where it becomes another.
    fn sends_away(self, session: Session) -> bool {
        match self {
            Users(_) | Owner(..) | Admins(_) => !matches!(session, Session::Member | Session::Admin),
            Halves(_) => session != Session::Half,
            All(_) | Each(_) => false,
        }
    }
}

/// A browser, as its requests show it.
struct Visitor {
    cookies: String,
    form_token: String,
}

struct House {
    appliance: Appliance,
    client: Client<HttpConnector, Full<Bytes>>,
    origin: String,
    places: BTreeMap<&'static str, String>,
    visitors: Vec<Visitor>,
}

fn token_of(page: &str) -> String {
    let forms = post_forms(page);
    let field = forms.iter().flat_map(|form| &form.fields).find(|(name, _)| name == "form_token");
    field.map(|(_, token)| token.clone()).expect("a form with a token")
}

impl House {
    /// With one of each thing, which is the admin's, and a browser in each state.
    async fn furnished() -> Self {
        let mut appliance = Appliance::new();
        appliance.add_member("ben");
        let eve = appliance.add_member("eve");
        appliance.put_into(&eve, &["writers"]);
        appliance.invite(|_| {});
        let mut admin = Browser::signed_in(&appliance).await;
        AuthenticatorApp::added(&appliance, &mut admin).await;
        appliance.add_member("joe");
        let mut joe = Browser::new();
        joe.sign_in(&appliance, "joe", PASSWORD).await.expect(303);
        AuthenticatorApp::added(&appliance, &mut joe).await;
        let agent = Agent::register(&appliance, "Cursor").await;
        agent.connect(&appliance, &mut admin).await;
        let form = admin.get(&appliance, "/dashboard/servers/new").await.expect(200);
        let fields = [("name", "files"), ("url", "http://127.0.0.1:1/mcp"), ("whose", "own")];
        admin.submit(&appliance, &form, "/dashboard/servers/new", &fields).await.expect(303);
        let (app, user) = (&appliance.app, appliance.admin.id);
        app.set_upstream_key(user, &ServerName::parse("files").unwrap(), "ntn_1").unwrap();

        let login = Browser::new().get(&appliance, "/login").await.expect(200).body;
        let asset = login.split("/assets/").nth(1).unwrap().split('"').next().unwrap();
        let places = BTreeMap::from([
            ("/assets/{*path}", format!("/assets/{asset}")),
            ("/mcp/{*server}", "/mcp/files".to_owned()),
            ("/verify/{*server}", "/verify/keyward".to_owned()),
            ("/.well-known/oauth-protected-resource/{*path}", "/.well-known/oauth-protected-resource/mcp".to_owned()),
            ("/authorize", agent.authorize_path(&appliance, &[])),
            ("/register/{client_id}", format!("/register/{}", agent.client_id)),
            ("/dashboard/clients/remove", format!("/dashboard/clients/remove?client_id={}", agent.client_id)),
            ("api-keys", appliance.personal_token("Laptop").0.to_string()),
            ("connections", app.connections(user).unwrap()[0].grant.id.to_string()),
            ("security", app.factors(&appliance.admin).unwrap().all[0].id.to_string()),
            (
                "/dashboard/security/sessions/{id}/end",
                format!("/dashboard/security/sessions/{}/end", SessionId::from_bytes([1; 16])),
            ),
            ("users", eve.id.to_string()),
            ("invitations", app.invitations().unwrap()[0].invitation.id.to_string()),
            ("signing-keys", app.signing_keys().unwrap()[0].id.to_string()),
        ]);
        let address = appliance.listen();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut house = Self { appliance, client, origin: format!("http://{address}"), places, visitors: Vec::new() };
        for session in SESSIONS {
            let visitor = house.visitor(session, &admin).await;
            house.visitors.push(visitor);
        }
        house
    }

    /// A browser in this state.
    async fn visitor(&self, session: Session, admin: &Browser) -> Visitor {
        let (appliance, mut browser) = (&self.appliance, Browser::new());
        let page: Answer = match session {
            Session::Nobody => browser.get(appliance, "/login").await,
            Session::Half => {
                browser.sign_in(appliance, "joe", PASSWORD).await.expect(303);
                browser.get(appliance, "/login/second-factor").await
            }
            Session::Ended | Session::Member => {
                browser.sign_in(appliance, "ben", PASSWORD).await.expect(303);
                browser.get(appliance, "/dashboard").await
            }
            Session::Admin => {
                browser = admin.clone();
                browser.get(appliance, "/dashboard").await
            }
        };
        let page = page.expect(200);
        let visitor = Visitor { cookies: browser.cookie_header(), form_token: token_of(&page.body) };
        if session == Session::Ended {
            browser.submit(appliance, &page, "/logout", &[]).await.expect(303);
        }
        visitor
    }

    /// The path of one thing.
    fn place(&self, pattern: &str) -> String {
        if let Some(place) = self.places.get(pattern) {
            return place.clone();
        }
        let kind = pattern.split('/').nth(2).unwrap_or_default();
        let id = self.places.get(kind).map_or("none", String::as_str);
        pattern.replace("{id}", id).replace("{group}", "writers").replace("{name}", "files").replace("{*path}", "none")
    }

    /// The status, and where it leads.
    async fn ask(&self, method: &str, path: &str, visitor: &Visitor, sent: Sent) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header("accept", "text/html")
            .header("cookie", &visitor.cookies);
        let request = match (method, sent) {
            (GET, _) => request.body(Full::default()),
            (_, Sent::FromElsewhere) => form(request.header("origin", "https://evil.example"), Some(visitor)),
            (_, Sent::Tokenless) => form(request.header("origin", &self.origin), None),
            (_, Sent::Well) => form(request.header("origin", &self.origin), Some(visitor)),
        };
        let answer = self.client.request(request.unwrap()).await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        (status, location.unwrap_or_default())
    }
}

/// A form with nothing in it but the token of this visitor.
fn form(request: Builder, visitor: Option<&Visitor>) -> axum::http::Result<Request<Full<Bytes>>> {
    let token = visitor.map(|visitor| format!("form_token={}", visitor.form_token));
    let body = Full::from(token.unwrap_or_default());
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

#[test]
fn every_route_of_the_router_has_its_row() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let mut routes = BTreeSet::new();
    for (path, methods) in Appliance::new().routes() {
        let methods =
            if methods.is_empty() { vec![ANY.to_owned()] } else { methods.iter().map(Method::to_string).collect() };
        routes.extend(methods.into_iter().map(|method| (path.clone(), method)));
    }
    let rows: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| ((*path).to_owned(), (*method).to_owned())).collect();
    assert_eq!(rows.len(), TABLE.len(), "no row twice");
    let without_row: Vec<_> = routes.difference(&rows).collect();
    let without_route: Vec<_> = rows.difference(&routes).collect();
    assert!(without_row.is_empty() && without_route.is_empty(), "new: {without_row:#?}\ngone: {without_route:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_each_session_as_its_row_says() {
    let house = House::furnished().await;
    let mut wrong = String::new();
    for (method, pattern, to) in TABLE {
        let path = house.place(pattern);
        let methods: &[&str] = if *method == ANY { &["POST", "DELETE"] } else { &[*method] };
        for method in methods {
            for (session, visitor) in SESSIONS.into_iter().zip(&house.visitors) {
                let forms: &[Sent] =
                    if *method == GET { &[Sent::Well] } else { &[Sent::Tokenless, Sent::FromElsewhere, Sent::Well] };
                for sent in forms {
                    let expected = if *sent == Sent::Well { to.expected(session) } else { to.refused(session) };
                    let (status, location) = house.ask(method, &path, visitor, *sent).await;
                    if status != expected {
                        writeln!(
                            wrong,
                            "{method} {pattern} {session:?} {sent:?}: {status} {location} instead of {expected}"
                        )
                        .unwrap();
                    }
                    let lost = to.sends_away(session)
                        && !matches!(location.as_str(), "/dashboard")
                        && !location.starts_with("/login");
                    if lost {
                        writeln!(wrong, "{method} {pattern} {session:?} {sent:?}: leads to {location}").unwrap();
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Forms that ask again who is there when the last proof is too old. Those that are empty here and so never get that far are
/// told in `step_up`.
const ASK_AGAIN: &[&str] = &[
    "/dashboard/api-keys/revoke-all",
    "/dashboard/connections/revoke-all",
    "/dashboard/security/recovery-codes",
    "/dashboard/security/factors/{id}/remove",
    "/dashboard/servers/new",
    "/dashboard/servers/{name}/edit",
    "/dashboard/users/{id}/disable",
    "/dashboard/users/{id}/enable",
    "/dashboard/users/{id}/sign-out",
    "/dashboard/users/{id}/reset-link",
    "/dashboard/users/{id}/revoke-all",
    "/dashboard/users/{id}/reset-factors",
    "/dashboard/users/{id}/delete",
    "/dashboard/signing-keys/{id}/condemn",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_session_is_asked_again_where_power_is_handed_out_and_nowhere_else() {
    let house = House::furnished().await;
    house.appliance.advance(minutes(10));
    let admin = house.visitors.last().unwrap();
    let (mut asked, mut wrong) = (BTreeSet::new(), String::new());
    for (method, pattern, to) in TABLE {
        if *method != POST || !matches!(to, Users(_) | Owner(..) | Admins(_)) {
            continue;
        }
        let path = house.place(pattern);
        for sent in [Sent::Tokenless, Sent::FromElsewhere] {
            let (status, location) = house.ask(method, &path, admin, sent).await;
            if status != 403 && !location.starts_with("/confirm") {
                writeln!(wrong, "{pattern} {sent:?}: {status}").unwrap();
            }
        }
        if house.ask(method, &path, admin, Sent::Well).await.0 == 401 {
            asked.insert(*pattern);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(asked, ASK_AGAIN.iter().copied().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_route_does_not_have_is_refused() {
    let house = House::furnished().await;
    let admin = house.visitors.last().unwrap();
    for (path, methods) in house.appliance.routes() {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            if !methods.is_empty() && !methods.iter().any(|known| known == method) {
                let (status, _) = house.ask(method, &house.place(&path), admin, Sent::Well).await;
                assert_eq!(status, 405, "{method} {path}");
            }
        }
    }
}
