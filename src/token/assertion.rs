//! How does a guarded server learn who calls, without sharing a secret? A short-lived signed statement: a JWT (RFC 7519) that
//! it checks with the published keys.
//!
//! Invariants: `typ` is `assertion+jwt`, which our own verifier does not know, and `aud` is the guarded server's inner URL,
//! so nobody who sees an assertion can use it as a token here or show it to another server. One lives for
//! [`ASSERTION_LIFE`], and the same one is used again for the same caller as long as half of that is left: a signature
//! for each call would cost more than all the rest of it.

use crate::clock::{Timestamp, minutes};
use crate::id::{KeyId, UserId};
use crate::keys::ActiveSigner;
use crate::oauth::client::ClientId;
use crate::oauth::issuer::Issuer;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::ScopeSet;
use crate::secret::TokenDigest;
use crate::token::genuine::VerifiedToken;
use crate::token::jws;
use arc_swap::ArcSwapOption;
use serde::Serialize;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// How long an assertion holds.
pub const ASSERTION_LIFE: Duration = minutes(1);
/// How long it is used again.
const REUSE: Duration = Duration::from_secs(30);
/// Assertions that are kept; a power of two.
const SLOTS: usize = 4096;

/// What an assertion says about who calls, beyond the token.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The user's name.
    pub username: &'a str,
    /// What of the token's scopes counts at the server.
    pub scopes: &'a ScopeSet,
}

/// For which server an assertion is.
#[derive(Debug, Clone, Copy)]
pub struct Addressee<'a> {
    /// The server's name.
    pub server: &'a str,
    /// Its inner URL: the `aud`.
    pub audience: &'a str,
}

/// Makes assertions in the name of one issuer.
pub struct AssertionMaker {
    issuer: Issuer,
    made: Box<[ArcSwapOption<Made>]>,
}

struct Made {
    token: TokenDigest,
    resource: ResourceUri,
    username: Box<str>,
    scopes: ScopeSet,
    audience: Box<str>,
    key: KeyId,
    at: Timestamp,
    text: Arc<str>,
}

impl AssertionMaker {
    /// A maker that has made none.
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer, made: (0..SLOTS).map(|_| ArcSwapOption::empty()).collect() }
    }

    /// The assertion that the holder of `token`, who is `caller`, calls the server `to`.
    pub fn assertion(
        &self,
        signer: &ActiveSigner,
        token: &VerifiedToken,
        caller: Caller<'_>,
        to: Addressee<'_>,
        now: Timestamp,
    ) -> Arc<str> {
        let slot = &self.made[place(token)];
        if let Some(made) = slot.load().as_ref()
            && made.is_for(token, caller, to, signer.id())
            && made.at <= now
            && now < made.at + REUSE
        {
            return Arc::clone(&made.text);
        }
        let at = Timestamp::from_unix_seconds(now.unix_seconds());
        let claims = token.claims();
        let json = AssertionJson {
            iss: self.issuer.as_str(),
            sub: claims.user,
            username: caller.username,
            aud: to.audience,
            client_id: claims.client().map(ClientId::as_str),
            scope: caller.scopes.as_str(),
            server: to.server,
            iat: at.unix_seconds(),
            exp: (at + ASSERTION_LIFE).unix_seconds(),
        };
        let json = serde_json::to_vec(&json).expect("claims are plain data");
        let text: Arc<str> = jws::write_assertion(&json, signer).into();
        slot.store(Some(Arc::new(Made {
            token: *token.digest(),
            resource: token.resource().clone(),
            username: caller.username.into(),
            scopes: caller.scopes.clone(),
            audience: to.audience.into(),
            key: signer.id(),
            at,
            text: Arc::clone(&text),
        })));
        text
    }
}

impl Made {
    fn is_for(&self, token: &VerifiedToken, caller: Caller<'_>, to: Addressee<'_>, key: KeyId) -> bool {
        self.token == *token.digest()
            && self.resource == *token.resource()
            && *self.username == *caller.username
            && self.scopes == *caller.scopes
            && *self.audience == *to.audience
            && self.key == key
    }
}

/// Whoever shares a slot displaces the other.
fn place(token: &VerifiedToken) -> usize {
    let mut hasher = DefaultHasher::new();
    token.digest().as_bytes().hash(&mut hasher);
    token.resource().hash(&mut hasher);
    usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or_default()
}

impl fmt::Debug for AssertionMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssertionMaker({})", self.issuer)
    }
}

