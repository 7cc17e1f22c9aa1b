//! Which steps, in which order? Those of the clients themselves, from the address to the login page and, with a token, a call.

use crate::check::client::{CLIENTS, CheckedClient};
use crate::check::finding::{Step, Trouble, Walk};
use crate::check::judge::{self, SignInPlaces};
use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};
use crate::oauth::special_use::special_use_ip;
use crate::secret::Secret;
use crate::wire::paths;
use crate::wire::probe::{ProbeAnswer, Prober};
use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderValue, Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::net::IpAddr;
use url::Url;

/// The revision of MCP and the session of messages after the first.
const PROTOCOL_VERSION: &str = "mcp-protocol-version";
const SESSION: &str = "mcp-session-id";

/// What to walk to.
#[derive(Debug)]
pub struct Target {
    /// The URL that people give to clients.
    pub url: Url,
    /// A token for the last step, if there is one.
    pub token: Option<Secret<String>>,
    /// Who asks on the way.
    pub prober: Prober,
    /// Whether that one believes certificates that vendors' machines do not.
    pub private_roots: bool,
}

/// The text is not the URL of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give the URL that clients get, such as https://mcp.example.org/mcp")]
pub struct NotAServerUrl;

/// Reads the URL of a server as typed.
pub fn server_url(text: &str) -> Result<Url, NotAServerUrl> {
    let url = Url::parse(text.trim()).map_err(|_| NotAServerUrl)?;
    let good = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.fragment().is_none();
    if good && url.username().is_empty() && url.password().is_none() { Ok(url) } else { Err(NotAServerUrl) }
}

/// Walks the ways of all clients to `target`. Each way ends at its first trouble.
pub async fn walk(target: &Target, now: &(dyn Fn() -> Timestamp + Sync), entropy: &dyn Entropy) -> Vec<Walk> {
    let walker = Walker { target, entropy };
    let mut common = Walk::of("Every client");
    let Some(addresses) = walker.common(&mut common, now).await else { return vec![common] };
    let [a, b, c, d] = &CLIENTS;
    let way = |client| walker.way(client, &addresses);
    let (a, b, c, d) = tokio::join!(way(a), way(b), way(c), way(d));
    vec![common, a, b, c, d]
}

struct Walker<'a> {
    target: &'a Target,
    entropy: &'a dyn Entropy,
}

