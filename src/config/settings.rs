//! What do the options hold? One field an option, with its default; reading only, judged by [`super::Config`].

use crate::clock::Span;
use crate::config::value::Size;
use crate::telemetry::LogFormat;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The options as given, defaults filled in. Field for field the table [`super::OPTIONS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the sentence of each option stands in OPTIONS, once")]
pub struct Settings {
    pub public_url: Option<String>,
    pub listen: String,
    pub data_dir: PathBuf,
    pub master_secret_file: Option<PathBuf>,
    pub log: String,
    pub log_format: LogFormat,
    pub trusted_proxies: Vec<String>,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub dashboard_commands: bool,
    pub tokens: Tokens,
    pub sessions: Sessions,
    pub keys: Keys,
    pub revocation: Revocation,
    pub usage: Usage,
    pub events: Events,
    pub oauth: OAuth,
    pub upstreams: Upstreams,
    pub limits: LimitSettings,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $default:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $(pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    )*};
}

sections! {
    /// `[tokens]`
    Tokens {
        access_token_life: Span = Span::hours(1),
        personal_token_life: Span = Span::days(365),
        personal_tokens_per_user: usize = 100,
        authorization_code_life: Span = Span::seconds(60),
        refresh_token_idle: Span = Span::days(30),
        refresh_token_longest: Span = Span::days(365),
        refresh_grace: Span = Span::seconds(120),
        clock_leeway: Span = Span::seconds(30),
    }
    /// `[sessions]`
    Sessions {
        idle: Span = Span::days(14),
        longest: Span = Span::days(90),
    }
    /// `[keys]`
    Keys {
        rotate_every: Span = Span::days(90),
    }
    /// `[revocation]`
    Revocation {
        refresh_every: Span = Span::seconds(5),
    }
    /// `[usage]`
    Usage {
        flush_every: Span = Span::seconds(5),
    }
    /// `[events]`
    Events {
        keep: Span = Span::days(365),
        keep_calls: Span = Span::days(90),
        most_calls: u64 = 1_000_000,
    }
    /// `[oauth]`
    OAuth {
        dynamic_registration: bool = true,
        max_clients: usize = 10_000,
        forget_unused_clients_after: Span = Span::hours(24),
        client_documents: ClientDocuments = ClientDocuments::default(),
    }
    /// `[oauth.client_documents]`
    ClientDocuments {
        enabled: bool = true,
        known_clients: bool = true,
        extra_roots: Option<PathBuf> = None,
    }
    /// `[upstreams]`
    Upstreams {
        extra_roots: Option<PathBuf> = None,
    }
    /// `[limits]`
    LimitSettings {
        mcp_body: Size = Size::mib(4),
        form_body: Size = Size::kib(64),
        registration_body: Size = Size::kib(8),
        header_bytes: Size = Size::kib(32),
        connections: usize = 2048,
        connections_per_address: usize = 512,
        children: usize = 64,
        idle_timeout: Span = Span::minutes(3),
        header_read_timeout: Span = Span::seconds(10),
        request_timeout: Span = Span::seconds(30),
        operations_parallel: usize = 32,
        password_hashing_parallel: usize = 2,
        rate_limits: bool = true,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            listen: "127.0.0.1:8080".to_owned(),
            data_dir: PathBuf::from("keyward-data"),
            master_secret_file: None,
            log: "info".to_owned(),
            log_format: LogFormat::Auto,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            dashboard_commands: false,
            tokens: Tokens::default(),
            sessions: Sessions::default(),
            keys: Keys::default(),
            revocation: Revocation::default(),
            usage: Usage::default(),
            events: Events::default(),
            oauth: OAuth::default(),
            upstreams: Upstreams::default(),
            limits: LimitSettings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OPTIONS;
    use serde_json::Value;

    fn keys(prefix: &str, value: Value, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                    keys(&key, value, into);
                }
            }
            _ => into.push(prefix.to_owned()),
        }
    }

    #[test]
    fn every_field_is_an_option_and_every_option_is_a_field() {
        let mut fields = Vec::new();
        keys("", serde_json::to_value(Settings::default()).unwrap(), &mut fields);
        let mut options: Vec<_> = OPTIONS.iter().map(|option| option.key.to_owned()).collect();
        fields.sort();
        options.sort();
        assert_eq!(fields, options);
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        let given = OPTIONS.iter().filter(|option| !option.default.is_empty());
        let lines: Vec<_> = given.map(|option| format!("{} = {}", option.key, option.default)).collect();
        assert_eq!(toml::from_str::<Settings>(&lines.join("\n")).unwrap(), Settings::default());
    }
}
