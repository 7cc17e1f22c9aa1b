//! Registration of clients: by themselves (RFC 7591), and what keeps their number bounded.
//!
//! A public client that registers with the same metadata again gets the same id, so the clients that register on every
//! connect do not pile up. What was never used is forgotten a while after its last registration, or at once when the table
//! is full; a client with a grant never is.

use crate::app::App;
use crate::app::clients::told;
use crate::app::error::{EndpointError, OperationError};
use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::oauth::client::{Client, ClientId, ClientKind, ClientMetadata};
use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::oauth::registration::RegistrationAccess;
use crate::secret::{PlainToken, PlainTokenKind, TokenDigest};
use crate::store::tables::{CLIENT_DIGESTS, CLIENT_RENEWALS, CLIENTS, GRANTS_BY_CLIENT};
use crate::store::{Reads, Scan, WriteTx};
use std::time::Duration;

/// So many times in the life of an unused client a registration that comes again is written down.
const RENEWED_EVERY: u32 = 12;

/// Counts events in a fixed window of time.
#[derive(Debug)]
pub struct Window {
    most: u32,
    length: Duration,
    began: Timestamp,
    count: u32,
}

impl Window {
    /// At most `most` events in each `length`.
    pub const fn new(most: u32, length: Duration) -> Self {
        Self { most, length, began: Timestamp::EPOCH, count: 0 }
    }

