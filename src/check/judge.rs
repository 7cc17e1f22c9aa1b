//! Is that the answer that a client needs, and if not, what has happened to it on the way? Pure: an answer in, a value or the
//! trouble out.

use crate::check::finding::Trouble;
use crate::clock::Timestamp;
use crate::oauth::resource::ResourceUri;
use crate::wire::client_address::ClientAddress;
use crate::wire::paths;
use crate::wire::pause::STREAM_PAUSE;
use crate::wire::probe::{ProbeAnswer, ProbeError};
use axum::http::header::{CONTENT_TYPE, DATE, HOST, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

/// Longest text of an answer that is repeated, in characters.
const MAX_QUOTED: usize = 200;
/// Clocks that differ by less agree.
const SAME_TIME: Duration = Duration::from_secs(30);

/// What a document that does not come needs.
const DOCUMENTS_PASS: &str = "Let the proxy pass everything below /.well-known/ on to Keyward (certificates need only /.well-known/acme-challenge/).";

/// What the document of the authorization server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignInPlaces {
    pub(super) authorize: Url,
    pub(super) register: Option<Url>,
    pub(super) documents: bool,
}

/// There is no answer.
pub(super) fn no_answer(error: &ProbeError, url: &Url) -> Trouble {
    let advice = match error {
        ProbeError::NoAddress(_) => "Make a DNS record for this name, or correct the URL.",
        ProbeError::NoConnection(_) => {
            "Start the proxy, open its port in the firewall, and check that the name leads to this machine."
        }
        ProbeError::CertificateUnknown => {
            "Claude and ChatGPT accept only certificates of public authorities: let the proxy get one (Caddy does by itself)."
        }
        ProbeError::CertificateTime => "Renew the certificate. If it is new, check the clock of this machine.",
        ProbeError::CertificateName => "Let the proxy get a certificate for exactly this name.",
        ProbeError::Tls => "Check that the proxy speaks TLS on this port, and with which certificate.",
        ProbeError::TimedOut => "A firewall may swallow the request, or the proxy waits for Keyward: check both.",
        ProbeError::Broken(_) => {
            "Check that the URL begins with the right one of https:// and http:// and has the right port."
        }
        ProbeError::Elsewhere => "Set public_url to the URL that people use, and restart.",
    };
    Trouble::new(format!("{} does not answer: {error}", url.origin().ascii_serialization()), advice)
}

/// Where the first request without a token is sent on to.
pub(super) fn challenge(answer: &ProbeAnswer) -> Result<Url, Trouble> {
    if answer.status != StatusCode::UNAUTHORIZED {
        return Err(wrong_status(answer, "401"));
    }
    let challenges: Vec<_> =
        answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
    let Some(bearer) = challenges.iter().find(|text| scheme(text).eq_ignore_ascii_case("bearer")) else {
        return Err(match challenges.first() {
            Some(other) => Trouble::new(
                format!("the proxy asks for a sign-in of its own ({})", quoted(scheme(other))),
                "Take the proxy's own sign-in away from Keyward's host: MCP clients cannot pass it.",
            ),
            None => Trouble::new(
                "the answer is 401 without WWW-Authenticate",
                "Let the proxy pass Keyward's answer on with all its headers.",
            ),
        });
    };
    let metadata = parameter(bearer, "resource_metadata").and_then(|url| Url::parse(&url).ok());
    metadata.ok_or_else(|| {
        Trouble::new(
            "the 401 does not say where to sign in",
            "Give clients the URL of a server behind Keyward, as the dashboard shows it.",
        )
    })
}

/// Whether a token that was sent came through, by the challenge that answers one that is none.
pub(super) fn token_came_through(answer: &ProbeAnswer) -> Result<(), Trouble> {
    let mut challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    if challenges.any(|text| parameter(text, "error").is_some()) {
        return Ok(());
    }
    let advice = "Let the proxy pass the header Authorization on to Keyward.";
    Err(Trouble::new("a token that was sent does not arrive", advice))
}

/// The document of the server that was typed as `typed`: the issuer to go on with.
pub(super) fn resource(answer: &ProbeAnswer, typed: &Url) -> Result<Url, Trouble> {
    #[derive(Deserialize)]
    struct Document {
        resource: String,
        authorization_servers: Vec<String>,
    }
    let document: Document = json(answer, DOCUMENTS_PASS)?;
    let own = ResourceUri::parse(typed.as_str());
    let said = ResourceUri::parse(&document.resource);
    if own.is_err() || own != said {
        return Err(Trouble::new(
            format!("Keyward calls this server {}, not {}", quoted(&document.resource), quoted(typed.as_str())),
            "Clients compare the two. Give them Keyward's URL, or set public_url to the one that they use.",
        ));
    }
    let issuer = document.authorization_servers.first().and_then(|url| Url::parse(url).ok());
    issuer
        .ok_or_else(|| Trouble::new("the document names no place to sign in", "Check what answers in Keyward's place."))
}

