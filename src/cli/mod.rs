//! What can be typed? Subcommands; each calls one function of the modules above and turns its error into a sentence.

mod check;
mod rescue;

use crate::access::ServerKind;
use crate::config::{self, Config, Given, Loaded};
use crate::control::{AskError, Request};
use crate::demo;
use crate::fixture;
use crate::gateway::stdio::supervisor;
use crate::serve::{self, Reread, ServeError};
use crate::store::OpenError;
use crate::telemetry;
use clap::{Args, Parser, Subcommand};
use rescue::{Keys, Tokens, Users};
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sign-in for MCP servers in one self-contained executable.
#[derive(Debug, Parser)]
#[command(name = "keyward", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  keyward demo
      Try everything: in memory, on this machine only, nothing is left behind.
  keyward serve --public-url https://mcp.example.org
      Serve on 127.0.0.1:8080, for a proxy that terminates TLS for mcp.example.org.
      The first start prints a link: open it to make the first user.
  keyward check-config --config keyward.toml
      Say whether a configuration is good, and which address and URL it means.
  keyward check https://mcp.example.org/mcp
      Say whether clients find their way in, and what a proxy or a setting breaks.
  keyward users reset-link ada --data-dir /var/lib/keyward
      Print a link with which ada sets a new password, whether the server runs or not.

Every option of the configuration file is also an environment variable: tokens.access_token_life
is KEYWARD_TOKENS_ACCESS_TOKEN_LIFE. Flags beat variables, variables beat the file.

To guard an MCP server, add to the file:
  [servers.files]
  url = \"http://127.0.0.1:9000/mcp\"
and give clients the URL of Keyward with /mcp/files at its end. The README has all options.";

const FIXTURE_HELP: &str = "\
When clients can connect, one line of JSON on standard output has url, mcp_url, username, password,
personal_token, signing_key (a private JWK) and pid. There are no rate limits, and there is no log
unless KEYWARD_LOG is set.";

const RESCUE_HELP: &str = "\
Name the server by its data directory. A running server is asked over the socket `control` in it,
and what it answers is in force at once; a stopped server's data is changed where it is. This is
for the user who runs the server and, while it runs, for root.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, with the data in a directory.
    ///
    /// The first start makes the directory and prints a link with which the first user is made. SIGTERM and Ctrl-C stop
    /// it: requests in flight are answered first. SIGHUP reads the servers of the configuration file again.
    Serve(ServeArgs),
    /// Try Keyward: in memory, on this machine only, with a user and a token and what to paste into each client.
    Demo(DemoArgs),
    /// Serve a test suite: in memory, on this machine only, until standard input closes.
    #[command(after_help = FIXTURE_HELP)]
    Fixture(FixtureArgs),
    /// Say whether a configuration is good, without serving.
    CheckConfig(ServeArgs),
    /// Say whether the clients that everybody uses find their way to a server, and what is in their way.
    ///
    /// Asks from this machine what Claude, `ChatGPT`, VS Code and Cursor would ask, from the address to the login page and,
    /// with a token, a call.
    #[command(after_help = check::HELP)]
    Check(check::CheckArgs),
    /// Users, whether the server runs or not.
    #[command(after_help = RESCUE_HELP)]
    Users {
        #[command(subcommand)]
        task: Users,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Personal tokens, whether the server runs or not.
    #[command(after_help = RESCUE_HELP)]
    Tokens {
        #[command(subcommand)]
        task: Tokens,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Signing keys, whether the server runs or not.
    #[command(after_help = RESCUE_HELP)]
    Keys {
        #[command(subcommand)]
        task: Keys,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Run a command for a server that is running, and end it with that. For Keyward's own use.
    #[command(name = supervisor::SUBCOMMAND, hide = true)]
    Supervise {
        #[arg(long = &supervisor::BECOME[2..])]
        become_for: Option<i32>,
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
struct DataArgs {
    #[arg(long, global = true, help = "Configuration file (TOML) [env: KEYWARD_CONFIG]", value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        help = "Directory of the data [env: KEYWARD_DATA_DIR] [default: keyward-data]",
        value_name = "DIRECTORY"
    )]
    data_dir: Option<String>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    data: DataArgs,
    #[arg(
        long,
        help = "Address and port to listen on, plain HTTP [env: KEYWARD_LISTEN] [default: 127.0.0.1:8080]",
        value_name = "ADDRESS:PORT"
    )]
    listen: Option<String>,
    #[arg(
        long,
        help = "URL under which clients reach Keyward [env: KEYWARD_PUBLIC_URL] [default: the listen address, if loopback]",
        value_name = "URL"
    )]
    public_url: Option<String>,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

