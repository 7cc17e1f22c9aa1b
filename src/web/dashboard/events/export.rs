//! `/dashboard/events.jsonl`: the lines that a filter shows as JSON, one object a line, the newest first.
//!
//! The log is read a few hundred lines at a time and sent as fast as the reader takes it; nothing waits in memory but that.
//! Each object tells what the page tells, with the same sentence.

use super::filter::FilterQuery;
use crate::app::events::EventPlace;
use crate::event::{Actor, CallOutcome, Event, Named};
use crate::id::{EventId, GrantId, KeyId, SessionId, TokenId, UserId};
use crate::web::extract::{Admin, PageQuery};
use crate::web::operate::operate;
use crate::web::state::WebState;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use hyper::body::Frame;
use serde::Serialize;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Lines that are read at once.
const AT_ONCE: usize = 500;

/// The log could not be read to its end: the answer breaks off, so that nobody takes a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the log could not be read to its end")]
struct BrokenOff;

/// The file.
pub async fn get(
    State(state): State<WebState>,
    Admin(_): Admin,
    PageQuery(query): PageQuery<FilterQuery>,
) -> Result<Response, Response> {
    let asked = operate(&state, move |app| query.judge(app, None)).await?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut place = EventPlace::Newest;
        loop {
            let filter = asked.filter.clone();
            let page = operate(&state, move |app| app.events(&filter, place, AT_ONCE)).await;
            let Ok(page) = page else {
                let _ = sender.send(Err(BrokenOff)).await;
                return;
            };
            let lines: Vec<u8> = page.events.iter().flat_map(|(id, event)| line(*id, event)).collect();
            // Whoever goes away takes the rest of the work along.
            if sender.send(Ok(Bytes::from(lines))).await.is_err() {
                return;
            }
            match page.older {
                Some(id) => place = EventPlace::OlderThan(id),
                None => return,
            }
        }
    });
    let mut response = Response::new(Body::new(Lines(receiver)));
    for (name, value) in [
        (CONTENT_TYPE, "application/x-ndjson; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"keyward-events.jsonl\""),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

struct Lines(mpsc::Receiver<Result<Bytes, BrokenOff>>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.0.poll_recv(task).map(|lines| lines.map(|lines| lines.map(Frame::data)))
    }
}

/// A line as it is exported. Members that say nothing are left out.
#[derive(Serialize)]
struct Line<'a> {
    id: EventId,
    at: String,
    kind: &'static str,
    class: &'static str,
    sentence: String,
    by: By<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Thing<'a, UserId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Thing<'a, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Thing<'a, TokenId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<GrantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    times: u32,
}

#[derive(Serialize)]
struct Thing<'a, I> {
    id: I,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "who", rename_all = "snake_case")]
enum By<'a> {
    Stranger,
    User { id: UserId, name: &'a str },
    CommandLine,
    Keyward,
}

fn line(id: EventId, event: &Event) -> Vec<u8> {
    fn thing<I: Copy>(named: &Named<I>) -> Thing<'_, I> {
        Thing { id: named.id, name: &named.name }
    }
    let at = id.made_at();
    let told = Line {
        id,
        at: crate::web::when::exact(at),
        kind: event.kind.name(),
        class: event.kind.class().keyword(),
        sentence: event.sentence(at),
        by: match &event.by {
            Actor::Stranger => By::Stranger,
            Actor::User(user) => By::User { id: user.id, name: &user.name },
            Actor::CommandLine => By::CommandLine,
            Actor::Keyward => By::Keyward,
        },
        user: event.user.as_ref().map(thing),
        client: event.client.as_ref().map(|client| Thing { id: client.id.as_str(), name: &client.name }),
        server: event.server.as_deref(),
        tool: event.call.as_ref().map(|call| call.tool.as_str()),
        outcome: event.call.as_ref().map(|call| match call.outcome {
            CallOutcome::Answered => "answered".to_owned(),
            CallOutcome::Failed(status) => format!("failed with {status}"),
            CallOutcome::BrokenOff => "broken off".to_owned(),
        }),
        duration_ms: event.call.as_ref().map(|call| call.millis),
        because: event.refused.as_ref().map(|because| because.clause(at)),
        token: event.token.as_ref().map(thing),
        grant: event.grant,
        key: event.key,
        session: event.session,
        address: event.address,
        note: Some(event.note.as_str()).filter(|note| !note.is_empty()),
        times: event.times,
    };
    let mut line = serde_json::to_vec(&told).expect("plain data serialises");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CallFacts, EventKind};

    #[test]
    fn a_line_is_one_object_with_what_there_is() {
        let facts = CallFacts { tool: "write\nfile".to_owned(), outcome: CallOutcome::Failed(502), millis: 41 };
        let event = Event { call: Some(facts), by: Actor::Keyward, ..Event::of(EventKind::Called).server("files") };
        let text = String::from_utf8(line(EventId::from_bytes([0; 16]), &event)).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(
            text,
            "{\"id\":\"evt_00000000000000000000000000\",\"at\":\"1970-01-01T00:00:00.000Z\",\"kind\":\"called\",\
             \"class\":\"calls\",\"sentence\":\"Keyward called write\\nfile of files, which failed with 502 (41 ms)\",\
             \"by\":{\"who\":\"keyward\"},\"server\":\"files\",\"tool\":\"write\\nfile\",\
             \"outcome\":\"failed with 502\",\"duration_ms\":41,\"times\":1}\n"
        );
    }
}
