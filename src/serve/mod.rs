//! How does the whole come together? Take the address, open the store, make the [`App`], build the routers, listen, and
//! wind up.
//!
//! The order is the point: nobody can connect before [`App::open`] has loaded every revocation, and on a stop the last
//! uses are written after the last request was answered. The command line is heard for as long as requests are answered.

pub mod accept;
mod activity;
mod error;
mod health;
mod opening;
pub mod peers;
mod reload;
mod stop;
mod unread;

pub use error::ServeError;
pub use reload::Reread;
pub use stop::{StopWatch, StopWhen};

use crate::access::ServerDirectory;
use crate::app::error::OperationError;
use crate::app::{App, Parts};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError, Loaded};
use crate::control::ControlSocket;
use crate::entropy::OsEntropy;
use crate::gateway::stdio::StdioServers;
use crate::gateway::{self, GatewayOptions, OpenStreams};
use crate::secret::MasterSecret;
use crate::store::{DataDirectory, Store};
use crate::upkeep::Upkeep;
use crate::web;
use crate::web::state::WebState;
use crate::wire::blocking;
use crate::wire::document_fetch::DocumentFetcher;
use crate::wire::entry::{EntryLayer, EntryService};
use crate::wire::limits::answer_in_time;
use accept::BoundSocket;
use axum::Router;
use axum::middleware::from_fn_with_state;
use peers::Peers;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower::Layer as _;

/// Threads for what blocks beyond the operations and hashes of requests: upkeep, name resolution.
const FURTHER_THREADS: usize = 8;

/// Everything that is needed to serve, with an address that is taken and not yet open.
#[derive(Debug)]
pub struct Appliance {
    app: Arc<App>,
    config: Config,
    socket: BoundSocket,
    /// Whether the data directory is ours, so that the command line finds us there.
    on_disk: bool,
    reread: Option<Reread>,
}

impl Appliance {
    /// With its data on disk.
    pub fn on_disk(loaded: Loaded) -> Result<Self, ServeError> {
        Ok(Self { on_disk: true, ..Self::open(loaded, open_data)? })
    }

    /// With its data in memory, gone at the end of the process.
    pub fn in_memory(loaded: Loaded) -> Result<Self, ServeError> {
        Self::open(loaded, |_| Ok((Store::in_memory(), MasterSecret::generate(&OsEntropy))))
    }

    fn open(
        loaded: Loaded,
        store: impl FnOnce(&Config) -> Result<(Store, MasterSecret), ServeError>,
    ) -> Result<Self, ServeError> {
        let address = loaded.settings.listen_address()?;
        let socket = BoundSocket::bind(address).map_err(|cause| ServeError::Address { address, cause })?;
        let config = Config::new(loaded, socket.address())?;
        let (store, master) = store(&config)?;
        let app = open_app(&config, store, master)?;
        Ok(Self { app: Arc::new(app), config, socket, on_disk: false, reread: None })
    }

    /// Reads the servers of the configuration file again when it is told to.
    #[must_use]
    pub fn rereading(self, reread: Reread) -> Self {
        Self { reread: Some(reread), ..self }
    }