/// What is wrong where clients are sent on to from `typed`: it may be that Keyward takes itself for somebody else.
pub(super) fn sent_on(trouble: Trouble, to: &Url, typed: &Url) -> Trouble {
    if to.origin() == typed.origin() {
        return trouble;
    }
    let (to, typed) = (to.origin().ascii_serialization(), typed.origin().ascii_serialization());
    Trouble::new(
        format!("clients are sent on to {}, and there: {}", quoted(&to), trouble.saw),
        format!("If clients use {typed}, set public_url = \"{typed}\" and restart. If not: {}", trouble.advice),
    )
}

/// The document of the authorization server `issuer`.
pub(super) fn authorization_server(answer: &ProbeAnswer, issuer: &Url) -> Result<SignInPlaces, Trouble> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        authorization_endpoint: String,
        token_endpoint: String,
        registration_endpoint: Option<String>,
        #[serde(default)]
        code_challenge_methods_supported: Vec<String>,
        #[serde(default)]
        client_id_metadata_document_supported: bool,
    }
    let document: Document = json(answer, DOCUMENTS_PASS)?;
    if Url::parse(&document.issuer).ok().as_ref() != Some(issuer) {
        let saw = format!("the document is of {}, not of {issuer}", quoted(&document.issuer));
        return Err(Trouble::new(saw, "Let the proxy pass /.well-known/ on to this Keyward and to no other server."));
    }
    let place = |text: &str| Url::parse(text).ok().filter(|url| url.origin() == issuer.origin());
    let (Some(authorize), Some(_)) = (place(&document.authorization_endpoint), place(&document.token_endpoint)) else {
        return Err(Trouble::new(
            "the document leads to another host",
            "Something answers in Keyward's place: check what the proxy does with /.well-known/.",
        ));
    };
    if !document.code_challenge_methods_supported.iter().any(|method| method == "S256") {
        return Err(Trouble::new("the document does not offer S256", "Check what answers in Keyward's place."));
    }
    Ok(SignInPlaces {
        authorize,
        register: document.registration_endpoint.as_deref().and_then(place),
        documents: document.client_id_metadata_document_supported,
    })
}

/// The id of a client that has registered itself.
pub(super) fn registration(answer: &ProbeAnswer) -> Result<String, Trouble> {
    #[derive(Deserialize)]
    struct Registered {
        client_id: String,
    }
    match answer.status {
        StatusCode::CREATED => {
            let good = ProbeAnswer { status: StatusCode::OK, ..answer.clone() };
            json(&good, "Let the proxy pass /register on to Keyward.").map(|Registered { client_id }| client_id)
        }
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS if is_json(answer) => {
            Err(Trouble::new(
                format!("Keyward refuses it: {}", oauth_error(&answer.body)),
                "Look at the oauth options of the configuration, or register the client under Clients.",
            ))
        }
        _ => Err(wrong_status(answer, "201")),
    }
}

/// Where the browser is sent from the authorization endpoint: to the login page.
pub(super) fn to_login(answer: &ProbeAnswer, authorize: &Url) -> Result<Url, Trouble> {
    if answer.status == StatusCode::BAD_REQUEST {
        return Err(Trouble::new(
            "Keyward refuses the request of this client",
            "Connect the client and read the page that opens in the browser: it says why.",
        ));
    }
    if !answer.status.is_redirection() {
        return Err(wrong_status(answer, "303"));
    }
    let location = location(answer).and_then(|text| authorize.join(text).ok());
    match location {
        Some(url) if url.origin() == authorize.origin() && url.path() == paths::LOGIN => Ok(url),
        Some(url) => Err(Trouble::new(
            format!("the browser is sent to {}", quoted(url.origin().ascii_serialization().as_str())),
            "Let the proxy pass redirects on as they are, and take away a sign-in of its own.",
        )),
        None => Err(Trouble::new("the browser is sent nowhere", "Let the proxy pass the header Location on.")),
    }
}

/// The login page.
pub(super) fn login_page(answer: &ProbeAnswer) -> Result<(), Trouble> {
    if answer.status != StatusCode::OK {
        return Err(wrong_status(answer, "200"));
    }
    if !content_type(answer).starts_with("text/html") || !answer.body.windows(10).any(|part| part == b"form_token") {
        return Err(Trouble::new("the login page is not Keyward's", "Check what the proxy does with /login."));
    }
    if !answer.headers.contains_key(SET_COOKIE) {
        return Err(Trouble::new(
            "the login page comes without its cookie",
            "Let the proxy pass the header Set-Cookie on.",
        ));
    }
    Ok(())
}

