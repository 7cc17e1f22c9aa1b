//! Which apps has a person let in? Lists the grants by client; lowers what one may do; revokes one or all.

pub mod narrow;

pub use narrow::ConnectionNarrowView;

use crate::app::App;
use crate::app::connections::Connection;
use crate::app::error::OperationError;
use crate::id::GrantId;
use crate::oauth::client::ClientId;
use crate::web::chart::Chart;
use crate::web::dashboard::{Frame, LastUsed, Vouched, server_title};
use crate::web::extract::{Confirmed, CsrfForm, PageQuery, PathId, RecentForm, SignedIn};
use crate::web::leaf::{Leaf, LeafQuery};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::scopes::in_words;
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;

/// `GET /dashboard/connections`.
#[derive(Debug, Template)]
#[template(path = "dashboard/connections/list.html")]
pub struct ConnectionsView {
    /// Around the page.
    pub frame: Frame,
    /// By client; the one that was let in last first.
    pub clients: Vec<ClientGroup>,
    /// How many connections there are.
    pub count: usize,
    /// Which page.
    pub leaf: Leaf,
}

/// The connections of one client.
#[derive(Debug, Clone)]
pub struct ClientGroup {
    /// What it calls itself.
    pub name: String,
    /// How many connections it has.
    pub count: usize,
    /// Newest first; those of this page.
    pub connections: Vec<ConnectionRow>,
}

/// One grant, as its owner sees it.
#[derive(Debug, Clone)]
pub struct ConnectionRow {
    /// Its id.
    pub id: GrantId,
    /// The client as it calls itself.
    pub client_name: String,
    /// Who vouches for the client.
    pub vouched: Vouched,
    /// Where the client received its code: the host of the redirect URI.
    pub redirect_host: String,
    /// Titles of the servers.
    pub servers: String,
    /// The scopes in words: "everything that you may do, stay connected".
    pub scopes: String,
    /// Whether it may do more than one thing, so that it can be lowered.
    pub can_narrow: bool,
    /// When it was lowered the last time.
    pub narrowed: Option<When>,
    /// When the user agreed.
    pub created: When,
    /// The latest use; none if it was never used.
    pub last_used: Option<LastUsed>,
    /// Requests of the last days; none if it was never used.
    pub requests: Option<Chart>,
}

/// `GET /dashboard/connections/{id}/revoke`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/connections/revoke.html")]
pub struct ConnectionRevokeView {
    /// Around the page.
    pub frame: Frame,
    /// The connection to revoke.
    pub connection: ConnectionRow,
}

/// `GET /dashboard/connections/revoke-all`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/connections/revoke_all.html")]
pub struct ConnectionsRevokeAllView {
    /// Around the page.
    pub frame: Frame,
    /// How many there are.
    pub count: usize,
}

/// The list.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    notice: Done,
    PageQuery(query): PageQuery<LeafQuery>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let list = operate(&state, move |app| {
        let (mut connections, counts) = by_client(app.connections(user)?);
        let count = connections.len();
        let leaf = Leaf::turn(&mut connections, &query, paths::CONNECTIONS);
        let mut clients: Vec<(ClientId, ClientGroup)> = Vec::new();
        for connection in connections {
            let id = connection.grant.client.clone();
            let row = ConnectionRow::of(app, connection)?;
            if let Some((_, group)) = clients.last_mut().filter(|(last, _)| *last == id) {
                group.connections.push(row);
            } else {
                let (name, count) = (row.client_name.clone(), counts[&id].1);
                clients.push((id, ClientGroup { name, count, connections: vec![row] }));
            }
        }
        let clients = clients.into_iter().map(|(_, group)| group).collect();
        Ok::<(Vec<ClientGroup>, usize, Leaf), OperationError>((clients, count, leaf))
    });
    let (clients, count, leaf) = list.await?;
    let view = ConnectionsView { clients, count, leaf, frame: Frame::new(&state, &signed_in, notice) };
    Ok(Page::new(view).into_response())
}

/// Those of one client together, the client first that was let in last; of each client its place and how many it has.
fn by_client(mut connections: Vec<Connection>) -> (Vec<Connection>, HashMap<ClientId, (usize, usize)>) {
    let mut clients = HashMap::new();
    for connection in &connections {
        let place = clients.len();
        clients.entry(connection.grant.client.clone()).or_insert((place, 0)).1 += 1;
    }
    connections.sort_by_key(|connection| clients[&connection.grant.client].0);
    (connections, clients)
}

/// Asks before one is revoked.
pub async fn get_revoke(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<GrantId>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let connection = operate(&state, move |app| ConnectionRow::of(app, app.connection(user, id)?)).await?;
    let view = ConnectionRevokeView { frame: Frame::new(&state, &signed_in, Done(None)), connection };
    Ok(Page::new(view).into_response())
}

