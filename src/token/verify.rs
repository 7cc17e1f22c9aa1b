//! Is this token good now? The hot path: every request of every client comes through here.
//!
//! Order: what costs nothing first (length, first characters), then the cache of tokens seen before, then form and key id,
//! then the signature, and only then the claims (RFC 8725 §3). Key state, time and revocation are asked on every request,
//! seen before or not, at last. Nothing here waits for a disk or for a writer, and nothing grows with the number of tokens.

use crate::clock::{Timestamp, minutes};
use crate::keys::{KeyRefusal, KeyRing};
use crate::oauth::issuer::Issuer;
use crate::secret::TokenDigest;
use crate::token::claims::Claims;
use crate::token::genuine::{GenuineToken, Signed, VerifiedToken};
use crate::token::jws::{self, Parts, Typ};
use crate::token::refusal::{RevokedBy, TokenRefusal};
use crate::token::revocation::RevocationSet;
use crate::token::verified_cache::VerifiedCache;
use std::sync::Arc;
use std::time::Duration;

/// The least leeway: a token may be dated up to one second ahead, see [`RevocationSet::issue_time`].
const MIN_LEEWAY: Duration = Duration::from_secs(2);
/// The largest leeway: revocations and retired keys are kept for longer than that.
const MAX_LEEWAY: Duration = minutes(1);

/// What can be set about the verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifierOptions {
    /// By how much clocks may differ: 2 s to 60 s, and brought into that range.
    pub leeway: Duration,
    /// How many verified tokens are remembered; 16 bytes each while unused, some 700 when used.
    pub cache_slots: usize,
}

impl Default for VerifierOptions {
    /// 5 s; 32,768 tokens: of 10,000 in use, one in a hundred makes room for another.
    fn default() -> Self {
        Self { leeway: Duration::from_secs(5), cache_slots: 32_768 }
    }
}

/// Verifies the tokens of one issuer.
#[derive(Debug)]
pub struct Verifier {
    issuer: Issuer,
    leeway: Duration,
    cache: VerifiedCache,
}

impl Verifier {
    /// A verifier that has seen no token yet.
    pub fn new(issuer: Issuer, options: VerifierOptions) -> Self {
        let leeway = options.leeway.clamp(MIN_LEEWAY, MAX_LEEWAY);
        Self { issuer, leeway, cache: VerifiedCache::new(options.cache_slots) }
    }

    /// Proves that `presented` is a token that we signed and that it is good at `now`, or says why it is not.
    ///
    /// For which server it is good is the next question: [`GenuineToken::for_resource`].
    pub fn verify(
        &self,
        presented: &str,
        ring: &KeyRing,
        revoked: &RevocationSet,
        now: Timestamp,
    ) -> Result<GenuineToken, TokenRefusal> {
        let typ = jws::recognise(presented)?;
        let digest = TokenDigest::of(presented);
        let signed = if let Some(signed) = self.cache.get(&digest) {
            signed
        } else {
            let signed = Arc::new(self.check_signature(typ, presented, digest, ring, now)?);
            self.cache.put(Arc::clone(&signed), now);
            signed
        };
        self.check_standing(&signed, ring, revoked, now)?;
        Ok(GenuineToken::new(signed))
    }

    /// Proves that a token is still good at `now` which was proved good before, or says why it is not any more: for what
    /// goes on for longer than the request that it was presented with.
    pub fn verify_again(
        &self,
        token: &VerifiedToken,
        ring: &KeyRing,
        revoked: &RevocationSet,
        now: Timestamp,
    ) -> Result<GenuineToken, TokenRefusal> {
        let genuine = token.genuine();
        self.check_standing(genuine.signed(), ring, revoked, now)?;
        Ok(genuine.clone())
    }

    /// When a token that says it expires at `expires_at` is over here.
    pub fn over_at(&self, expires_at: Timestamp) -> Timestamp {
        expires_at + self.leeway
    }

    /// What a token says that was refused although we signed it: for telling its owner, never for letting anybody in.
    /// Nothing for one that was not seen with a good signature lately, or whose key others may have.
    pub fn recall(&self, presented: &str, ring: &KeyRing, now: Timestamp) -> Option<Claims> {
        jws::recognise(presented).ok()?;
        let signed = self.cache.get(&TokenDigest::of(presented))?;
        ring.verification_key(signed.key, now).ok()?;
        Some(signed.claims.clone())
    }

    /// What does not change about a token: form, signature, claims and issuer.
    fn check_signature(
        &self,
        typ: Typ,
        presented: &str,
        digest: TokenDigest,
        ring: &KeyRing,
        now: Timestamp,
    ) -> Result<Signed, TokenRefusal> {
        let parts = Parts::split(typ, presented)?;
        let key = ring.verification_key(parts.key, now).map_err(key_refusal)?;
        if !key.verify(parts.signed, &parts.signature) {
            return Err(TokenRefusal::BadSignature);
        }
        let payload = parts.payload()?;
        let (claims, issuer) = match typ {
            Typ::Access => Claims::access_from_json(&payload),
            Typ::Personal => Claims::personal_from_json(&payload),
        }
        .map_err(|_| TokenRefusal::BadClaims)?;
        if issuer != self.issuer.as_str() {
            return Err(TokenRefusal::WrongIssuer);
        }
        Ok(Signed { digest, key: parts.key, claims })
    }

    /// What may change from one request to the next: the key's state, the time, and revocation.
    fn check_standing(
        &self,
        token: &Signed,
        ring: &KeyRing,
        revoked: &RevocationSet,
        now: Timestamp,
    ) -> Result<(), TokenRefusal> {
        ring.verification_key(token.key, now).map_err(key_refusal)?;
        if now >= self.over_at(token.claims.expires_at) {
            return Err(TokenRefusal::Expired);
        }
        if token.claims.issued_at > now + self.leeway {
            return Err(TokenRefusal::NotYetValid);
        }
        revoked.covers(&token.claims, now).map_or(Ok(()), |by| Err(TokenRefusal::Revoked(by)))
    }
}

const fn key_refusal(refusal: KeyRefusal) -> TokenRefusal {
    match refusal {
        KeyRefusal::Unknown => TokenRefusal::UnknownKey,
        KeyRefusal::Condemned => TokenRefusal::Revoked(RevokedBy::Key),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod forged_tests;
