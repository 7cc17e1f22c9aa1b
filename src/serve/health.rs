//! Is the process alive, and may requests be sent here?
//!
//! `/healthz` says that the process answers. `/readyz` is 503 while the store refuses writes; that the revocations are
//! loaded goes without saying, because nobody can connect before. `/healthz/stream` is a stream of two events with a pause
//! between them: whoever gets both at once sits behind a proxy that holds streams back. All answer under any host name.

use crate::app::App;
use crate::wire::{paths, pause};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use std::sync::Arc;

const NOT_STORED: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// `/healthz`, `/healthz/stream` and `/readyz`.
pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route(paths::HEALTHZ, get(async || (NOT_STORED, "ok\n")))
        .route(paths::HEALTHZ_STREAM, get(pause::stream))
        .route(paths::READYZ, get(ready))
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, NOT_STORED, "Ask with GET.\n"))
        .with_state(Arc::clone(app))
}

async fn ready(State(app): State<Arc<App>>) -> impl IntoResponse {
    if app.is_ready() {
        (StatusCode::OK, NOT_STORED, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, NOT_STORED, "not ready: the store takes no writes; the log says why\n")
    }
}
