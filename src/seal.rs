//! How is state kept in the hands of others? Sealed: PASETO v4.local, which only this installation opens.
//!
//! The [`Purpose`] is PASETO's implicit assertion, so that one sealed value never stands in for another. Cookies, form
//! state, the private halves of signing keys and users' keys for upstreams go through here. Expiry is in the payload, checked by [`Sealer::open`].

use crate::clock::Timestamp;
use crate::secret::MasterSecret;
use pasetors::Local;
use pasetors::keys::SymmetricKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// What a sealed value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The cookie that names a session.
    SessionCookie,
    /// The cookie that says which account a browser has signed in to before.
    KnownBrowser,
    /// The cookie of a browser that has not signed in, to which its forms are bound.
    AnonymousCookie,
    /// The authorization request that a consent form carries.
    Consent,
    /// The callback address that the approving browser may read again for a few minutes.
    Callback,
    /// The private half of a signing key, in the store.
    SigningKey,
    /// A user's key for an upstream, in the store.
    UpstreamKey,
    /// A secret of a guarded server that an admin entered, in the store.
    ServerSecret,
    /// A secret that was entered in a form which is shown again.
    EnteredSecret,
    /// A form that waits until its sender has proved again who is there.
    KeptForm,
    /// What an authenticator is asked to sign.
    PasskeyQuestion,
    /// A place in a long list.
    Cursor,
    /// The cookie that names a sign-in whose second factor is still missing.
    HalfSessionCookie,
    /// The secret of an authenticator app, in the store.
    FactorSecret,
    /// The secret of an authenticator app that its owner has not confirmed yet, in a form.
    FactorEnrolment,
}

impl Purpose {
    const fn assertion(self) -> &'static str {
        match self {
            Self::SessionCookie => "keyward/session/1",
            Self::KnownBrowser => "keyward/known-browser/1",
            Self::AnonymousCookie => "keyward/anonymous/1",
            Self::Consent => "keyward/consent/1",
            Self::Callback => "keyward/callback/1",
            Self::SigningKey => "keyward/signing-key/1",
            Self::UpstreamKey => "keyward/upstream-key/1",
            Self::ServerSecret => "keyward/server-secret/1",
            Self::EnteredSecret => "keyward/entered-secret/1",
            Self::KeptForm => "keyward/kept-form/1",
            Self::PasskeyQuestion => "keyward/passkey-question/1",
            Self::Cursor => "keyward/cursor/1",
            Self::HalfSessionCookie => "keyward/half-session/1",
            Self::FactorSecret => "keyward/factor-secret/1",
            Self::FactorEnrolment => "keyward/factor-enrolment/1",
        }
    }
}

/// The text is not a value that this installation sealed for this purpose, or its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sealed here, not for this purpose, or expired")]
pub struct NotSealed;

/// Largest sealed text that is looked at, in bytes.
pub const MAX_SEALED: usize = 48 * 1024;

/// Seals and opens; holds the key.
#[derive(Clone)]
pub struct Sealer {
    key: SymmetricKey<V4>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// The sealer of the installation with this master secret.
    pub fn new(master: &MasterSecret) -> Self {
        let key = master.derive("keyward/seal/1");
        Self { key: SymmetricKey::from(key.expose()).expect("a v4.local key is 32 bytes") }
    }

    /// Seals a text that does not expire.
    pub fn seal_text(&self, purpose: Purpose, payload: &str) -> String {
        LocalToken::encrypt(&self.key, payload.as_bytes(), None, Some(purpose.assertion().as_bytes()))
            .expect("encryption fails only without randomness")
    }

    /// Opens what [`Sealer::seal_text`] made.
    pub fn open_text(&self, purpose: Purpose, sealed: &str) -> Result<String, NotSealed> {
        if sealed.len() > MAX_SEALED {
            return Err(NotSealed);
        }
        let token = UntrustedToken::<Local, V4>::try_from(sealed).map_err(|_| NotSealed)?;
        let opened = LocalToken::decrypt(&self.key, &token, None, Some(purpose.assertion().as_bytes()))
            .map_err(|_| NotSealed)?;
        Ok(opened.payload().to_owned())
    }

    /// Seals a value that can be opened until `now + life`.
    pub fn seal<T: Serialize>(&self, purpose: Purpose, value: &T, now: Timestamp, life: Duration) -> String {
        let envelope = (now + life, value);
        self.seal_text(purpose, &serde_json::to_string(&envelope).expect("sealed values are plain data"))
    }

    /// Opens what [`Sealer::seal`] made, while its time lasts.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, sealed: &str, now: Timestamp) -> Result<T, NotSealed> {
        let (expires, value): (Timestamp, T) =
            serde_json::from_str(&self.open_text(purpose, sealed)?).map_err(|_| NotSealed)?;
        if now < expires { Ok(value) } else { Err(NotSealed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::minutes;
    use crate::entropy::SeededEntropy;

    #[test]
    fn a_value_opens_for_its_purpose_in_its_time_at_its_maker() {
        let sealer = Sealer::new(&MasterSecret::generate(&SeededEntropy::new(1)));
        let other = Sealer::new(&MasterSecret::generate(&SeededEntropy::new(2)));
        let now = Timestamp::from_unix_seconds(1_000);
        let token = sealer.seal(Purpose::Consent, &"value".to_owned(), now, minutes(10));

        assert_eq!(sealer.open::<String>(Purpose::Consent, &token, now).as_deref(), Ok("value"));
        assert_eq!(sealer.open::<String>(Purpose::Consent, &token, now + minutes(10)), Err(NotSealed));
        assert_eq!(sealer.open::<String>(Purpose::SessionCookie, &token, now), Err(NotSealed));
        assert_eq!(other.open::<String>(Purpose::Consent, &token, now), Err(NotSealed));
        for cut in 0..token.len() {
            assert_eq!(sealer.open::<String>(Purpose::Consent, &token[..cut], now), Err(NotSealed));
        }
    }
}
