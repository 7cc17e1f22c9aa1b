//! What does a client ask of a person? The authorization request (OAuth 2.1 §4.1.1, RFC 7636, RFC 8707, RFC 9207), and who
//! hears of a mistake in it.
//!
//! Three stages, each a type that only the stage before makes:
//! 1. [`AuthorizationQuery`]: parameters, and which client they name. A mistake is an [`AuthorizePageError`].
//! 2. [`AddressedQuery`]: client and redirect URI belong together. A mistake is still an [`AuthorizePageError`].
//! 3. [`AuthorizationRequest`]: everything else is right too. A mistake is a [`RedirectedError`].
//!
//! Invariant: an [`AuthorizePageError`] holds no address to go to, and only the second stage gives one to a
//! [`RedirectedError`]; so no error, whatever else is wrong with the request, leads to an address that was not registered.
//! (RFC 9700 §4.11.2: even then the address may be a stranger's. The page may ask before it goes there.)

use super::client::{Client, ClientId, GrantType};
use super::error::{ErrorCode, clean};
use super::issuer::Issuer;
use super::pkce::CodeChallenge;
use super::redirect_uri::{RedirectUri, RedirectUriError};
use super::resource::ResourceUri;
use super::scope::{self, ScopeSet};
use crate::secret::PlainToken;
use std::borrow::Cow;

/// Longest query that is looked at, in bytes.
pub const MAX_QUERY: usize = 16 * 1024;
/// Longest `state`, in bytes.
pub const MAX_STATE: usize = 4096;

/// A mistake that only the person at the browser hears of: there is no trustworthy address to report it to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizePageError {
    /// Longer than [`MAX_QUERY`].
    #[error("the request is longer than 16 KiB")]
    TooLong,
    /// Broken percent encoding, or not UTF-8.
    #[error("the request is not properly encoded")]
    Encoding,
    /// `client_id` or `redirect_uri` stands there twice.
    #[error("{0} is given more than once")]
    Repeated(&'static str),
    /// No `client_id`.
    #[error("client_id is missing: the application did not say which one it is")]
    NoClient,
    /// The client never registered here, or has been forgotten.
    #[error("client {0} is not known here: disconnect and connect again in the application, so that it registers anew")]
    UnknownClient(String),
    /// No `redirect_uri`, and the client registered several or none.
    #[error("redirect_uri is missing, and the client has not registered exactly one")]
    NoRedirect,
    /// The `redirect_uri` could not be registered either.
    #[error("redirect_uri is not acceptable: {0}")]
    BadRedirect(RedirectUriError),
    /// The `redirect_uri` is not one that the client registered.
    #[error(
        "client {client} may not redirect to {redirect_uri}: it is not among the addresses that the client registered"
    )]
    UnregisteredRedirect {
        /// Who asks.
        client: ClientId,
        /// Where the answer would have gone.
        redirect_uri: RedirectUri,
    },
}

/// A parameter's value; the standard treats an empty one as missing (RFC 6749 §3.1).
type Value = Option<String>;

/// Parameters of a request that names a client. Nothing in it is trusted yet.
#[derive(Debug, Clone)]
pub struct AuthorizationQuery {
    client_id: ClientId,
    redirect_uri: Value,
    parameters: Parameters,
}

#[derive(Debug, Clone, Default)]
struct Parameters {
    state: Value,
    response_type: Value,
    response_mode: Value,
    scope: Value,
    code_challenge: Value,
    code_challenge_method: Value,
    prompt: Value,
    request: Value,
    request_uri: Value,
    /// RFC 8707 §2 allows several; one client sends the same one twice.
    resources: Vec<String>,
    /// A parameter that stands there twice, reported once there is an address to report to; `state` before any other,
    /// because it is not echoed then.
    repeated: Option<&'static str>,
}

