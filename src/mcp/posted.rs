//! What does a POST say, message by message? Its body and its headers, read once and held against each other, before
//! anybody decides about it or answers it (MCP 2026-07-28, Streamable HTTP; batches: 2025-03-26).
//!
//! Invariant: whoever holds a [`Said`] knows what it asks for, and that no header says anything else.

use crate::access::Operation;
use crate::mcp::era::{self, Era, Head};
use crate::mcp::error::RpcError;
use crate::mcp::jsonrpc::{self, Id, Incoming, Message, Unreadable};
use crate::mcp::members;
use axum::http::HeaderMap;

/// What one body holds.
#[derive(Debug)]
pub enum Posted<'a> {
    /// One message.
    One(Said<'a>),
    /// A batch. An element that is in no order spoils no other.
    Batch(Vec<Result<Said<'a>, Unfit<'a>>>),
}

/// One message that is in order.
#[derive(Debug)]
pub struct Said<'a> {
    pub(super) message: Message<'a>,
    pub(super) head: Head<'a>,
    era: Era,
    /// What it asks for. A call's effect is for the gateway to find out.
    pub operation: Operation<'a>,
}

/// A message that is in no order, and what its sender is told.
#[derive(Debug)]
pub struct Unfit<'a> {
    /// What is wrong.
    pub error: RpcError,
    /// Its id, where that could be read.
    pub id: Option<Id<'a>>,
}

impl<'a> Posted<'a> {
    /// Reads the body of a POST with these headers.
    pub fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self, Unfit<'a>> {
        match jsonrpc::parse(body)? {
            Incoming::One(message) => Said::read(headers, message).map(Posted::One),
            Incoming::Batch(elements) => {
                era::check_batch(headers).map_err(|error| Unfit { error, id: None })?;
                let said = elements.into_iter().map(|element| Said::read_element(headers, element?));
                Ok(Posted::Batch(said.collect()))
            }
        }
    }
}

impl<'a> Said<'a> {
    fn read(headers: &HeaderMap, message: Message<'a>) -> Result<Self, Unfit<'a>> {
        let id = message.id();
        Self::judge(headers, message).map_err(|error| Unfit { error, id })
    }

    fn read_element(headers: &HeaderMap, message: Message<'a>) -> Result<Self, Unfit<'a>> {
        if message.method() == Some("initialize") {
            let error = RpcError::invalid_request("initialize must not be part of a batch.");
            return Err(Unfit { error, id: message.id() });
        }
        Self::read(headers, message)
    }

    fn judge(headers: &HeaderMap, message: Message<'a>) -> Result<Self, RpcError> {
        let (head, era) = match &message {
            Message::Request(request) => {
                let head = Head::read(request.params)?;
                (head, era::of_request(headers, request, &head)?)
            }
            Message::Notification(notification) => {
                let head = Head::read(notification.params)?;
                (head, era::of_notification(headers, notification, &head)?)
            }
            Message::Response => {
                era::check_response(headers)?;
                let operation = Operation::Housekeeping;
                return Ok(Self { message, head: Head::default(), era: Era::Legacy, operation });
            }
        };
        // A call without an id is one all the same: there are servers that run it.
        let operation = Operation::of(message.method().unwrap_or_default(), head.name());
        let operation = operation.ok_or_else(|| RpcError::invalid_params("params.name must be the name of a tool."))?;
        Ok(Self { message, head, era, operation })
    }

    /// The id of a request.
    pub const fn id(&self) -> Option<Id<'a>> {
        self.message.id()
    }

    /// What is asked for or has happened; none for an answer.
    pub fn method(&self) -> Option<&str> {
        self.message.method()
    }

    /// The message itself.
    pub const fn message(&self) -> &Message<'a> {
        &self.message
    }

    /// `params.arguments` as JSON text.
    pub fn arguments(&self) -> Option<&'a str> {
        self.head.arguments()
    }

    /// Whether it asks for a page of a list that is not the first.
    pub fn has_cursor(&self) -> bool {
        let Message::Request(request) = &self.message else { return false };
        members::read(request.params.as_json(), ["cursor"]).map_or(true, |[cursor]| cursor.is_some())
    }

    /// By which generation of the protocol it speaks.
    pub const fn era(&self) -> Era {
        self.era
    }

    /// What is told of a tool or method that is not there, for this user or for anybody.
    pub fn not_there(&self) -> RpcError {
        match &self.operation {
            Operation::Call(call) => RpcError::unknown_tool(&call.tool),
            _ => RpcError::method_not_found(self.era, self.method().unwrap_or_default()),
        }
    }
}

impl<'a> From<Unreadable<'a>> for Unfit<'a> {
    fn from(unreadable: Unreadable<'a>) -> Self {
        Self { error: RpcError::unreadable(&unreadable), id: unreadable.id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Effect, ToolCall};
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    fn operation(body: &str) -> Result<Operation<'_>, RpcError> {
        match Posted::read(&HeaderMap::new(), body.as_bytes()) {
            Ok(Posted::One(said)) => Ok(said.operation),
            Ok(Posted::Batch(_)) => panic!("{body}"),
            Err(unfit) => Err(unfit.error),
        }
    }

    #[test]
    fn a_message_says_what_it_asks_for() {
        let call = |tool: &'static str| Operation::Call(ToolCall { tool: tool.into(), effect: Effect::Any });
        for (body, asked) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u0062"}}"#, call("ab")),
            (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#, call("x")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools\/list"}"#, Operation::ListTools),
            (r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x"}}"#, Operation::Read),
            (r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#, Operation::Housekeeping),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Operation::Housekeeping),
            (r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}"#, Operation::Unknown),
        ] {
            assert_eq!(operation(body), Ok(asked), "{body}");
        }
    }

    #[test]
    fn what_another_reader_could_take_for_another_call_is_refused() {
        for params in [
            r#"{"name":"a","name":"b"}"#,
            r#"{"name":"a","Name":"b"}"#,
            r#"{"NAME":"b"}"#,
            r#"{"name":["a"]}"#,
            r#"{"name":null}"#,
            "{}",
            r#"{"name":"a","Arguments":{}}"#,
        ] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
            assert!(operation(&body).is_err(), "{params}");
        }
    }

    #[test]
    fn each_element_of_a_batch_is_told_apart() {
        let body = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"initialize"},
            {"jsonrpc":"2.0","id":3,"method":"tools/call"},7,{"jsonrpc":"2.0","method":"notifications/x"}]"#;
        let read = Posted::read(&headers(&[("mcp-protocol-version", "2025-03-26")]), body).unwrap();
        let Posted::Batch(elements) = read else { panic!() };
        let ids: Vec<_> = elements
            .iter()
            .map(|element| match element {
                Ok(said) => (true, said.id().map(Id::as_json)),
                Err(unfit) => (false, unfit.id.map(Id::as_json)),
            })
            .collect();
        assert_eq!(ids, [(true, Some("1")), (false, Some("2")), (false, Some("3")), (false, None), (true, None)]);
        for elsewhere in ["2025-06-18", "2026-07-28"] {
            assert!(Posted::read(&headers(&[("mcp-protocol-version", elsewhere)]), body).is_err());
        }
    }
}
