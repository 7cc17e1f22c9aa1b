//! What can be done to the data of a server that is stopped? Each command opens it, calls one operation and closes it.

use crate::app::App;
use crate::clock::Timestamp;
use crate::demo::readable_password;
use crate::entropy::OsEntropy;
use crate::id::{KeyId, TokenId};
use crate::keys::KeyState;
use crate::serve::ServeError;
use crate::web::when::When;
use clap::Subcommand;
use std::io::Write;

/// What to do to users.
#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// Give a user a new password, printed once; their sessions end.
    ResetPassword {
        /// The user's name.
        name: String,
    },
}

/// What to do to personal tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Tokens {
    /// Revoke a personal token, whoever owns it.
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

/// What to do.
#[derive(Debug)]
pub(super) enum Task {
    Users(Users),
    Tokens(Tokens),
    Keys(Keys),
}

impl Task {
    /// Does it and says so.
    pub(super) fn run(self, app: &App, out: &mut dyn Write) -> Result<(), ServeError> {
        match self {
            Self::Users(Users::ResetPassword { name }) => {
                let password = readable_password(&OsEntropy);
                app.reset_password(&name, &password)?;
                writeln!(out, "The new password of {name} is {password}. Sign in and change it.")?;
            }
            Self::Tokens(Tokens::Revoke { id }) => {
                let token = app.revoke_anyones_personal_token(id)?;
                writeln!(out, "The token {id} ({}) is revoked.", token.name)?;
            }
            Self::Keys(Keys::List) => {
                for key in app.signing_keys()? {
                    writeln!(out, "{}  {}", key.id, describe(key.state, app.now()))?;
                }
            }
            Self::Keys(Keys::Rotate) => {
                app.rotate_signing_keys()?;
                writeln!(out, "The next key signs from now on. What the earlier one signed stays good.")?;
            }
            Self::Keys(Keys::Condemn { id }) => {
                app.condemn_signing_key(id)?;
                writeln!(out, "Nothing that {id} signed is accepted any more.")?;
            }
        }
        Ok(())
    }
}

fn describe(state: KeyState, now: Timestamp) -> String {
    let when = |at| When::new(at, now).words().to_owned();
    match state {
        KeyState::Next => "next: published, and signing later".to_owned(),
        KeyState::Active { since } => format!("active: signing since {}", when(since)),
        KeyState::Retired { since, verifies_until } => {
            format!("retired: signed until {}, verifies until {}", when(since), When::new(verifies_until, now).day())
        }
        KeyState::Condemned { since } => format!("condemned: {}", when(since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Caller;
    use crate::config::{Given, load};
    use crate::demo::Seeded;
    use crate::serve::Appliance;

    fn appliance() -> Appliance {
        let flags = vec![("listen", "127.0.0.1:0".to_owned())];
        Appliance::in_memory(load(Given { flags, ..Given::default() }).unwrap()).unwrap()
    }

    fn told(app: &App, task: Task) -> String {
        let mut out = Vec::new();
        task.run(app, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_reset_password_signs_in_and_the_old_one_does_not() {
        let appliance = appliance();
        let (app, seeded) = (appliance.app(), Seeded::new(&appliance).unwrap());
        let told = told(app, Task::Users(Users::ResetPassword { name: "DEMO".to_owned() }));
        let password = told.split_whitespace().find(|word| word.matches('-').count() == 2).unwrap();
        let sign_in = |password: &str| app.sign_in("demo", password, None, &Caller::default());
        assert!(sign_in(&seeded.password).is_err());
        assert!(sign_in(password.trim_end_matches('.')).is_ok());
    }

    #[test]
    fn a_revoked_token_is_no_good_any_more() {
        let appliance = appliance();
        let (app, seeded) = (appliance.app(), Seeded::new(&appliance).unwrap());
        let verify = || {
            let live = app.live();
            live.verifier().verify(&seeded.personal_token, &live.keys(), live.revoked(), app.now())
        };
        let id = verify().unwrap().claims().id;
        assert!(told(app, Task::Tokens(Tokens::Revoke { id })).contains("is revoked"));
        assert!(verify().is_err());
    }

    #[test]
    fn keys_are_listed_with_their_state() {
        let appliance = appliance();
        let app = appliance.app();
        let list = told(app, Task::Keys(Keys::List));
        assert!(list.contains("active: signing since") && list.contains("next: published"), "{list}");
    }
}
