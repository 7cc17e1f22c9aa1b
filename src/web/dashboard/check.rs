//! Do clients find their way in? An admin lets Keyward walk the way of each, from its own address inwards.

use crate::access::GuardedServer;
use crate::app::App;
use crate::check::{self, CLIENTS, Finding, Step, Target, Walk};
use crate::secret::Secret;
use crate::web::dashboard::Frame;
use crate::web::error::ErrorView;
use crate::web::extract::{Admin, CsrfForm, SignedIn};
use crate::web::notice::Done;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::client_address::{ClientAddress, PeerAddress};
use crate::wire::paths;
use crate::wire::probe::{Prober, Reach};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

/// Longest time for all ways together; shorter than a page may take.
const PATIENCE: Duration = Duration::from_secs(25);
/// Checks at once: each asks this server some thirty times.
static PLACES: Semaphore = Semaphore::const_new(2);

/// `GET` and `POST` of `/dashboard/check`. Sends `form_token`, `server` and `token`.
#[derive(Debug, Template)]
#[template(path = "dashboard/check.html")]
pub struct CheckView {
    /// Around the page.
    pub frame: Frame,
    /// Whose way can be walked.
    pub servers: Vec<ServerChoice>,
    /// What this very request told of the proxy.
    pub proxy: Finding,
    /// The ways, if they were walked.
    pub walks: Vec<Walk>,
    /// Which URL they led to.
    pub walked_to: String,
}

/// A server to choose.
#[derive(Debug, Clone)]
pub struct ServerChoice {
    /// Its name in the form.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct CheckForm {
    server: String,
    token: Option<Secret<String>>,
}

/// How the request reached us.
type Peer = Option<Extension<PeerAddress>>;

/// The form, and what this request tells already.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    address: ClientAddress,
    peer: Peer,
    headers: HeaderMap,
) -> Response {
    Page::new(CheckView::of(&state, &admin, proxy(&state, &headers, address, peer), "")).into_response()
}

/// Walks.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    address: ClientAddress,
    peer: Peer,
    headers: HeaderMap,
    CsrfForm(form): CsrfForm<CheckForm>,
) -> Result<Response, Response> {
    let unknown = || ErrorView::bad_request("There is no server of this name.").into_response();
    let target = target(&state.app, form.server.as_str(), form.token).ok_or_else(unknown)?;
    let _place = PLACES.try_acquire().map_err(|_| ErrorView::busy().into_response())?;
    let now = || state.app.now();
    let walked = timeout(PATIENCE, check::walk(&target, &now, state.app.entropy())).await;
    let walks = walked.map_err(|_| too_slow())?;
    let mut view = CheckView::of(&state, &admin, proxy(&state, &headers, address, peer), &form.server);
    (view.walks, view.walked_to) = (walks, target.url.to_string());
    Ok(Page::new(view).into_response())
}

/// The way to a server of ours, and to nobody else: what an answer leads to elsewhere is not asked. None if there is no such
/// server.
fn target(app: &App, name: &str, token: Option<Secret<String>>) -> Option<Target> {
    let servers = app.live().servers();
    let server = servers.iter().find(|server| server.name.as_str() == name)?;
    let url = Url::parse(server.resource.as_str()).ok()?;
    let issuer = Url::parse(app.options().issuer.as_str()).ok()?;
    let token = token.map(|token| Secret::new(token.expose().trim().to_owned()));
    let token = token.filter(|token| !token.expose().is_empty());
    let prober = Prober::new(Reach::Only(vec![url.clone(), issuer]));
    Some(Target { url, token, prober, private_roots: false })
}

fn proxy(state: &WebState, headers: &HeaderMap, address: ClientAddress, peer: Peer) -> Finding {
    let peer = peer.map_or(address.0, |Extension(PeerAddress(peer))| peer.ip());
    let result = check::forwarded(headers, peer, address, state.app.options().issuer.is_https());
    Finding { step: Step::Proxy, result }
}

fn too_slow() -> Response {
    let happened = format!("The check did not end within {} seconds.", PATIENCE.as_secs());
    let advice = "Something on the way swallows requests: look at the firewall and at the proxy, and run keyward check from another machine.";
    ErrorView::new(StatusCode::GATEWAY_TIMEOUT, "Too slow", &happened, advice)
        .link("Back to the check", paths::CHECK)
        .into_response()
}

impl CheckView {
    fn of(state: &WebState, admin: &SignedIn, proxy: Finding, chosen: &str) -> Self {
        let servers = state.app.live().servers();
        let choice = |server: &Arc<GuardedServer>| ServerChoice {
            name: server.name.to_string(),
            title: server.title.clone(),
            chosen: server.name.as_str() == chosen,
        };
        Self {
            frame: Frame::new(state, admin, Done(None)),
            servers: servers.iter().map(choice).collect(),
            proxy,
            walks: Vec::new(),
            walked_to: String::new(),
        }
    }

    /// Whose way has an end.
    pub fn stopped(&self) -> Vec<&'static str> {
        self.walks.iter().filter(|walk| !walk.is_good()).map(|walk| walk.client).collect()
    }

    /// The clients whose ways are walked.
    pub fn clients(&self) -> String {
        let names: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
        let (last, others) = names.split_last().expect("there are clients");
        format!("{} and {last}", others.join(", "))
    }
}

#[cfg(test)]
use crate::check::Trouble;

#[cfg(test)]
impl CheckView {
    pub(crate) fn sample() -> Self {
        let choice = |name: &str, title: &str| ServerChoice {
            name: name.to_owned(),
            title: title.to_owned(),
            chosen: name == "files",
        };
        let trouble = Trouble {
            saw: "the proxy at 172.18.0.2 is not trusted, so nobody knows where callers are".to_owned(),
            advice: "Set trusted_proxies = [\"172.18.0.2\"] in the configuration, and restart.".to_owned(),
            minor: true,
        };
        Self {
            frame: Frame::sample(),
            servers: vec![choice("keyward", "Keyward"), choice("files", "Files <b>")],
            proxy: Finding { step: Step::Proxy, result: Err(trouble) },
            walks: Vec::new(),
            walked_to: String::new(),
        }
    }

    pub(crate) fn sample_done() -> Self {
        let good = |step, words: &str| Finding { step, result: Ok(words.to_owned()) };
        let trouble = Trouble {
            saw: "the answer is 308 instead of 401".to_owned(),
            advice: "It leads to https://mcp.example.org/mcp/<b>, and clients do not follow.".to_owned(),
            minor: false,
        };
        let common = vec![good(Step::Address, "the name leads to 203.0.113.7"), good(Step::Connection, "it answers")];
        let walks = vec![
            Walk { client: "Every client", findings: common },
            Walk { client: "Claude", findings: vec![Finding { step: Step::Challenge, result: Err(trouble) }] },
            Walk {
                client: "Cursor",
                findings: vec![good(Step::SignIn, "it opens"), good(Step::Call, "it works: 4 tools")],
            },
        ];
        Self { walks, walked_to: "https://mcp.example.org/mcp".to_owned(), ..Self::sample() }
    }
}