/// The result of a call, and the session that it began.
pub(super) fn called(answer: &ProbeAnswer) -> Result<Value, Trouble> {
    match answer.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let mut challenges =
                answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
            let why = challenges.find_map(|text| parameter(text, "error_description"));
            let why = why.as_deref().unwrap_or("it does not say why").to_owned();
            return Err(Trouble::new(
                format!("the token is refused: {}", quoted(&why)),
                "Make a personal token for this server.",
            ));
        }
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT if is_json(answer) => {
            return Err(Trouble::new(
                format!("Keyward does not reach the server: {}", rpc_error(&answer.body)),
                "Start the server, or correct its url under Servers or in the configuration.",
            ));
        }
        _ => return Err(wrong_status(answer, "200")),
    }
    let message = message(answer).ok_or_else(|| {
        Trouble::new("the answer is not a message of MCP", "Let the proxy pass answers on unbuffered and unchanged.")
    })?;
    match (message.get("result"), message.get("error")) {
        (Some(result), None) => Ok(result.clone()),
        _ => Err(Trouble::new(
            format!("the server answers: {}", rpc_error(message.to_string().as_bytes())),
            "Look at the server's own log.",
        )),
    }
}

/// Whether `answer` was given at the time that it is here.
pub(super) fn clock(server: Timestamp, here: Timestamp) -> Result<(), Trouble> {
    let (apart, side) = if server < here { (here.since(server), "behind") } else { (server.since(here), "ahead of") };
    if apart < SAME_TIME {
        return Ok(());
    }
    Err(Trouble::minor(
        format!("the server's clock is {} seconds {side} the one here", apart.as_secs()),
        "Let both machines keep time (NTP): tokens count by the server's clock.",
    ))
}

/// Whether what is said on a stream arrives when it is said; none if `answer` is no stream of ours.
pub(super) fn stream(answer: &ProbeAnswer) -> Option<Result<(), Trouble>> {
    let ours = answer.status == StatusCode::OK && content_type(answer).starts_with("text/event-stream");
    ours.then(|| {
        if answer.spread > STREAM_PAUSE / 2 {
            return Ok(());
        }
        Err(Trouble::minor(
            "the proxy holds streams of events back until they end",
            "Let it pass answers on as they come (nginx: proxy_buffering off) and leave text/event-stream uncompressed: \
             progress and messages of servers come too late or not at all.",
        ))
    })
}

/// When `answer` was given, by the server's clock (RFC 9110 §6.6.1).
pub(super) fn date(answer: &ProbeAnswer) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(answer.headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(Timestamp::EPOCH + date.duration_since(UNIX_EPOCH).ok()?)
}

/// Whether vendors' machines may be given the URL.
pub(super) fn https(url: &Url) -> Result<(), Trouble> {
    if url.scheme() == "https" {
        return Ok(());
    }
    let advice = "This client connects over https only: put a proxy with a certificate in front.";
    Err(Trouble::new("the URL is plain http", advice))
}

/// A document leads to what is not an address.
pub(super) fn leads_nowhere() -> Trouble {
    Trouble::new("the document leads nowhere", "Check what answers in Keyward's place.")
}

/// A client that has no document of its own cannot make itself known.
pub(super) fn no_registration() -> Trouble {
    let advice = "Switch registration on in the configuration, or register the client under Clients.";
    Trouble::new("clients cannot register themselves", advice)
}

/// The token has characters that no token has.
pub(super) fn not_a_token() -> Trouble {
    Trouble::new("the token cannot be sent", "Paste the personal token as it was shown.")
}

/// Whether vendors' machines reach reach a server at these addresses.
pub(super) fn public(addresses: &[IpAddr], special: impl Fn(IpAddr) -> bool) -> Result<(), Trouble> {
    match addresses.iter().find(|address| special(**address)) {
        None => Ok(()),
        Some(address) => Err(Trouble::new(
            format!("the name leads to {address}, which only this machine or network can reach"),
            "This client connects from its vendor's machines: it needs a public address. Others work without.",
        )),
    }
}

/// What a request that came through the proxy tells of it. `peer` is who sent it, `client` who it counts as.
pub fn forwarded(headers: &HeaderMap, peer: IpAddr, client: ClientAddress, https: bool) -> Result<String, Trouble> {
    let text = |name: &'static str| headers.get(HeaderName::from_static(name)).and_then(|value| value.to_str().ok());
    if text("x-forwarded-proto").is_some_and(|proto| https && !proto.eq_ignore_ascii_case("https")) {
        return Err(Trouble::minor(
            "the proxy says that the browser came over plain http",
            "Let the proxy send plain http to https: passwords and tokens travel here.",
        ));
    }
    match text("x-forwarded-for") {
        Some(_) if client.0 == peer || client == ClientAddress::UNKNOWN => Err(Trouble::minor(
            format!("the proxy at {peer} is not trusted, so nobody knows where callers are"),
            format!("Set trusted_proxies = [\"{peer}\"] in the configuration, and restart."),
        )),
        Some(_) => Ok(format!("callers are known: you come from {}", client.0)),
        None if https && peer.is_loopback() => Err(Trouble::minor(
            "the proxy does not say where callers are",
            "Let it send X-Forwarded-For, and name it in trusted_proxies.",
        )),
        None if headers.contains_key(HOST) => Ok(format!("you come from {peer}, without a proxy that says otherwise")),
        None => Ok(format!("you come from {peer}")),
    }
}

