//! Servers as processes of their own: how long they take to be ready, and what they use.

use serde_json::Value;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The kernel counts in hundredths of a second for every program (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);
/// Bytes of a page on every machine that this runs on.
const PAGE: f64 = 4096.0;

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    /// The fixture ends when this closes.
    stdin: Option<ChildStdin>,
    line: String,
    started_in: Duration,
}

impl Server {
    /// `keyward serve` with its data in `data`.
    pub fn keyward_serve(data: &Path) -> Self {
        let mut command = keyward();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        Self::start(command, "Keyward is ready")
    }

    /// `keyward fixture`.
    pub fn keyward_fixture() -> Self {
        let mut command = keyward();
        command.args(["fixture", "--port", "0"]);
        Self::start(command, "{")
    }

    /// `keyward fixture` with the configuration in `file`.
    pub fn keyward_fixture_with(file: &Path) -> Self {
        let mut command = keyward();
        command.args(["fixture", "--port", "0", "--config"]).arg(file);
        Self::start(command, "{")
    }

    /// The bare handler of [`crate::floor`], which answers with `answer`.
    pub fn floor(answer: &str) -> Self {
        let mut command = on_one_core(&env::current_exe().unwrap());
        command.arg("floor").env("FLOOR_ANSWER", answer);
        Self::start(command, "{")
    }

    /// The bare proxy of [`crate::forward`] before the server at `port`.
    pub fn bare_proxy(port: u16) -> Self {
        let mut command = on_one_core(&env::current_exe().unwrap());
        command.arg("proxy").env("PROXY_UPSTREAM", format!("127.0.0.1:{port}"));
        Self::start(command, "{")
    }

    /// The upstream of [`crate::streams`].
    pub fn streaming_upstream() -> Self {
        let mut command = on_one_core(&env::current_exe().unwrap());
        command.arg("upstream");
        Self::start(command, "{")
    }

    /// Another program that listens on `port` some time after it has started.
    pub fn foreign(program: &Path, arguments: &[String], port: u16) -> Self {
        let mut command = on_one_core(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "{} does not listen", program.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        let line = format!("{{\"url\":\"http://127.0.0.1:{port}\"}}");
        Self { stdin: child.stdin.take(), child, line, started_in: began.elapsed() }
    }

    fn start(mut command: Command, ready: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find_map(|line| line.ok().filter(|line| line.starts_with(ready))).expect("it gets ready");
        let started_in = began.elapsed();
        Self { stdin: child.stdin.take(), child, line, started_in }
    }

    /// The ready line as JSON.
    pub fn ready(&self) -> Value {
        serde_json::from_str(&self.line).unwrap()
    }

    /// The port of its URL.
    pub fn port(&self) -> u16 {
        let url = self.ready()["url"].as_str().unwrap().to_owned();
        url.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// User and system time so far (proc(5), `/proc/pid/stat`).
    pub fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<u32>().unwrap();
        TICK * (ticks(11) + ticks(12))
    }

    /// Resident memory, in millions of bytes (`/proc/pid/statm`).
    pub fn resident_mb(&self) -> f64 {
        let pages: f64 = self.proc("statm").split(' ').nth(1).unwrap().parse().unwrap();
        pages * PAGE / 1e6
    }

    /// The most memory that was ever resident since [`Server::forget_peak`], in millions of bytes.
    pub fn peak_mb(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    /// Counts the peak from now on (proc(5), `clear_refs`).
    pub fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    /// Stops it; how long it took to start.
    pub fn stop(self) -> Duration {
        self.started_in
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn keyward() -> Command {
    on_one_core(Path::new(env!("CARGO_BIN_EXE_keyward")))
}

/// One core for the server, so that what is compared has the same threads; the load comes from the others.
fn on_one_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0"]).arg(program);
    command
}