/// Revokes one.
pub async fn post_revoke(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<GrantId>,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    operate(&state, move |app| app.revoke_connection(user, id)).await?;
    Ok(see_other(&Notice::ConnectionRevoked.at(paths::CONNECTIONS)))
}

/// Asks before all are revoked.
pub async fn get_revoke_all(State(state): State<WebState>, signed_in: SignedIn) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let count = operate(&state, move |app| Ok(app.connections(user)?.len())).await?;
    if count == 0 {
        return Ok(see_other(paths::CONNECTIONS));
    }
    let view = ConnectionsRevokeAllView { frame: Frame::new(&state, &signed_in, Done(None)), count };
    Ok(Page::new(view).into_response())
}

/// Revokes all.
pub async fn post_revoke_all(
    State(state): State<WebState>,
    RecentForm(signed_in, _): RecentForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    operate(&state, move |app| app.revoke_all_connections(user)).await?;
    Ok(see_other(&Notice::ConnectionsRevoked.at(paths::CONNECTIONS)))
}

impl ConnectionRow {
    pub(super) fn of(app: &App, Connection { grant, last_use }: Connection) -> Result<Self, OperationError> {
        let (now, client) = (app.now(), app.client(&grant.client)?);
        let days = if last_use.is_some() { Some(app.grant_days(grant.id)?) } else { None };
        Ok(Self {
            id: grant.id,
            client_name: grant.client_name,
            vouched: Vouched::of(&grant.client, client.map(|client| client.kind)),
            redirect_host: grant.redirect_uri.host_for_display().to_owned(),
            servers: server_title(&app.live().servers(), &grant.resource),
            scopes: in_words(&grant.scopes),
            can_narrow: narrow::can_narrow(&grant.scopes),
            narrowed: grant.narrowed_at.map(|at| When::new(at, now)),
            created: When::new(grant.created_at, now),
            last_used: last_use.map(|last_use| LastUsed::new(last_use, now)),
            requests: days.map(|days| Chart::new(&days, "request", "requests")),
        })
    }
}

#[cfg(test)]
impl ConnectionRow {
    fn sample(client_name: &str, vouched: Vouched, redirect_host: &str) -> Self {
        Self {
            id: GrantId::from_bytes([0x33; 16]),
            client_name: client_name.to_owned(),
            vouched,
            redirect_host: redirect_host.to_owned(),
            servers: "Keyward".to_owned(),
            scopes: "everything that you may do, stay connected".to_owned(),
            can_narrow: true,
            narrowed: None,
            created: When::sample(-86_400 * 9),
            last_used: Some(LastUsed::sample()),
            requests: Some(Chart::sample("request", "requests")),
        }
    }
}

#[cfg(test)]
impl ConnectionRow {
    pub(crate) fn sample_for_others() -> Self {
        Self::sample("<i>Cursor</i>", Vouched::Nobody, "www.cursor.com")
    }
}

#[cfg(test)]
impl ConnectionsView {
    pub(crate) fn sample() -> Self {
        let connections = vec![
            ConnectionRow::sample("Claude Code", Vouched::ByHost("claude.ai".to_owned()), "localhost"),
            ConnectionRow {
                last_used: None,
                requests: None,
                ..ConnectionRow::sample("<i>Cursor</i>", Vouched::Nobody, "www.cursor.com")
            },
            ConnectionRow {
                scopes: "reading, stay connected".to_owned(),
                can_narrow: false,
                narrowed: Some(When::sample(-86_400 * 2)),
                ..ConnectionRow::sample("Claude Code", Vouched::ByHost("claude.ai".to_owned()), "localhost")
            },
            ConnectionRow::sample("Team portal", Vouched::ByAdmin, "portal.example.org"),
        ];
        let [claude, cursor, again, portal]: [ConnectionRow; 4] = connections.try_into().expect("four");
        let group = |name: &str, connections: Vec<ConnectionRow>| {
            let count = connections.len();
            ClientGroup { name: name.to_owned(), count, connections }
        };
        let clients = vec![
            group("Claude Code", vec![claude, again]),
            group("<i>Cursor</i>", vec![cursor]),
            group("Team portal", vec![portal]),
        ];
        Self {
            frame: Frame::sample(),
            clients,
            count: 40,
            leaf: Leaf::of(1, 2, |page| paths::leaf(paths::CONNECTIONS, page)),
        }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), clients: Vec::new(), count: 0, leaf: Leaf::of(1, 1, |_| String::new()) }
    }
}

#[cfg(test)]
impl ConnectionRevokeView {
    pub(crate) fn sample() -> Self {
        let connection = ConnectionRow::sample("Claude Code", Vouched::ByHost("claude.ai".to_owned()), "localhost");
        Self { frame: Frame::sample(), connection }
    }
}

#[cfg(test)]
impl ConnectionsRevokeAllView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), count: 3 }
    }
}
