//! What does a user prove beside the password?
//!
//! A user has any number of factors; one that is here counts, for it was confirmed by its owner before. Whoever has one must
//! give it (or a recovery code) after the password. Its secret is sealed for its owner: moved to another user's row it opens
//! nothing.

use crate::account::passkey::Passkey;
use crate::account::recovery_code::RecoveryCode;
use crate::account::totp::{TotpCode, TotpSecret};
use crate::clock::Timestamp;
use crate::id::{FactorId, UserId};
use crate::seal::{NotSealed, Purpose, Sealer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// What it is called.
    pub id: FactorId,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was last given at a sign-in or another proof.
    pub used_at: Option<Timestamp>,
    /// What it is.
    pub kind: FactorKind,
}

/// What a factor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactorKind {
    /// An app that shows codes.
    Authenticator(Authenticator),
    /// A key on a device or in a password manager.
    Passkey(Passkey),
}

impl FactorKind {
    /// For sentences: "an authenticator app".
    pub const fn in_words(&self) -> &'static str {
        match self {
            Self::Authenticator(_) => "an authenticator app",
            Self::Passkey(_) => "a passkey",
        }
    }
}

/// An app that shows codes (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticator {
    sealed: String,
    /// The step of the newest code that was used: only later ones count.
    used_step: u64,
}

impl Authenticator {
    /// Of `owner`, who has just shown the code of `step`.
    pub fn new(sealer: &Sealer, owner: UserId, secret: &TotpSecret, step: u64) -> Self {
        let payload = Zeroizing::new(format!("{owner}\n{}", *secret.to_text()));
        Self { sealed: sealer.seal_text(Purpose::FactorSecret, &payload), used_step: step }
    }

    /// The same with `code` used up, if that counts at `now`. Nothing if it does not.
    pub fn after(
        &self,
        sealer: &Sealer,
        owner: UserId,
        code: TotpCode,
        now: Timestamp,
    ) -> Result<Option<Self>, NotSealed> {
        let payload = Zeroizing::new(sealer.open_text(Purpose::FactorSecret, &self.sealed)?);
        let secret = payload.strip_prefix(&format!("{owner}\n")).and_then(TotpSecret::parse).ok_or(NotSealed)?;
        let step = secret.step_of(code, now, Some(self.used_step));
        Ok(step.map(|used_step| Self { sealed: self.sealed.clone(), used_step }))
    }

    /// A row with these parts, which was not sealed here.
    #[cfg(test)]
    pub(crate) fn sample(sealed: &str, used_step: u64) -> Self {
        Self { sealed: sealed.to_owned(), used_step }
    }
}

/// What somebody typed where a code was asked for.
#[derive(Debug, Clone)]
pub enum TypedCode {
    /// Six digits.
    Totp(TotpCode),
    /// A recovery code.
    Recovery(RecoveryCode),
    /// Neither: wrong, as every other code that is.
    Neither,
}

impl TypedCode {
    /// Told apart by their form.
    pub fn parse(text: &str) -> Self {
        let totp = || TotpCode::parse(text).map(Self::Totp);
        totp().or_else(|| RecoveryCode::parse(text).map(Self::Recovery)).unwrap_or(Self::Neither)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::secret::MasterSecret;

    #[test]
    fn a_code_counts_once_for_its_owner_only() {
        let entropy = SeededEntropy::new(1);
        let sealer = Sealer::new(&MasterSecret::generate(&entropy));
        let (ada, ben) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let (secret, now) = (TotpSecret::generate(&entropy), Timestamp::from_unix_seconds(1_790_000_000));
        let code = |now| TotpCode::parse(&secret.code(now)).unwrap();
        let app = Authenticator::new(&sealer, ada, &secret, 0);
        assert!(!format!("{app:?}").contains(&*secret.to_text()));

        let used = app.after(&sealer, ada, code(now), now).unwrap().expect("it is right");
        assert_eq!(used.after(&sealer, ada, code(now), now), Ok(None), "it was used");
        let later = Timestamp::from_unix_seconds(1_790_000_030);
        assert!(used.after(&sealer, ada, code(later), later).unwrap().is_some());
        assert_eq!(app.after(&sealer, ben, code(now), now), Err(NotSealed));
        let other = Sealer::new(&MasterSecret::generate(&entropy));
        assert_eq!(app.after(&other, ada, code(now), now), Err(NotSealed));
    }

    #[test]
    fn what_was_typed_is_told_apart_by_its_form() {
        assert!(matches!(TypedCode::parse("123 456"), TypedCode::Totp(_)));
        assert!(matches!(TypedCode::parse("ABCD-efgh-0000-1234"), TypedCode::Recovery(_)));
        for neither in ["", "12345", "1234567", "password", &"9".repeat(100_000)] {
            assert!(matches!(TypedCode::parse(neither), TypedCode::Neither), "{neither:.20}");
        }
    }
}
