//! Clients as an administrator keeps them: listed, made by hand, pinned, removed.
//!
//! A pinned metadata document counts as it was pinned; it is not fetched again until it is removed.

use crate::app::App;
use crate::app::connections::end_grant;
use crate::app::error::OperationError;
use crate::app::exchange;
use crate::app::register::{make_room_for_client, remove_client};
use crate::event::{Event, EventKind};
use crate::id::UserId;
use crate::oauth::client::{AuthMethod, Client, ClientId, ClientKind, ClientMetadata};
use crate::oauth::client_document::ClientDocument;
use crate::secret::{PlainToken, PlainTokenKind, TokenDigest};
use crate::store::tables::{CLIENTS, GRANTS, GRANTS_BY_CLIENT};
use crate::store::{Reads, Scan};

/// Rows of the list at most.
pub const LIST_LIMIT: usize = 500;

/// A client as an administrator sees it.
#[derive(Debug, Clone)]
pub struct ClientEntry {
    /// The client.
    pub client: Client,
    /// How many live grants it has.
    pub grants: usize,
}

/// What the making of a client comes to.
#[derive(Debug)]
pub enum MadeClient {
    /// It was made; its secret, if it has one, is seen this once.
    Now(Client, Option<PlainToken>),
    /// The same form was sent before.
    Before(Client),
}

impl App {
    /// The clients, the newest first, and whether there are more.
    pub fn clients(&self) -> Result<(Vec<ClientEntry>, bool), OperationError> {
        self.store.read(|tx| {
            let mut clients: Vec<Client> =
                tx.scan(CLIENTS, Scan::all())?.into_iter().map(|(_, client)| client).collect();
            clients.sort_by_key(|client| std::cmp::Reverse(client.created_at));
            let more = clients.len() > LIST_LIMIT;
            clients.truncate(LIST_LIMIT);
            let entries =
                clients.into_iter().map(|client| entry_of(tx, client)).collect::<Result<_, OperationError>>()?;
            Ok((entries, more))
        })
    }

    /// One client.
    pub fn client_entry(&self, id: &str) -> Result<ClientEntry, OperationError> {
        self.store.read(|tx| entry_of(tx, tx.get(CLIENTS, id)?.ok_or(OperationError::NotFound("client"))?))
    }

    /// Makes a client by hand, under an id that was given out with the form.
    pub fn create_client(
        &self,
        id: ClientId,
        metadata: ClientMetadata,
        by: UserId,
    ) -> Result<MadeClient, OperationError> {
        if id.document_url().is_some() || metadata.auth_method == AuthMethod::PrivateKeyJwt {
            return Err(OperationError::invalid("A client made by hand has a secret or none. Open the form again."));
        }
        let (now, most) = (self.now(), self.options.registration.most_clients);
        let secret = metadata.auth_method.has_secret();
        let secret = secret.then(|| PlainToken::generate(PlainTokenKind::ClientSecret, &*self.entropy));
        let client = Client {
            id,
            kind: ClientKind::Admin,
            secret: secret.as_ref().map(PlainToken::digest),
            metadata,
            created_at: now,
            created_by: Some(by),
        };
        let pen = self.pen();
        let made = self.store.write(move |tx| {
            if let Some(known) = tx.get(CLIENTS, client.id.as_str())? {
                let ours = known.kind == ClientKind::Admin && known.created_by == Some(by);
                return if ours { Ok(MadeClient::Before(known)) } else { Err(OperationError::NotFound("form")) };
            }
            make_room_for_client(tx, most)?;
            tx.insert_new(CLIENTS, client.id.as_str(), &client)?;
            pen.write(tx, told(EventKind::ClientMade, &client).by(by))?;
            Ok(MadeClient::Now(client, secret))
        })?;
        if let MadeClient::Now(client, _) = &made {
            tracing::info!(client = %client.id, by = %by, "client made by hand");
        }
        Ok(made)
    }

    /// Pins a metadata document.
    pub fn pin_client(&self, document: &ClientDocument, by: UserId) -> Result<Client, OperationError> {
        let most = self.options.registration.most_clients;
        let client = Client { created_by: Some(by), ..document.to_client(self.now()) };
        let (pinned, pen) = (client.clone(), self.pen());
        self.store.write(move |tx| {
            if !tx.contains(CLIENTS, client.id.as_str())? {
                make_room_for_client(tx, most)?;
            }
            tx.put(CLIENTS, client.id.as_str(), &client)?;
            pen.write(tx, told(EventKind::ClientPinned, &client).by(by)).map_err(OperationError::from)
        })?;
        tracing::info!(client = %pinned.id, by = %by, "client document pinned");
        Ok(pinned)
    }

    /// Removes a client: its grants end, whose owners are told, and it has to register again.
    pub fn remove_client(&self, id: &str, by: UserId) -> Result<(), OperationError> {
        let (now, life, key) = (self.now(), self.options.credentials.access_token, id.to_owned());
        let pen = self.pen();
        let entries = self.store.write(move |tx| {
            let client = tx.get(CLIENTS, key.as_str())?.ok_or(OperationError::NotFound("client"))?;
            let mut entries = Vec::new();
            for (_, grant) in tx.keys(GRANTS_BY_CLIENT, Scan::prefix(&TokenDigest::of(&key)))? {
                if let Some(grant) = tx.get(GRANTS, &grant)? {
                    if grant.is_connected() {
                        let event = exchange::told(EventKind::ConnectionRevoked, &grant).by(by);
                        pen.write_telling(tx, event, grant.user)?;
                    }
                    entries.extend(end_grant(tx, grant, now, life)?);
                }
            }
            remove_client(tx, &client)?;
            let ended = match entries.len() {
                0 => String::new(),
                1 => "1 connection ended".to_owned(),
                count => format!("{count} connections ended"),
            };
            pen.write(tx, told(EventKind::ClientRemoved, &client).by(by).note(&ended))?;
            Ok::<_, OperationError>(entries)
        })?;
        self.publish_ended_grants(entries);
        tracing::info!(client = id, by = %by, "client removed");
        Ok(())
    }
}

/// A line about a client.
pub(super) fn told(kind: EventKind, client: &Client) -> Event {
    Event::of(kind).client(client.id.as_str(), client.display_name())
}

fn entry_of(tx: &impl Reads, client: Client) -> Result<ClientEntry, OperationError> {
    let mut grants = 0;
    for (_, id) in tx.keys(GRANTS_BY_CLIENT, Scan::prefix(&TokenDigest::of(client.id.as_str())).limit(1_000))? {
        grants += usize::from(tx.get(GRANTS, &id)?.is_some_and(|grant| grant.is_connected()));
    }
    Ok(ClientEntry { client, grants })
}
