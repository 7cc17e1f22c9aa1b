//! How does a handler run an operation, which may wait for the disk or burn a core? On a thread of its own, off the
//! reactor, with a bound on how many run and how long a caller waits for a place.
//!
//! There are two pools: one for operations, and a small one for password hashing, because each hash takes 19 MiB and
//! tens of milliseconds of a core. Threads and memory are the process's, so the pools are too. An operation that has
//! begun is never cut off: what it committed, it committed.

use crate::app::origin;
use crate::wire::request_context;
use axum::http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How much runs at once.
#[derive(Debug, Clone, Copy)]
pub struct BlockingOptions {
    /// Operations at once.
    pub operations: usize,
    /// Password hashes at once; 2 by default.
    pub password_hashing: usize,
    /// Longest wait for a place.
    pub patience: Duration,
}

impl Default for BlockingOptions {
    fn default() -> Self {
        Self { operations: 32, password_hashing: 2, patience: Duration::from_secs(5) }
    }
}

/// Every place was taken for longer than a caller should wait: 503 with `Retry-After` (RFC 9110 §15.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The server is busy. Try again in {} seconds.", Busy::RETRY_AFTER_SECONDS)]
pub struct Busy;

impl Busy {
    /// When to come back.
    pub const RETRY_AFTER_SECONDS: u64 = 2;
}

impl IntoResponse for Busy {
    fn into_response(self) -> Response {
        let after = HeaderValue::from(Self::RETRY_AFTER_SECONDS);
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, after)], self.to_string()).into_response()
    }
}

#[derive(Debug)]
struct Pools {
    operations: Semaphore,
    password_hashing: Semaphore,
    patience: Duration,
}

static POOLS: OnceLock<Pools> = OnceLock::new();

impl Pools {
    fn new(options: BlockingOptions) -> Self {
        Self {
            operations: Semaphore::new(options.operations),
            password_hashing: Semaphore::new(options.password_hashing),
            patience: options.patience,
        }
    }

    fn get() -> &'static Self {
        POOLS.get_or_init(|| Self::new(BlockingOptions::default()))
    }

    async fn place<'a>(&'a self, pool: &'a Semaphore) -> Result<SemaphorePermit<'a>, Busy> {
        match tokio::time::timeout(self.patience, pool.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

/// Sets the sizes; to be called before the first operation. Returns false if the pools were in use already.
pub fn set_options(options: BlockingOptions) -> bool {
    POOLS.set(Pools::new(options)).is_ok()
}

/// Runs `operation` on `app` off the reactor and waits for its result. A panic of the operation goes on in the caller.
pub async fn run<A, T>(app: &Arc<A>, operation: impl FnOnce(&A) -> T + Send + 'static) -> Result<T, Busy>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
{
    let pools = Pools::get();
    let place = pools.place(&pools.operations).await?;
    Ok(run_in(place, app, operation).await)
}

/// Like [`run`], for an operation that hashes a password: these wait in a short queue of their own.
pub async fn run_hashing<A, T>(app: &Arc<A>, operation: impl FnOnce(&A) -> T + Send + 'static) -> Result<T, Busy>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
{
    let pools = Pools::get();
    let place = pools.place(&pools.password_hashing).await?;
    Ok(run_in(place, app, operation).await)
}

async fn run_in<A, T>(
    place: SemaphorePermit<'static>,
    app: &Arc<A>,
    operation: impl FnOnce(&A) -> T + Send + 'static,
) -> T
where
    A: Send + Sync + 'static,
    T: Send + 'static,
{
    let app = Arc::clone(app);
    let request = request_context::current();
    let origin = request.as_ref().map(|request| request.origin()).unwrap_or_default();
    // The place travels with the work: a caller who goes away does not free it early.
    let work = move || {
        let _place = place;
        let _entered = request_context::enter(request);
        let _behalf = origin::enter(origin);
        operation(&app)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down and takes this request's connection with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_operation_gives_its_result_and_its_panic() {
        let app = Arc::new(20);
        assert_eq!(run(&app, |app| app + 1).await, Ok(21));
        assert_eq!(run_hashing(&app, |app| app + 2).await, Ok(22));
        let panicked = tokio::spawn(async move { run(&app, |_| -> u8 { panic!("on purpose") }).await }).await;
        assert!(panicked.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn a_full_pool_answers_503_with_a_time_to_come_back() {
        let pools = Pools::new(BlockingOptions {
            operations: 1,
            patience: Duration::from_millis(5),
            ..BlockingOptions::default()
        });
        let taken = pools.place(&pools.operations).await.unwrap();
        assert_eq!(pools.place(&pools.operations).await.err(), Some(Busy));
        drop(taken);
        assert!(pools.place(&pools.operations).await.is_ok());

        let answer = Busy.into_response();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "2");
    }
}
