//! What can be done without signing in? `users`, `tokens` and `keys`: each is one request, which the running server is
//! asked to do, or which is done on the opened data of a stopped one.

use crate::account::user::Username;
use crate::cli::Failure;
use crate::config::{Config, Loaded};
use crate::control::{self, Answer, AskError, Request};
use crate::id::{KeyId, TokenId};
use crate::serve::{self, ServeError};
use crate::store::OpenError;
use clap::Subcommand;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often a directory is tried that is locked and on which nobody listens: a server that starts or stops, or another
/// command. With [`PAUSE`] these are two seconds.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What to do to users.
#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// List the users: name, role, state and groups.
    List,
    /// Print a one-time link with which a user sets a new password; it works for 24 hours.
    ResetLink {
        /// The user's name.
        #[arg(value_parser = Username::parse)]
        name: Username,
    },
    /// Remove every second factor of a user who has lost them; their sessions end, the password stays.
    ResetFactors {
        /// The user's name.
        #[arg(value_parser = Username::parse)]
        name: Username,
    },
    /// Accept nothing of a user's any more: sessions, tokens, connected apps.
    Disable {
        /// The user's name.
        #[arg(value_parser = Username::parse)]
        name: Username,
    },
    /// Let a disabled user in again; tokens and connected apps that were not revoked work again.
    Enable {
        /// The user's name.
        #[arg(value_parser = Username::parse)]
        name: Username,
    },
    /// Give a user a new password, printed once; their sessions end.
    ResetPassword {
        /// The user's name.
        #[arg(value_parser = Username::parse)]
        name: Username,
    },
}

/// What to do to personal tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Tokens {
    /// Revoke a personal token, whoever owns it; a running server refuses it at the next request.
    Revoke {
        /// Its id (tok_…), as the dashboard shows it and the token has it as `jti`.
        id: TokenId,
    },
}

/// What to do to signing keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// List the signing keys.
    List,
    /// Let the next key sign from now on; what the earlier one signed stays good.
    Rotate,
    /// Accept nothing any more that a key has signed.
    Condemn {
        /// Its id (key_…), the `kid` of what it signed.
        id: KeyId,
    },
}

impl From<Users> for Request {
    fn from(task: Users) -> Self {
        match task {
            Users::List => Self::ListUsers,
            Users::ResetLink { name } => Self::ResetLink { name },
            Users::ResetFactors { name } => Self::ResetFactors { name },
            Users::Disable { name } => Self::DisableUser { name },
            Users::Enable { name } => Self::EnableUser { name },
            Users::ResetPassword { name } => Self::ResetPassword { name },
        }
    }
}

impl From<Tokens> for Request {
    fn from(task: Tokens) -> Self {
        match task {
            Tokens::Revoke { id } => Self::RevokeToken { id },
        }
    }
}

impl From<Keys> for Request {
    fn from(task: Keys) -> Self {
        match task {
            Keys::List => Self::ListKeys,
            Keys::Rotate => Self::RotateKeys,
            Keys::Condemn { id } => Self::CondemnKey { id },
        }
    }
}

/// Has it done and prints what came of it.
pub(super) fn run(request: &Request, loaded: Loaded, out: &mut dyn Write) -> Result<(), Failure> {
    match answer(request, loaded)? {
        Answer::Done(text) => Ok(write!(out, "{text}").map_err(ServeError::from)?),
        Answer::Refused(why) => Err(Failure::Refused(why)),
    }
}

fn answer(request: &Request, loaded: Loaded) -> Result<Answer, Failure> {
    let directory = loaded.settings.data_dir.clone();
    let mut unheard = match ask(&directory, request)? {
        Ok(answer) => return Ok(answer),
        Err(unheard) => unheard,
    };
    let address = loaded.settings.listen_address().map_err(ServeError::from)?;
    let config = Config::new(loaded, address).map_err(ServeError::from)?;
    let mut tries = 0..TRIES;
    loop {
        match serve::open_stopped(&config) {
            Ok(app) => {
                let done = control::perform(request, &app);
                app.close().map_err(ServeError::from)?;
                return Ok(done.into());
            }
            Err(ServeError::Data(in_use @ OpenError::InUse { .. })) if tries.next().is_none() => {
                return Err(Failure::OutOfReach { in_use, unheard });
            }
            Err(ServeError::Data(OpenError::InUse { .. })) => thread::sleep(PAUSE),
            Err(error) => return Err(error.into()),
        }
        unheard = match ask(&directory, request)? {
            Ok(answer) => return Ok(answer),
            Err(unheard) => unheard,
        };
    }
}

/// The server's answer, or how it was noticed that nobody listens and nothing was asked.
fn ask(directory: &Path, request: &Request) -> Result<Result<Answer, AskError>, AskError> {
    match control::ask(directory, request) {
        Err(unheard @ AskError::NobodyListens { .. }) => Ok(Err(unheard)),
        asked => asked.map(Ok),
    }
}