impl AuthorizationQuery {
    /// Parses the query of `GET /authorize`, without its `?`. Unknown parameters are ignored (RFC 6749 §3.1).
    pub fn parse(query: &str) -> Result<Self, AuthorizePageError> {
        if query.len() > MAX_QUERY {
            return Err(AuthorizePageError::TooLong);
        }
        let (mut client_id, mut redirect_uri) = (None, None);
        let mut parameters = Parameters::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            match name.as_str() {
                "client_id" => set(&mut client_id, value).map_err(|()| AuthorizePageError::Repeated("client_id"))?,
                "redirect_uri" => {
                    set(&mut redirect_uri, value).map_err(|()| AuthorizePageError::Repeated("redirect_uri"))?;
                }
                _ => parameters.take(&name, value),
            }
        }
        let client_id = client_id.filter(|id| !id.is_empty()).ok_or(AuthorizePageError::NoClient)?;
        let client_id = ClientId::parse(&client_id)
            .map_err(|_| AuthorizePageError::UnknownClient(client_id.chars().take(100).collect()))?;
        Ok(Self { client_id, redirect_uri: redirect_uri.filter(|uri| !uri.is_empty()), parameters })
    }

    /// Who asks: look this client up, then go on with [`AuthorizationQuery::addressed_by`].
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// What to show if there is no such client.
    pub fn unknown_client(&self) -> AuthorizePageError {
        AuthorizePageError::UnknownClient(self.client_id.to_string())
    }

    /// Ties the request to its client: the redirect URI must be acceptable in itself and match a registered one. It may
    /// be left out by a client that registered exactly one (OAuth 2.1 §2.3.3).
    pub fn addressed_by(self, client: &Client) -> Result<AddressedQuery, AuthorizePageError> {
        if client.id != self.client_id {
            return Err(self.unknown_client());
        }
        let redirect_uri = match (&self.redirect_uri, client.metadata.redirect_uris.as_slice()) {
            (Some(text), _) => RedirectUri::parse(text).map_err(AuthorizePageError::BadRedirect)?,
            (None, [only]) => only.clone(),
            (None, _) => return Err(AuthorizePageError::NoRedirect),
        };
        check_redirect(client, &redirect_uri)?;
        let may_use_codes = client.may_use(GrantType::AuthorizationCode);
        Ok(AddressedQuery { client_id: self.client_id, redirect_uri, may_use_codes, parameters: self.parameters })
    }
}

fn check_redirect(client: &Client, redirect_uri: &RedirectUri) -> Result<(), AuthorizePageError> {
    if client.allows_redirect_to(redirect_uri) {
        return Ok(());
    }
    let (client, redirect_uri) = (client.id.clone(), redirect_uri.clone());
    Err(AuthorizePageError::UnregisteredRedirect { client, redirect_uri })
}

impl Parameters {
    fn take(&mut self, name: &str, value: String) {
        if value.is_empty() {
            return;
        }
        let (name, place) = match name {
            "resource" => return self.resources.push(value),
            "state" => ("state", &mut self.state),
            "response_type" => ("response_type", &mut self.response_type),
            "response_mode" => ("response_mode", &mut self.response_mode),
            "scope" => ("scope", &mut self.scope),
            "code_challenge" => ("code_challenge", &mut self.code_challenge),
            "code_challenge_method" => ("code_challenge_method", &mut self.code_challenge_method),
            "prompt" => ("prompt", &mut self.prompt),
            "request" => ("request", &mut self.request),
            "request_uri" => ("request_uri", &mut self.request_uri),
            _ => return,
        };
        if set(place, value).is_err() && self.repeated != Some("state") {
            self.repeated = Some(name);
        }
    }

    /// The `state` to send back: none if it cannot be told which one was meant or it is not acceptable.
    fn usable_state(&self) -> Option<&String> {
        let acceptable = |state: &&String| state.len() <= MAX_STATE && !state.contains(char::is_control);
        self.state.as_ref().filter(acceptable).filter(|_| self.repeated != Some("state"))
    }
}

/// Fills an empty place; an error if it is taken.
fn set(place: &mut Value, value: String) -> Result<(), ()> {
    if place.is_some() {
        return Err(());
    }
    *place = Some(value);
    Ok(())
}

/// Undoes form encoding (RFC 6749 appendix B) strictly: nothing is repaired, so `state` can be echoed as it came.
fn decode(text: &str) -> Result<String, AuthorizePageError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit(), digit());
                let value = high.zip(low).ok_or(AuthorizePageError::Encoding)?;
                u8::try_from(value.0 << 4 | value.1).map_err(|_| AuthorizePageError::Encoding)?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| AuthorizePageError::Encoding)
}

