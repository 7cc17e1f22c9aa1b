//! What does the upstream learn about who calls? Headers that nobody else can set, because what a client sends under these
//! names never goes on.

use super::link::Unsendable;
use crate::mcp::Asker;
use crate::oauth::scope::ScopeSet;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub(in crate::gateway) const USER: HeaderName = HeaderName::from_static("x-keyward-user");
pub(in crate::gateway) const USER_ID: HeaderName = HeaderName::from_static("x-keyward-user-id");
pub(in crate::gateway) const CLIENT: HeaderName = HeaderName::from_static("x-keyward-client");
pub(in crate::gateway) const SCOPES: HeaderName = HeaderName::from_static("x-keyward-scopes");
const ASSERTION: HeaderName = HeaderName::from_static("x-keyward-assertion");

/// What of the token's scopes counts at the server.
pub(in crate::gateway) fn scopes_of(asker: &Asker) -> ScopeSet {
    asker.server.rule.within_reach(asker.user.person(), &asker.token.claims().scopes)
}

/// Adds who calls, with which `scopes`. The client is absent for a personal token.
pub(in crate::gateway) fn add(headers: &mut HeaderMap, asker: &Asker, scopes: &ScopeSet) -> Result<(), Unsendable> {
    let claims = asker.token.claims();
    headers.insert(USER, value(&asker.user.name)?);
    headers.insert(USER_ID, HeaderValue::try_from(claims.user.to_string()).map_err(|_| Unsendable)?);
    if let Some(client) = claims.client() {
        headers.insert(CLIENT, value(client.as_str())?);
    }
    headers.insert(SCOPES, value(scopes.as_str())?);
    Ok(())
}

/// Adds the signed statement of the same.
pub(super) fn add_assertion(headers: &mut HeaderMap, assertion: &str) -> Result<(), Unsendable> {
    let mut value = value(assertion)?;
    value.set_sensitive(true);
    headers.insert(ASSERTION, value);
    Ok(())
}

fn value(text: &str) -> Result<HeaderValue, Unsendable> {
    HeaderValue::from_str(text).map_err(|_| Unsendable)
}
