//! The whole appliance without a socket: the real router and configuration over redb in memory, with a clock that moves and
//! randomness that repeats.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use keyward::access::ServerDirectory;
use keyward::account::group::GroupName;
use keyward::account::user::{Role, User, Username};
use keyward::app::invitations::{Invited, NewInvitation};
use keyward::app::personal_tokens::{Made, NewPersonalToken};
use keyward::app::users::By;
use keyward::app::{App, Parts};
use keyward::clock::{Clock, ManualClock, Timestamp};
use keyward::config::{Config, Given, load};
use keyward::entropy::{Entropy, OsEntropy, SeededEntropy};
use keyward::gateway::OpenStreams;
use keyward::gateway::stdio::{StdioOptions, StdioServers};
use keyward::id::{InvitationId, TokenId, UserId};
use keyward::oauth::scope::ScopeSet;
use keyward::secret::MasterSecret;
use keyward::serve::accept::{self, BoundSocket};
use keyward::serve::peers::Peers;
use keyward::serve::{self, Routes};
use keyward::store::tables::{USER_NAMES, USERS};
use keyward::store::{DataDirectory, Store, StoreError};
use keyward::wire::client_address::TrustedProxies;
use keyward::wire::limits::Limits;
use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use tower::ServiceExt;

/// When every story begins.
pub const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_400_000);
/// The first admin's name.
pub const ADMIN: &str = "ada";
/// The first admin's password.
pub const PASSWORD: &str = "four quiet random words";

/// A running appliance.
pub struct Appliance {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub admin: User,
    /// The servers that are programs.
    pub children: StdioServers,
    router: Routes,
    store: Store,
    master: MasterSecret,
    entropy: Arc<dyn Entropy>,
    variables: Vec<(String, String)>,
    /// The configuration file, which is read again at each start.
    file: Option<Arc<NamedTempFile>>,
}

/// An HTTP answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// A header's text; empty if absent.
    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    /// The answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.body);
        self
    }
}