#[derive(Debug, Args)]
struct FixtureArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Configuration file (TOML), as for `serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a command has failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// It cannot be begun or ended.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A running server does not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// What was asked for is not done, or was found wanting; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// The data is locked, and whoever has locked it does not listen.
    #[error("{in_use}. Nothing was done: {unheard}. If a server is starting or stopping, try again in a moment")]
    OutOfReach {
        /// Who has locked it.
        in_use: OpenError,
        /// Where nobody listens.
        unheard: AskError,
    },
}

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Supervise { become_for, command } = &cli.command {
        return supervisor::run(command, *become_for);
    }
    let variables =
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    match execute(cli.command, variables.collect(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever reads standard error may have gone; there is nobody else to tell.
            let _ = writeln!(io::stderr(), "keyward: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command, variables: Vec<(String, String)>, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => {
            let given = args.given(variables);
            let again = given.again();
            let reread = Reread::new(move || config::load(again.clone()));
            Ok(serve::run(started(given)?, reread, out)?)
        }
        Command::Demo(args) => Ok(demo::run(started(args.given(variables))?, out)?),
        Command::Fixture(args) => Ok(fixture::run(started(args.given(variables))?, out)?),
        Command::CheckConfig(args) => Ok(check_config(args.given(variables), out)?),
        Command::Check(args) => check::run(args, out),
        Command::Users { task, data } => have_done(task, data.given(variables), out),
        Command::Tokens { task, data } => have_done(task, data.given(variables), out),
        Command::Keys { task, data } => have_done(task, data.given(variables), out),
        Command::Supervise { .. } => Ok(()),
    }
}

/// Reads the configuration and begins to log.
fn started(given: Given) -> Result<Loaded, ServeError> {
    let loaded = config::load(given)?;
    telemetry::init(&loaded.settings.log_options()?);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded)
}

fn have_done(task: impl Into<Request>, given: Given, out: &mut dyn Write) -> Result<(), Failure> {
    rescue::run(&task.into(), started(given)?, out)
}

fn check_config(given: Given, out: &mut dyn Write) -> Result<(), ServeError> {
    let loaded = config::load(given)?;
    loaded.settings.log_options()?;
    let address = loaded.settings.listen_address()?;
    let warnings = loaded.warnings.clone();
    let config = Config::new(loaded, address)?;
    for warning in warnings {
        writeln!(out, "Warning: {warning}.")?;
    }
    writeln!(out, "The configuration is good.")?;
    writeln!(out, "  Listen on   {address}")?;
    writeln!(out, "  Public URL  {}", config.public_url)?;
    writeln!(out, "  Data in     {}", config.data_dir.display())?;
    for server in &config.servers {
        let behind = match &server.kind {
            ServerKind::Builtin => "built in".to_owned(),
            ServerKind::Http(upstream) => upstream.url.origin().to_owned(),
            ServerKind::Stdio(upstream) => format!("command {}", upstream.command[0]),
            ServerKind::Proxied => format!("behind a proxy that asks {}", server.path),
        };
        let off = if server.enabled { "" } else { ", not enabled" };
        writeln!(out, "  Server      {} at {} ({behind}{off})", server.name, server.resource)?;
    }
    Ok(())
}

impl DataArgs {
    fn given(self, variables: Vec<(String, String)>) -> Given {
        let flags = self.data_dir.into_iter().map(|directory| ("data_dir", directory)).collect();
        Given { file: self.config, variables, flags, ..Given::default() }
    }
}

impl ServeArgs {
    fn given(self, variables: Vec<(String, String)>) -> Given {
        let mut given = self.data.given(variables);
        let flags = [("listen", self.listen), ("public_url", self.public_url)];
        given.flags.extend(flags.into_iter().filter_map(|(key, text)| Some((key, text?))));
        given
    }
}

impl DemoArgs {
    fn given(&self, variables: Vec<(String, String)>) -> Given {
        Given {
            variables: only_log(variables),
            flags: vec![("listen", loopback(self.port))],
            defaults: vec![("log", "warn".to_owned())],
            ..Given::default()
        }
    }
}

impl FixtureArgs {
    fn given(self, variables: Vec<(String, String)>) -> Given {
        Given {
            file: self.config,
            variables: only_log(variables),
            flags: vec![("listen", loopback(self.port))],
            defaults: vec![("log", "off".to_owned()), ("limits.rate_limits", "false".to_owned())],
        }
    }
}

fn loopback(port: u16) -> String {
    SocketAddr::from(([127, 0, 0, 1], port)).to_string()
}

/// A demo or fixture is the same whatever the environment is set up for.
fn only_log(variables: Vec<(String, String)>) -> Vec<(String, String)> {
    let counts = |name: &str| !name.starts_with("KEYWARD_") || name == "KEYWARD_LOG" || name == "KEYWARD_LOG_FORMAT";
    variables.into_iter().filter(|(name, _)| counts(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &[&str]) -> Command {
        Cli::try_parse_from([&["keyward"], words].concat()).unwrap().command
    }

    fn told(words: &[&str], variables: &[(&str, &str)]) -> Result<String, String> {
        let mut out = Vec::new();
        let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        execute(parse(words), variables, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_command_line_is_sound_and_its_help_names_the_variables() {
        Cli::command().debug_assert();
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        for name in ["KEYWARD_CONFIG", "KEYWARD_DATA_DIR", "KEYWARD_LISTEN", "KEYWARD_PUBLIC_URL"] {
            assert!(help.contains(name), "{name}");
        }
    }

    #[test]
    fn check_config_says_what_a_configuration_means() {
        let told =
            told(&["check-config", "--listen", "127.0.0.1:4711"], &[("KEYWARD_DATA_DIR", "/srv/keyward")]).unwrap();
        for part in ["good", "127.0.0.1:4711", "http://127.0.0.1:4711", "/srv/keyward"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn check_config_says_what_is_wrong() {
        let plain = told(&["check-config", "--public-url", "http://mcp.example.org"], &[]).unwrap_err();
        assert!(plain.contains("use https"), "{plain}");
        let open = told(&["check-config"], &[("KEYWARD_LISTEN", "0.0.0.0:80")]).unwrap_err();
        assert!(open.contains("--public-url"), "{open}");
        let life = told(&["check-config"], &[("KEYWARD_TOKENS_REFRESH_GRACE", "2h")]).unwrap_err();
        assert!(life.contains("tokens.refresh_grace is 2h; it must be 0s to 30m"), "{life}");
    }

    #[test]
    fn a_fixture_is_quiet_and_unlimited_unless_told_otherwise_and_ignores_the_environment() {
        let Command::Fixture(args) = parse(&["fixture"]) else { panic!("a fixture") };
        let variables = vec![
            ("KEYWARD_LISTEN".to_owned(), "0.0.0.0:80".to_owned()),
            ("KEYWARD_LOG".to_owned(), "debug".to_owned()),
        ];
        let settings = config::load(args.given(variables)).unwrap().settings;
        assert_eq!((settings.listen.as_str(), settings.log.as_str()), ("127.0.0.1:0", "debug"));
        assert!(!settings.limits.rate_limits);
    }
}