/// A request whose redirect URI is registered for its client: mistakes can be reported there from here on.
#[derive(Debug, Clone)]
pub struct AddressedQuery {
    client_id: ClientId,
    redirect_uri: RedirectUri,
    may_use_codes: bool,
    parameters: Parameters,
}

/// What this authorization server has to offer.
pub struct Offer<'a> {
    /// The server that is meant by a request without `resource`.
    pub default_resource: &'a ResourceUri,
    /// The scopes of the server with this resource; `None` if there is none.
    pub scopes_of: &'a dyn Fn(&ResourceUri) -> Option<ScopeSet>,
}

/// How much the client wants the person to be asked (OIDC Core §3.1.2.1). Consent is asked for in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Prompt {
    /// Consent; also if nothing was said.
    Consent,
    /// The person must prove who they are again, and then consent.
    Login,
}

/// An authorization request in order: what the person is asked, and what the code will be bound to.
///
/// Serialises, to travel sealed through the consent form.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AuthorizationRequest {
    client_id: ClientId,
    redirect_uri: RedirectUri,
    state: Option<String>,
    scopes: ScopeSet,
    resource: ResourceUri,
    challenge: CodeChallenge,
    prompt: Prompt,
}

impl AddressedQuery {
    /// Checks the rest of the request against what is on offer. Scopes that the server does not have are left out, and
    /// `mcp` stands in if nothing remains; `offline_access` is always granted.
    pub fn against(self, offer: &Offer<'_>) -> Result<AuthorizationRequest, RedirectedError> {
        match self.check(offer) {
            Ok((scopes, resource, challenge, prompt)) => {
                let state = self.parameters.usable_state().cloned();
                let Self { client_id, redirect_uri, .. } = self;
                Ok(AuthorizationRequest { client_id, redirect_uri, state, scopes, resource, challenge, prompt })
            }
            Err((code, description)) => Err(self.refused(code, description)),
        }
    }

    /// The answer to a client that cannot be served, for a reason outside the request.
    pub fn refused(&self, code: ErrorCode, description: impl Into<Cow<'static, str>>) -> RedirectedError {
        RedirectedError {
            redirect_uri: self.redirect_uri.clone(),
            state: self.parameters.usable_state().cloned(),
            code,
            description: clean(description.into()),
        }
    }

    #[expect(clippy::type_complexity, reason = "the four parts that are checked, used once")]
    fn check(
        &self,
        offer: &Offer<'_>,
    ) -> Result<(ScopeSet, ResourceUri, CodeChallenge, Prompt), (ErrorCode, Cow<'static, str>)> {
        let asked = &self.parameters;
        if asked.request.is_some() {
            return Err((ErrorCode::RequestNotSupported, "the request parameter is not supported".into()));
        }
        if asked.request_uri.is_some() {
            return Err((ErrorCode::RequestUriNotSupported, "the request_uri parameter is not supported".into()));
        }
        if let Some(name) = asked.repeated {
            return Err((ErrorCode::InvalidRequest, format!("{name} is given more than once").into()));
        }
        if asked.state.is_some() && asked.usable_state().is_none() {
            let description = "state is longer than 4096 bytes or has control characters";
            return Err((ErrorCode::InvalidRequest, description.into()));
        }
        match asked.response_type.as_deref() {
            Some("code") => {}
            None => return Err((ErrorCode::InvalidRequest, "response_type is missing".into())),
            Some(_) => return Err((ErrorCode::UnsupportedResponseType, "response_type must be code".into())),
        }
        if !matches!(asked.response_mode.as_deref(), None | Some("query")) {
            return Err((ErrorCode::InvalidRequest, "response_mode must be query".into()));
        }
        if !self.may_use_codes {
            let description = "this client did not register the grant type authorization_code";
            return Err((ErrorCode::UnauthorizedClient, description.into()));
        }
        let challenge = CodeChallenge::parse(asked.code_challenge.as_deref(), asked.code_challenge_method.as_deref())
            .map_err(|error| (ErrorCode::InvalidRequest, error.to_string().into()))?;
        let prompt = read_prompt(asked.prompt.as_deref().unwrap_or_default())?;
        let requested = ScopeSet::parse(asked.scope.as_deref().unwrap_or_default())
            .map_err(|error| (ErrorCode::InvalidScope, error.to_string().into()))?;
        let resource = read_resource(&asked.resources, offer.default_resource)
            .map_err(|description| (ErrorCode::InvalidTarget, description))?;
        let known = (offer.scopes_of)(&resource).ok_or_else(|| {
            (ErrorCode::InvalidTarget, format!("there is no server with the resource {resource}").into())
        })?;
        Ok((scopes_to_grant(&requested, &known), resource, challenge, prompt))
    }
}

