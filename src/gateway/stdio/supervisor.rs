//! What makes sure that nothing outlives Keyward? A small process of its own between Keyward and each command: this program
//! again, with the hidden subcommand `supervise`.
//!
//! Keyward starts the supervisor as the leader of a new process group, with pipes for standard input, output and error, of
//! which Keyward alone holds the other ends. The supervisor hands all three on to the command and keeps them open itself,
//! without reading or writing. So the kernel tells it what Keyward does, also when Keyward was killed with signal 9:
//!
//! - *Standard input has no writer*: Keyward wants an end. The command reads the end of its input; after [`PATIENCE`] all get
//!   SIGTERM, after another SIGKILL.
//! - *Standard output has no reader*: Keyward is gone. All get SIGKILL at once.
//! - *The command has ended*: whatever it left behind gets SIGKILL.
//!
//! Invariant: when a supervisor exits, nothing that its command started is alive, whichever group or session it moved to:
//! orphans fall to the supervisor (`PR_SET_CHILD_SUBREAPER`). Should the supervisor itself be killed, the command dies with
//! it (`PR_SET_PDEATHSIG`, set by an intermediate step that then becomes the command), and Keyward kills the group.
//! Elsewhere than on Linux the group is all that is killed.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// How long a command may take to end after the end of its input, and again after SIGTERM.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What the hidden subcommand is called.
pub const SUBCOMMAND: &str = "supervise";
/// The option of the intermediate step; its value is the supervisor's process id.
pub const BECOME: &str = "--become-for";

/// The status of a command that could not be started, as shells have it.
const NOT_STARTED: u8 = 127;

/// Runs `command` and answers with its status when it and all that it started are gone. With the process id of a
/// supervisor, becomes the command instead.
pub fn run(command: &[OsString], become_for: Option<i32>) -> ExitCode {
    #[cfg(unix)]
    return match become_for {
        Some(supervisor) => imp::become_command(command, supervisor),
        None => imp::supervise(command),
    };
    #[cfg(not(unix))]
    {
        let _ = (command, become_for);
        complain("commands as MCP servers need a Unix-like system")
    }
}

/// The program that is running, to be started again; also after its file was replaced.
pub(super) fn own_program() -> std::path::PathBuf {
    if cfg!(target_os = "linux") {
        "/proc/self/exe".into()
    } else {
        std::env::current_exe().unwrap_or_else(|_| "keyward".into())
    }
}

fn complain(what: &str) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "keyward: {what}");
    ExitCode::from(NOT_STARTED)
}

