//! How does an answer with a list of tools reach its client? Through here, so that it shows what the token opens and no more.
//!
//! A plain answer is read whole, a stream of events event by event, both up to [`MAX_LIST`] bytes; [`tool_list`] writes each
//! message anew. Fails closed: what cannot be read is not passed on. Answers to everything else do not come this way.

use crate::access::{Effect, shows_tool};
use crate::app::App;
use crate::gateway::catalogue::{Catalogue, Page};
use crate::gateway::sse::{self, Event, Events};
use crate::gateway::tool_list::{self, Shown, Unclear};
use crate::mcp::jsonrpc::Id;
use crate::mcp::{Asker, Era, RpcError};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use hyper::body::Frame;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Longest answer or event that is filtered, in bytes.
pub(super) const MAX_LIST: usize = 8 * 1024 * 1024;

const TOO_LONG: &str = "The server's list of tools is longer than 8 MiB, which is more than is looked through here.";
const UNCLEAR: &str = "The server's answer cannot be read, so its tools cannot be shown.";

/// For whom a list is, and what is done with it.
#[derive(Debug, Clone)]
pub(super) struct ListFilter {
    /// Whose clock tells when it was heard.
    pub(super) app: Arc<App>,
    /// Who asked.
    pub(super) asker: Asker,
    /// By which generation of the protocol.
    pub(super) era: Era,
    /// The id of the request, as JSON, if there is one.
    pub(super) id: Option<String>,
    /// Whether the list begins with this answer; none if that cannot be told, and nothing is to be learnt.
    pub(super) first: Option<bool>,
    /// Where it is remembered.
    pub(super) catalogue: Arc<Catalogue>,
}

impl ListFilter {
    /// The answer as its client may see it.
    pub(super) async fn filter(self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        if is_encoded(&parts.headers) {
            return self.refuse(UNCLEAR);
        }
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.remove(ETAG);
        if is_stream(&parts.headers) {
            let events = Events::new(MAX_LIST);
            return Response::from_parts(parts, Body::new(Filtered { inner: body, events, filter: Some(self) }));
        }
        let Ok(collected) = Limited::new(body, MAX_LIST).collect().await else { return self.refuse(TOO_LONG) };
        let bytes = collected.to_bytes();
        // Of an error's answer nobody reads a list.
        let passes = bytes.is_empty() || !parts.status.is_success();
        match std::str::from_utf8(&bytes).map_err(|_| Unclear).and_then(|json| self.show(json)) {
            Ok(Some(list)) => Response::from_parts(parts, Body::from(list)),
            Ok(None) => Response::from_parts(parts, Body::from(bytes)),
            Err(Unclear) if passes => Response::from_parts(parts, Body::from(bytes)),
            Err(Unclear) => self.refuse(UNCLEAR),
        }
    }

    /// What to pass on instead of a message; none for the message itself.
    fn show(&self, json: &str) -> Result<Option<String>, Unclear> {
        let Asker { token, user, server } = &self.asker;
        let shows = |name: &str, effect: Effect| shows_tool(token, user.person(), server, name, effect);
        Ok(match tool_list::show(json, self.era, &shows)? {
            Shown::AsItCame => None,
            Shown::List(list, page) => {
                self.learn(&page);
                Some(list)
            }
        })
    }

    fn learn(&self, page: &Page) {
        if let Some(first) = self.first {
            let user = self.asker.token.claims().user;
            self.catalogue.learn(&self.asker.server, user, page, first, self.app.now());
        }
    }

    /// What to pass on instead of an event.
    fn show_event(&self, event: Event) -> Option<Vec<u8>> {
        if !event.has_data() {
            return Some(event.0);
        }
        match event.data().ok_or(Unclear).and_then(|data| self.show(&data)) {
            Ok(Some(list)) => Some(event.with_data(&list)),
            Ok(None) => Some(event.0),
            Err(Unclear) => {
                tracing::warn!(server = self.asker.server.name.as_str(), "an event that cannot be read was left out");
                None
            }
        }
    }

    fn refuse(&self, why: &'static str) -> Response {
        let error = self.error(why);
        error.to_response(self.id.as_deref().and_then(Id::read))
    }

    fn error(&self, why: &'static str) -> RpcError {
        tracing::warn!(server = self.asker.server.name.as_str(), "a list of tools was not passed on: {why}");
        RpcError::http(StatusCode::BAD_GATEWAY, why)
    }
}

/// A stream of events on its way through a filter, which is gone once it has ended.
struct Filtered {
    inner: Body,
    events: Events,
    filter: Option<ListFilter>,
}

impl HttpBody for Filtered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        while let Some(filter) = &this.filter {
            let mut passed = Vec::new();
            loop {
                match this.events.take() {
                    Ok(Some(event)) => passed.extend(filter.show_event(event).unwrap_or_default()),
                    Ok(None) => break,
                    Err(sse::TooLong) => {
                        let id = filter.id.as_deref().and_then(Id::read);
                        let error = filter.error(TOO_LONG).to_json(id);
                        passed.extend(sse::event(&String::from_utf8_lossy(&error)));
                        this.filter = None;
                        return Poll::Ready(Some(Ok(Frame::data(passed.into()))));
                    }
                }
            }
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(passed.into()))));
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        this.events.push(&data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.filter = None,
            }
        }
        Poll::Ready(None)
    }
}

/// Reads the first list of tools out of an answer, whoever may see it.
pub(super) async fn read_page(response: Response) -> Option<Page> {
    let (parts, mut body) = response.into_parts();
    if is_encoded(&parts.headers) || !parts.status.is_success() {
        return None;
    }
    let page_of = |json: &str| match tool_list::show(json, Era::Legacy, &|_, _| true) {
        Ok(Shown::List(_, page)) => Some(page),
        Ok(Shown::AsItCame) | Err(Unclear) => None,
    };
    if !is_stream(&parts.headers) {
        let bytes = Limited::new(body, MAX_LIST).collect().await.ok()?.to_bytes();
        return page_of(std::str::from_utf8(&bytes).ok()?);
    }
    let mut events = Events::new(MAX_LIST);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            events.push(&data);
        }
        while let Some(event) = events.take().ok()? {
            if let Some(page) = event.data().and_then(|data| page_of(&data)) {
                return Some(page);
            }
        }
    }
    None
}

/// Whether the answer is a stream of events.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}
