//! What does the address ask for beyond the page? Its query, read strictly: a page answers what it cannot read.

use crate::web::error::ErrorView;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The query of a page. Unknown names are ignored; a known one that stands there twice is refused.
#[derive(Debug, Clone)]
pub struct PageQuery<T>(pub T);

/// Of a page on the way to another one.
#[derive(Debug, Default, Deserialize)]
pub struct NextQuery {
    /// Where the way goes on, as the address says it.
    #[serde(default)]
    pub next: String,
}

/// Of a page that a one-time link opens.
#[derive(Default, Deserialize)]
pub struct LinkQuery {
    /// The secret of the link.
    #[serde(default)]
    pub secret: String,
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for PageQuery<T> {
    type Rejection = ErrorView;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ErrorView> {
        let query = parts.uri.query().unwrap_or_default();
        let read = serde_html_form::from_str(query);
        read.map(Self).map_err(|error| ErrorView::bad_request(&format!("The address cannot be read: {error}.")))
    }
}
