//! To which request does a log line belong? A thread knows the request that it works on at the moment; the log asks.
//!
//! A span of `tracing` would do the same, but it writes its fields down for every request, logged or not, and that
//! costs as much as answering. This costs a reference count.

use crate::app::origin::Origin;
use crate::id::{RequestId, UserId};
use axum::http::{Method, Uri};
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Longest path that the log shows, in bytes.
const MAX_LOGGED_PATH: usize = 200;

/// What a log line tells of its request.
#[derive(Debug)]
pub struct RequestContext {
    /// Its id.
    pub id: RequestId,
    /// Its method.
    pub method: Method,
    /// Where it comes from.
    pub address: IpAddr,
    uri: Uri,
    user: OnceLock<UserId>,
}

impl RequestContext {
    /// The context of a request.
    pub const fn new(id: RequestId, method: Method, uri: Uri, address: IpAddr) -> Self {
        Self { id, method, address, uri, user: OnceLock::new() }
    }

    /// Its path, shortened. Never the query: authorization codes and set-up secrets travel there.
    pub fn path(&self) -> &str {
        let path = self.uri.path();
        path.get(..MAX_LOGGED_PATH).unwrap_or(path)
    }

    /// On whose behalf an operation of this request is done.
    pub fn origin(&self) -> Origin {
        Origin::Request {
            address: Some(self.address).filter(|address| !address.is_unspecified()),
            user: self.user.get().copied(),
        }
    }
}

/// The request that this thread works on is this user's: their session or token was checked. The first one counts.
pub fn is_of(user: UserId) {
    if let Some(context) = current() {
        let _ = context.user.set(user);
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<RequestContext>>> = const { RefCell::new(None) };
}

/// The request that this thread works on now.
pub fn current() -> Option<Arc<RequestContext>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// This thread works on that request, until the guard is dropped.
#[must_use]
pub fn enter(context: Option<Arc<RequestContext>>) -> Entered {
    Entered(CURRENT.replace(context))
}

/// See [`enter`].
#[derive(Debug)]
pub struct Entered(Option<Arc<RequestContext>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client_address::ClientAddress;

    fn context(path: &'static str) -> Arc<RequestContext> {
        let id = RequestId::from_bytes([1; 16]);
        Arc::new(RequestContext::new(id, Method::GET, Uri::from_static(path), ClientAddress::UNKNOWN.0))
    }

    #[test]
    fn a_thread_knows_its_request_while_it_works_on_it() {
        assert!(current().is_none());
        let outer = enter(Some(context("/outer?code=secret")));
        assert_eq!(current().unwrap().path(), "/outer");
        assert_eq!(current().unwrap().origin(), Origin::Request { address: None, user: None });
        is_of(UserId::from_bytes([7; 16]));
        is_of(UserId::from_bytes([8; 16]));
        let user = Some(UserId::from_bytes([7; 16]));
        assert_eq!(current().unwrap().origin(), Origin::Request { address: None, user });
        let inner = enter(Some(context("/inner")));
        assert_eq!(current().unwrap().path(), "/inner");
        drop(inner);
        assert_eq!(current().unwrap().path(), "/outer");
        assert!(std::thread::spawn(current).join().unwrap().is_none());
        drop(outer);
        assert!(current().is_none());
    }
}
