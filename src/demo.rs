//! What does `keyward demo` show? A whole Keyward in memory, on loopback, with a user, a token and everything to paste.

use crate::account::password::readable_password;
use crate::account::user::User;
use crate::app::personal_tokens::{Made, NewPersonalToken};
use crate::config::Loaded;
use crate::entropy::OsEntropy;
use crate::id::TokenId;
use crate::oauth::scope::ScopeSet;
use crate::serve::{Appliance, ServeError, StopWhen};
use crate::wire::{paths, snippets};
use std::fmt;
use std::io::{self, Write};

/// The seeded user's name.
const USERNAME: &str = "demo";

/// Serves in memory until a signal: the command `keyward demo`.
pub fn run(loaded: Loaded, out: &mut dyn Write) -> Result<(), ServeError> {
    let appliance = Appliance::in_memory(loaded)?;
    require_loopback(&appliance, "demo")?;
    let seeded = Seeded::new(&appliance)?;
    appliance.run(StopWhen::Signalled, || {
        // Whoever reads the output may have gone; that stops no server.
        let _ = write!(out, "{seeded}");
        let _ = out.flush();
    })
}

/// Refuses an address or a public URL that is not on this machine: the credentials are on the screen.
pub(crate) fn require_loopback(appliance: &Appliance, command: &'static str) -> Result<(), ServeError> {
    let refuse = |what: String| Err(ServeError::NotLoopback { command, what });
    let (address, public_url) = (appliance.address(), &appliance.config().public_url);
    if !address.ip().is_loopback() {
        refuse(address.to_string())
    } else if !public_url.is_loopback() {
        refuse(public_url.to_string())
    } else {
        Ok(())
    }
}

/// A user and a personal token, made for somebody who reads them off the output.
pub(crate) struct Seeded {
    /// The dashboard's address.
    pub(crate) dashboard_url: String,
    /// The MCP server's address.
    pub(crate) mcp_url: String,
    /// Name to sign in with.
    pub(crate) username: String,
    /// Password, new each time.
    pub(crate) password: String,
    /// A personal token for every server.
    pub(crate) personal_token: String,
}

impl Seeded {
    /// Makes both.
    pub(crate) fn new(appliance: &Appliance) -> Result<Self, ServeError> {
        let (app, issuer) = (appliance.app(), &appliance.config().public_url);
        let password = readable_password(&OsEntropy);
        let user: User = app.seed_admin(USERNAME, &password)?;
        let wanted = NewPersonalToken {
            id: TokenId::generate(app.now(), &OsEntropy),
            name: USERNAME.to_owned(),
            expires_at: None,
            servers: None,
            scopes: ScopeSet::mcp(),
        };
        let personal_token = match app.create_personal_token(user.id, &wanted)? {
            Made::Now(_, token) => token.expose().to_owned(),
            Made::Before(_) => return Err(io::Error::other("the new token has the id of another").into()),
        };
        Ok(Self {
            dashboard_url: issuer.join(paths::DASHBOARD),
            mcp_url: issuer.join(paths::MCP),
            username: USERNAME.to_owned(),
            password,
            personal_token,
        })
    }
}

/// What to paste, and below it what to sign in with, where the eye is when the output stops.
impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Connect a client with a personal token:")?;
        for snippet in snippets::with_token("keyward", &self.mcp_url, &self.personal_token) {
            writeln!(f, "\n{}. {}:\n", snippet.client, snippet.place)?;
            for line in snippet.text.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        writeln!(f, "\nOr give a client the MCP server's URL alone, and sign in when it opens the browser.\n")?;
        writeln!(f, "  Dashboard       {}", self.dashboard_url)?;
        writeln!(f, "  User            {}", self.username)?;
        writeln!(f, "  Password        {}", self.password)?;
        writeln!(f, "  MCP server      {}", self.mcp_url)?;
        writeln!(f, "  Personal token  {}\n", self.personal_token)?;
        writeln!(f, "The demo is ready. Everything is in memory and gone when you press Ctrl-C.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Given, load};

    fn appliance(flags: &[(&'static str, &str)]) -> Appliance {
        let flags = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
        Appliance::in_memory(load(Given { flags, ..Given::default() }).unwrap()).unwrap()
    }

    #[test]
    fn the_output_has_all_that_is_needed_to_sign_in_and_to_connect() {
        let appliance = appliance(&[("listen", "127.0.0.1:0")]);
        let seeded = Seeded::new(&appliance).unwrap();
        let output = seeded.to_string();
        let url = format!("http://{}", appliance.address());
        for part in [
            &format!("{url}/dashboard"),
            &format!("{url}/mcp"),
            &seeded.password,
            &seeded.personal_token,
            "Claude Code",
            "Claude Desktop",
            "mcp-remote",
            "Cursor",
            "VS Code",
            "Codex",
            "Inspector",
            "curl",
        ] {
            assert!(output.contains(part), "{part}");
        }
        let keys = appliance.app().live().keys();
        let live = appliance.app().live();
        let verified = live.verifier().verify(&seeded.personal_token, &keys, live.revoked(), appliance.app().now());
        assert!(verified.is_ok(), "the token works");
    }

    #[test]
    fn a_demo_is_not_reachable_from_elsewhere() {
        let open = appliance(&[("listen", "0.0.0.0:0"), ("public_url", "https://mcp.example.org")]);
        assert!(require_loopback(&open, "demo").unwrap_err().to_string().contains("keyward serve"));
        let proxied = appliance(&[("listen", "127.0.0.1:0"), ("public_url", "https://mcp.example.org")]);
        assert!(require_loopback(&proxied, "demo").unwrap_err().to_string().contains("https://mcp.example.org"));
    }
}
