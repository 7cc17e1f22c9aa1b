//! How is Keyward set up? Every option: name, default, one sentence.
//!
//! [`OPTIONS`] is the table of them, [`SERVER_OPTIONS`] that of each server's, [`FIXED_LIMITS`] that of the limits that nobody can set, [`load`] reads them from file, variables and flags, [`Settings`] holds them as given,
//! and [`Config`] is what the appliance runs by: judged, and put into each module's own options. Nothing that is wrong is
//! passed over: start-up refuses with a sentence that says what to do.

mod error;
mod fixed_limits;
mod options;
mod server_settings;
mod servers;
mod settings;
mod sources;
mod value;

pub use error::ConfigError;
pub use fixed_limits::{FIXED_LIMITS, FixedLimit};
pub use options::{OPTIONS, OptionDoc, SERVER_OPTIONS};
pub use server_settings::ServersGiven;
pub use settings::Settings;
pub use sources::{Given, Loaded, Source, load};
pub use value::{NotASize, Size};

use crate::access::GuardedServer;
use crate::account::personal_token::PersonalTokenPolicy;
use crate::account::session::SessionPolicy;
use crate::app::events::EventPolicy;
use crate::app::{AppOptions, CredentialPolicy, RegistrationPolicy};
use crate::clock::{Span, days};
use crate::gateway::stdio::StdioOptions;
use crate::keys::RotationPolicy;
use crate::oauth::issuer::Issuer;
use crate::oauth::refresh_token::RefreshPolicy;
use crate::secret::MasterSecret;
use crate::telemetry::LogOptions;
use crate::token::VerifierOptions;
use crate::upkeep::UpkeepOptions;
use crate::wire::blocking::BlockingOptions;
use crate::wire::client_address::{Network, TrustedProxies};
use crate::wire::document_fetch::FetchOptions;
use crate::wire::host_check::{HostPolicy, OriginPolicy};
use crate::wire::limits::Limits;
use crate::wire::tls::Roots;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What the appliance runs by.
#[derive(Debug, Clone)]
pub struct Config {
    /// The URL under which clients come; every token's `iss`.
    pub public_url: Issuer,
    /// Where the database is.
    pub data_dir: PathBuf,
    /// The master secret, unless it is the data directory's own.
    pub master_secret: Option<MasterSecret>,
    /// The servers that are guarded: the built-in one and those of the file, which share no place.
    pub servers: Vec<GuardedServer>,
    /// What the operations go by.
    pub app: AppOptions,
    /// How clients' metadata documents are fetched.
    pub documents: FetchOptions,
    /// The proxies that are believed.
    pub trusted_proxies: TrustedProxies,
    /// The host names that are answered.
    pub hosts: HostPolicy,
    /// The origins that may call.
    pub origins: OriginPolicy,
    /// Whose certificates count at servers with https URLs.
    pub upstream_roots: Roots,
    /// What callers may send.
    pub limits: Limits,
    /// What holds for the servers that are programs.
    pub stdio: StdioOptions,
    /// What runs at once.
    pub blocking: BlockingOptions,
    /// How often the background tick does what.
    pub upkeep: UpkeepOptions,
}

impl Config {
    /// Judges what was given. `bound` is the address that the server listens on, with its real port.
    pub fn new(loaded: Loaded, bound: SocketAddr) -> Result<Self, ConfigError> {
        let Loaded { settings, servers, master_secret, .. } = loaded;
        let public_url = settings.public_url(bound)?;
        settings.check_names()?;
        let master_secret = match master_secret {
            Some(from_variable) => Some(from_variable),
            None => settings.master_secret()?,
        };
        Ok(Self {
            hosts: HostPolicy::new(&public_url, &settings.allowed_hosts),
            origins: OriginPolicy::new(&public_url, &settings.allowed_origins),
            app: settings.app_options(public_url.clone())?,
            servers: servers::guarded(&public_url, servers)?,
            documents: settings.documents(&public_url)?,
            public_url,
            data_dir: settings.data_dir.clone(),
            master_secret,
            trusted_proxies: settings.trusted_proxies()?,
            upstream_roots: roots("upstreams.extra_roots", settings.upstreams.extra_roots.as_deref())?,
            limits: settings.limits()?,
            stdio: settings.stdio()?,
            blocking: settings.blocking()?,
            upkeep: settings.upkeep()?,
        })
    }
}

