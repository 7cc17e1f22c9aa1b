//! How does a command become a process? Behind a [`supervisor`](super::supervisor), in a group of its own, with pipes that only this
//! process holds, and an environment that has nothing of Keyward's.
//!
//! Invariants: when [`Process::output`] is dropped, everything behind it is killed; when it is kept and [`Process::input`] is
//! dropped, the command may end by itself first. The process is reaped either way.

use crate::access::StdioUpstream;
use crate::gateway::stdio::supervisor;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// What a command gets of Keyward's own environment.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "USER"];

/// A running command.
#[derive(Debug)]
pub(super) struct Process {
    /// The supervisor's process id, which is that of the group.
    pub(super) pid: u32,
    /// What the command reads.
    pub(super) input: ChildStdin,
    /// What it writes; held for as long as it may live.
    pub(super) output: ChildStdout,
    /// What it complains.
    pub(super) errors: ChildStderr,
    /// Its end.
    pub(super) end: End,
}

/// The end of a process, to be waited for.
#[derive(Debug)]
pub(super) struct End(Child);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With this status; a signal counts as 128 and its number, as in shells.
    Status(i32),
    /// Nobody knows.
    Unknown,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status @ 129..=192) => write!(f, "it was ended by signal {}", status - 128),
            Self::Status(127) => f.write_str("the command could not be started"),
            Self::Status(status) => write!(f, "it ended with status {status}"),
            Self::Unknown => f.write_str("it ended"),
        }
    }
}

/// Starts the command of `upstream` by the program `launcher`, which is Keyward.
pub(super) fn start(launcher: &Path, upstream: &StdioUpstream) -> io::Result<Process> {
    let mut command = Command::new(launcher);
    #[cfg(unix)]
    command.process_group(0).arg0("keyward");
    command.args([supervisor::SUBCOMMAND, "--"]).args(&upstream.command).env_clear();
    command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(upstream.environment.iter().map(|(name, value)| (name, value.expose())));
    if let Some(directory) = &upstream.working_directory {
        command.current_dir(directory);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let missing = || io::Error::other("a pipe is missing");
    Ok(Process {
        pid: child.id().ok_or_else(missing)?,
        input: child.stdin.take().ok_or_else(missing)?,
        output: child.stdout.take().ok_or_else(missing)?,
        errors: child.stderr.take().ok_or_else(missing)?,
        end: End(child),
    })
}

impl End {
    /// Waits until the supervisor, and with it all that it started, is gone.
    pub(super) async fn wait(mut self) -> Ending {
        #[cfg(unix)]
        let group = self.0.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        let Ok(status) = self.0.wait().await else { return Ending::Unknown };
        // A supervisor that exits leaves nothing behind. One that was killed does.
        #[cfg(unix)]
        if std::os::unix::process::ExitStatusExt::signal(&status).is_some()
            && let Some(group) = group
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        ending(status)
    }
}

#[cfg(unix)]
fn ending(status: ExitStatus) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    let signalled = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(signalled).map_or(Ending::Unknown, Ending::Status)
}

#[cfg(not(unix))]
fn ending(status: ExitStatus) -> Ending {
    status.code().map_or(Ending::Unknown, Ending::Status)
}

/// Memory that process group `pid` holds, in bytes, and how many processes it is; nothing where the system does not tell.
///
/// Reads all of `/proc`: for people who look, not for every request.
pub(super) fn memory_of(pid: u32) -> Option<(u64, usize)> {
    let mut total = (0, 0);
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        if fields.nth(2).and_then(|group| group.parse().ok()) != Some(pid) {
            continue;
        }
        let Ok(memory) = std::fs::read_to_string(entry.path().join("statm")) else { continue };
        let resident: u64 = memory.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        total = (total.0 + resident * PAGE, total.1 + 1);
    }
    Some(total)
}

/// Size of the pages that `/proc` counts, in bytes; larger on some machines, where the figure is too low.
const PAGE: u64 = 4096;
