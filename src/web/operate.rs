//! How does a page run an operation? Off the reactor, and whatever goes wrong beyond the person's input is a page.

use crate::app::App;
use crate::app::error::OperationError;
use crate::web::error::ErrorView;
use crate::web::respond::operation_error;
use crate::web::state::WebState;
use crate::wire::blocking;
use axum::response::{IntoResponse, Response};

/// Runs an operation whose every failure is an error page.
pub async fn operate<T: Send + 'static>(
    state: &WebState,
    operation: impl FnOnce(&App) -> Result<T, OperationError> + Send + 'static,
) -> Result<T, Response> {
    attempt(state, operation).await?.map_err(|error| operation_error(&error))
}

/// Runs an operation on what a person entered: the form shows why it did not happen.
pub async fn attempt<T: Send + 'static>(
    state: &WebState,
    operation: impl FnOnce(&App) -> T + Send + 'static,
) -> Result<T, Response> {
    blocking::run(&state.app, operation).await.map_err(|_| ErrorView::busy().into_response())
}

/// Like [`attempt`], for an operation that hashes a password.
pub async fn attempt_hashing<T: Send + 'static>(
    state: &WebState,
    operation: impl FnOnce(&App) -> T + Send + 'static,
) -> Result<T, Response> {
    blocking::run_hashing(&state.app, operation).await.map_err(|_| ErrorView::busy().into_response())
}
