//! When does the server stop? When it is told to by a signal, and a fixture also when its standard input closes.

use std::io::{self, Read};
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
    /// Watches from now on, so that no signal is lost: to be called inside of a runtime, before anybody is told that the
    /// server is ready.
    pub fn watch(self) -> io::Result<StopWatch> {
        let input = match self {
            Self::Signalled => None,
            Self::SignalledOrInputCloses => Some(input_closes()?),
        };
        Ok(StopWatch { signals: Signals::watch()?, input })
    }
}

/// Watches for the end.
#[derive(Debug)]
pub struct StopWatch {
    signals: Signals,
    /// Its sender goes when standard input ends.
    input: Option<oneshot::Receiver<()>>,
}

impl StopWatch {
    /// Waits for the end. From then on a second signal ends the process at once.
    pub async fn wait(mut self) {
        let signalled = tokio::select! {
            () = self.signals.next() => true,
            () = ended(self.input.take()) => false,
        };
        tracing::info!("stopping");
        tokio::spawn(async move {
            if !signalled {
                // Whoever closes our input often signals too.
                self.signals.next().await;
            }
            self.signals.next().await;
            std::process::exit(130);
        });
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn watch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
#[derive(Debug)]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn ended(input: Option<oneshot::Receiver<()>>) {
    match input {
        // An error is what a sender leaves that goes.
        Some(input) => drop(input.await),
        None => std::future::pending().await,
    }
}

/// A thread of its own waits, because a blocked read would hold up the runtime's end.
fn input_closes() -> io::Result<oneshot::Receiver<()>> {
    let (closed, wait) = oneshot::channel();
    let reader = move || {
        let mut input = io::stdin().lock();
        let mut ignored = [0; 512];
        loop {
            match input.read(&mut ignored) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        drop(closed);
    };
    std::thread::Builder::new().name("stdin".to_owned()).spawn(reader)?;
    Ok(wait)
}