fn wrong_status(answer: &ProbeAnswer, expected: &str) -> Trouble {
    let status = answer.status;
    let saw = format!("the answer is {} instead of {expected}", status.as_u16());
    let advice = match status.as_u16() {
        200..=299 => "Something answers in Keyward's place: check the URL, and what the proxy caches or serves itself.".to_owned(),
        300..=399 => {
            let to = location(answer).map_or_else(|| "elsewhere".to_owned(), quoted);
            format!("It leads to {to}, and clients do not follow. Give them that URL, or stop the redirect in the proxy.")
        }
        403 | 429 | 503 if content_type(answer).starts_with("text/html") => {
            "A rule of the proxy, a firewall or a protection against bots answers: let /mcp, /.well-known/, /authorize, /register and /token pass.".to_owned()
        }
        400 => "Check that the URL begins with the right one of https:// and http://, and look at the log of the proxy.".to_owned(),
        404 | 405 => "Use the URL that the dashboard shows, to the letter. If it is that one, let the proxy pass every method and path on as \
             it is (nginx: proxy_pass with nothing after the port; Caddy: handle, not handle_path)."
            .to_owned(),
        413 => "Let the proxy take larger requests.".to_owned(),
        421 => "The proxy asks Keyward under another name: let it pass the header Host on (nginx: proxy_set_header Host $host), or set \
             public_url to the URL that clients use."
            .to_owned(),
        502..=504 => "The proxy does not reach Keyward: check that it runs, and the address that the proxy sends to.".to_owned(),
        _ => "Look at the log of the proxy and of Keyward for this request.".to_owned(),
    };
    Trouble::new(saw, advice)
}

fn json<'a, T: Deserialize<'a>>(answer: &'a ProbeAnswer, remedy: &str) -> Result<T, Trouble> {
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(Trouble::new("there is nothing at its address", remedy)),
        _ => return Err(wrong_status(answer, "200")),
    }
    serde_json::from_slice(&answer.body).map_err(|_| {
        let saw = if answer.body.is_empty() {
            "the answer is empty".to_owned()
        } else if is_json(answer) {
            "the document is not as it has to be".to_owned()
        } else {
            format!("the document is {}, not JSON", quoted(content_type(answer)))
        };
        Trouble::new(saw, format!("Something answers in Keyward's place. {remedy}"))
    })
}

fn is_json(answer: &ProbeAnswer) -> bool {
    content_type(answer).starts_with("application/json")
}

fn content_type(answer: &ProbeAnswer) -> &str {
    answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("without a type")
}

fn location(answer: &ProbeAnswer) -> Option<&str> {
    answer.headers.get(LOCATION).and_then(|value| value.to_str().ok())
}

/// The message in an answer, which is JSON or the first that a stream carries.
fn message(answer: &ProbeAnswer) -> Option<Value> {
    if is_json(answer) {
        return serde_json::from_slice(&answer.body).ok();
    }
    let text = std::str::from_utf8(&answer.body).ok()?;
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages = data.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    messages.find(|message| message.get("result").is_some() || message.get("error").is_some())
}

fn oauth_error(body: &[u8]) -> String {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = error.get("error_description").or_else(|| error.get("error")).and_then(Value::as_str);
    words.map_or_else(|| "it does not say why".to_owned(), quoted)
}

fn rpc_error(body: &[u8]) -> String {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = error.pointer("/error/message").and_then(Value::as_str);
    words.map_or_else(|| "it does not say why".to_owned(), quoted)
}

/// What somebody else wrote, shortened and on one line.
fn quoted(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = line.clone().take(MAX_QUOTED).collect();
    if line.count() > MAX_QUOTED {
        short.push('…');
    }
    short
}

/// The scheme of a challenge (RFC 9110 §11.6.1).
fn scheme(challenge: &str) -> &str {
    challenge.split_ascii_whitespace().next().unwrap_or_default()
}

/// A parameter of a challenge, as a quoted string or a token.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge.trim_start().strip_prefix(scheme(challenge))?;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (key, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find([',', ' ']).unwrap_or(after.len())),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests;
