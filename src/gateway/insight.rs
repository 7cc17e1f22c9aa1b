//! What does the gateway tell pages of the servers behind it? The one implementation of [`ServerInsight`].

use crate::access::{GuardedServer, ServerKind, ServerName};
use crate::gateway::greeting;
use crate::gateway::router::Gateway;
use crate::id::UserId;
use crate::mcp;
use crate::wire::server_insight::{ChildView, ServerInsight, TestFailure, Tester, Testing, ToolsHeard};
use std::sync::Arc;

impl ServerInsight for Gateway {
    fn tools(&self, server: &GuardedServer, user: Option<UserId>) -> Option<Arc<ToolsHeard>> {
        if matches!(server.kind, ServerKind::Builtin) {
            let tools = mcp::definitions().filter_map(greeting::tool).collect();
            return Some(Arc::new(ToolsHeard { at: self.app.now(), whole: true, tools }));
        }
        self.catalogue.told(server, user)
    }

    fn children(&self, server: &ServerName) -> Vec<ChildView> {
        let view = self.stdio.view();
        view.children.into_iter().filter(|child| child.server == *server).collect()
    }

    fn test(&self, server: Arc<GuardedServer>, by: Tester) -> Testing<'_> {
        Box::pin(async move {
            let Ok(_place) = self.tests.try_acquire() else {
                return Err(TestFailure::new("Other tests are running.", "Try again in a minute."));
            };
            let testing = async {
                match &server.kind {
                    ServerKind::Http(upstream) => self.http.probe(&server, upstream, &by).await,
                    ServerKind::Stdio(upstream) => self.stdio.probe(&server.name, upstream).await,
                    ServerKind::Builtin | ServerKind::Proxied => Err(TestFailure::new(
                        "Keyward does not speak with this server itself.",
                        "Try it with a client.",
                    )),
                }
            };
            let tested = tokio::time::timeout(by.patience, testing).await.unwrap_or_else(|_| {
                Err(TestFailure::new(
                    format!("There was no answer within {} seconds.", by.patience.as_secs()),
                    "Look into the server's own log. A program that is downloaded first may only need to be tried again.",
                ))
            });
            let name = server.name.as_str();
            match &tested {
                Ok(greeting) => {
                    tracing::info!(server = name, user = %by.user, revision = greeting.revision, "connection tested: good");
                    let servers = self.app.live().servers();
                    let is_guarded = servers.all().any(|guarded| Arc::ptr_eq(guarded, &server));
                    if let Some(tools) = greeting.tools.as_ref().filter(|_| is_guarded) {
                        self.catalogue.note(&server, by.user, tools);
                    }
                }
                Err(failure) => {
                    tracing::info!(server = name, user = %by.user, reason = failure.happened, "connection tested: not good");
                }
            }
            tested
        })
    }
}