#[derive(Serialize)]
struct AssertionJson<'a> {
    iss: &'a str,
    sub: UserId,
    username: &'a str,
    aud: &'a str,
    /// Absent for a personal token.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    scope: &'a str,
    server: &'a str,
    iat: u64,
    exp: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyState;
    use crate::token::workshop::{NOW, USER, Workshop, encode, issuer, parts, payload, resource};
    use crate::token::{Audience, TokenRefusal};

    const FILES: Addressee<'_> = Addressee { server: "files", audience: "http://127.0.0.1:9000/mcp" };

    fn caller<'a>(username: &'a str, scopes: &'a ScopeSet) -> Caller<'a> {
        Caller { username, scopes }
    }

    fn verified(workshop: &Workshop) -> VerifiedToken {
        let token = workshop.access();
        workshop.verify(token.expose(), NOW).unwrap().for_resource(&resource("/mcp")).unwrap()
    }

    #[test]
    fn an_assertion_says_who_calls_whom_and_holds_for_a_minute() {
        let workshop = Workshop::new(1);
        let maker = AssertionMaker::new(issuer());
        let made =
            maker.assertion(workshop.ring.signer(), &verified(&workshop), caller("ada", &ScopeSet::mcp()), FILES, NOW);
        let [header, claims, signature] = parts(&made);
        assert_eq!(
            header,
            encode(format!(r#"{{"typ":"assertion+jwt","alg":"EdDSA","kid":"{}"}}"#, workshop.ring.signer().id()))
        );
        assert_eq!(signature, encode(workshop.ring.signer().sign(format!("{header}.{claims}").as_bytes())));
        let seconds = NOW.unix_seconds();
        let expected = serde_json::json!({
            "iss": "https://mcp.example.com", "sub": USER.to_string(), "username": "ada",
            "aud": "http://127.0.0.1:9000/mcp", "client_id": "https://client.example/c", "scope": "mcp",
            "server": "files", "iat": seconds, "exp": seconds + 60,
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&payload(&made)).unwrap(), expected);

        let personal = workshop.personal(Audience::EveryServer);
        let personal = workshop.verify(personal.expose(), NOW).unwrap().for_resource(&resource("/mcp")).unwrap();
        let made = maker.assertion(workshop.ring.signer(), &personal, caller("ada", &ScopeSet::mcp()), FILES, NOW);
        assert!(!payload(&made).contains("client_id"));
    }

    #[test]
    fn an_assertion_is_no_token() {
        let workshop = Workshop::new(1);
        let maker = AssertionMaker::new(issuer());
        // Even one whose audience is a server of ours.
        let own = resource("/mcp");
        let to = Addressee { server: "keyward", audience: own.as_str() };
        let made =
            maker.assertion(workshop.ring.signer(), &verified(&workshop), caller("ada", &ScopeSet::mcp()), to, NOW);
        assert_eq!(workshop.verify(&made, NOW).unwrap_err(), TokenRefusal::Malformed);
        // Nor with the header of a token and the claims of an assertion, were they ever signed together.
        for typ in [jws::Typ::Access, jws::Typ::Personal] {
            let forged = workshop.forge(workshop.header(typ), payload(&made));
            assert_eq!(workshop.verify(&forged, NOW).unwrap_err(), TokenRefusal::BadClaims);
        }
    }

    #[test]
    fn an_assertion_is_used_again_for_half_a_minute_and_for_the_same_call_only() {
        let mut workshop = Workshop::new(1);
        let maker = AssertionMaker::new(issuer());
        let token = verified(&workshop);
        let make = |workshop: &Workshop, name: &str, to, after: u64| {
            let scopes = ScopeSet::mcp();
            maker.assertion(workshop.ring.signer(), &token, caller(name, &scopes), to, NOW + Duration::from_secs(after))
        };
        let first = make(&workshop, "ada", FILES, 0);
        assert!(Arc::ptr_eq(&first, &make(&workshop, "ada", FILES, 29)));
        assert!(!Arc::ptr_eq(&first, &make(&workshop, "ada", FILES, 30)));

        let first = make(&workshop, "ada", FILES, 31);
        assert_ne!(first, make(&workshop, "lovelace", FILES, 31), "renamed");
        let first = make(&workshop, "ada", FILES, 31);
        assert_ne!(first, make(&workshop, "ada", Addressee { audience: "http://elsewhere", ..FILES }, 31));
        let first = make(&workshop, "ada", FILES, 31);
        workshop.succeed(KeyState::Condemned { since: NOW });
        assert_ne!(first, make(&workshop, "ada", FILES, 31), "signed by the key that signs now");
    }
}
