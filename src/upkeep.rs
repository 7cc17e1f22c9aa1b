//! What happens on its own, now and then? Revocations are refreshed, last uses written, keys rotated, rows swept.

use std::time::Duration;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpkeepOptions {
    /// Revocations are refreshed from the store; 5 seconds, at most 30.
    pub refresh_revocations_every: Duration,
    /// Last uses are written to the store; 5 seconds.
    pub flush_usage_every: Duration,
}

impl Default for UpkeepOptions {
    fn default() -> Self {
        Self { refresh_revocations_every: Duration::from_secs(5), flush_usage_every: Duration::from_secs(5) }
    }
}
