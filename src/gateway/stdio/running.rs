//! What belongs to one running child? Its process, the tasks that carry its three pipes, and its end.
//!
//! Invariants: dropping a [`Running`] kills the child and all that it started; [`Running::end`] lets it end by itself first.
//! Its place among the children is free when it is gone, not earlier.

use crate::access::{ServerName, StdioUpstream};
use crate::clock::Timestamp;
use crate::gateway::stdio::audience::Audience;
use crate::gateway::stdio::child::{self, End, Ending};
use crate::gateway::stdio::connection::Connection;
use crate::gateway::stdio::framing::{Line, Lines, printable};
use crate::gateway::stdio::handshake::{Facts, Hello, shake_hands};
use crate::gateway::stdio::inquiry::Inquiry;
use crate::gateway::stdio::outbox::Outbox;
use crate::gateway::stdio::{Host, Place};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Longest line of a complaint that is kept, in bytes.
const MAX_COMPLAINT: usize = 2_000;
/// Most complaints of a child that are logged in [`WINDOW`].
const MAX_COMPLAINTS: u32 = 100;
const WINDOW: Duration = Duration::from_secs(10);
/// How long what a child wrote before its end is read for.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A child that runs.
#[derive(Debug)]
pub(super) struct Running {
    connection: Arc<Connection>,
    facts: Facts,
    pid: u32,
    started_at: Timestamp,
    kill: KillOnDrop,
    ended: watch::Receiver<Option<Ended>>,
    complaint: Arc<Mutex<Box<str>>>,
    log_level: Mutex<Box<str>>,
}

/// Tells the reader to let go of the child's output, on which its supervisor kills it.
#[derive(Debug)]
struct KillOnDrop(Arc<Notify>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The end of a child.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// How.
    pub(super) how: Arc<str>,
    /// When.
    pub(super) at: Timestamp,
}

impl Running {
    /// Starts a child and greets it. The error is a sentence for an admin.
    pub(super) async fn start(
        host: &Arc<Host>,
        server: &ServerName,
        upstream: &StdioUpstream,
        hello: &Hello,
        audience: &Arc<Audience>,
        inquiry: &Inquiry,
        place: Place,
    ) -> Result<Self, String> {
        let options = &host.options;
        let process = child::start(&options.launcher, upstream).map_err(|error| {
            let directory = upstream
                .working_directory
                .as_ref()
                .map_or_else(String::new, |directory| format!(" (its working directory is {})", directory.display()));
            format!("it cannot be started: {error}{directory}")
        })?;
        let (pid, started_at) = (process.pid, host.app.now());
        tracing::info!(server = server.as_str(), pid, "child started");
        let (outbox, pending) = Outbox::new(options.max_queue, options.patience);
        let (audience, catalogue) = (Arc::clone(audience), host.catalogue.get().cloned());
        let connection = Connection::new(server.clone(), outbox, audience, catalogue, options.max_line);
        let connection = Arc::new(connection);
        let kill = KillOnDrop(Arc::new(Notify::new()));
        let complaint = Arc::new(Mutex::new(Box::from("")));
        tokio::spawn(pending.write(process.input));
        let errors =
            listen_to_complaints(Arc::clone(host), server.clone(), pid, process.errors, Arc::clone(&complaint));
        tokio::spawn(errors);
        let reader = tokio::spawn(read(Arc::clone(&connection), process.output, options.max_line, Arc::clone(&kill.0)));
        let (tell, ended) = watch::channel(None);
        let keeper =
            Keeper { host: Arc::clone(host), server: server.clone(), pid, connection: Arc::clone(&connection) };
        tokio::spawn(keeper.keep(process.end, reader, tell, place));

        let greeting = shake_hands(&connection, hello, inquiry, started_at);
        let greeted = tokio::time::timeout(options.start_patience, greeting).await;
        let seconds = options.start_patience.as_secs();
        match greeted.unwrap_or_else(|_| Err(format!("it did not answer within {seconds} seconds"))) {
            Ok(facts) => Ok(Self {
                connection,
                facts,
                pid,
                started_at,
                kill,
                ended,
                complaint,
                log_level: Mutex::new(Box::from("")),
            }),
            Err(why) => {
                if connection.ended().is_some() {
                    // Its place is free then.
                    let mut ended = ended;
                    let _ = tokio::time::timeout(LAST_WORDS, ended.wait_for(Option::is_some)).await;
                }
                let complaint = complaint.lock().unwrap_or_else(PoisonError::into_inner);
                Err(if complaint.is_empty() { why } else { format!("{why} (it said: {complaint})") })
            }
        }
    }