impl Walker<'_> {
    /// What is the same for every client: the way to the server. Its addresses, if it answers.
    async fn common(&self, way: &mut Walk, now: &(dyn Fn() -> Timestamp + Sync)) -> Option<Vec<IpAddr>> {
        let url = &self.target.url;
        let found = self.target.prober.addresses(url).await.map_err(|error| judge::no_answer(&error, url));
        let listed = found.map(|addresses| {
            let words = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            (addresses, format!("the name leads to {words}"))
        });
        let addresses = way.note(Step::Address, listed)?;
        let not_a_token = Secret::new("keyward-check".to_owned());
        let answer = match self.post(url, &CLIENTS[0].first_message(), &[], Some(&not_a_token)).await {
            Ok(answer) => answer,
            Err(trouble) => return way.note(Step::Connection, Err(trouble)),
        };
        way.note(Step::Connection, Ok(((), "it answers".to_owned())));
        if let Some(server) = judge::date(&answer) {
            way.note(Step::Clock, judge::clock(server, now()).map(|()| ((), "the clocks agree".to_owned())));
        }
        if let Err(trouble) = judge::challenge(&answer) {
            return way.note(Step::Challenge, Err(trouble));
        }
        if let Some(held) = self.stream().await {
            way.note(Step::Streams, held.map(|()| ((), "what is said on a stream arrives at once".to_owned())));
        }
        let came = judge::token_came_through(&answer);
        way.note(Step::Authorization, came.map(|()| ((), "a token in the header arrives".to_owned())));
        Some(addresses)
    }

    /// Whether streams get through; none if that cannot be tried.
    async fn stream(&self) -> Option<Result<(), Trouble>> {
        let url = self.target.url.join(paths::HEALTHZ_STREAM).ok()?;
        judge::stream(&self.get(&url).await.ok()?)
    }

    async fn way(&self, client: &CheckedClient, addresses: &[IpAddr]) -> Walk {
        let mut way = Walk::of(client.name);
        let _ = self.client(&mut way, client, addresses).await;
        way
    }

    /// The way of one client, to its first trouble.
    async fn client(&self, way: &mut Walk, client: &CheckedClient, addresses: &[IpAddr]) -> Option<()> {
        let typed = &self.target.url;
        if client.from_the_internet {
            let public = judge::public(addresses, special_use_ip).and_then(|()| judge::https(typed));
            way.note(Step::Address, public.map(|()| ((), "it can be reached from the internet".to_owned())))?;
            if self.target.private_roots {
                let asked =
                    Prober::new(self.target.prober.reach().clone()).ask(typed, Request::new(Bytes::new())).await;
                let believed = asked.map_err(|error| judge::no_answer(&error, typed));
                way.note(Step::Connection, believed.map(|_| ((), "everybody believes the certificate".to_owned())))?;
            }
        }
        let first = self.post(typed, &client.first_message(), &[], None).await;
        let metadata = first.and_then(|answer| judge::challenge(&answer));
        let metadata =
            way.note(Step::Challenge, metadata.map(|url| (url, "it is told where to sign in".to_owned())))?;
        let document = self.get(&metadata).await;
        let issuer = document.and_then(|answer| judge::resource(&answer, typed));
        let issuer = issuer.map_err(|trouble| judge::sent_on(trouble, &metadata, typed));
        let issuer = way.note(Step::Resource, issuer.map(|issuer| (issuer, "it is this server's".to_owned())))?;
        let places = self.places(&issuer).await.map(|places| (places, format!("sign-in is at {issuer}")));
        let places = way.note(Step::AuthorizationServer, places)?;
        let id = way.note(Step::Registration, self.register(client, &places).await)?;
        let login = self.sign_in(client, &id, &places.authorize).await;
        way.note(Step::SignIn, login.map(|()| ((), "it opens".to_owned())))?;
        let token = self.target.token.as_ref()?;
        way.note(Step::Call, self.call(client, token).await.map(|words| ((), words)))
    }

    async fn places(&self, issuer: &Url) -> Result<SignInPlaces, Trouble> {
        // RFC 8414 §3.1: the well-known path stands before the issuer's own, and ours has none.
        let url = issuer.join(paths::AUTHORIZATION_SERVER).map_err(|_| judge::leads_nowhere())?;
        judge::authorization_server(&self.get(&url).await?, issuer)
    }

    async fn register(&self, client: &CheckedClient, places: &SignInPlaces) -> Result<(String, String), Trouble> {
        if let Some(document) = client.document.filter(|_| places.documents) {
            return Ok((document.to_owned(), "its own document makes it known".to_owned()));
        }
        let place = places.register.as_ref().ok_or_else(judge::no_registration)?;
        let answer = self.post(place, &client.registration(), &[], None).await?;
        judge::registration(&answer)
            .map(|id| (id, "it registers itself, and is forgotten if nobody uses that".to_owned()))
    }

    async fn sign_in(&self, client: &CheckedClient, id: &str, authorize: &Url) -> Result<(), Trouble> {
        let mut url = authorize.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", id)
            .append_pair("redirect_uri", client.redirect())
            .append_pair("state", &self.random())
            .append_pair("code_challenge", &self.random())
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", self.target.url.as_str());
        let login = judge::to_login(&self.get(&url).await?, authorize)?;
        judge::login_page(&self.get(&login).await?)
    }

    /// Opens a session, lists the tools and closes it.
    async fn call(&self, client: &CheckedClient, token: &Secret<String>) -> Result<String, Trouble> {
        let url = &self.target.url;
        let answer = self.post(url, &client.first_message(), &[], Some(token)).await?;
        let begun = judge::called(&answer)?;
        let version = begun.get("protocolVersion").and_then(Value::as_str).unwrap_or(client.protocol);
        let mut headers = vec![(PROTOCOL_VERSION, version.to_owned())];
        if let Some(session) = answer.headers.get(SESSION).and_then(|value| value.to_str().ok()) {
            headers.push((SESSION, session.to_owned()));
        }
        let listed = self.list(&headers, token).await;
        if headers.len() > 1 {
            // The server forgets the session by itself if this is lost.
            let _ = self.ask(Method::DELETE, url, Bytes::new(), &headers, Some(token)).await;
        }
        Ok(match listed?.get("tools").and_then(Value::as_array).map_or(0, Vec::len) {
            1 => "it works: one tool".to_owned(),
            many => format!("it works: {many} tools"),
        })
    }

    async fn list(&self, headers: &[(&'static str, String)], token: &Secret<String>) -> Result<Value, Trouble> {
        let url = &self.target.url;
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(url, &ready, headers, Some(token)).await?;
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        judge::called(&self.post(url, &list, headers, Some(token)).await?)
    }

    async fn get(&self, url: &Url) -> Result<ProbeAnswer, Trouble> {
        self.ask(Method::GET, url, Bytes::new(), &[], None).await
    }

    async fn post(
        &self,
        url: &Url,
        body: &Value,
        headers: &[(&'static str, String)],
        token: Option<&Secret<String>>,
    ) -> Result<ProbeAnswer, Trouble> {
        self.ask(Method::POST, url, Bytes::from(body.to_string()), headers, token).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &Url,
        body: Bytes,
        headers: &[(&'static str, String)],
        token: Option<&Secret<String>>,
    ) -> Result<ProbeAnswer, Trouble> {
        let mut request = Request::builder().method(&method);
        request = request.header(USER_AGENT, concat!("keyward-check/", env!("CARGO_PKG_VERSION")));
        if method == Method::POST {
            let accept = "application/json, text/event-stream";
            request = request.header(CONTENT_TYPE, "application/json").header(ACCEPT, accept);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            let bearer = Secret::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(bearer.expose()).map_err(|_| judge::not_a_token())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(body).map_err(|_| judge::leads_nowhere())?;
        self.target.prober.ask(url, request).await.map_err(|error| judge::no_answer(&error, url))
    }

    /// 43 characters that nobody guesses.
    fn random(&self) -> String {
        URL_SAFE_NO_PAD.encode(random_bytes::<32>(self.entropy))
    }
}
