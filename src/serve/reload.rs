//! What does SIGHUP do? The servers of the configuration file are read again, with the secrets that they name. Nothing else is:
//! other options hold until a restart.
//!
//! Invariant: either all that the file says now is in force or nothing of it; a file that is not good changes nothing, and the
//! log says why.

use crate::app::App;
use crate::app::error::OperationError;
use crate::config::{Config, ConfigError, Loaded};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Reads the configuration again, from where it was read at the start.
#[derive(Clone)]
pub struct Reread(Arc<dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync>);

/// Why the servers stay as they were.
#[derive(Debug, thiserror::Error)]
enum NotReread {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// They would be at other URLs than everything else.
    #[error("public_url has changed, which takes a restart")]
    PublicUrl,
    /// They cannot be put in place.
    #[error("{}", .0.with_causes())]
    Operation(#[from] OperationError),
}

impl Reread {
    /// Reads with `read`.
    pub fn new(read: impl Fn() -> Result<Loaded, ConfigError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads at each SIGHUP from now on, so that no signal is lost and none ends the process: to be called inside of a
    /// runtime. `address` is the one that is listened on.
    pub(super) fn when_told(self, app: &Arc<App>, address: SocketAddr) -> io::Result<()> {
        let (app, mut signals) = (Arc::downgrade(app), HangUps::watch()?);
        tokio::spawn(async move {
            while signals.next().await {
                let Some(app) = app.upgrade() else { return };
                let reread = self.clone();
                let read = tokio::task::spawn_blocking(move || reread.perform(&app, address)).await;
                match read {
                    Ok(Ok(servers)) => tracing::info!(servers, "the servers of the configuration file were read again"),
                    Ok(Err(why)) => tracing::error!("the servers stay as they were: {why}"),
                    Err(error) => tracing::error!(%error, "the servers stay as they were"),
                }
            }
        });
        Ok(())
    }

    /// Reads, and puts in place; how many servers there are then.
    fn perform(&self, app: &App, address: SocketAddr) -> Result<usize, NotReread> {
        let loaded = (self.0)()?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let config = Config::new(loaded, address)?;
        if config.public_url != app.options().issuer {
            return Err(NotReread::PublicUrl);
        }
        app.replace_servers_of_file(config.servers)?;
        super::tell_oddities(app)?;
        Ok(app.live().servers().all().len())
    }
}

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reread")
    }
}

#[cfg(unix)]
struct HangUps(tokio::signal::unix::Signal);

#[cfg(unix)]
impl HangUps {
    fn watch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::hangup()).map(Self)
    }

    async fn next(&mut self) -> bool {
        self.0.recv().await.is_some()
    }
}

#[cfg(not(unix))]
struct HangUps;

#[cfg(not(unix))]
impl HangUps {
    fn watch() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> bool {
        false
    }
}
