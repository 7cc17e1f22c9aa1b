//! The installation that the targets attack: the same keys and ids in every run, so that seeds stay good.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::clock::{Timestamp, days, hours};
use keyward::entropy::SeededEntropy;
use keyward::id::{GrantId, RegisteredClientId, TokenId, UserId};
use keyward::keys::{KeyRing, KeyState, SigningKey};
use keyward::oauth::client::{Client, ClientId, ClientKind, ClientMetadata};
use keyward::oauth::issuer::Issuer;
use keyward::oauth::redirect_uri::RedirectUri;
use keyward::oauth::resource::ResourceUri;
use keyward::oauth::scope::ScopeSet;
use keyward::seal::Sealer;
use keyward::secret::MasterSecret;
use keyward::token::{
    AccessGrant, Audience, GenuineToken, PersonalGrant, RevocationSet, TokenIssuer, TokenRefusal, Verifier,
    VerifierOptions,
};

/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

/// One signing key, and a verifier that knows it.
pub struct Workshop {
    entropy: SeededEntropy,
    pub ring: KeyRing,
    pub tokens: TokenIssuer,
    verifier: Verifier,
    revoked: RevocationSet,
}

/// `https://mcp.example.com`.
pub fn issuer() -> Issuer {
    Issuer::parse("https://mcp.example.com").expect("an issuer")
}

/// `https://mcp.example.com/mcp`.
pub fn resource() -> ResourceUri {
    ResourceUri::parse("https://mcp.example.com/mcp").expect("a resource")
}

/// A public client with a redirect URI of every kind.
pub fn client() -> Client {
    let uris =
        ["https://app.example/cb?a=1", "http://127.0.0.1/callback", "cursor://anysphere.cursor-mcp/oauth/callback"];
    Client {
        id: ClientId::from(RegisteredClientId::from_bytes([7; 16])),
        kind: ClientKind::Dynamic,
        metadata: ClientMetadata::public(Some("App".to_owned()), uris.map(redirect_uri).to_vec()),
        secret: None,
        created_at: NOW,
        created_by: None,
    }
}

fn redirect_uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).expect("a redirect URI")
}

impl Workshop {
    pub fn new() -> Self {
        let entropy = SeededEntropy::new(1);
        let sealer = Sealer::new(&MasterSecret::generate(&entropy));
        let keys = [SigningKey::generate(KeyState::Active { since: NOW }, NOW, &sealer, &entropy)];
        Self {
            ring: KeyRing::build(&keys, &sealer).expect("a ring"),
            tokens: TokenIssuer::new(issuer(), days(366)),
            verifier: Verifier::new(issuer(), VerifierOptions::default()),
            revoked: RevocationSet::new(),
            entropy,
        }
    }

    /// A personal token for a year.
    pub fn personal(&self) -> String {
        let grant = PersonalGrant {
            user: UserId::from_bytes([1; 16]),
            audience: Audience::EveryServer,
            scopes: ScopeSet::mcp(),
        };
        let id = TokenId::from_bytes([3; 16]);
        let token = self.tokens.personal(self.ring.signer(), id, grant, NOW, NOW + days(365)).expect("a token");
        token.expose().to_owned()
    }

    /// An access token for an hour.
    pub fn access(&self) -> String {
        let grant = AccessGrant {
            user: UserId::from_bytes([1; 16]),
            client: client().id,
            grant: GrantId::from_bytes([2; 16]),
            resource: resource(),
            scopes: ScopeSet::mcp(),
        };
        let token = self.tokens.access(self.ring.signer(), grant, NOW, hours(1), &self.entropy).expect("a token");
        token.expose().to_owned()
    }

    pub fn verify(&self, token: &str, now: Timestamp) -> Result<GenuineToken, TokenRefusal> {
        self.verifier.verify(token, &self.ring, &self.revoked, now)
    }

    /// The token whose header and payload are `signed`, as this key signs it: Ed25519 has one signature for a message.
    pub fn sign(&self, signed: &str) -> String {
        format!("{signed}.{}", encode(self.ring.signer().sign(signed.as_bytes())))
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

/// base64url.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
