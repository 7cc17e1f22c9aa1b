//! Which thing is the page about? An id in the path; what is no id is no page.

use crate::web::error::ErrorView;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The id in a path such as `/dashboard/api-keys/{id}/revoke`.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = ErrorView;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorView> {
        let id = Path::<T>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| ErrorView::not_found())
    }
}
