//! How does a person keep second factors? Adds an authenticator app, keeps recovery codes, removes what is lost; an admin says
//! who must have one. What there is stands on the page Security.

pub mod authenticator;
pub mod passkey;
pub mod recovery_codes;
pub mod remove;
pub mod policy;

pub use authenticator::AuthenticatorView;
pub use passkey::PasskeyNewView;
pub use policy::SignInPolicyView;
pub use recovery_codes::{RecoveryCodesRenewView, RecoveryCodesView};
pub use remove::FactorRemoveView;

use crate::account::factor::{Factor, FactorKind};
use crate::account::recovery_code::FEW_LEFT;
use crate::app::second_factor::Factors;
use crate::clock::Timestamp;
use crate::id::FactorId;
use crate::web::when::When;

/// The second factors of a user, as the page Security shows them.
#[derive(Debug, Clone)]
pub struct FactorSection {
    /// Each of them.
    pub rows: Vec<FactorRow>,
    /// Recovery codes: how many are left, and since when there are these.
    pub recovery: Option<(usize, When)>,
    /// Whether an authenticator app can be added.
    pub wants_app: bool,
    /// Whether passkeys can be added.
    pub wants_passkey: bool,
    /// Whether the user must have a factor.
    pub demanded: bool,
}

/// One second factor.
#[derive(Debug, Clone)]
pub struct FactorRow {
    /// Its id.
    pub id: FactorId,
    /// What it is, or what its owner calls it.
    pub name: String,
    /// What it is, beside its name; may be empty.
    pub note: &'static str,
    /// Since when.
    pub added: When,
    /// When it was used last.
    pub used: Option<When>,
}

impl FactorSection {
    /// What there is.
    pub fn of(factors: &Factors, wants_passkey: bool, now: Timestamp) -> Self {
        let is_app = |factor: &Factor| matches!(factor.kind, FactorKind::Authenticator(_));
        Self {
            wants_passkey,
            wants_app: !factors.all.iter().any(is_app),
            rows: factors.all.iter().map(|factor| FactorRow::of(factor, now)).collect(),
            recovery: factors.recovery.map(|(left, made_at)| (left, When::new(made_at, now))),
            demanded: factors.demanded,
        }
    }

    /// Whether it is time for new recovery codes.
    pub fn runs_low(&self) -> bool {
        self.recovery.as_ref().is_none_or(|(left, _)| *left <= FEW_LEFT)
    }
}

impl FactorRow {
    fn of(factor: &Factor, now: Timestamp) -> Self {
        let (name, note) = match &factor.kind {
            FactorKind::Authenticator(_) => ("Authenticator app".to_owned(), ""),
            FactorKind::Passkey(passkey) if passkey.backed_up => {
                (passkey.name.clone(), "passkey, kept elsewhere as well")
            }
            FactorKind::Passkey(passkey) => (passkey.name.clone(), "passkey"),
        };
        Self {
            id: factor.id,
            name,
            note,
            added: When::new(factor.added_at, now),
            used: factor.used_at.map(|at| When::new(at, now)),
        }
    }
}

#[cfg(test)]
impl FactorSection {
    pub(crate) fn sample() -> Self {
        Self {
            rows: vec![FactorRow::sample(), FactorRow::sample_passkey()],
            recovery: Some((2, When::sample(-86_400 * 40))),
            wants_app: false,
            wants_passkey: true,
            demanded: true,
        }
    }

    pub(crate) fn sample_none() -> Self {
        Self { rows: Vec::new(), recovery: None, wants_app: true, wants_passkey: false, demanded: false }
    }
}

#[cfg(test)]
impl FactorRow {
    pub(crate) fn sample() -> Self {
        Self {
            id: FactorId::from_bytes([0x33; 16]),
            name: "Authenticator app".to_owned(),
            note: "",
            added: When::sample(-86_400 * 40),
            used: Some(When::sample(-7_200)),
        }
    }

    pub(crate) fn sample_passkey() -> Self {
        let (name, note) = ("<b>Blue key</b>".to_owned(), "passkey");
        Self { id: FactorId::from_bytes([0x34; 16]), name, note, used: None, ..Self::sample() }
    }
}