    /// Counts one event; false if there were too many.
    pub fn admit(&mut self, now: Timestamp) -> bool {
        // A clock that was set back begins anew.
        if now < self.began || now.since(self.began) >= self.length {
            (self.began, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.most
    }
}

/// A client that has registered, and its secret if it got one just now.
#[derive(Debug)]
pub struct Registered {
    /// As it is kept.
    pub client: Client,
    /// Shown once.
    pub secret: Option<PlainToken>,
}

impl App {
    /// Registers a client by its own word (RFC 7591 §3). A public client with the same metadata gets the id that it got
    /// before; one with a secret is always new, because its secret cannot be shown again.
    pub fn register_client(&self, metadata: ClientMetadata) -> Result<Registered, ProtocolError> {
        if !self.options.registration.dynamic {
            let text = "dynamic registration is switched off here; ask the administrator for a client id";
            return Err(ProtocolError::new(ErrorCode::AccessDenied, text));
        }
        // Known ones cost no place in the window, and now and then a write: a flood of new ones keeps nobody out who was
        // here.
        let digest = TokenDigest::from_bytes(*metadata.digest().as_bytes());
        if !metadata.auth_method.has_secret()
            && let Some(client) = self.renewed_client(digest)?
        {
            return Ok(Registered { client, secret: None });
        }
        let (now, most) = (self.now(), self.options.registration.most_clients);
        if self.options.rate_limits && !self.throttles().registrations.admit(now) {
            return Err(ProtocolError::new(ErrorCode::SlowDown, "too many registrations; try again in a minute"));
        }
        let secret = metadata.auth_method.has_secret();
        let secret = secret.then(|| PlainToken::generate(PlainTokenKind::ClientSecret, &*self.entropy));
        let client = Client {
            id: ClientId::generate(now, &*self.entropy),
            kind: ClientKind::Dynamic,
            secret: secret.as_ref().map(PlainToken::digest),
            metadata,
            created_at: now,
            created_by: None,
        };
        let pen = self.repeats.admits_row(now).then(|| self.pen());
        let has_line = pen.is_some();
        let registered = self.store.write(move |tx| {
            if client.secret.is_none() {
                if let Some(known) = known_client(tx, digest)? {
                    return Ok((known, false));
                }
                tx.put(CLIENT_DIGESTS, &digest, &client.id.to_string())?;
            }
            make_room_for_client(tx, most)?;
            tx.insert_new(CLIENTS, client.id.as_str(), &client)?;
            if let Some(pen) = pen {
                pen.write(tx, told(EventKind::ClientRegistered, &client))?;
            }
            Ok::<_, EndpointError>((client, true))
        });
        let (client, is_new) = registered.map_err(|error| error.0)?;
        if is_new && !has_line {
            self.repeats.count(EventKind::ClientRegistered, None, None);
        }
        tracing::info!(client = %client.id, name = client.display_name(), "client registered");
        Ok(Registered { client, secret })
    }

    /// The public client that registered with the same metadata before. From now on it is kept for as long as a new one, or
    /// a twelfth less: its person may be on the way to the consent page.
    fn renewed_client(&self, digest: TokenDigest) -> Result<Option<Client>, OperationError> {
        let (now, every) = (self.now(), self.options.registration.forget_unused_after / RENEWED_EVERY);
        let known = self.store.read(|tx| {
            let Some(client) = known_client(tx, digest)? else { return Ok::<_, OperationError>(None) };
            let due = now.since(last_registered(tx, &client)?) >= every;
            Ok(Some((client, due)))
        })?;
        match known {
            Some((_, true)) => self.store.write(move |tx| {
                let Some(client) = known_client(tx, digest)? else { return Ok(None) };
                tx.put(CLIENT_RENEWALS, client.id.as_str(), &now)?;
                Ok(Some(client))
            }),
            Some((client, false)) => Ok(Some(client)),
            None => Ok(None),
        }
    }

    /// The registration that its client asks to read again with its token (RFC 7592 §2.1).
    pub fn read_registration(&self, id: &str, token: &str) -> Result<Client, ProtocolError> {
        let refused = || ProtocolError::new(ErrorCode::InvalidToken, "no such registration, or not its token");
        let id = ClientId::parse(id).map_err(|_| refused())?;
        if !self.registration_access.admits(&id, token) {
            return Err(refused());
        }
        self.client(&id)?.filter(|client| client.kind == ClientKind::Dynamic).ok_or_else(refused)
    }

    /// Makes the tokens with which clients read their registration.
    pub const fn registration_access(&self) -> &RegistrationAccess {
        &self.registration_access
    }
}

/// The public client that registered with the same metadata before.
fn known_client(tx: &impl Reads, digest: TokenDigest) -> Result<Option<Client>, OperationError> {
    match tx.get(CLIENT_DIGESTS, &digest)? {
        Some(known) => Ok(tx.get(CLIENTS, known.as_str())?),
        None => Ok(None),
    }
}

/// When the client registered last.
pub(super) fn last_registered(tx: &impl Reads, client: &Client) -> Result<Timestamp, OperationError> {
    let again = tx.get(CLIENT_RENEWALS, client.id.as_str())?;
    Ok(again.map_or(client.created_at, |again| again.max(client.created_at)))
}

/// Registered by itself: may go if it was never used. Admin-made and pinned clients stay.
pub(super) fn is_forgettable(client: &Client) -> bool {
    client.kind != ClientKind::Admin && client.created_by.is_none()
}

/// Removes a client that has no grant; says whether it did.
pub(super) fn forget_if_unused(tx: &mut WriteTx, client: &Client) -> Result<bool, OperationError> {
    let digest = TokenDigest::of(client.id.as_str());
    if !tx.keys(GRANTS_BY_CLIENT, Scan::prefix(&digest).limit(1))?.is_empty() {
        return Ok(false);
    }
    remove_client(tx, client)?;
    Ok(true)
}

/// Makes room for one more client if there are `most` already: the oldest that were never used go, one in a hundred at
/// once, so that not every registration at a full table looks through all of it.
pub(super) fn make_room_for_client(tx: &mut WriteTx, most: usize) -> Result<(), OperationError> {
    if tx.count(CLIENTS, Scan::all())? < most {
        return Ok(());
    }
    let mut oldest: Vec<(Timestamp, String)> = Vec::new();
    tx.visit(CLIENTS, Scan::all(), |id, client| {
        if is_forgettable(&client) {
            oldest.push((last_registered(tx, &client)?, id));
        }
        Ok::<_, OperationError>(())
    })?;
    oldest.sort_unstable();
    let (wanted, mut made) = ((most / 100).max(1), 0);
    for (_, id) in oldest {
        if made == wanted {
            break;
        }
        if let Some(client) = tx.get(CLIENTS, id.as_str())? {
            made += usize::from(forget_if_unused(tx, &client)?);
        }
    }
    if made > 0 {
        return Ok(());
    }
    Err(OperationError::invalid("No more clients can be registered here. Ask the administrator to remove some."))
}

pub(super) fn remove_client(tx: &mut WriteTx, client: &Client) -> Result<(), OperationError> {
    tx.remove(CLIENTS, client.id.as_str())?;
    tx.remove(CLIENT_RENEWALS, client.id.as_str())?;
    let digest = TokenDigest::from_bytes(*client.metadata.digest().as_bytes());
    if tx.get(CLIENT_DIGESTS, &digest)?.as_deref() == Some(client.id.as_str()) {
        tx.remove(CLIENT_DIGESTS, &digest)?;
    }
    Ok(())
}
