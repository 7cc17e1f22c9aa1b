//! What does a token say? The claims of access tokens (RFC 9068 §2.2) and personal tokens, and their JSON.
//!
//! Invariant: the reader accepts exactly what the writer writes. Every claim is required and has one type; a claim that is
//! unknown, doubled, null, a float, negative or beyond the year 9999 is a refusal, never an absence. Values are canonical:
//! an id, scope set or URL in any other spelling than ours is refused.

use crate::clock::Timestamp;
use crate::id::{GrantId, TokenId, UserId};
use crate::oauth::client::ClientId;
use crate::oauth::issuer::Issuer;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::ScopeSet;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// What a token says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `jti` (RFC 7519 §4.1.7).
    pub id: TokenId,
    /// `sub`: who acts.
    pub user: UserId,
    /// Which kind of token, and what only that kind says.
    pub kind: TokenKind,
    /// `aud`: for which servers.
    pub audience: Audience,
    /// `scope` (RFC 8693 §4.2).
    pub scopes: ScopeSet,
    /// `iat`, whole seconds.
    pub issued_at: Timestamp,
    /// `exp`, whole seconds: the first moment at which the token is over.
    pub expires_at: Timestamp,
}

/// The two kinds of signed token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// `at+jwt`: a client acts for the user.
    Access {
        /// `client_id`.
        client: ClientId,
        /// `grant_id`: the grant that it was issued under.
        grant: GrantId,
    },
    /// `pat+jwt`: made by the user in the dashboard.
    Personal,
}

impl TokenKind {
    /// The kind's name, as pages and logs show it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Access { .. } => "access",
            Self::Personal => "personal",
        }
    }
}

/// For which servers a token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Every server that the user may use, also those to come. Personal tokens only; `aud` is the issuer.
    EveryServer,
    /// These servers. An access token has exactly one.
    Resources(Vec<ResourceUri>),
}

impl Audience {
    /// Whether the token is for `resource`.
    pub fn covers(&self, resource: &ResourceUri) -> bool {
        match self {
            Self::EveryServer => true,
            Self::Resources(resources) => resources.contains(resource),
        }
    }
}

impl Claims {
    /// The client, for an access token.
    pub const fn client(&self) -> Option<&ClientId> {
        match &self.kind {
            TokenKind::Access { client, .. } => Some(client),
            TokenKind::Personal => None,
        }
    }

    /// The grant, for an access token.
    pub const fn grant(&self) -> Option<GrantId> {
        match self.kind {
            TokenKind::Access { grant, .. } => Some(grant),
            TokenKind::Personal => None,
        }
    }

    /// The JSON that is signed; members in one fixed order.
    pub(super) fn to_json(&self, issuer: &Issuer) -> Vec<u8> {
        let (iss, sub, scope, jti) = (issuer.as_str(), self.user, self.scopes.as_str(), self.id);
        let (iat, exp) = (self.issued_at.unix_seconds(), self.expires_at.unix_seconds());
        let json = match (&self.kind, &self.audience) {
            (TokenKind::Access { client, grant }, audience) => {
                let aud = match audience {
                    Audience::Resources(resources) => resources.first().map_or("", ResourceUri::as_str),
                    Audience::EveryServer => "",
                };
                let client_id = Cow::Borrowed(client.as_str());
                serde_json::to_vec(&AccessJson { iss, sub, aud, client_id, scope, iat, exp, jti, grant_id: *grant })
            }
            (TokenKind::Personal, audience) => {
                let aud = match audience {
                    Audience::EveryServer => OneOrMany::One(iss),
                    Audience::Resources(resources) => {
                        OneOrMany::Many(resources.iter().map(ResourceUri::as_str).collect())
                    }
                };
                serde_json::to_vec(&PersonalJson { iss, sub, aud, scope, iat, exp, jti })
            }
        };
        json.expect("claims are plain data")
    }

    /// Reads the claims of an access token and the issuer that they name.
    pub(super) fn access_from_json(json: &[u8]) -> Result<(Self, &str), NotClaims> {
        let claims: AccessJson<'_> = parse_object(json)?;
        let audience = Audience::Resources(vec![resource(claims.aud)?]);
        let client = ClientId::parse(&claims.client_id).map_err(|_| NotClaims)?;
        let kind = TokenKind::Access { client, grant: claims.grant_id };
        let claims = (claims.iss, claims.sub, claims.scope, claims.iat, claims.exp, claims.jti);
        Self::from_parts(kind, audience, claims)
    }

    /// Reads the claims of a personal token and the issuer that they name.
    pub(super) fn personal_from_json(json: &[u8]) -> Result<(Self, &str), NotClaims> {
        let claims: PersonalJson<'_> = parse_object(json)?;
        let audience = match claims.aud {
            OneOrMany::One(issuer) if issuer == claims.iss => Audience::EveryServer,
            OneOrMany::One(_) => return Err(NotClaims),
            OneOrMany::Many(resources) if resources.is_empty() => return Err(NotClaims),
            OneOrMany::Many(resources) => {
                Audience::Resources(resources.into_iter().map(resource).collect::<Result<_, _>>()?)
            }
        };
        let claims = (claims.iss, claims.sub, claims.scope, claims.iat, claims.exp, claims.jti);
        Self::from_parts(TokenKind::Personal, audience, claims)
    }

