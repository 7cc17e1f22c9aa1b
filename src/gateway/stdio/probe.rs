//! Does a program answer as an MCP server? One child is started apart from all others, greeted, asked for its tools, and ended.

use crate::access::{ServerName, StdioUpstream};
use crate::gateway::greeting::{self, NoList, Pages};
use crate::gateway::stdio::audience::Audience;
use crate::gateway::stdio::call::Reply;
use crate::gateway::stdio::connection::Caller;
use crate::gateway::stdio::handshake::{CLIENT_INFO, Hello, modern_meta};
use crate::gateway::stdio::inquiry::Inquiry;
use crate::gateway::stdio::object::{Object, quoted};
use crate::gateway::stdio::running::Running;
use crate::gateway::stdio::{Place, StdioServers};
use crate::mcp::Era;
use crate::wire::server_insight::{Greeting, TestFailure};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::Semaphore;

impl StdioServers {
    /// Tries the command of `upstream`. Whoever stops waiting ends the child.
    pub(in crate::gateway) async fn probe(
        &self,
        server: &ServerName,
        upstream: &StdioUpstream,
    ) -> Result<Greeting, TestFailure> {
        let place = Place::take(&Arc::new(Semaphore::new(1)), &self.host.places).ok_or_else(|| {
            TestFailure::new(
                "As many programs run as may run at once.",
                "Try again when fewer are in use, or raise limits.children.",
            )
        })?;
        // Asked by `initialize` first: a program of either era answers that at once, or is asked `server/discover` next.
        let (capabilities, client_info) = ("{}".into(), CLIENT_INFO.into());
        let hello = Hello { capabilities, client_info, client_confirms: false, era: Era::Legacy };
        let audience = Arc::new(Audience::new(true));
        let started = Running::start(&self.host, server, upstream, &hello, &audience, &Inquiry::default(), place).await;
        let running = started.map(Arc::new).map_err(|why| {
            TestFailure::new(
                format!("The program does not answer as an MCP server: {why}."),
                "Run the same command in a terminal, as the user that Keyward runs as. It must wait for messages on standard \
                 input and write nothing else to standard output. It gets no environment but PATH, HOME, LANG, TMPDIR, USER \
                 and what you enter here.",
            )
        })?;
        let greeting = self.hear(&running).await;
        tokio::spawn(running.end(self.host.options.end_patience));
        greeting
    }

    async fn hear(&self, running: &Running) -> Result<Greeting, TestFailure> {
        let facts = running.facts();
        let info: Value = serde_json::from_str(&facts.server_info).unwrap_or_default();
        let mut greeting = greeting::of(&info, &facts.version);
        let (mut pages, mut cursor) = (Pages::default(), None::<String>);
        let whole = loop {
            let params = params(facts.era, cursor.as_deref());
            let call = running
                .connection()
                .call("tools/list", Caller::keyward(), self.host.app.now(), |_| Some(Cow::Owned(params)))
                .await;
            let reply = match call {
                Ok(call) => call.end().await.ok(),
                Err(_) => None,
            };
            let Some(Reply::Result(result)) = reply else { break None };
            let result: Value = serde_json::from_slice(&result).unwrap_or_default();
            match pages.take(&result) {
                Ok(Some(next)) => cursor = Some(next),
                Ok(None) => break Some(result.get("nextCursor").is_none_or(Value::is_null)),
                Err(NoList) => break None,
            }
        };
        if whole.is_none() && !facts.offers_any("tools") {
            return Ok(greeting);
        }
        let whole = whole.ok_or_else(|| {
            TestFailure::new(
                "The program greets as an MCP server, and does not tell its tools.",
                "Look at what it writes in Keyward's log.",
            )
        })?;
        greeting.tools = Some(pages.heard(whole, self.host.app.now()));
        Ok(greeting)
    }
}

fn params(era: Era, cursor: Option<&str>) -> String {
    let mut params = Object::default();
    if era == Era::Modern {
        let mut meta = Object::default();
        for (name, value) in modern_meta() {
            meta.set(name, value);
        }
        params.set("_meta", meta.to_json());
    }
    if let Some(cursor) = cursor {
        params.set("cursor", quoted(cursor));
    }
    params.to_json()
}