impl Settings {
    /// The address to listen on.
    pub fn listen_address(&self) -> Result<SocketAddr, ConfigError> {
        let numeric = match self.listen.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => self.listen.clone(),
        };
        numeric.parse().map_err(|_| ConfigError::OutOfRange {
            key: "listen".into(),
            problem: format!(
                "is {:?}; it must be an address and a port such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080",
                self.listen
            ),
        })
    }

    /// What is logged, and how.
    pub fn log_options(&self) -> Result<LogOptions, ConfigError> {
        let filter = self.log.parse().map_err(|problem| out_of_range("log", &self.log, &problem))?;
        Ok(LogOptions { filter, format: self.log_format })
    }

    fn public_url(&self, bound: SocketAddr) -> Result<Issuer, ConfigError> {
        match &self.public_url {
            Some(text) => Issuer::parse(text).map_err(|problem| out_of_range("public_url", text, &problem)),
            None if bound.ip().is_loopback() => {
                let url = format!("http://{bound}");
                Issuer::parse(&url).map_err(|problem| out_of_range("listen", &url, &problem))
            }
            None => Err(ConfigError::PublicUrlMissing { listen: bound }),
        }
    }

    fn trusted_proxies(&self) -> Result<TrustedProxies, ConfigError> {
        let read =
            |text: &String| text.parse::<Network>().map_err(|problem| out_of_range("trusted_proxies", text, &problem));
        self.trusted_proxies.iter().map(read).collect::<Result<_, _>>().map(TrustedProxies::new)
    }

    fn check_names(&self) -> Result<(), ConfigError> {
        let is_host = |text: &str| {
            text.parse::<axum::http::uri::Authority>().is_ok_and(|authority| !authority.as_str().contains('@'))
        };
        if let Some(text) = self.allowed_hosts.iter().find(|text| !is_host(text)) {
            return Err(out_of_range("allowed_hosts", text, &"expected a host name such as mcp.lan or mcp.lan:8443"));
        }
        let is_origin = |text: &str| {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            host.is_some_and(is_host)
        };
        if let Some(text) = self.allowed_origins.iter().find(|text| !is_origin(text)) {
            let expected = "expected an origin such as https://app.example.org, without a path";
            return Err(out_of_range("allowed_origins", text, &expected));
        }
        Ok(())
    }

    fn app_options(&self, issuer: Issuer) -> Result<AppOptions, ConfigError> {
        let (personal_tokens, sessions) = (self.personal_tokens()?, self.sessions()?);
        // Never less than the default: a key that signed under a longer life goes on verifying when this gets shorter.
        let max_token_life = (personal_tokens.longest + days(1)).max(RotationPolicy::default().max_token_life);
        let rotate_every = between("keys.rotate_every", self.keys.rotate_every, Span::days(1), Span::days(3650))?;
        let leeway = between("tokens.clock_leeway", self.tokens.clock_leeway, Span::seconds(2), Span::seconds(60))?;
        Ok(AppOptions {
            issuer,
            credentials: self.credentials()?,
            personal_tokens,
            sessions,
            rotation: RotationPolicy {
                rotate_every: rotate_every.duration(),
                max_token_life,
                ..RotationPolicy::default()
            },
            registration: self.registration()?,
            verifier: VerifierOptions { leeway: leeway.duration(), ..VerifierOptions::default() },
            dashboard_commands: self.dashboard_commands,
            events: self.events()?,
            rate_limits: self.limits.rate_limits,
        })
    }

    fn events(&self) -> Result<EventPolicy, ConfigError> {
        let given = &self.events;
        let span = |key, span: Span| between(key, span, Span::days(1), Span::days(3650)).map(Span::duration);
        Ok(EventPolicy {
            keep_calls: span("events.keep_calls", given.keep_calls)?,
            keep: span("events.keep", given.keep)?,
            most_calls: between("events.most_calls", given.most_calls, 1_000, 100_000_000)?,
        })
    }

    fn credentials(&self) -> Result<CredentialPolicy, ConfigError> {
        let given = &self.tokens;
        let span = |key, span: Span, least, most| between(key, span, least, most).map(Span::duration);
        let access = given.access_token_life;
        let (idle, longest) = (given.refresh_token_idle, given.refresh_token_longest);
        let code = given.authorization_code_life;
        let access_token = span("tokens.access_token_life", access, Span::minutes(1), Span::hours(24))?;
        let authorization_code = span("tokens.authorization_code_life", code, Span::seconds(10), Span::minutes(10))?;
        let longest_life = span("tokens.refresh_token_longest", longest, Span::hours(1), Span::days(3650))?;
        let idle = span("tokens.refresh_token_idle", idle, Span::hours(1), longest)?;
        let grace = span("tokens.refresh_grace", given.refresh_grace, Span::seconds(0), Span::minutes(30))?;
        let refresh = RefreshPolicy::default()
            .with_lives(idle, longest_life)
            .with_grace(grace)
            .map_err(|problem| out_of_range("tokens.refresh_grace", &given.refresh_grace.to_string(), &problem))?;
        Ok(CredentialPolicy { access_token, authorization_code, refresh })
    }

    fn personal_tokens(&self) -> Result<PersonalTokenPolicy, ConfigError> {
        let (life, per_user) = (self.tokens.personal_token_life, self.tokens.personal_tokens_per_user);
        Ok(PersonalTokenPolicy {
            longest: between("tokens.personal_token_life", life, Span::days(1), Span::days(3650))?.duration(),
            per_user: between("tokens.personal_tokens_per_user", per_user, 1, 900)?,
            ..PersonalTokenPolicy::default()
        })
    }

    fn sessions(&self) -> Result<SessionPolicy, ConfigError> {
        let (idle, longest) = (self.sessions.idle, self.sessions.longest);
        Ok(SessionPolicy {
            longest: between("sessions.longest", longest, Span::minutes(15), Span::days(3650))?.duration(),
            idle: between("sessions.idle", idle, Span::minutes(15), longest)?.duration(),
            ..SessionPolicy::default()
        })
    }

    fn registration(&self) -> Result<RegistrationPolicy, ConfigError> {
        let given = &self.oauth;
        let forget = given.forget_unused_clients_after;
        let standard = RegistrationPolicy::default();
        Ok(RegistrationPolicy {
            dynamic: given.dynamic_registration,
            most_clients: between("oauth.max_clients", given.max_clients, 10, 1_000_000)?,
            forget_unused_after: between("oauth.forget_unused_clients_after", forget, Span::hours(1), Span::days(365))?
                .duration(),
            per_minute: if self.limits.rate_limits { standard.per_minute } else { u32::MAX },
        })
    }

    fn documents(&self, public_url: &Issuer) -> Result<FetchOptions, ConfigError> {
        let given = &self.oauth.client_documents;
        let roots = roots("oauth.client_documents.extra_roots", given.extra_roots.as_deref())?;
        let built_in = given.enabled && given.known_clients;
        Ok(FetchOptions { live: given.enabled, built_in, allow_loopback: public_url.is_loopback(), roots })
    }

    fn stdio(&self) -> Result<StdioOptions, ConfigError> {
        let max_children = between("limits.children", self.limits.children, 1, 10_000)?;
        Ok(StdioOptions { max_children, ..StdioOptions::default() })
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let given = &self.limits;
        let size = |key, size: Size, least, most| between(key, size, least, most).map(Size::bytes);
        let span = |key, span: Span, least, most| between(key, span, least, most).map(Span::duration);
        Ok(Limits {
            mcp_body: size("limits.mcp_body", given.mcp_body, Size::kib(16), Size::mib(64))?,
            form_body: size("limits.form_body", given.form_body, Size::kib(16), Size::mib(1))?,
            registration_body: size("limits.registration_body", given.registration_body, Size::kib(2), Size::kib(64))?,
            header_bytes: size("limits.header_bytes", given.header_bytes, Size::kib(8), Size::mib(1))?,
            connections: between("limits.connections", given.connections, 1, 1_000_000)?,
            connections_per_address: between(
                "limits.connections_per_address",
                given.connections_per_address,
                1,
                1_000_000,
            )?,
            idle_timeout: span("limits.idle_timeout", given.idle_timeout, Span::seconds(10), Span::hours(1))?,
            header_read_timeout: span(
                "limits.header_read_timeout",
                given.header_read_timeout,
                Span::seconds(1),
                Span::minutes(5),
            )?,
            request_timeout: span(
                "limits.request_timeout",
                given.request_timeout,
                Span::seconds(5),
                Span::minutes(10),
            )?,
            ..Limits::default()
        })
    }

    fn blocking(&self) -> Result<BlockingOptions, ConfigError> {
        let given = &self.limits;
        Ok(BlockingOptions {
            operations: between("limits.operations_parallel", given.operations_parallel, 1, 256)?,
            password_hashing: between("limits.password_hashing_parallel", given.password_hashing_parallel, 1, 64)?,
            ..BlockingOptions::default()
        })
    }

    fn upkeep(&self) -> Result<UpkeepOptions, ConfigError> {
        let (refresh, flush) = (self.revocation.refresh_every, self.usage.flush_every);
        Ok(UpkeepOptions {
            refresh_revocations_every: between(
                "revocation.refresh_every",
                refresh,
                Span::seconds(1),
                Span::seconds(30),
            )?
            .duration(),
            flush_usage_every: between("usage.flush_every", flush, Span::seconds(1), Span::minutes(10))?.duration(),
        })
    }

    /// The secret in `master_secret_file`, if the option is set.
    fn master_secret(&self) -> Result<Option<MasterSecret>, ConfigError> {
        let Some(path) = &self.master_secret_file else { return Ok(None) };
        let problem = |problem: String| ConfigError::MasterSecretFile { path: path.clone(), problem };
        let metadata = std::fs::metadata(path).map_err(|cause| problem(format!("it cannot be read: {cause}")))?;
        if !metadata.is_file() {
            return Err(problem("it is not a file".to_owned()));
        }
        if others_may_read(&metadata) {
            return Err(problem(format!("others may read it; run: chmod 600 {}", path.display())));
        }
        let text = std::fs::read_to_string(path).map_err(|cause| problem(format!("it cannot be read: {cause}")))?;
        let text = crate::secret::Secret::new(text);
        MasterSecret::parse(text.expose()).map(Some).map_err(|not_one| problem(not_one.to_string()))
    }
}

