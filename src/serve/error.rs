//! Why does the server not start, or not go on?

use crate::app::error::OperationError;
use crate::config::ConfigError;
use crate::store::OpenError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server does not start. Each message names the thing and the next step.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {cause}{}", listen_advice(.cause))]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The data directory cannot be opened.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// There is nothing in the data directory.
    #[error("there is no data in {}. Name the directory of the server with --data-dir", .path.display())]
    NoData {
        /// The directory.
        path: PathBuf,
    },
    /// The appliance cannot be opened or closed.
    #[error("{}", .0.with_causes())]
    Operation(#[from] OperationError),
    /// A demo or fixture is asked to be reachable from elsewhere.
    #[error(
        "{command} is for this machine only, and {what} is not loopback. Use 127.0.0.1, or `keyward serve` for others"
    )]
    NotLoopback {
        /// `demo` or `fixture`.
        command: &'static str,
        /// The address or URL.
        what: String,
    },
    /// The operating system gives no threads, timers or signals.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

fn listen_advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => ". Another program uses this port: stop it or choose another port",
        io::ErrorKind::AddrNotAvailable => ". This machine has no such address: 0.0.0.0 stands for all that it has",
        io::ErrorKind::PermissionDenied => ". Ports below 1024 need a privilege: choose one above",
        _ => "",
    }
}
