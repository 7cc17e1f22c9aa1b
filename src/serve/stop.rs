//! When does the server stop? When it is told to by a signal, and a fixture also when its standard input closes.

use std::io::Read;
use tokio::sync::oneshot;

/// What ends the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopWhen {
    /// SIGTERM or SIGINT (Ctrl-C).
    Signalled,
    /// These, or the end of standard input: whoever started us is gone.
    SignalledOrInputCloses,
}

impl StopWhen {
    /// Waits for it. A second signal ends the process at once.
    pub async fn wait(self) {
        match self {
            Self::Signalled => signal().await,
            Self::SignalledOrInputCloses => tokio::select! {
                () = signal() => {}
                () = input_closes() => {}
            },
        }
        tracing::info!("stopping");
        tokio::spawn(async {
            signal().await;
            std::process::exit(130);
        });
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot wait for signals");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "cannot wait for Ctrl-C");
        std::future::pending().await
    }
}

/// A thread of its own waits, because a blocked read would hold up the runtime's end.
async fn input_closes() {
    let (closed, wait) = oneshot::channel::<()>();
    let reader = move || {
        let mut input = std::io::stdin().lock();
        let mut ignored = [0; 512];
        while !matches!(input.read(&mut ignored), Ok(0) | Err(_)) {}
        drop(closed);
    };
    let started = std::thread::Builder::new().name("stdin".to_owned()).spawn(reader);
    if let Err(error) = started {
        tracing::error!(%error, "cannot watch standard input");
        return std::future::pending().await;
    }
    let _ = wait.await;
}
