//! `GET` and `POST /authorize` (RFC 6749 §3.1): from a client's request to a person's answer.
//!
//! `GET` changes nothing, however often it is asked. It is decided in this order: the request and its client, who is
//! signed in, the consent page. A mistake in the request of a client that registered itself is reported to another site
//! only for somebody who is signed in. A document client is fetched only for somebody who is signed in, so that a stranger cannot
//! make this server fetch. `POST` takes the decision and answers 303 to the client; whoever approves the same form again
//! when its code is used finds a page that says so.

use crate::access::GuardedServer;
use crate::app::authorize::{Approval, Asked, AuthorizeError, Decided};
use crate::clock::{Timestamp, minutes};
use crate::id::UserId;
use crate::oauth::authorization::{AuthorizationQuery, AuthorizationRequest, AuthorizePageError, Prompt};
use crate::oauth::client::ClientId;
use crate::oauth::error::ProtocolError;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::scope::{self, ScopeSet};
use crate::seal::Purpose;
use crate::secret::TokenDigest;
use crate::web::cookies::CookieKind;
use crate::web::dashboard::Vouched;
use crate::web::error::ErrorView;
use crate::web::extract::{CsrfForm, SignedIn};
use crate::web::oauth::client::{self, ClientProblem};
use crate::web::oauth::consent::{ConsentDoneView, ConsentView, Destination};
use crate::web::oauth::respond::{json, refusal};
use crate::web::operate::{attempt, operate};
use crate::web::page::{FormAction, Page};
use crate::web::respond::{LocalPath, login_path, operation_error, see_other, to_login, with_cookie};
use crate::web::scopes::{Extent, ScopeRow};
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use axum::extract::{RawQuery, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long the callback address can be read again after approving.
const CALLBACK_LIFE: Duration = minutes(5);
/// `prompt=login` is satisfied by a sign-in that is younger than this.
const FRESH_SIGN_IN: Duration = minutes(2);

/// What the callback cookie says.
#[derive(Serialize, Deserialize)]
struct Callback {
    user: UserId,
    request: [u8; 32],
    code: TokenDigest,
    url: String,
    works_until: Timestamp,
}

/// The consent page, or the way there.
pub async fn get(
    State(state): State<WebState>,
    signed_in: Option<SignedIn>,
    RawQuery(raw): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let raw = raw.unwrap_or_default();
    let query = AuthorizationQuery::parse(&raw).map_err(|error| page_error(&error, &headers))?;
    if signed_in.is_none() && query.client_id().document_url().is_some() {
        return Ok(to_login(&Method::GET, &uri));
    }
    let unknown = query.unknown_client();
    let client = client::find(&state, query.client_id())
        .await
        .map_err(|problem| client_problem(problem, query.client_id(), &headers))?;
    let client = client.ok_or_else(|| page_error(&unknown, &headers))?;
    let vouched = client.created_by.is_some();
    let asked = match state.app.ask(query, client) {
        // Anybody may register a client with an address of theirs: a link to us must not lead a stranger on to it before
        // they know where they are (RFC 9700 §4.11.2).
        Err(AuthorizeError::Redirect(error)) if signed_in.is_none() && !vouched && leads_away(error.redirect_uri()) => {
            return Ok(to_login(&Method::GET, &uri));
        }
        asked => asked.map_err(|error| authorize_error(&state, error, &headers))?,
    };
    let Some(signed_in) = signed_in else { return Ok(to_login(&Method::GET, &uri)) };
    let now = state.app.now();
    if asked.request.prompt() == Prompt::Login && now.since(signed_in.session.signed_in_at) > FRESH_SIGN_IN {
        return Ok(to_login(&Method::GET, &uri));
    }
    let approved = approved_before(&state, &asked.request, &headers);
    if let Some(callback) = approved.filter(|callback| callback.user == signed_in.user.id) {
        let code = callback.code;
        if operate(&state, move |app| app.is_code_waiting(code)).await? {
            return Ok(done_page(&asked, callback, now));
        }
    }
    let offered = state.app.offer(&asked, signed_in.user.person());
    let offered = offered.map_err(|error| authorize_error(&state, error, &headers))?;
    consent_page(&state, &signed_in, &asked, &offered, &raw).await
}

/// What the consent form sends.
#[derive(Deserialize)]
pub struct DecisionForm {
    request: String,
    decision: Decision,
    #[serde(default)]
    extent: Extent,
    #[serde(default)]
    scope: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Deny,
}

/// The person's answer.
pub async fn post(
    State(state): State<WebState>,
    signed_in: SignedIn,
    headers: HeaderMap,
    CsrfForm(form): CsrfForm<DecisionForm>,
) -> Result<Response, Response> {
    let (session, user) = (signed_in.session.id, signed_in.user.id);
    let decided = attempt(&state, move |app| match form.decision {
        Decision::Approve => app.approve(session, user, &form.request, &form.extent.scopes(&form.scope)),
        Decision::Deny => app.deny(session, &form.request).map(Approval::Given),
    });
    let decided = decided.await?.map_err(|error| authorize_error(&state, error, &headers))?;
    let Decided { url, request, code } = match decided {
        Approval::Given(decided) => decided,
        Approval::GivenBefore { client_name, request } => {
            let destination = destination(request.redirect_uri());
            return Ok(Page::new(ConsentDoneView { client_name, destination, callback: None }).into_response());
        }
    };
    let response = see_other(&url);
    let on_this_machine = request.redirect_uri().is_loopback() || request.redirect_uri().is_private_use();
    let Some(code) = code.filter(|_| on_this_machine) else { return Ok(response) };
    // If no program listens there (the browser is on another machine), the Back button leads to a page with the address.
    let now = state.app.now();
    let works_until = now + state.app.options().credentials.authorization_code;
    let callback = Callback { user, request: digest(&request), code, url, works_until };
    let sealed = state.app.sealer().seal(Purpose::Callback, &callback, now, CALLBACK_LIFE);
    Ok(with_cookie(response, &state.cookies().set(CookieKind::Callback, sealed, Some(CALLBACK_LIFE))))
}

async fn consent_page(
    state: &WebState,
    signed_in: &SignedIn,
    asked: &Asked,
    offered: &ScopeSet,
    raw: &str,
) -> Result<Response, Response> {
    let (user, client_id) = (signed_in.user.id, asked.client.id.clone());
    let connections = operate(state, move |app| app.connections(user)).await?;
    let redirect_uri = asked.request.redirect_uri();
    let stays = asked.request.scopes().contains(scope::OFFLINE_ACCESS);
    let all = if stays { offered.with_offline_access() } else { offered.clone() };
    let before = connections
        .iter()
        .map(|connection| &connection.grant)
        .find(|grant| grant.client == client_id && grant.resource == *asked.request.resource() && grant.scopes == all);
    let now = state.app.now();
    let view = ConsentView {
        form_token: state.form_token(&signed_in.binding()),
        request: state.app.seal_consent(asked, signed_in.session.id),
        username: signed_in.user.name.to_string(),
        other_user_url: as_another_user(raw),
        client_name: asked.client.display_name().to_owned(),
        vouched: Vouched::of(&asked.client.id, Some(asked.client.kind)),
        destination: destination(redirect_uri),
        server_title: asked.server.title.clone(),
        server_url: asked.server.resource.to_string(),
        everything: offered.contains(scope::MCP),
        has_own: asked.server.rule.own_scopes().iter().any(|own| offered.satisfies(own.name.as_str())),
        rows: scope_rows(&asked.server, offered),
        stays,
        agreed_before: before.map(|grant| When::new(grant.created_at, now)),
    };
    Ok(Page::new(view).form_action(to_client(redirect_uri)).into_response())
}

fn done_page(asked: &Asked, callback: Callback, now: Timestamp) -> Response {
    let view = ConsentDoneView {
        client_name: asked.client.display_name().to_owned(),
        destination: destination(asked.request.redirect_uri()),
        callback: Some((callback.url, When::new(callback.works_until, now))),
    };
    Page::new(view).into_response()
}

fn approved_before(state: &WebState, request: &AuthorizationRequest, headers: &HeaderMap) -> Option<Callback> {
    let sealed = state.cookies().read(headers, CookieKind::Callback)?;
    let callback: Callback = state.app.sealer().open(Purpose::Callback, sealed, state.app.now()).ok()?;
    (callback.request == digest(request)).then_some(callback)
}

fn digest(request: &AuthorizationRequest) -> [u8; 32] {
    Sha256::digest(serde_json::to_vec(request).unwrap_or_default()).into()
}

fn to_client(redirect_uri: &RedirectUri) -> FormAction {
    FormAction::ToClient { scheme: redirect_uri.scheme().to_owned() }
}

/// To a web page that is not on the person's own machine.
fn leads_away(redirect_uri: &RedirectUri) -> bool {
    matches!(redirect_uri.scheme(), "http" | "https") && !redirect_uri.is_loopback()
}

fn destination(redirect_uri: &RedirectUri) -> Destination {
    match redirect_uri.scheme() {
        "http" | "https" if redirect_uri.is_loopback() => {
            Destination::Loopback(redirect_uri.host_for_display().to_string())
        }
        "http" | "https" => Destination::Web(redirect_uri.host_for_display().to_string()),
        scheme => Destination::App(scheme.to_owned()),
    }
}

/// The single scopes that can be given, but for the one that is everything.
fn scope_rows(server: &GuardedServer, offered: &ScopeSet) -> Vec<ScopeRow> {
    let narrow = server.scopes().iter().filter(|name| *name != scope::MCP && offered.satisfies(name));
    let own = |name: &str| server.rule.own_scopes().iter().find(|own| own.name.as_str() == name);
    // Of a choice that is not made, nothing is chosen.
    let chosen = !offered.contains(scope::MCP);
    narrow.map(|name| ScopeRow::new(name, own(name), chosen)).collect()
}

/// The same request for somebody else: through the login page, which shows its form because of `prompt=login`.
fn as_another_user(raw: &str) -> String {
    let others = raw.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("prompt="));
    let query = others.chain(["prompt=login"]).collect::<Vec<_>>().join("&");
    let request = format!("{}?{query}", paths::AUTHORIZE);
    LocalPath::parse(&request).map_or(request, |next| login_path(&next))
}

