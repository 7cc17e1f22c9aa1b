//! Which servers does a token open? By name, as people know them, in the directory's order.

use crate::access::{GuardedServer, ServerDirectory};
use crate::token::Audience;
use std::sync::Arc;

/// The servers that a token with this audience opens.
pub(super) fn servers<'a>(
    directory: &'a ServerDirectory,
    audience: &'a Audience,
) -> impl Iterator<Item = &'a Arc<GuardedServer>> {
    directory.iter().filter(|server| audience.covers(&server.resource))
}
