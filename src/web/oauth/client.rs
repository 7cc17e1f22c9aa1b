//! Which client speaks here? Reads the form, authenticates, and fetches keys or documents where that takes the network.

use crate::oauth::client::{Client, ClientId};
use crate::oauth::client_authentication::{AuthenticatedClient, Authentication, ClientCredentials};
use crate::oauth::document_url::DocumentUrl;
use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::oauth::form::OAuthForm;
use crate::web::oauth::respond::{bad_body, refusal, uses_header};
use crate::web::operate::operate;
use crate::web::state::WebState;
use crate::wire::document_fetch::FetchError;
use crate::wire::{blocking, body, paths};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

/// The form that was posted to a token, revocation or introspection endpoint, and the headers that came with it.
#[derive(Debug)]
pub struct EndpointRequest {
    /// The form.
    pub form: OAuthForm,
    headers: HeaderMap,
}

impl FromRequest<WebState> for EndpointRequest {
    type Rejection = Response;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, Response> {
        let (parts, body): (_, Body) = request.into_parts();
        if !body::is_form(&parts.headers) {
            let text = "send the parameters as application/x-www-form-urlencoded in the body";
            return Err(refusal(&ProtocolError::invalid_request(text), false));
        }
        let bytes = body::read(&parts.headers, body, state.limits().form_body).await.map_err(bad_body)?;
        let form = OAuthForm::parse(&bytes).map_err(|error| refusal(&error, uses_header(&parts.headers)))?;
        Ok(Self { form, headers: parts.headers })
    }
}

impl EndpointRequest {
    /// The client, proved by what it presented.
    pub async fn authenticate(&self, state: &WebState) -> Result<AuthenticatedClient, Response> {
        self.try_authenticate(state).await.map_err(|error| self.refuse(&error))
    }

    /// Whether anything here speaks of a client.
    pub fn names_client(&self) -> bool {
        let client = self.form.client();
        uses_header(&self.headers) || client.client_id.is_some() || client.client_assertion.is_some()
    }

    /// A refusal of this request.
    pub fn refuse(&self, error: &ProtocolError) -> Response {
        refusal(error, uses_header(&self.headers))
    }

    async fn try_authenticate(&self, state: &WebState) -> Result<AuthenticatedClient, ProtocolError> {
        let mut headers = self.headers.get_all(AUTHORIZATION).iter();
        let header = headers.next();
        if headers.next().is_some() {
            return Err(ProtocolError::invalid_request("there is more than one Authorization header"));
        }
        let credentials = ClientCredentials::parse(header.map(HeaderValue::as_bytes), self.form.client())?;
        let id = credentials.client().clone();
        let found = blocking::run(&state.app, move |app| app.client_to_authenticate(&id)).await;
        let client = found.map_err(unavailable)??;
        match credentials.against(client)? {
            Authentication::Done(client) => Ok(client),
            Authentication::NeedsKeys(pending) => {
                let issuer = &state.app.options().issuer;
                let token_endpoint = issuer.join(paths::TOKEN);
                let audiences = [issuer.as_str(), &token_endpoint];
                let now = state.app.now();
                let (client, assertion) = state.documents.check_assertion(&pending, &audiences, now).await?;
                let used = blocking::run(&state.app, move |app| app.use_assertion(&assertion)).await;
                used.map_err(unavailable)??;
                Ok(client)
            }
        }
    }
}

fn unavailable(error: blocking::Busy) -> ProtocolError {
    ProtocolError::new(ErrorCode::TemporarilyUnavailable, error.to_string())
}

/// Why a client could not be found for an authorization request.
#[derive(Debug)]
pub enum ClientProblem {
    /// Its metadata document cannot be had or is not acceptable.
    Document(FetchError),
    /// An error page that is answered as it is.
    Answer(Response),
}

/// The client with this id: as the store has it, or, for the URL of a metadata document that no admin has pinned, as that
/// document is now. `None` if it is not known.
pub async fn find(state: &WebState, id: &ClientId) -> Result<Option<Client>, ClientProblem> {
    let key = id.clone();
    let stored = operate(state, move |app| app.client(&key)).await.map_err(ClientProblem::Answer)?;
    let Some(url) = id.document_url() else { return Ok(stored) };
    if let Some(pinned) = stored.filter(|client| client.created_by.is_some()) {
        return Ok(Some(pinned));
    }
    let Some(url) = DocumentUrl::parse(url).ok().filter(|_| state.client_documents()) else { return Ok(None) };
    let now = state.app.now();
    let found = state.documents.document(&url, now).await.map_err(ClientProblem::Document)?;
    tracing::debug!(client = %id, source = ?found.source, "client metadata document");
    Ok(Some(found.document.to_client(now)))
}