    fn from_parts<'a>(
        kind: TokenKind,
        audience: Audience,
        (issuer, user, scope, issued_at, expires_at, id): (&'a str, UserId, &str, u64, u64, TokenId),
    ) -> Result<(Self, &'a str), NotClaims> {
        let scopes = ScopeSet::parse(scope).ok().filter(|scopes| scopes.as_str() == scope).ok_or(NotClaims)?;
        if issued_at >= expires_at || expires_at > LAST_SECOND {
            return Err(NotClaims);
        }
        let (issued_at, expires_at) =
            (Timestamp::from_unix_seconds(issued_at), Timestamp::from_unix_seconds(expires_at));
        Ok((Self { id, user, kind, audience, scopes, issued_at, expires_at }, issuer))
    }
}

/// Not the claims of a token of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotClaims;

/// 9999-12-31T23:59:59Z: later dates have no common notation.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessJson<'a> {
    iss: &'a str,
    sub: UserId,
    aud: &'a str,
    #[serde(borrow)]
    client_id: Cow<'a, str>,
    scope: &'a str,
    iat: u64,
    exp: u64,
    jti: TokenId,
    grant_id: GrantId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonalJson<'a> {
    iss: &'a str,
    sub: UserId,
    #[serde(borrow)]
    aud: OneOrMany<'a>,
    scope: &'a str,
    iat: u64,
    exp: u64,
    jti: TokenId,
}

/// Both are signed by us, but serde would also take an array for a struct.
fn parse_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, NotClaims> {
    if json.first() != Some(&b'{') || json.last() != Some(&b'}') {
        return Err(NotClaims);
    }
    serde_json::from_slice(json).map_err(|_| NotClaims)
}

fn resource(text: &str) -> Result<ResourceUri, NotClaims> {
    ResourceUri::parse(text).ok().filter(|resource| resource.as_str() == text).ok_or(NotClaims)
}

/// `aud` of a personal token (RFC 7519 §4.1.3): a string or an array of strings.
enum OneOrMany<'a> {
    One(&'a str),
    Many(Vec<&'a str>),
}

impl Serialize for OneOrMany<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(text) => text.serialize(serializer),
            Self::Many(texts) => texts.serialize(serializer),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OneOrMany<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = OneOrMany<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany::Many(texts))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(kind: TokenKind, audience: Audience) -> Claims {
        Claims {
            id: TokenId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            kind,
            audience,
            scopes: ScopeSet::mcp(),
            issued_at: Timestamp::from_unix_seconds(1_790_000_000),
            expires_at: Timestamp::from_unix_seconds(1_790_003_600),
        }
    }

    fn issuer() -> Issuer {
        Issuer::parse("https://mcp.example.com").unwrap()
    }

    fn one_server() -> Audience {
        Audience::Resources(vec![ResourceUri::parse("https://mcp.example.com/mcp").unwrap()])
    }

    #[test]
    fn an_access_token_says_what_rfc_9068_asks_in_one_fixed_order() {
        let client = ClientId::parse("https://client.example/\"quoted\"").unwrap();
        let kind = TokenKind::Access { client, grant: GrantId::from_bytes([3; 16]) };
        let claims = claims(kind, one_server());
        let json = claims.to_json(&issuer());
        assert_eq!(
            String::from_utf8(json.clone()).unwrap(),
            concat!(
                r#"{"iss":"https://mcp.example.com","sub":"usr_02081040g2081040g2081040g2","#,
                r#""aud":"https://mcp.example.com/mcp","client_id":"https://client.example/\"quoted\"","#,
                r#""scope":"mcp","iat":1790000000,"exp":1790003600,"#,
                r#""jti":"tok_01040g2081040g2081040g2081","grant_id":"grt_030c1g60r30c1g60r30c1g60r3"}"#
            )
        );
        assert_eq!(Claims::access_from_json(&json), Ok((claims, "https://mcp.example.com")));
        assert_eq!(Claims::personal_from_json(&json), Err(NotClaims));
    }

    #[test]
    fn a_personal_token_is_for_chosen_servers_or_for_all() {
        for (audience, aud) in [
            (Audience::EveryServer, r#""aud":"https://mcp.example.com","#),
            (one_server(), r#""aud":["https://mcp.example.com/mcp"],"#),
        ] {
            let claims = claims(TokenKind::Personal, audience);
            let json = claims.to_json(&issuer());
            let text = String::from_utf8(json.clone()).unwrap();
            assert!(text.contains(aud), "{text}");
            assert_eq!(Claims::personal_from_json(&json), Ok((claims, "https://mcp.example.com")));
            assert_eq!(Claims::access_from_json(&json), Err(NotClaims));
        }
    }
}