    /// How it is spoken to.
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// What it has told about itself.
    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The id of its process group.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// When it was started.
    pub(super) const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Its end, if it has come.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// To be told of its end.
    pub(super) fn watch_end(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.clone()
    }

    /// Notes what its log tells from now on. Says whether that is something else than before.
    pub(super) fn is_new_level(&self, level: &str) -> bool {
        let mut known = self.log_level.lock().unwrap_or_else(PoisonError::into_inner);
        let new = **known != *level && level.len() <= 16;
        if new {
            *known = level.into();
        }
        new
    }

    /// Its last line on standard error.
    pub(super) fn complaint(&self) -> Box<str> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets it end: its input ends, and what does not end by itself is ended by its supervisor. Waits until it is gone,
    /// for `patience` at most; then it is killed.
    pub(super) async fn end(self: Arc<Self>, patience: Duration) {
        self.connection.end_input();
        let mut ended = self.ended.clone();
        if tokio::time::timeout(patience, ended.wait_for(Option::is_some)).await.is_err() {
            self.kill.0.notify_one();
            let _ = tokio::time::timeout(Duration::from_secs(1), ended.wait_for(Option::is_some)).await;
        }
    }
}

/// Reads until the end, or until the child is to be killed: then its output has no reader, and its supervisor acts.
async fn read(connection: Arc<Connection>, output: ChildStdout, max_line: usize, kill: Arc<Notify>) {
    let mut lines = Lines::new(output, max_line);
    loop {
        let line = tokio::select! {
            biased;
            () = kill.notified() => return,
            line = lines.next() => line,
        };
        match line {
            Ok(Some(Line::Whole(line))) => connection.hear(&line),
            Ok(Some(Line::TooLong { head, tail })) => connection.hear_too_long(&head, &tail),
            Ok(None) | Err(_) => return,
        }
    }
}

struct Keeper {
    host: Arc<Host>,
    server: ServerName,
    pid: u32,
    connection: Arc<Connection>,
}

impl Keeper {
    async fn keep(self, end: End, reader: JoinHandle<()>, tell: watch::Sender<Option<Ended>>, place: Place) {
        let ending = end.wait().await;
        let abort = reader.abort_handle();
        if tokio::time::timeout(LAST_WORDS, reader).await.is_err() {
            abort.abort();
        }
        let (server, pid) = (self.server.as_str(), self.pid);
        match ending {
            Ending::Status(0) => tracing::info!(server, pid, "child ended"),
            ending => tracing::info!(server, pid, "child ended: {ending}"),
        }
        let how: Arc<str> = ending.to_string().into();
        self.connection.finish(&how);
        drop(place);
        tell.send_replace(Some(Ended { how, at: self.host.app.now() }));
    }
}

async fn listen_to_complaints(
    host: Arc<Host>,
    server: ServerName,
    pid: u32,
    errors: ChildStderr,
    last: Arc<Mutex<Box<str>>>,
) {
    let mut lines = Lines::new(errors, MAX_COMPLAINT);
    let (mut window, mut logged, mut dropped) = (host.app.now(), 0, 0_u64);
    while let Ok(Some(line)) = lines.next().await {
        let text = match line {
            Line::Whole(bytes) => printable(&bytes, MAX_COMPLAINT),
            Line::TooLong { head, .. } => printable(&head, MAX_COMPLAINT) + "…",
        };
        if text.is_empty() {
            continue;
        }
        *last.lock().unwrap_or_else(PoisonError::into_inner) = text.as_str().into();
        let now = host.app.now();
        if now.since(window) > WINDOW {
            if dropped > 0 {
                tracing::info!(
                    server = server.as_str(),
                    pid,
                    dropped,
                    "lines of the child's standard error were dropped"
                );
            }
            (window, logged, dropped) = (now, 0, 0);
        }
        if logged < MAX_COMPLAINTS {
            logged += 1;
            tracing::info!(server = server.as_str(), pid, stderr = text, "the child says");
        } else {
            dropped += 1;
        }
    }
}