#[cfg(unix)]
mod imp {
    use super::{BECOME, NOT_STARTED, PATIENCE, SUBCOMMAND, complain, own_program};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{self, Pid, Signal, WaitOptions};
    use std::ffi::OsString;
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, ExitCode};
    use std::time::Duration;

    /// Pause between two looks at who is still alive.
    const LOOK_AGAIN: Duration = Duration::from_millis(2);
    /// Most looks, after which the group is killed blindly, ourselves included.
    const LOOKS: usize = 2_000;

    pub(super) fn supervise(command: &[OsString]) -> ExitCode {
        let own = process::getpid();
        #[cfg(target_os = "linux")]
        if let Err(error) = process::set_child_subreaper(Some(own)) {
            return complain(&format!("cannot adopt orphans: {error}"));
        }
        let started = Command::new(own_program())
            .arg0("keyward")
            .args([SUBCOMMAND, BECOME, &own.as_raw_nonzero().to_string(), "--"])
            .args(command)
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) => return complain(&format!("cannot start myself: {error}")),
        };
        let pid = Pid::from_child(&child);
        // The command belongs to this thread, which lives as long as the process: the signal of a parent's death comes from
        // the thread that started it.
        let reaper = std::thread::Builder::new().name("reaper".to_owned()).stack_size(128 * 1024);
        if reaper.spawn(move || reap_until(pid)).is_err() {
            end_all(Signal::KILL);
            return complain("cannot start a thread");
        }
        watch_keyward();
        // The reaper sees the command's end as well, and may be first: the outcome is the same.
        end_all(Signal::KILL);
        ExitCode::from(NOT_STARTED)
    }

    /// Reaps whatever ends, until it is the command; then ends what is left, and the process with the command's status.
    fn reap_until(command: Pid) {
        let status = loop {
            match process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) if pid == command => break status,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                // Somebody else has reaped it.
                Err(_) => std::thread::park(),
            }
        };
        end_all(Signal::KILL);
        let signalled = status.terminating_signal().map(|signal| 128 + signal);
        std::process::exit(status.exit_status().or(signalled).unwrap_or_else(|| NOT_STARTED.into()));
    }

    /// Returns when everything that is left is to be killed.
    fn watch_keyward() {
        let (input, output) = (io::stdin(), io::stdout());
        loop {
            let mut ends = [PollFd::new(&input, PollFlags::empty()), PollFd::new(&output, PollFlags::empty())];
            match poll(&mut ends, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            if !ends[1].revents().is_empty() {
                return;
            }
            if !ends[0].revents().is_empty() {
                break;
            }
        }
        if has_reader_for(&output, PATIENCE) {
            end_all(Signal::TERM);
            has_reader_for(&output, PATIENCE);
        }
    }

    /// Waits this long, or until nobody reads from `output` any more.
    fn has_reader_for(output: &impl AsFd, time: Duration) -> bool {
        let timeout = Timespec { tv_sec: time.as_secs().try_into().unwrap_or(1), tv_nsec: 0 };
        loop {
            let mut end = [PollFd::new(output, PollFlags::empty())];
            match poll(&mut end, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => {}
                outcome => return outcome == Ok(0),
            }
        }
    }

    /// Sends `signal` to all that the command started; SIGKILL until nothing of it is left.
    fn end_all(signal: Signal) {
        let mut empty = 0;
        for _ in 0..LOOKS {
            let Some(alive) = descendants() else { break };
            for pid in &alive {
                let _ = process::kill_process(*pid, signal);
            }
            if signal != Signal::KILL {
                return;
            }
            // Reaped here, because the reaper may be the one who waits in this function.
            while let Ok(Some(_)) = process::wait(WaitOptions::NOHANG) {}
            // A process that was begun while we looked can escape one look, not two.
            empty = if alive.is_empty() { empty + 1 } else { 0 };
            if empty == 2 {
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        let _ = process::kill_process_group(process::getpgrp(), signal);
    }

    /// All living processes below this one, or nothing where the system does not tell.
    #[cfg(target_os = "linux")]
    fn descendants() -> Option<Vec<Pid>> {
        let mut parents = Vec::new();
        for entry in std::fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let Ok(stat) = std::fs::read(entry.path().join("stat")) else { continue };
            parents.extend(parent_of_living(&stat).map(|parent| (pid, parent)));
        }
        let mut found = vec![process::getpid().as_raw_nonzero().get()];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        Some(found[1..].iter().filter_map(|pid| Pid::from_raw(*pid)).collect())
    }

    #[cfg(not(target_os = "linux"))]
    fn descendants() -> Option<Vec<Pid>> {
        None
    }

    /// The parent in `/proc/PID/stat`, unless the process is dead already. The name in it may hold anything.
    #[cfg(target_os = "linux")]
    fn parent_of_living(stat: &[u8]) -> Option<i32> {
        let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
        let mut fields = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?.split_ascii_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        (!is_dead).then_some(parent)
    }

    /// The intermediate step: from here on this process dies with its supervisor, and then it is the command.
    pub(super) fn become_command(command: &[OsString], supervisor: i32) -> ExitCode {
        #[cfg(target_os = "linux")]
        {
            let asked = process::set_parent_process_death_signal(Some(Signal::KILL));
            // The supervisor may have died before it was asked.
            let parent = process::getppid().map(|pid| pid.as_raw_nonzero().get());
            if asked.is_err() || parent != Some(supervisor) {
                return ExitCode::from(NOT_STARTED);
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = supervisor;
        let Some((program, arguments)) = command.split_first() else { return complain("there is no command") };
        let error = Command::new(program).args(arguments).exec();
        complain(&format!("cannot start {}: {error}", program.display()))
    }

    #[cfg(all(test, target_os = "linux"))]
    mod tests {
        use super::*;

        #[test]
        fn a_parent_is_read_whatever_the_process_calls_itself() {
            assert_eq!(parent_of_living(b"17 (sh) S 4 17 17 0"), Some(4));
            assert_eq!(parent_of_living(b"17 (a) R 99 (\xff) S 4 17 17 0"), Some(4));
            assert_eq!(parent_of_living(b"17 (sh) Z 4 17 17 0"), None);
            assert_eq!(parent_of_living(b"17"), None);
            assert!(!descendants().unwrap().contains(&process::getpid()));
        }
    }
}