    /// The operations.
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// What it runs by.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The address that is taken, with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.socket.address()
    }

    /// The link with which the first admin is made, while there is none. An earlier link is void from now on.
    pub fn set_up_link(&self) -> Result<Option<String>, ServeError> {
        let secret = self.app.open_set_up()?;
        Ok(secret.map(|secret| self.config.public_url.join(&format!("/setup?secret={}", secret.expose()))))
    }

    /// Serves until `stop`; calls `ready` when clients can connect.
    pub fn run(self, stop: StopWhen, ready: impl FnOnce()) -> Result<(), ServeError> {
        let Self { app, config, socket, on_disk, reread } = self;
        tell_oddities(&app)?;
        blocking::set_options(config.blocking);
        let threads = config.blocking.operations + config.blocking.password_hashing + FURTHER_THREADS;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("keyward")
            .max_blocking_threads(threads)
            .build()?;
        let outcome = runtime.block_on(async {
            let children = StdioServers::new(Arc::clone(&app), config.stdio.clone());
            let streams = OpenStreams::new(Arc::clone(&app));
            let router = routes(&app, &config, Arc::new(SystemClock), children.clone(), streams.clone());
            let address = socket.address();
            let listener = socket.listen().map_err(|cause| ServeError::Address { address, cause })?;
            let stop = stop.watch()?;
            if let Some(reread) = reread {
                reread.when_told(&app, address)?;
            }
            let upkeep = Upkeep::start(&app, config.upkeep);
            let control = if on_disk { listen_for_commands(&app, &config) } else { None };
            ready();
            tracing::info!(%address, public_url = %config.public_url, "serving");
            let peers = Peers::new(config.limits.connections_per_address, config.trusted_proxies.clone());
            let stopping = children.clone();
            let stop = async move {
                stop.wait().await;
                // Children say goodbye to those who listen to them; then all who listen are let go.
                stopping.begin_stop();
                streams.begin_stop();
            };
            accept::serve(listener, router, config.limits, peers, stop).await;
            children.stop().await;
            if let Some(control) = control {
                control.close().await;
            }
            upkeep.stop().await;
            tokio::task::spawn_blocking(move || app.close()).await.map_err(io::Error::other)??;
            Ok(())
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
        outcome
    }
}

/// Tells the log what of the servers is probably not meant so.
fn tell_oddities(app: &App) -> Result<(), OperationError> {
    for (server, user) in app.unknown_users_in_rules()? {
        tracing::warn!(%server, user, "a rule of this server names somebody who has no account");
    }
    for (server, group) in app.unknown_groups_in_rules()? {
        tracing::warn!(%server, %group, "a rule of this server names a group that does not exist");
    }
    for (server, why) in app.unserved_servers()? {
        tracing::warn!(%server, "this server of the dashboard is not served: {why}");
    }
    Ok(())
}

/// A server without this socket still serves; only the command line must wait until it is stopped.
fn listen_for_commands(app: &Arc<App>, config: &Config) -> Option<ControlSocket> {
    let opened = ControlSocket::open(app, &config.data_dir);
    opened.inspect_err(|error| tracing::warn!("{error}")).ok()
}

/// The operations on the data of a server that is stopped; nobody can connect.
pub fn open_stopped(config: &Config) -> Result<App, ServeError> {
    // A directory that was misspelt is not made.
    if !std::fs::read_dir(&config.data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ServeError::NoData { path: config.data_dir.clone() });
    }
    let (store, master) = open_data(config)?;
    open_app(config, store, master)
}

fn open_data(config: &Config) -> Result<(Store, MasterSecret), ServeError> {
    let data = DataDirectory::prepare(&config.data_dir)?;
    let opened = data.open(config.master_secret.clone(), SystemClock.now(), &OsEntropy)?;
    Ok((opened.store, opened.master))
}

fn open_app(config: &Config, store: Store, master: MasterSecret) -> Result<App, ServeError> {
    Ok(App::open(Parts {
        store,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        master,
        options: config.app.clone(),
        servers: ServerDirectory::new(config.servers.clone()).map_err(ConfigError::from)?,
    })?)
}

/// The routes, with what happens to every request around them all: around each it would cost a box and a copy more.
pub type Routes = EntryService<Router>;

/// Every route of the appliance, for whoever lets go of it without stopping; `clock` dates the ids of requests.
pub fn router(app: &Arc<App>, config: &Config, clock: Arc<dyn Clock>) -> Routes {
    let children = StdioServers::new(Arc::clone(app), config.stdio.clone());
    routes(app, config, clock, children, OpenStreams::new(Arc::clone(app)))
}

/// Every route of the appliance; `children` are the servers that are programs, `streams` the answers that go on.
pub fn routes(
    app: &Arc<App>,
    config: &Config,
    clock: Arc<dyn Clock>,
    children: StdioServers,
    streams: OpenStreams,
) -> Routes {
    let (hosts, origins, roots) = (config.hosts.clone(), config.origins.clone(), config.upstream_roots.clone());
    let options = GatewayOptions { hosts, origins, max_body: config.limits.mcp_body, roots };
    let (servers, insight) = gateway::routes(app, options, children, streams, web::connect::page);
    let client_documents = config.documents.live || config.documents.built_in;
    let documents = Arc::new(DocumentFetcher::new(config.documents.clone()));
    let state = WebState::new(Arc::clone(app), insight, documents, client_documents, config.limits);
    let web = web::router::router(state, config.hosts.clone())
        .layer(from_fn_with_state(config.limits.request_timeout, answer_in_time));
    let routes = health::router(app).merge(servers).merge(web).with_state(());
    EntryLayer::new(clock, app.entropy(), config.trusted_proxies.clone()).layer(routes)
}

/// Serves with the data on disk until a signal: the command `keyward serve`.
pub fn run(loaded: Loaded, reread: Reread, out: &mut dyn Write) -> Result<(), ServeError> {
    let appliance = Appliance::on_disk(loaded)?.rereading(reread);
    let public_url = appliance.config.public_url.clone();
    // Whoever reads the output may have gone; that stops no server.
    if let Some(link) = appliance.set_up_link()? {
        let _ = writeln!(out, "No user exists yet. Open this link once to make the first one:\n\n    {link}\n");
        let _ = out.flush();
    }
    let address = appliance.socket.address();
    appliance.run(StopWhen::Signalled, || {
        let _ = writeln!(out, "Keyward is ready at {public_url} (listening on {address}).");
        let _ = out.flush();
    })
}
