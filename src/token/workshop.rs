//! Where tests make tokens, good ones and forged ones: keys, an issuer and a verifier of one installation.

use super::jws::Typ;
use super::{
    AccessGrant, Audience, GenuineToken, PersonalGrant, RevocationSet, SignedToken, TokenIssuer, TokenRefusal,
    Verifier, VerifierOptions,
};
use crate::clock::{Timestamp, days, hours};
use crate::entropy::SeededEntropy;
use crate::id::{GrantId, TokenId, UserId};
use crate::keys::{KeyRing, KeyState, SigningKey};
use crate::oauth::client::ClientId;
use crate::oauth::issuer::Issuer;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::ScopeSet;
use crate::seal::Sealer;
use crate::secret::MasterSecret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);
pub(crate) const USER: UserId = UserId::from_bytes([1; 16]);
pub(crate) const GRANT: GrantId = GrantId::from_bytes([2; 16]);

pub(crate) struct Workshop {
    pub(crate) entropy: SeededEntropy,
    pub(crate) sealer: Sealer,
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) ring: KeyRing,
    pub(crate) tokens: TokenIssuer,
    pub(crate) verifier: Verifier,
    pub(crate) revoked: RevocationSet,
}

pub(crate) fn issuer() -> Issuer {
    Issuer::parse("https://mcp.example.com").unwrap()
}

pub(crate) fn resource(path: &str) -> ResourceUri {
    ResourceUri::parse(&issuer().join(path)).unwrap()
}

impl Workshop {
    /// One active key; the same keys and ids for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        let entropy = SeededEntropy::new(seed);
        let sealer = Sealer::new(&MasterSecret::generate(&entropy));
        let keys = vec![SigningKey::generate(KeyState::Active { since: NOW }, NOW, &sealer, &entropy)];
        Self {
            ring: KeyRing::build(&keys, &sealer).unwrap(),
            tokens: TokenIssuer::new(issuer(), days(366)),
            verifier: Verifier::new(issuer(), VerifierOptions::default()),
            revoked: RevocationSet::new(),
            entropy,
            sealer,
            keys,
        }
    }

    /// Moves the key that signed so far into `state`; a new key signs from here on.
    pub(crate) fn succeed(&mut self, state: KeyState) {
        let old = self.keys.pop().unwrap();
        self.keys.push(old.in_state(state));
        self.keys.push(SigningKey::generate(KeyState::Active { since: NOW }, NOW, &self.sealer, &self.entropy));
        self.ring = KeyRing::build(&self.keys, &self.sealer).unwrap();
    }

    /// An access token for `/mcp`, one hour.
    pub(crate) fn access(&self) -> SignedToken {
        let grant = AccessGrant {
            user: USER,
            client: ClientId::parse("https://client.example/c").unwrap(),
            grant: GRANT,
            resource: resource("/mcp"),
            scopes: ScopeSet::mcp(),
        };
        self.tokens.access(self.ring.signer(), grant, NOW, hours(1), &self.entropy).unwrap()
    }

    /// The id of a new token.
    pub fn token_id(&self) -> TokenId {
        TokenId::generate(NOW, &self.entropy)
    }

    /// A personal token for a year.
    pub(crate) fn personal(&self, audience: Audience) -> SignedToken {
        self.personal_with(audience, ScopeSet::mcp())
    }

    /// The same with other scopes.
    pub(crate) fn personal_with(&self, audience: Audience, scopes: ScopeSet) -> SignedToken {
        let grant = PersonalGrant { user: USER, audience, scopes };
        self.tokens.personal(self.ring.signer(), self.token_id(), grant, NOW, NOW + days(365)).unwrap()
    }

    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<GenuineToken, TokenRefusal> {
        self.verifier.verify(token, &self.ring, &self.revoked, now)
    }

    /// The header that the active key's tokens have.
    pub(super) fn header(&self, typ: Typ) -> String {
        let typ = match typ {
            Typ::Access => "at+jwt",
            Typ::Personal => "pat+jwt",
        };
        format!(r#"{{"typ":"{typ}","alg":"EdDSA","kid":"{}"}}"#, self.ring.signer().id())
    }

    /// A text that the active key really signs: `header.payload.signature` in base64url.
    pub(crate) fn forge(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.seal(&format!("{}.{}", encode(header), encode(payload)))
    }

    /// The same for a text that is encoded already.
    pub(crate) fn seal(&self, signed: &str) -> String {
        format!("{signed}.{}", encode(self.ring.signer().sign(signed.as_bytes())))
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The three parts of a token.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// The JSON in the middle of a token.
pub(crate) fn payload(token: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(parts(token)[1]).unwrap()).unwrap()
}
