//! What is wrong with the configuration, and what to do about it?

use crate::access::{NotAServerName, SharedPlace};
use crate::config::sources::Source;
use std::borrow::Cow;
use std::path::PathBuf;

/// Why Keyward does not start with this configuration. Each message names the thing and the next step.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {cause}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not TOML: {problem}", .path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// The line and the parser's words; what stands there may be a secret and is not repeated.
        problem: String,
    },
    /// The file has a key that is no option.
    #[error("{source_name}: there is no option {key}{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// Where it stands.
        source_name: Source,
        /// The key as written.
        key: String,
        /// The key that was probably meant.
        nearest: Option<Cow<'static, str>>,
    },
    /// A key that is the name of a section.
    #[error("{source_name}: {key} is a section; write [{key}] and its options below")]
    Section {
        /// Where it stands.
        source_name: Source,
        /// The section.
        key: String,
    },
    /// A value of the wrong type or form.
    #[error("{source_name}: {key} cannot be {value}: {problem}")]
    BadValue {
        /// Where it stands.
        source_name: Source,
        /// The option.
        key: Cow<'static, str>,
        /// The value as written, or words in place of one that may be secret.
        value: String,
        /// What was expected.
        problem: String,
    },
    /// A value outside of what makes sense, alone or beside another.
    #[error("{key} {problem}")]
    OutOfRange {
        /// The option.
        key: Cow<'static, str>,
        /// What is wrong with it.
        problem: String,
    },
    /// A server has a name that is none.
    #[error("{source_name}: [servers.{name}]: {problem}")]
    ServerName {
        /// Where it stands.
        source_name: Source,
        /// The name as written.
        name: String,
        /// What a name is.
        problem: NotAServerName,
    },
    /// Two servers want the same place.
    #[error(transparent)]
    SharedPlace(#[from] SharedPlace),
    /// Nobody said under which URL the server is reached.
    #[error(
        "public_url is not set, and the listen address {listen} is not loopback. Set the URL that clients use: \
         --public-url https://mcp.example.org, KEYWARD_PUBLIC_URL or public_url in the configuration file"
    )]
    PublicUrlMissing {
        /// The address to listen on.
        listen: std::net::SocketAddr,
    },
    /// The file with the master secret cannot be used.
    #[error("master_secret_file {}: {problem}", .path.display())]
    MasterSecretFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The master secret in the environment is not one.
    #[error("KEYWARD_MASTER_SECRET: {0}. Make one with: head -c 32 /dev/urandom | basenc --base64url | tr -d =")]
    MasterSecret(crate::secret::NotAMasterSecret),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; did you mean {key}?")).unwrap_or_default()
}
