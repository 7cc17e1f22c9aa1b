//! Which servers does a token open for its user? By name, as people know them, in the directory's order.

use crate::access::{GuardedServer, ServerDirectory};
use crate::mcp::server::Asker;
use std::sync::Arc;

/// The servers that the asker's token opens.
pub(super) fn servers<'a>(
    directory: &'a ServerDirectory,
    asker: &'a Asker,
) -> impl Iterator<Item = &'a Arc<GuardedServer>> {
    let claims = asker.token.claims();
    directory.iter().filter(move |server| {
        claims.audience.covers(&server.resource)
            && !server.rule.within_reach(asker.user.person(), &claims.scopes.meet(server.scopes())).is_empty()
    })
}
