//! How does a running server take requests? On a unix socket, one request a connection, each with a bound on its length, on
//! the time that it takes to arrive, and on how many there are at once.
//!
//! The socket is made under another name, closed to others, and put in place by a rename, which also replaces what a
//! server left that was killed: the caller holds the lock on the directory, so no other server listens there.

use crate::app::App;
use crate::app::error::OperationError;
use crate::control::perform::perform;
use crate::control::request::{Answer, BadRequest, Request};
use crate::control::{CONNECTIONS, MAX_REQUEST_BYTES, PATIENCE, socket_path};
use crate::wire::blocking;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

/// Pause after the kernel refuses a connection, mostly because the process has too many files open.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// Why a running server cannot be reached by the command line.
#[derive(Debug, thiserror::Error)]
#[error(
    "`keyward users`, `tokens` and `keys` work on this server only while it is stopped: cannot make {}: {cause}{}",
    .path.display(), advice(.cause)
)]
pub struct NoSocket {
    path: PathBuf,
    cause: io::Error,
}

/// The open socket of a running server.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    places: Arc<Semaphore>,
    accepting: JoinHandle<()>,
    stopping: watch::Sender<()>,
}

impl ControlSocket {
    /// Listens in `directory`, whose lock the caller holds; to be called inside of a runtime.
    pub fn open(app: &Arc<App>, directory: &Path) -> Result<Self, NoSocket> {
        let path = socket_path(directory);
        let listener = bind(&path).map_err(|cause| NoSocket { path: path.clone(), cause })?;
        let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
        let (stopping, watch_stop) = watch::channel(());
        let accepting = tokio::spawn(accept(listener, Arc::clone(app), Arc::clone(&places), watch_stop));
        Ok(Self { path, places, accepting, stopping })
    }

    /// Takes no more requests and answers those that have come in; the file is gone then.
    pub async fn close(self) {
        let Self { path, places, accepting, stopping } = self;
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "cannot remove the control socket");
        }
        drop(stopping);
        // Neither fails: the task does not panic, and nobody closes the semaphore.
        let _ = accepting.await;
        let _ = places.acquire_many(CONNECTIONS).await;
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let unfinished = path.with_added_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&unfinished)?;
    let placed = fs::set_permissions(&unfinished, Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&unfinished, path))
        .map(|()| listener);
    if placed.is_err() {
        // The first failure is the one to tell.
        let _ = fs::remove_file(&unfinished);
    }
    placed
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::InvalidInput => ". Give the data a directory with a shorter path",
        _ => "",
    }
}

async fn accept(listener: UnixListener, app: Arc<App>, places: Arc<Semaphore>, mut watch_stop: watch::Receiver<()>) {
    loop {
        let stopping = watch_stop.clone();
        let accepted = tokio::select! {
            _ = watch_stop.changed() => return,
            accepted = next(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let app = Arc::clone(&app);
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &app, stopping).await {
                        tracing::debug!(%error, "a connection to the control socket ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection to the control socket");
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
        }
    }
}

async fn next(listener: &UnixListener, places: &Arc<Semaphore>) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn converse(mut stream: UnixStream, app: &Arc<App>, mut watch_stop: watch::Receiver<()>) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    let answer = if may_ask(peer, rustix::process::geteuid().as_raw()) {
        let request = tokio::select! {
            request = read(&mut stream) => request?,
            _ = watch_stop.changed() => return Ok(()),
        };
        match request {
            Ok(Some(request)) => carry_out(request, app, peer).await,
            Ok(None) => return Ok(()),
            Err(bad) => Answer::Refused(bad.to_string()),
        }
    } else {
        tracing::warn!(user = peer, "another user asked over the control socket and was refused");
        Answer::Refused("Only the user who runs the server, and root, may do this.".to_owned())
    };
    let line = zeroize::Zeroizing::new(answer.to_line());
    tokio::time::timeout(PATIENCE, stream.write_all(line.as_bytes())).await?
}

/// Whether a process of the user `peer` may ask a server of the user `own`.
const fn may_ask(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// The request of a connection; none from one that closes without a word.
async fn read(stream: &mut UnixStream) -> io::Result<Result<Option<Request>, BadRequest>> {
    let mut line = Vec::new();
    let mut bounded = BufReader::new(stream).take(MAX_REQUEST_BYTES as u64 + 1);
    match tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
        Ok(Ok(0)) => return Ok(Ok(None)),
        Ok(read) => drop(read?),
        Err(_) => return Ok(Err(BadRequest::Unfinished)),
    }
    Ok(match line.strip_suffix(b"\n") {
        Some(line) => Request::parse(line).map(Some),
        None if line.len() > MAX_REQUEST_BYTES => Err(BadRequest::TooLong),
        None => Err(BadRequest::Unfinished),
    })
}

async fn carry_out(request: Request, app: &Arc<App>, user: u32) -> Answer {
    tracing::info!(command = request.words(), user, "asked over the control socket");
    let hashes = request.hashes_a_password();
    let operation = move |app: &App| perform(&request, app);
    let done = if hashes { blocking::run_hashing(app, operation).await } else { blocking::run(app, operation).await };
    match done {
        Ok(done) => {
            if let Err(OperationError::Unavailable(error)) = &done {
                tracing::error!(%error, "the store could not be used");
            }
            done.into()
        }
        Err(busy) => Answer::Refused(busy.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_user_and_root_may_ask() {
        assert!(may_ask(1000, 1000) && may_ask(0, 1000) && may_ask(0, 0));
        assert!(!may_ask(1001, 1000) && !may_ask(1000, 0));
    }

    #[tokio::test]
    async fn a_socket_is_private_replaces_a_stale_one_and_has_a_short_enough_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_path(folder.path());
        drop(bind(&path).unwrap());
        assert!(path.exists(), "a server that was killed leaves its socket");
        fs::write(folder.path().join("control.new"), "").unwrap();
        let listener = bind(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
        assert!(connected.is_ok() && accepted.is_ok(), "the new one is at the old one's place");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let deep = folder.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let path = socket_path(&deep);
        let refusal = NoSocket { cause: bind(&path).unwrap_err(), path }.to_string();
        assert!(refusal.contains("shorter path"), "{refusal}");
    }
}
