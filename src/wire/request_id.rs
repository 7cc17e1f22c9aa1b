//! What is this request called? By an id of ours, in every log line, in the `x-request-id` header of the answer and on
//! error pages. What a caller sends under that name is not looked at.
//!
//! Ids of one process count upwards from a random start: unique like any id, without asking the operating system for
//! randomness at each request. They are names, not secrets.

use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};
use crate::id::RequestId;
use std::sync::atomic::{AtomicU64, Ordering};

/// Name of the answer's header.
pub const REQUEST_ID: axum::http::HeaderName = axum::http::HeaderName::from_static("x-request-id");

/// Gives out request ids.
#[derive(Debug)]
pub struct RequestIds {
    head: [u8; 2],
    next: AtomicU64,
}

impl RequestIds {
    /// Begins at a random id.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self { head: random_bytes(entropy), next: AtomicU64::new(u64::from_be_bytes(random_bytes(entropy))) }
    }

    /// The id of a request that arrived at `now`.
    pub fn next(&self, now: Timestamp) -> RequestId {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&now.unix_millis().to_be_bytes()[2..]);
        id[6..8].copy_from_slice(&self.head);
        id[8..].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        RequestId::from_bytes(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use std::collections::HashSet;

    #[test]
    fn no_two_requests_share_an_id() {
        let ids = RequestIds::new(&SeededEntropy::new(1));
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let seen: HashSet<_> = (0..1_000).map(|_| ids.next(now)).collect();
        assert_eq!(seen.len(), 1_000);
        let elsewhere = RequestIds::new(&SeededEntropy::new(2));
        assert!(!seen.contains(&elsewhere.next(now)));
    }
}
