//! Who must have a second factor? An admin decides; it counts at everybody's next request.

use crate::account::sign_in_policy::{Demanded, SignInPolicy};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::second_factor::has_factor;
use crate::app::users::{By, require};
use crate::event::{Event, EventKind};
use crate::store::tables::{SIGN_IN_POLICY, USERS};
use crate::store::{Reads, Scan, StoreError};

/// How many have no second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Of the admins.
    pub admins: usize,
    /// Of everybody, admins included.
    pub people: usize,
}

impl App {
    /// Who must have a second factor.
    pub fn sign_in_policy(&self) -> Result<SignInPolicy, OperationError> {
        self.store.read(|tx| Ok(policy(tx)?))
    }

    /// Decides who must have a second factor; counts at everybody's next request.
    pub fn set_sign_in_policy(&self, by: By, new: SignInPolicy) -> Result<(), OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            require(tx, by)?;
            if policy(tx)? == new {
                return Ok(());
            }
            tx.put(SIGN_IN_POLICY, &(), &new)?;
            let note = match new.second_factor {
                Demanded::OfNobody => "a second factor is nobody's duty",
                Demanded::OfAdmins => "admins must have a second factor",
                Demanded::OfEverybody => "everybody must have a second factor",
            };
            Ok::<_, OperationError>(pen.write_by(tx, by, Event::of(EventKind::PolicyChanged).note(note))?)
        })?;
        tracing::warn!(?by, policy = ?new, "sign-in policy set");
        Ok(())
    }

    /// How many people who may sign in have no second factor.
    pub fn lacking_factor(&self) -> Result<Lacking, OperationError> {
        self.store.read(|tx| {
            let mut lacking = Lacking::default();
            tx.visit(USERS, Scan::all(), |id, user| {
                if !user.is_disabled() && !has_factor(tx, id)? {
                    lacking.people += 1;
                    lacking.admins += usize::from(user.is_admin());
                }
                Ok::<_, OperationError>(())
            })?;
            Ok(lacking)
        })
    }
}

/// What holds now.
pub(super) fn policy(tx: &impl Reads) -> Result<SignInPolicy, StoreError> {
    Ok(tx.get(SIGN_IN_POLICY, &())?.unwrap_or_default())
}
