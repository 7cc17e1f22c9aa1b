//! How long does a page of the dashboard take, and does it grow with what is kept? Every page that shows rows, asked for as a
//! browser does, on a real appliance in memory that has people, tokens and a log.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use keyward::access::{ServerDirectory, ServerName};
use keyward::account::user::{Role, User, Username};
use keyward::app::events::{Called, EventFilter, EventPlace};
use keyward::app::personal_tokens::NewPersonalToken;
use keyward::app::usage::CallerRef;
use keyward::app::{App, Parts};
use keyward::clock::{Clock, SystemClock, Timestamp, hours};
use keyward::config::{Config, Given, load};
use keyward::entropy::{Entropy, OsEntropy};
use keyward::event::CallOutcome;
use keyward::id::{GrantId, TokenId, UserId};
use keyward::oauth::client::ClientId;
use keyward::oauth::scope::ScopeSet;
use keyward::secret::MasterSecret;
use keyward::serve::{self, Routes};
use keyward::store::tables::{USER_NAMES, USERS};
use keyward::store::{Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// What there is at the end.
pub const USERS_AT_MOST: usize = 1_000;
pub const TOKENS_AT_MOST: usize = 10_000;
/// So many are the admin's from the beginning, who looks at the pages: the most that one person may have.
const OWN_TOKENS: usize = 900;
pub const EVENTS_AT_MOST: usize = 1_000_000;
/// Calls that are put at once: what the queue holds.
const AT_ONCE: usize = 4_000;
/// Times that each page is asked for.
const TIMES: usize = 101;
const HOST: &str = "127.0.0.1:8080";
const PASSWORD: &str = "four quiet random words";

/// An appliance with rows, and the admin's browser.
pub struct Dashboard {
    runtime: Runtime,
    store: Store,
    master: MasterSecret,
    app: Arc<App>,
    routes: Routes,
    admin: User,
    cookies: String,
    people: Vec<UserId>,
    clients: Vec<ClientId>,
    tokens: Vec<TokenId>,
    events: usize,
    began: Timestamp,
}

/// A page as people would call it, and how long it takes at best.
pub type Row = (&'static str, Duration);

impl Dashboard {
    /// With the admin only, who is signed in.
    pub fn new() -> Self {
        let (store, entropy) = (Store::in_memory(), OsEntropy);
        let master = MasterSecret::generate(&entropy);
        let (app, routes) = start(&store, &master);
        let admin = app.seed_admin("ada", PASSWORD).unwrap();
        let now = SystemClock.now();
        let clients = (0..50).map(|_| ClientId::generate(now, &entropy)).collect();
        let mut dashboard = Self {
            runtime: Runtime::new().unwrap(),
            store,
            master,
            app,
            routes,
            admin,
            cookies: String::new(),
            people: Vec::new(),
            clients,
            tokens: Vec::new(),
            events: 0,
            began: now - hours(24 * 30),
        };
        dashboard.sign_in();
        dashboard
    }

    /// Fills it up to one part in `parts` of everything.
    pub fn fill(&mut self, parts: usize) {
        self.add_people(USERS_AT_MOST / parts);
        self.add_tokens(TOKENS_AT_MOST / parts);
        self.add_events(EVENTS_AT_MOST / parts);
        // It took a while, and some pages ask again after one.
        self.cookies.clear();
        self.sign_in();
    }

    fn add_people(&mut self, count: usize) {
        let (first, model) = (self.people.len(), self.admin.clone());
        let now = SystemClock.now();
        self.people.extend((first..count).map(|_| UserId::generate(now, &OsEntropy)));
        let people = self.people.clone();
        let written: Result<(), StoreError> = self.store.write(move |tx| {
            for (number, id) in people.into_iter().enumerate().skip(first) {
                let name = Username::parse(&format!("person-{number}")).unwrap();
                let person = User { id, name, role: Role::Member, ..model.clone() };
                tx.insert_new(USERS, &person.id, &person)?;
                tx.insert_new(USER_NAMES, &person.name.canonical(), &person.id)?;
            }
            Ok(())
        });
        written.unwrap();
        // Accounts that somebody else wrote are known from a start on.
        (self.app, self.routes) = start(&self.store, &self.master);
    }

    /// Tokens up to this count, each used once; the first are the admin's.
    fn add_tokens(&mut self, count: usize) {
        let caller = CallerRef { address: Some([203, 0, 113, 7].into()), user_agent: "Claude-Code/2.1" };
        while self.tokens.len() < count {
            let number = self.tokens.len();
            let owner = if number < OWN_TOKENS { self.admin.id } else { self.people[number % self.people.len()] };
            let (now, scopes) = (SystemClock.now(), ScopeSet::mcp());
            let (id, name) = (TokenId::generate(now, &OsEntropy), format!("Token {number}"));
            let new = NewPersonalToken { id, name, expires_at: None, servers: None, scopes };
            self.app.create_personal_token(owner, &new).unwrap();
            self.app.live().usage().tokens.record(id, now, caller);
            self.tokens.push(id);
        }
        self.app.flush_usage().unwrap();
    }

    /// Calls, one a second from a month ago on.
    fn add_events(&mut self, count: usize) {
        let app = &self.app;
        let live = app.live().user(self.admin.id).unwrap();
        let servers: Vec<_> = (0..20).map(|n| ServerName::parse(&format!("server-{n}")).unwrap()).collect();
        let grant = GrantId::generate(self.began, &OsEntropy);
        while self.events < count {
            for _ in 0..AT_ONCE.min(count - self.events) {
                let n = self.events;
                app.live().calls().called(Called {
                    at: self.began + Duration::from_secs(n as u64),
                    millis: 12,
                    user: (
                        if n.is_multiple_of(2) { self.admin.id } else { self.people[n % self.people.len()] },
                        Arc::clone(&live),
                    ),
                    token: self.tokens[n % self.tokens.len()],
                    // One client in a thousand calls is rare.
                    connection: Some((self.clients[if n % 1_000 == 7 { 0 } else { 1 + n % 49 }].clone(), grant)),
                    server: servers[n % servers.len()].clone(),
                    tool: "write_file".into(),
                    outcome: CallOutcome::Answered,
                    address: Some([203, 0, 113, 7].into()),
                });
                self.events += 1;
            }
            app.flush_events().unwrap();
        }
    }

    /// How long pages take, the slowest first.
    pub fn measure(&self) -> Vec<Row> {
        let middle = keyward::web::when::exact(self.began + Duration::from_secs(self.events as u64 / 2));
        let (person, rare, middle) = (self.people[7], self.clients[0].as_str(), &middle[..10]);
        let of_person = format!("/events?person={person}");
        let paths = [
            ("home", String::new()),
            ("tokens, 900 of one's own", "/api-keys".to_owned()),
            ("tokens with a part of a name, of which there are none", "/api-keys?text=zebra".to_owned()),
            ("a new token", "/api-keys/new".to_owned()),
            ("access by apps", "/access".to_owned()),
            ("access by tokens", "/access?what=tokens".to_owned()),
            ("access by tokens of a person", format!("/access?what=tokens&person={person}")),
            ("connected apps", "/connections".to_owned()),
            ("servers", "/servers".to_owned()),
            ("a server", "/servers/keyward".to_owned()),
            ("security", "/security".to_owned()),
            ("users", "/users".to_owned()),
            ("users with a part of a name", "/users?name=son-7".to_owned()),
            ("a user with 900 tokens", format!("/users/{}", self.admin.id)),
            ("a user with few tokens", format!("/users/{person}")),
            ("groups", "/groups".to_owned()),
            ("invitations", "/invitations".to_owned()),
            ("clients", "/clients".to_owned()),
            ("signing keys", "/signing-keys".to_owned()),
            ("activity", "/activity".to_owned()),
            ("activity: sign-ins", "/activity?kind=sign-ins".to_owned()),
            ("events", "/events".to_owned()),
            ("events: in the middle", format!("/events?to={middle}")),
            ("events: of a person", of_person.clone()),
            ("events: sign-ins of a person, of which there are none", format!("{of_person}&kind=sign-ins")),
            ("events: of a rare client", format!("/events?client={rare}")),
            (
                "events: of a person, a rare client, a server and a kind, of which there are none",
                format!("/events?person={}&client={rare}&server=server-7&kind=calls", self.admin.id),
            ),
            ("events: of a person at a server since a day", format!("{of_person}&server=server-8&from={middle}")),
        ];
        let mut rows: Vec<Row> = paths.into_iter().map(|(name, path)| (name, self.time_of(&path))).collect();
        rows.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        rows
    }

    fn time_of(&self, path: &str) -> Duration {
        let path = format!("/dashboard{path}");
        // Other work on the machine only ever adds.
        let times = (0..TIMES).map(|_| {
            let began = Instant::now();
            let (status, body, _) = self.ask(Request::get(&path), String::new());
            let took = began.elapsed();
            assert!(status == StatusCode::OK && body.contains("</html>"), "{path}: {status}");
            took
        });
        times.min().unwrap()
    }

    /// How long it takes to read the whole log, as an export does.
    pub fn export(&self) -> Duration {
        let (began, mut place) = (Instant::now(), EventPlace::Newest);
        while let Some(older) = self.app.events(&EventFilter::default(), place, 500).unwrap().older {
            place = EventPlace::OlderThan(older);
        }
        began.elapsed()
    }

    fn sign_in(&mut self) {
        let (_, page, cookies) = self.ask(Request::get("/login"), String::new());
        self.cookies = cookies;
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
        let fields = [("form_token", rest.split('"').next().unwrap()), ("username", "ada"), ("password", PASSWORD)];
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post("/login")
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let (status, _, cookies) = self.ask(request, body);
        assert_eq!(status, StatusCode::SEE_OTHER);
        self.cookies = cookies;
    }

    /// Status, body and the cookies that were set.
    fn ask(&self, request: axum::http::request::Builder, body: String) -> (StatusCode, String, String) {
        let request = request.header(header::HOST, HOST).header(header::ACCEPT, "text/html");
        let request = request.header(header::COOKIE, &self.cookies).body(Body::from(body)).unwrap();
        self.runtime.block_on(async {
            let (parts, body) = self.routes.clone().oneshot(request).await.unwrap().into_parts();
            let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
            let cookies = parts.headers.get_all(header::SET_COOKIE).iter();
            let cookies = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
            (parts.status, body, cookies.collect::<Vec<_>>().join("; "))
        })
    }
}

fn start(store: &Store, master: &MasterSecret) -> (Arc<App>, Routes) {
    let variables = [
        ("KEYWARD_PUBLIC_URL", format!("http://{HOST}")),
        ("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", OWN_TOKENS.to_string()),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let loaded = load(Given { variables, ..Given::default() }).unwrap();
    let config = Config::new(loaded, HOST.parse().unwrap()).unwrap();
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
    let app = App::open(Parts {
        store: store.clone(),
        clock: Arc::clone(&clock),
        entropy,
        master: master.clone(),
        options: config.app.clone(),
        servers: ServerDirectory::new(config.servers.clone()).unwrap(),
    });
    let app = Arc::new(app.unwrap());
    let routes = serve::router(&app, &config, clock);
    (app, routes)
}