fn authorize_error(state: &WebState, error: AuthorizeError, headers: &HeaderMap) -> Response {
    match error {
        AuthorizeError::Page(error) => page_error(&error, headers),
        AuthorizeError::Redirect(error) => {
            tracing::info!(code = %error.code(), description = error.description(), "authorization refused");
            see_other(&error.url(&state.app.options().issuer))
        }
        AuthorizeError::Operation(error) => operation_error(&error),
    }
}

/// For a person a page; for a program the OAuth error, so that a forgotten client registers again.
fn page_error(error: &AuthorizePageError, headers: &HeaderMap) -> Response {
    tracing::info!(%error, "authorization request refused");
    let unknown = matches!(error, AuthorizePageError::UnknownClient(_) | AuthorizePageError::NoClient);
    if !accepts_html(headers) {
        let protocol = if unknown { ProtocolError::invalid_client } else { ProtocolError::invalid_request };
        return refusal(&protocol(error.to_string()), false);
    }
    let advice = if unknown {
        "Go back to the application, remove this server there and connect again: it then registers anew."
    } else {
        "The application asked in a way that cannot be answered. Connect again there; if it stays, tell its makers."
    };
    let status = if unknown { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    ErrorView::new(status, "This application cannot connect", &sentence(&error.to_string()), advice).into_response()
}

fn client_problem(problem: ClientProblem, client: &ClientId, headers: &HeaderMap) -> Response {
    let error = match problem {
        ClientProblem::Answer(response) => return response,
        ClientProblem::Document(error) => error,
    };
    tracing::warn!(%client, %error, "a client metadata document could not be used");
    if !accepts_html(headers) {
        return json(StatusCode::BAD_REQUEST, &ProtocolError::invalid_client(error.to_string()));
    }
    let (happened, advice) = if error.is_documents_fault() {
        let happened =
            format!("The application describes itself at {client}, but that description is not right: {error}.");
        (
            happened,
            "Only the application's author can mend it: tell them what stands here. Until then it cannot connect.",
        )
    } else {
        let happened = format!("The application's description at {client} could not be fetched: {error}.");
        let advice = "Try again in a minute. If this server has no way out to the internet, an admin can pin the \
                      application's document under Clients.";
        (happened, advice)
    };
    ErrorView::new(StatusCode::BAD_REQUEST, "This application is not known here", &happened, advice).into_response()
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client_document::DocumentError;
    use crate::wire::document_fetch::FetchError;
    use axum::http::HeaderValue;
    use http_body_util::BodyExt as _;

    async fn told(error: FetchError) -> String {
        let client = ClientId::parse("https://app.example/client.json").unwrap();
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html"))]);
        let response = client_problem(ClientProblem::Document(error), &client, &headers);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn who_can_mend_a_client_document_is_told_with_what_is_wrong() {
        let wrong = DocumentError::OtherClient;
        for error in [FetchError::NotJson, FetchError::TooLarge(5_120), FetchError::Document(wrong.clone())] {
            let page = told(error).await;
            assert!(page.contains("https://app.example/client.json") && page.contains("author can mend it"), "{page}");
            assert!(!page.contains("Try again"), "{page}");
        }
        assert!(told(FetchError::Document(wrong.clone())).await.contains(&wrong.to_string()));
        for error in [FetchError::Timeout, FetchError::Status(502), FetchError::Connection("refused".to_owned())] {
            let page = told(error).await;
            assert!(page.contains("could not be fetched") && page.contains("Try again in a minute"), "{page}");
            assert!(!page.contains("mend"), "{page}");
        }
    }
}