fn read_prompt(prompt: &str) -> Result<Prompt, (ErrorCode, Cow<'static, str>)> {
    let asks = |value| prompt.split(' ').any(|own| own == value);
    if asks("none") {
        return Err((ErrorCode::InteractionRequired, "consent is always asked for: prompt=none cannot succeed".into()));
    }
    Ok(if asks("login") || asks("select_account") { Prompt::Login } else { Prompt::Consent })
}

fn read_resource(resources: &[String], default: &ResourceUri) -> Result<ResourceUri, Cow<'static, str>> {
    let mut chosen: Option<ResourceUri> = None;
    for text in resources {
        let resource = ResourceUri::parse(text).map_err(|error| Cow::from(error.to_string()))?;
        match &chosen {
            Some(first) if *first != resource => return Err("a request can name one resource only".into()),
            _ => chosen = Some(resource),
        }
    }
    Ok(chosen.unwrap_or_else(|| default.clone()))
}

fn scopes_to_grant(requested: &ScopeSet, known: &ScopeSet) -> ScopeSet {
    let granted = requested.without(scope::OFFLINE_ACCESS).intersection(known);
    let granted = if granted.is_empty() { ScopeSet::mcp() } else { granted };
    if requested.contains(scope::OFFLINE_ACCESS) { granted.with_offline_access() } else { granted }
}

impl AuthorizationRequest {
    /// Who asks.
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// Where the answer goes, as requested.
    pub const fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// The client's own mark, to be sent back unchanged.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The scopes to be granted.
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The server to be used.
    pub const fn resource(&self) -> &ResourceUri {
        &self.resource
    }

    /// What the redeemer of the code has to know the verifier of.
    pub const fn challenge(&self) -> CodeChallenge {
        self.challenge
    }

    /// How much the person is to be asked.
    pub const fn prompt(&self) -> Prompt {
        self.prompt
    }

    /// Checks that it still belongs to this client. To be asked again when the form comes back: the client may have changed
    /// or gone meanwhile.
    pub fn check_address(&self, client: &Client) -> Result<(), AuthorizePageError> {
        if client.id != self.client_id {
            return Err(AuthorizePageError::UnknownClient(self.client_id.to_string()));
        }
        check_redirect(client, &self.redirect_uri)
    }

    /// Does it still belong to this client? [`AuthorizationRequest::check_address`] as a yes or no.
    pub fn is_addressed_by(&self, client: &Client) -> bool {
        self.check_address(client).is_ok()
    }

    /// Where the browser goes with the code (OAuth 2.1 §4.1.2): `code`, `state` and `iss` (RFC 9207 §2).
    pub fn success_url(&self, code: &PlainToken, issuer: &Issuer) -> String {
        let mut parameters = vec![("code", code.expose())];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer.as_str()));
        self.redirect_uri.with_parameters(&parameters)
    }

    /// The answer if the request is turned down now, such as `access_denied` by the person.
    pub fn refused(&self, code: ErrorCode, description: impl Into<Cow<'static, str>>) -> RedirectedError {
        RedirectedError {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            code,
            description: clean(description.into()),
        }
    }
}

/// A refusal that the client hears of by redirect (RFC 6749 §4.1.2.1). Made only where the address is known to be good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct RedirectedError {
    redirect_uri: RedirectUri,
    state: Option<String>,
    code: ErrorCode,
    description: Cow<'static, str>,
}

impl RedirectedError {
    /// The error code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is wrong, for the client's developer.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where the browser would go.
    pub const fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// Where the browser goes: `error`, `error_description`, `state` and `iss` (RFC 9207 §2).
    pub fn url(&self, issuer: &Issuer) -> String {
        let mut parameters = vec![("error", self.code.as_str()), ("error_description", &*self.description)];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer.as_str()));
        self.redirect_uri.with_parameters(&parameters)
    }
}

#[cfg(test)]
mod tests;
