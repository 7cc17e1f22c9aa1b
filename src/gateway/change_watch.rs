//! Has a server said that its tools have changed? Looked for in the streams that pass, whose bytes stay as they are.
//!
//! What is looked for is part of `notifications/tools/list_changed` (MCP 2026-07-28, tools) in any spelling that JSON writers
//! have for the slashes. A notice about another list looks the same; forgetting once too often costs one question.

use crate::access::ServerName;
use crate::gateway::catalogue::Catalogue;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

const NOTICE: &[u8] = b"list_changed";

/// A body that is watched on its way.
pub(super) struct Watched {
    inner: Body,
    server: ServerName,
    catalogue: Arc<Catalogue>,
    /// The end of what came, in which a notice may have begun.
    tail: Vec<u8>,
}

impl Watched {
    /// Watches `inner`, which `server` sends.
    pub(super) const fn new(inner: Body, server: ServerName, catalogue: Arc<Catalogue>) -> Self {
        Self { inner, server, catalogue, tail: Vec::new() }
    }

    fn look(&mut self, data: &[u8]) {
        let beginning = &data[..data.len().min(NOTICE.len() - 1)];
        self.tail.extend_from_slice(beginning);
        if has_notice(&self.tail) || has_notice(data) {
            tracing::debug!(server = self.server.as_str(), "tools have changed");
            self.catalogue.forget(&self.server);
        }
        if data.len() > beginning.len() {
            self.tail.clear();
            self.tail.extend_from_slice(&data[data.len() - beginning.len()..]);
        } else {
            let surplus = self.tail.len().saturating_sub(NOTICE.len() - 1);
            self.tail.drain(..surplus);
        }
    }
}

fn has_notice(data: &[u8]) -> bool {
    let mut rest = data;
    // By its rarest letter.
    while let Some(place) = rest.iter().position(|byte| *byte == b'_') {
        let before = data.len() - rest.len() + place;
        if before >= 4 && data[before - 4..].starts_with(NOTICE) {
            return true;
        }
        rest = &rest[place + 1..];
    }
    false
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.look(data);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Effect, GuardedServer, ServerKind};
    use crate::clock::Timestamp;
    use crate::gateway::catalogue::{Known, Page};
    use crate::id::UserId;
    use crate::oauth::issuer::Issuer;

    fn forgets(chunks: &[&[u8]]) -> bool {
        let (now, user) = (Timestamp::from_unix_seconds(1), UserId::from_bytes([1; 16]));
        let (server, catalogue) = (ServerName::parse("files").unwrap(), Arc::new(Catalogue::default()));
        let page = Page { tools: vec![("read".to_owned(), Effect::ReadOnly)], ..Page::default() };
        let issuer = Issuer::parse("https://h").unwrap();
        let guarded = GuardedServer::further(&issuer, server.clone(), "Files", ServerKind::Builtin).unwrap();
        catalogue.learn(&guarded, user, &page, true, now);
        let mut watched = Watched::new(Body::empty(), server.clone(), Arc::clone(&catalogue));
        for chunk in chunks {
            watched.look(chunk);
        }
        catalogue.effect_of(&guarded, user, "read", now) == Known::Unheard
    }

    #[test]
    fn a_notice_is_seen_wherever_the_stream_is_cut() {
        for notice in [
            r#"data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
            r#"data: {"jsonrpc":"2.0","method":"notifications\/tools\/list_changed"}"#,
        ] {
            let bytes = notice.as_bytes();
            assert!(forgets(&[bytes]));
            for cut in 0..bytes.len() {
                assert!(forgets(&[b"data: x_y\n\n", &bytes[..cut], b"", &bytes[cut..]]), "{cut}");
            }
            assert!(forgets(&bytes.chunks(1).collect::<Vec<_>>()));
        }
        for other in ["", "_", "list-changed", "list_change", "a list_changes of", "listed_changed"] {
            assert!(!forgets(&[other.as_bytes()]), "{other}");
        }
        assert!(!forgets(&[b"list_", b"x", b"changed"]));
    }
}