impl Appliance {
    /// An appliance with one admin.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// One that is configured by variables such as `("KEYWARD_TOKENS_REFRESH_GRACE", "0s")`.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
        let (store, master) = (Store::in_memory(), MasterSecret::generate(&*entropy));
        let clock = Arc::new(ManualClock::at(NOW));
        let mut all = vec![("KEYWARD_PUBLIC_URL".to_owned(), "http://127.0.0.1:8080".to_owned())];
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (app, children, router) = start(&store, &master, &entropy, &clock, &all);
        let admin = app.seed_admin(ADMIN, PASSWORD).unwrap();
        Self { app, clock, admin, children, router, store, master, entropy, variables: all, file: None }
    }

    /// One whose data are in a directory, which is made if there is none.
    pub fn on_disk(directory: &Path) -> Self {
        let mut appliance = Self::new();
        let data = DataDirectory::prepare(directory).unwrap().open(None, NOW, &OsEntropy).unwrap();
        (appliance.store, appliance.master) = (data.store, data.master);
        appliance.restart();
        appliance.admin = appliance.app.seed_admin(ADMIN, PASSWORD).unwrap();
        appliance
    }

    /// Stops, and starts again from what is on the disk.
    pub fn restart_from_disk(&mut self, directory: &Path) {
        self.app.close().unwrap();
        let data = DataDirectory::prepare(directory).unwrap().open(None, NOW, &OsEntropy).unwrap();
        (self.store, self.master) = (data.store, data.master);
        self.restart();
    }

    /// One whose configuration file has this text.
    pub fn with_file(text: &str) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut appliance = Self::with(&[("KEYWARD_CONFIG", file.path().to_str().unwrap())]);
        appliance.file = Some(Arc::new(file));
        appliance
    }

    /// Changes what the configuration file says of the servers, which the running appliance learns.
    pub fn change_servers(&self, text: &str) {
        std::fs::write(self.file.as_ref().expect("a file").path(), text).unwrap();
        let loaded = load(Given { variables: self.variables.clone(), ..Given::default() }).unwrap();
        let config = Config::new(loaded, "127.0.0.1:8080".parse().unwrap()).unwrap();
        self.app.replace_servers_of_file(config.servers).unwrap();
    }

    /// Listens on a free port of this machine, as `keyward serve` does, until the test ends.
    pub fn listen(&self) -> SocketAddr {
        let socket = BoundSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, router) = (socket.address(), self.router.clone());
        let listener = socket.listen().unwrap();
        let limits = Limits::default();
        let peers = Peers::new(limits.connections_per_address, TrustedProxies::default());
        tokio::spawn(accept::serve(listener, router, limits, peers, std::future::pending()));
        address
    }

    /// Its routes, as the router itself tells them: each with its methods, or none if it takes any.
    pub fn routes(&self) -> Vec<(String, Vec<Method>)> {
        let told = format!("{:?}", self.router);
        let (routes, paths) = told.split_once("node: Node { paths: {").expect("routes, then their paths");
        let paths = paths.split("} }").next().unwrap().split("RouteId(").skip(1).map(|entry| {
            let (id, path) = entry.split_once("): \"").expect("an id and a path");
            (id, path.split('"').next().unwrap().to_owned())
        });
        let methods_of = |id: &str| {
            let (_, route) = routes.split_once(&format!("RouteId({id}): MethodRouter(")).expect("a route of methods");
            let route = route.split("RouteId(").next().unwrap();
            let has = |method: &Method| {
                let (_, handler) =
                    route.split_once(&format!("{}: ", method.as_str().to_lowercase())).expect("a method");
                !handler.starts_with("None")
            };
            let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
            all.into_iter().filter(has).collect()
        };
        paths.map(|(id, path)| (path, methods_of(id))).collect()
    }

    /// A second appliance on the same store, as another program would be.
    pub fn beside(other: &Self) -> Self {
        let Self { clock, admin, store, master, entropy, variables, file, .. } = other;
        let (app, children, router) = start(store, master, entropy, clock, variables);
        Self {
            app,
            children,
            router,
            clock: Arc::clone(clock),
            admin: admin.clone(),
            store: store.clone(),
            master: master.clone(),
            entropy: Arc::clone(entropy),
            variables: variables.clone(),
            file: file.clone(),
        }
    }

    /// One that nobody has set up yet, and the secret of its link; its `admin` is a stranger to it.
    pub fn unclaimed() -> (Self, String) {
        let mut appliance = Self::new();
        appliance.store = Store::in_memory();
        appliance.restart();
        let secret = appliance.app.open_set_up().unwrap().unwrap();
        (appliance, secret.expose().to_owned())
    }

    /// Gives another person an account, which counts from a start of the appliance on.
    pub fn add_member(&mut self, name: &str) -> User {
        let (id, name) = (UserId::generate(self.clock.now(), &*self.entropy), Username::parse(name).unwrap());
        let member = User { id, name, role: Role::Member, ..self.admin.clone() };
        let added = member.clone();
        let written: Result<(), StoreError> = self.store.write(move |tx| {
            tx.insert_new(USERS, &added.id, &added)?;
            tx.insert_new(USER_NAMES, &added.name.canonical(), &added.id)?;
            Ok(())
        });
        written.unwrap();
        self.restart();
        member
    }

    /// One with so many members beside the admin.
    pub fn with_people(count: usize) -> Self {
        let mut appliance = Self::new();
        let admin = appliance.admin.clone();
        let written: Result<(), StoreError> = appliance.store.write(move |tx| {
            for number in 0..count {
                let mut id = [7; 16];
                id[..8].copy_from_slice(&(number as u64).to_be_bytes());
                let (id, name) = (UserId::from_bytes(id), Username::parse(&format!("person-{number}")).unwrap());
                let person = User { id, name, role: Role::Member, ..admin.clone() };
                tx.insert_new(USERS, &person.id, &person)?;
                tx.insert_new(USER_NAMES, &person.name.canonical(), &person.id)?;
            }
            Ok(())
        });
        written.unwrap();
        appliance.restart();
        appliance
    }

    /// The admin, as who acts on accounts.
    pub fn by_admin(&self) -> By {
        By::Admin(self.admin.id)
    }

    /// Makes groups, and puts a user into exactly these.
    pub fn put_into(&self, user: &User, groups: &[&str]) {
        let groups: Vec<_> = groups.iter().map(|name| GroupName::parse(name).unwrap()).collect();
        for group in &groups {
            // It may be there already.
            let _ = self.app.create_group(self.by_admin(), group, "");
        }
        let role = self.app.user_entry(user.id).unwrap().user.role;
        self.app.change_user(self.by_admin(), user.id, role, &groups).unwrap();
    }

    /// Makes an invitation of a member, changed like this; the secret of its link comes back.
    pub fn invite(&self, change: impl FnOnce(&mut NewInvitation)) -> String {
        let id = InvitationId::generate(self.clock.now(), &*self.entropy);
        let (name, note) = (String::new(), String::new());
        let mut new = NewInvitation { id, role: Role::Member, groups: Vec::new(), name, note };
        change(&mut new);
        match self.app.invite(self.admin.id, &new).unwrap() {
            Invited::Now(_, secret) => secret.expose().to_owned(),
            Invited::Before(_) => panic!("the id is new"),
        }
    }

    /// Takes the admin's rights away.
    pub fn demote_admin(&self) {
        let id = self.admin.id;
        let demoted = self.store.write(move |tx| tx.change(USERS, &id, |user: &mut User| user.role = Role::Member));
        demoted.unwrap().unwrap();
    }

    /// Starts the appliance again over the same store, as after a crash: nothing in memory survives.
    pub fn restart(&mut self) {
        (self.app, self.children, self.router) =
            start(&self.store, &self.master, &self.entropy, &self.clock, &self.variables);
    }

    /// Starts the appliance again with other variables.
    pub fn reconfigure(&mut self, variables: &[(&str, &str)]) {
        for (name, value) in variables {
            self.variables.retain(|(set, _)| set != name);
            self.variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.restart();
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        self.app.options().issuer.as_str()
    }

    /// The URL of the built-in MCP server.
    pub fn mcp_url(&self) -> String {
        format!("{}/mcp", self.issuer())
    }

    /// Sends a request as it is; `Host` is the issuer's unless given.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, "127.0.0.1:8080".parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// `GET` with headers.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(Method::GET, path, headers, Body::empty()).await
    }

    /// `POST` of a form.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.request(Method::POST, path, &all, Body::from(body)).await
    }

    /// The URL of the server at `/mcp/{name}`.
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/mcp/{name}", self.issuer())
    }

    /// `POST` of JSON.
    pub async fn post_json(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        all.extend_from_slice(headers);
        self.request(Method::POST, path, &all, Body::from(body.to_string())).await
    }

    /// Any request; `path` may be a whole URL of this appliance.
    pub async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let path = path.strip_prefix(self.issuer()).unwrap_or(path);
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body).unwrap()).await
    }

    /// Makes a personal token of the admin's for every server, as the dashboard does.
    pub fn personal_token(&self, name: &str) -> (TokenId, String) {
        self.personal_token_of(self.admin.id, name)
    }

    /// The same of anybody's.
    pub fn personal_token_of(&self, user: UserId, name: &str) -> (TokenId, String) {
        let id = TokenId::generate(self.clock.now(), &*self.entropy);
        let new =
            NewPersonalToken { id, name: name.to_owned(), expires_at: None, servers: None, scopes: ScopeSet::mcp() };
        match self.app.create_personal_token(user, &new).unwrap() {
            Made::Now(_, token) => (id, token.expose().to_owned()),
            Made::Before(_) => panic!("the id is new"),
        }
    }
}

fn start(
    store: &Store,
    master: &MasterSecret,
    entropy: &Arc<dyn Entropy>,
    clock: &Arc<ManualClock>,
    variables: &[(String, String)],
) -> (Arc<App>, StdioServers, Routes) {
    let loaded = load(Given { variables: variables.to_vec(), ..Given::default() }).unwrap();
    let config = Config::new(loaded, "127.0.0.1:8080".parse().unwrap()).unwrap();
    let app = App::open(Parts {
        store: store.clone(),
        clock: Arc::<ManualClock>::clone(clock),
        entropy: Arc::clone(entropy),
        master: master.clone(),
        options: config.app.clone(),
        servers: ServerDirectory::new(config.servers.clone()).unwrap(),
    });
    let app = Arc::new(app.unwrap());
    let stdio = StdioOptions {
        launcher: env!("CARGO_BIN_EXE_keyward").into(),
        patience: Duration::from_secs(2),
        max_queue: 256 * 1024,
        ..config.stdio.clone()
    };
    let children = StdioServers::new(Arc::clone(&app), stdio);
    let streams = OpenStreams::new(Arc::clone(&app));
    let router = serve::routes(&app, &config, Arc::<ManualClock>::clone(clock), children.clone(), streams);
    (app, children, router)
}