#[cfg(unix)]
fn others_may_read(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn others_may_read(_metadata: &std::fs::Metadata) -> bool {
    false
}

/// The authorities that count with those in a file, if there is one.
fn roots(key: &'static str, file: Option<&Path>) -> Result<Roots, ConfigError> {
    let Some(file) = file else { return Ok(Roots::public()) };
    let refuse = |problem: &dyn std::fmt::Display| out_of_range(key, &file.to_string_lossy(), problem);
    let pem = std::fs::read(file).map_err(|cause| refuse(&cause))?;
    Roots::with(&pem).map_err(|problem| refuse(&problem))
}

fn between<T: Copy + PartialOrd + std::fmt::Display>(
    key: impl Into<Cow<'static, str>>,
    value: T,
    least: T,
    most: T,
) -> Result<T, ConfigError> {
    if least <= value && value <= most {
        Ok(value)
    } else {
        let problem = format!("is {value}; it must be {least} to {most}");
        Err(ConfigError::OutOfRange { key: key.into(), problem })
    }
}

fn out_of_range(key: &'static str, value: &str, problem: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::OutOfRange { key: key.into(), problem: format!("is {value:?}: {problem}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str, flags: &[(&'static str, &str)]) -> Result<Config, String> {
        let flags = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
        let loaded = load(Given { flags, ..Given::default() }).map_err(|error| error.to_string())?;
        Config::new(loaded, listen.parse().unwrap()).map_err(|error| error.to_string())
    }

    fn public_url(listen: &str, flags: &[(&'static str, &str)]) -> Result<String, String> {
        config(listen, flags).map(|config| config.public_url.to_string())
    }

    #[test]
    fn the_public_url_is_https_or_on_loopback_and_defaults_to_a_loopback_address() {
        assert_eq!(public_url("127.0.0.1:4711", &[]).unwrap(), "http://127.0.0.1:4711");
        assert_eq!(public_url("[::1]:4711", &[]).unwrap(), "http://[::1]:4711");
        let given = |url| public_url("0.0.0.0:80", &[("public_url", url)]);
        assert_eq!(given("https://mcp.example.org/").unwrap(), "https://mcp.example.org");
        assert_eq!(given("http://localhost:8080").unwrap(), "http://localhost:8080");
        for (wrong, sentence) in [
            ("http://mcp.example.org", "use https"),
            ("https://mcp.example.org/keyward", "without a path"),
            ("https://user@mcp.example.org", "without a path"),
            ("mcp.example.org", "not a URL"),
            ("ftp://mcp.example.org", "https://"),
        ] {
            let refusal = given(wrong).unwrap_err();
            assert!(refusal.starts_with("public_url is") && refusal.contains(sentence), "{wrong}: {refusal}");
        }
        for listen in ["0.0.0.0:80", "[::]:80", "203.0.113.9:80"] {
            assert!(public_url(listen, &[]).unwrap_err().contains("--public-url https://"), "{listen}");
        }
    }

    #[test]
    fn the_listen_address_is_an_address_and_a_port() {
        let address = |text: &str| Settings { listen: text.to_owned(), ..Settings::default() }.listen_address();
        assert_eq!(address("localhost:80").unwrap(), "127.0.0.1:80".parse().unwrap());
        assert_eq!(address("[::]:0").unwrap(), "[::]:0".parse().unwrap());
        for wrong in ["", ":8080", "8080", "0.0.0.0", "mcp.example.org:80", "127.0.0.1:99999"] {
            assert!(address(wrong).unwrap_err().to_string().contains("127.0.0.1:8080"), "{wrong}");
        }
    }

    #[test]
    fn values_outside_of_their_range_are_refused_with_the_range() {
        for (key, value, part) in [
            ("revocation.refresh_every", "31s", "must be 1s to 30s"),
            ("revocation.refresh_every", "0s", "must be 1s to 30s"),
            ("limits.connections", "0", "must be 1 to"),
            ("limits.mcp_body", "1GiB", "must be 16KiB to 64MiB"),
            ("trusted_proxies", "10.0.0.0/8, nonsense", "a network such as"),
            ("allowed_hosts", "https://mcp.lan", "expected a host name"),
            ("allowed_origins", "mcp.lan", "expected an origin"),
            ("allowed_origins", "https://mcp.lan/app", "expected an origin"),
            ("tokens.refresh_grace", "31m", "must be 0s to 30m"),
            ("tokens.refresh_token_idle", "366d", "must be 1h to 365d"),
            ("tokens.authorization_code_life", "11m", "must be 10s to 10m"),
            ("tokens.clock_leeway", "0s", "must be 2s to 1m"),
            ("sessions.idle", "91d", "must be 15m to 90d"),
            ("keys.rotate_every", "1h", "must be 1d to"),
            ("oauth.forget_unused_clients_after", "59m", "must be 1h to"),
        ] {
            let refusal = config("127.0.0.1:80", &[(key, value)]).unwrap_err();
            assert!(refusal.starts_with(key) && refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn what_is_set_reaches_the_module_that_goes_by_it() {
        let config = config(
            "127.0.0.1:80",
            &[
                ("tokens.access_token_life", "5m"),
                ("tokens.personal_token_life", "730d"),
                ("tokens.clock_leeway", "7s"),
                ("oauth.dynamic_registration", "false"),
                ("limits.rate_limits", "false"),
                ("limits.header_bytes", "16KiB"),
                ("limits.password_hashing_parallel", "3"),
                ("revocation.refresh_every", "30s"),
            ],
        )
        .unwrap();
        assert_eq!(config.app.credentials.access_token.as_secs(), 300);
        assert_eq!(config.app.personal_tokens.longest, days(730));
        assert_eq!(config.app.rotation.max_token_life, days(731), "keys outlive the tokens that they sign");
        assert_eq!(config.app.verifier.leeway.as_secs(), 7);
        assert!(!config.app.registration.dynamic && !config.app.rate_limits);
        assert_eq!((config.limits.header_bytes, config.blocking.password_hashing), (16 * 1024, 3));
        assert_eq!(config.upkeep.refresh_revocations_every.as_secs(), 30);
    }

    #[cfg(unix)]
    #[test]
    fn a_master_secret_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        let path = file.to_str().unwrap();
        std::fs::write(&file, "A".repeat(43)).unwrap();
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let load = |path| config("127.0.0.1:80", &[("master_secret_file", path)]);
        mode(0o640);
        assert!(load(path).unwrap_err().contains("chmod 600"));
        mode(0o600);
        assert!(load(path).unwrap().master_secret.is_some());
        std::fs::write(&file, "hunter2").unwrap();
        let refusal = load(path).unwrap_err();
        assert!(refusal.contains("32 random bytes") && !refusal.contains("hunter2"), "{refusal}");
        assert!(load("/nowhere/secret").unwrap_err().contains("cannot be read"));
    }
}
