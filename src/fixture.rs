//! What does `keyward fixture` tell a test suite? One JSON line on standard output when clients can connect.
//!
//! It is `demo` for programs: in memory, on loopback only, quiet, without rate limits, and it ends when its standard
//! input closes, so that nothing is left behind by a test that dies. Only a fixture ever shows a private key.

use crate::config::Loaded;
use crate::demo::{Seeded, require_loopback};
use crate::serve::{Appliance, ServeError, StopWhen};
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::{self, Write};

/// The ready line.
#[derive(Serialize)]
struct Ready<'a> {
    /// The issuer.
    url: &'a str,
    /// The built-in MCP server.
    mcp_url: &'a str,
    username: &'a str,
    password: &'a str,
    personal_token: &'a str,
    /// The private JWK (RFC 8037 §2) of the key that signs.
    signing_key: &'a RawValue,
    pid: u32,
}

/// Serves in memory until a signal or the end of standard input: the command `keyward fixture`.
pub fn run(loaded: Loaded, out: &mut dyn Write) -> Result<(), ServeError> {
    let appliance = Appliance::in_memory(loaded)?;
    require_loopback(&appliance, "fixture")?;
    let seeded = Seeded::new(&appliance)?;
    let signing_key = appliance.app().live().keys().signer().to_private_jwk();
    let line = serde_json::to_string(&Ready {
        url: appliance.config().public_url.as_str(),
        mcp_url: &seeded.mcp_url,
        username: &seeded.username,
        password: &seeded.password,
        personal_token: &seeded.personal_token,
        signing_key: serde_json::from_str(signing_key.expose()).map_err(io::Error::other)?,
        pid: std::process::id(),
    })
    .map_err(io::Error::other)?;
    appliance.run(StopWhen::SignalledOrInputCloses, || {
        // Whoever reads the output may have gone; then standard input closes too.
        let _ = writeln!(out, "{line}");
        let _ = out.flush();
    })
}
