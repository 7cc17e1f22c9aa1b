//! What does the address ask for beyond the page? Its query, read strictly: a page answers what it cannot read.

use crate::web::error::ErrorView;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The query of a page. Unknown names are ignored; a known one that stands there twice is refused.
#[derive(Debug, Clone)]
pub struct PageQuery<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for PageQuery<T> {
    type Rejection = ErrorView;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ErrorView> {
        let query = parts.uri.query().unwrap_or_default();
        let read = serde_html_form::from_str(query);
        read.map(Self).map_err(|error| ErrorView::bad_request(&format!("The address cannot be read: {error}.")))
    }
}
