//! Who asks? The address and the program behind a request, as operations note them down.

use crate::account::usage::shorten_user_agent;
use crate::app::Caller;
use crate::web::respond::header_text;
use crate::web::state::WebState;
use crate::wire::client_address::ClientAddress;
use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use std::convert::Infallible;

impl FromRequestParts<WebState> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        let address = ClientAddress::from_request_parts(parts, state).await?;
        Ok(Self {
            address: (address != ClientAddress::UNKNOWN).then_some(address.0),
            user_agent: shorten_user_agent(header_text(&parts.headers, &USER_AGENT)),
            signed_in_before: state.known_account(&parts.headers),
        })
    }
}
