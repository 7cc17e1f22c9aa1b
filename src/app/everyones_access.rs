//! Who can reach what? Everybody's personal tokens and connected apps, for admins: rows, never secrets.
//!
//! A page looks at a bounded number of rows, found by the narrowest index there is; where that does not fill it, it says where
//! to go on. What an admin does about a row is an operation on its owner's behalf.

use crate::account::personal_token::{PersonalToken, PersonalTokenEntry, Reach, TokenState};
use crate::app::App;
use crate::app::connections::Connection;
use crate::app::error::OperationError;
use crate::id::{GrantId, TokenId, UserId};
use crate::oauth::grant::Grant;
use crate::oauth::resource::ResourceUri;
use crate::secret::TokenDigest;
use crate::store::tables::{
    GRANTS, GRANTS_BY_CLIENT, GRANTS_BY_USER, PERSONAL_TOKENS, PERSONAL_TOKENS_BY_OWNER, USERS,
};
use crate::store::{AsKey, Key, Reads, Record, Scan, Table};

/// Rows of one page.
const PER_PAGE: usize = 25;
/// Rows that one page looks at.
const MOST_LOOKED_AT: usize = 1_000;

/// Which rows are meant. Each part narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFilter {
    /// Of this person.
    pub user: Option<UserId>,
    /// Through this client; then no personal token is meant.
    pub client: Option<String>,
    /// That reach this server.
    pub server: Option<ResourceUri>,
}

/// Something of somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned<T> {
    /// Whose it is.
    pub owner: UserId,
    /// What they are called.
    pub owner_name: String,
    /// What it is.
    pub what: T,
}

/// A page, the newest first, and where to go on if there may be more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPage<T, I> {
    /// The rows.
    pub rows: Vec<Owned<T>>,
    /// The last row that was looked at.
    pub older: Option<I>,
}

impl App {
    /// Personal tokens that work, made before `older`.
    pub fn everyones_tokens(
        &self,
        filter: &AccessFilter,
        older: Option<TokenId>,
    ) -> Result<AccessPage<PersonalTokenEntry, TokenId>, OperationError> {
        let now = self.now();
        if filter.client.is_some() {
            return Ok(AccessPage { rows: Vec::new(), older: None });
        }
        self.store.read(|tx| {
            let ids: Vec<TokenId> = if let Some(user) = filter.user {
                let older = older.map(|id| (user, id));
                second(newest_first(tx, PERSONAL_TOKENS_BY_OWNER, Scan::prefix(&user), older)?)
            } else {
                newest_first(tx, PERSONAL_TOKENS, Scan::all(), older)?
            };
            page_of(&ids, |id| {
                let fits = |token: &PersonalToken| {
                    let reaches = |server: &ResourceUri| match &token.reach {
                        Reach::AllServers => true,
                        Reach::Servers(resources) => resources.contains(server),
                    };
                    token.state(now) == TokenState::Live && filter.server.as_ref().is_none_or(reaches)
                };
                let Some(token) = tx.get(PERSONAL_TOKENS, id)?.filter(fits) else { return Ok(None) };
                let owner = token.owner;
                owned(tx, owner, self.entry(tx, token, now)?).map(Some)
            })
        })
    }

    /// Connected apps, allowed before `older`.
    pub fn everyones_connections(
        &self,
        filter: &AccessFilter,
        older: Option<GrantId>,
    ) -> Result<AccessPage<Connection, GrantId>, OperationError> {
        self.store.read(|tx| {
            let ids: Vec<GrantId> = match (filter.user, &filter.client) {
                (Some(user), _) => {
                    let older = older.map(|id| (user, id));
                    second(newest_first(tx, GRANTS_BY_USER, Scan::prefix(&user), older)?)
                }
                (None, Some(client)) => {
                    let client = TokenDigest::of(client);
                    let older = older.map(|id| (client, id));
                    second(newest_first(tx, GRANTS_BY_CLIENT, Scan::prefix(&client), older)?)
                }
                (None, None) => newest_first(tx, GRANTS, Scan::all(), older)?,
            };
            page_of(&ids, |id| {
                let fits = |grant: &Grant| {
                    grant.is_connected()
                        && filter.client.as_ref().is_none_or(|client| grant.client.as_str() == client)
                        && filter.server.as_ref().is_none_or(|server| grant.resource == *server)
                };
                let Some(grant) = tx.get(GRANTS, id)?.filter(fits) else { return Ok(None) };
                let owner = grant.user;
                owned(tx, owner, self.connection_of(tx, grant)?).map(Some)
            })
        })
    }
}

/// The keys before `older` that one page looks at.
fn newest_first<K: Key + AsKey<K>, V: Record>(
    tx: &impl Reads,
    table: Table<K, V>,
    scan: Scan<K>,
    older: Option<K>,
) -> Result<Vec<K>, OperationError> {
    let scan = scan.backwards().limit(MOST_LOOKED_AT);
    let scan = older.into_iter().fold(scan, |scan, key| scan.after(&key));
    Ok(tx.keys(table, scan)?)
}

fn second<A, I>(keys: Vec<(A, I)>) -> Vec<I> {
    keys.into_iter().map(|(_, id)| id).collect()
}

/// The page of what `row` makes of these, and where to go on: after the last one that was looked at.
fn page_of<T, I: Copy>(
    ids: &[I],
    row: impl Fn(&I) -> Result<Option<Owned<T>>, OperationError>,
) -> Result<AccessPage<T, I>, OperationError> {
    let mut rows = Vec::new();
    let mut last = None;
    for id in ids {
        if rows.len() == PER_PAGE {
            return Ok(AccessPage { rows, older: last });
        }
        last = Some(*id);
        rows.extend(row(id)?);
    }
    Ok(AccessPage { rows, older: last.filter(|_| ids.len() == MOST_LOOKED_AT) })
}

fn owned<T>(tx: &impl Reads, owner: UserId, what: T) -> Result<Owned<T>, OperationError> {
    let owner_name = tx.get(USERS, &owner)?.map(|user| user.name.to_string()).unwrap_or_default();
    Ok(Owned { owner, owner_name, what })
}
