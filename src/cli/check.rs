//! `keyward check`: walks the clients' ways and prints them.

use super::Failure;
use crate::check::{Finding, Target, Walk, server_url, walk};
use crate::clock::{Clock as _, SystemClock};
use crate::entropy::OsEntropy;
use crate::secret::Secret;
use crate::serve::ServeError;
use crate::wire::probe::{Prober, Reach};
use crate::wire::tls::Roots;
use clap::Args;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use url::Url;

pub(super) const HELP: &str = "\
Without a token everything but a call is tried. The command fails if a client cannot get in.";

/// Longest file with a token, in bytes.
const MAX_TOKEN: u64 = 16 * 1024;
/// Longest file with certificate authorities, in bytes.
const MAX_ROOTS: u64 = 4 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// URL that clients get, such as `https://mcp.example.org/mcp`
    #[arg(value_parser = server_url)]
    url: Url,
    /// File with a personal token, for a call; - reads standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of certificate authorities that your clients trust besides the public ones
    #[arg(long, value_name = "FILE")]
    extra_roots: Option<PathBuf>,
}

pub(super) fn run(args: CheckArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    let private_roots = args.extra_roots.is_some();
    let roots = args.extra_roots.as_deref().map_or_else(|| Ok(Roots::public()), read_roots)?;
    let target = Target { url: args.url, token, prober: Prober::trusting(Reach::Anybody, &roots), private_roots };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::from)?;
    let walks = runtime.block_on(walk(&target, &|| SystemClock.now(), &OsEntropy));
    print(&walks, out).map_err(ServeError::from)?;
    let stopped: Vec<_> = walks.iter().filter(|walk| !walk.is_good()).map(|walk| walk.client).collect();
    if stopped.is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused(format!("something is in the way of: {}", stopped.join(", "))))
    }
}

fn read_roots(file: &Path) -> Result<Roots, Failure> {
    let mut pem = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_ROOTS).read_to_end(&mut pem));
    read.map_err(|cause| Failure::Refused(format!("{} cannot be read: {cause}", file.display())))?;
    Roots::with(&pem).map_err(|problem| Failure::Refused(problem.to_string()))
}

fn read_token(file: &Path) -> Result<Secret<String>, Failure> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().take(MAX_TOKEN).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text))
    };
    let text = Secret::new(text);
    read.map_err(|cause| Failure::Refused(format!("{} cannot be read: {cause}", file.display())))?;
    Ok(Secret::new(text.expose().trim().to_owned()))
}

fn print(walks: &[Walk], out: &mut dyn Write) -> io::Result<()> {
    for walk in walks {
        writeln!(out, "{}", walk.client)?;
        for Finding { step, result } in &walk.findings {
            match result {
                Ok(words) => writeln!(out, "  ok       {step}: {words}")?,
                Err(trouble) => {
                    let mark = if trouble.minor { "warning" } else { "STOPS" };
                    writeln!(out, "  {mark:<8} {step}: {}", trouble.saw)?;
                    writeln!(out, "           {}", trouble.advice)?;
                }
            }
        }
    }
    Ok(())
}
