//! What happens to a token that somebody found where it should not be? It ends, whoever says so: only who has it can.
//!
//! A personal token ends. An access token, and a refresh token that was not replaced, end their connection: whoever lost one
//! has lost what stands beside it. Nobody is told whether there was such a token; its owner is ([`crate::app::notices`]).

use crate::account::network::network_of;
use crate::app::App;
use crate::app::connections::end_grant;
use crate::app::error::OperationError;
use crate::app::exchange::told;
use crate::app::personal_tokens::{Ending, end_token};
use crate::app::revoke::record;
use crate::event::{Event, EventKind};
use crate::id::GrantId;
use crate::secret::{PlainTokenKind, TokenDigest};
use crate::store::Reads;
use crate::store::tables::{GRANTS, PERSONAL_TOKENS, REFRESH_TOKENS};
use crate::token::{Claims, RevocationEntry};
use std::net::{IpAddr, Ipv4Addr};

impl App {
    /// Counts a report from this address, or says how long it must wait; the same for right ones and wrong ones.
    pub fn admit_report(&self, address: Option<IpAddr>) -> Result<(), OperationError> {
        if !self.options.rate_limits {
            return Ok(());
        }
        let network = network_of(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let now = self.now();
        Ok(self.throttles().reports_by_network.begin(&network, now)?)
    }

    /// Ends what `text` opens, if it is a token that is good now.
    pub fn end_found_token(&self, text: &str) -> Result<(), OperationError> {
        if text.starts_with(PlainTokenKind::RefreshToken.prefix()) {
            let digest = TokenDigest::of(text);
            let found = self.store.read(|tx| Ok::<_, OperationError>(tx.get(REFRESH_TOKENS, &digest)?))?;
            return match found.filter(|token| token.replaced_at.is_none()) {
                Some(token) => self.end_found_grant(token.grant).map(drop),
                None => Ok(()),
            };
        }
        let keys = self.live.keys();
        let verified = self.live.verifier().verify(text, &keys, self.live.revoked(), self.now());
        let Ok(genuine) = verified else { return Ok(()) };
        let claims = genuine.claims();
        let ended = match claims.grant() {
            Some(grant) => self.end_found_grant(grant)?,
            None => self.end_found_personal_token(claims)?,
        };
        // Not in this database, but signed here: refuse it all the same.
        if ended { Ok(()) } else { self.end_by_claims(claims) }
    }

    fn end_found_personal_token(&self, claims: &Claims) -> Result<bool, OperationError> {
        let (now, pen, id, owner) = (self.now(), self.pen(), claims.id, claims.user);
        let ended = self.store.write(move |tx| {
            let Some(token) = tx.get(PERSONAL_TOKENS, &id)?.filter(|token| token.owner == owner) else {
                return Ok(None);
            };
            end_token(tx, token, now, &pen, Ending::Found).map(|(_, entry)| Some(entry))
        });
        let Some(entry) = ended? else { return Ok(false) };
        if let Some(entry) = entry {
            self.live.revoked().publish(&entry);
            tracing::warn!(user = %owner, token = %id, "personal token found by somebody and ended");
        }
        Ok(true)
    }

    fn end_found_grant(&self, id: GrantId) -> Result<bool, OperationError> {
        let (now, life, pen) = (self.now(), self.options.credentials.access_token, self.pen());
        let ended = self.store.write(move |tx| {
            let Some(grant) = tx.get(GRANTS, &id)? else { return Ok(None) };
            if grant.is_live() {
                pen.write_for(tx, told(EventKind::TokenLeaked, &grant), grant.user)?;
            }
            end_grant(tx, grant, now, life).map(Some)
        });
        let Some(entry) = ended? else { return Ok(false) };
        self.publish_ended_grants(entry);
        tracing::warn!(grant = %id, "token of a connection found by somebody: the connection has ended");
        Ok(true)
    }

    fn end_by_claims(&self, claims: &Claims) -> Result<(), OperationError> {
        let (entry, pen, user) =
            (RevocationEntry::token(claims.id, claims.expires_at, self.now()), self.pen(), claims.user);
        let event = Event::of(EventKind::TokenLeaked).about(user).token(claims.id, "");
        let entry = self.store.write(move |tx| {
            pen.write_for(tx, event, user)?;
            record(tx, entry)
        })?;
        self.live.revoked().publish(&entry);
        Ok(())
    }
}
