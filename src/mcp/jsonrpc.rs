//! What did a client say? JSON-RPC 2.0 messages (<https://www.jsonrpc.org/specification>) as MCP restricts them.
//!
//! The reader is strict, and keeps what it need not understand as text: ids to be echoed and parameters for whoever knows
//! the method. It copies nothing that it can borrow. Invariants: an id is a string or an integer, never null; parameters
//! are an object; a member that counts stands there once, and none that another reader could take for it (`members`); a
//! batch has 1 to [`MAX_BATCH`] elements.

use crate::mcp::members;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Most messages in one batch.
pub const MAX_BATCH: usize = 20;
/// Longest id, in bytes of JSON.
pub const MAX_ID: usize = 256;
/// Longest name of a method, in bytes.
pub const MAX_METHOD: usize = 128;

/// What one body holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// One message.
    One(Message<'a>),
    /// A batch (protocol revision 2025-03-26 only). A bad element spoils no other.
    Batch(Vec<Result<Message<'a>, Unreadable<'a>>>),
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// Wants none.
    Notification(Notification<'a>),
    /// Answers a request of the server's.
    Response,
}

impl<'a> Message<'a> {
    /// The id of a request.
    pub const fn id(&self) -> Option<Id<'a>> {
        match self {
            Self::Request(request) => Some(request.id),
            Self::Notification(_) | Self::Response => None,
        }
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request(Request { method, .. }) | Self::Notification(Notification { method, .. }) => Some(method),
            Self::Response => None,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// To be echoed.
    pub id: Id<'a>,
    /// What is asked for.
    pub method: Cow<'a, str>,
    /// With what.
    pub params: Params<'a>,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// What happened.
    pub method: Cow<'a, str>,
    /// The particulars.
    pub params: Params<'a>,
}

/// A request's id: the JSON text of a string or an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// Reads the JSON of an id.
    pub fn read(json: &'a str) -> Option<Self> {
        id(json)
    }

    /// As JSON.
    pub const fn as_json(self) -> &'a str {
        self.0
    }
}

/// The JSON text of an object, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a>(Option<&'a str>);

impl<'a> Params<'a> {
    /// The object as JSON; an absent one counts as empty.
    pub fn as_json(self) -> &'a str {
        self.0.unwrap_or("{}")
    }

    /// Reads the object as a `T`, whose members must not be doubled; an absent one counts as empty.
    pub fn read<T: Deserialize<'a>>(self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_json())
    }
}

/// Why something is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable<'a> {
    /// Not even JSON (code -32700), or JSON that is no message (-32600).
    pub is_json: bool,
    /// The id, where it could be read.
    pub id: Option<Id<'a>>,
    /// What is wrong.
    pub why: &'static str,
}

impl<'a> Unreadable<'a> {
    const NOT_JSON: Self =
        Self { is_json: false, id: None, why: "The body is not JSON (RFC 8259) in UTF-8, or it ends early." };

    const fn not_a_message(id: Option<Id<'a>>, why: &'static str) -> Self {
        Self { is_json: true, id, why }
    }
}

/// Reads the body of a POST.
pub fn parse(body: &[u8]) -> Result<Incoming<'_>, Unreadable<'_>> {
    // The whole of it: serde_json does not look at the characters of what it passes over.
    let body = std::str::from_utf8(body).map_err(|_| Unreadable::NOT_JSON)?;
    match body.bytes().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => message(body).map(Incoming::One),
        Some(b'[') => {
            let Elements { read, more } = serde_json::from_str(body).map_err(|_| Unreadable::NOT_JSON)?;
            if read.is_empty() {
                return Err(Unreadable::not_a_message(None, "A batch must not be empty."));
            }
            if more {
                return Err(Unreadable::not_a_message(None, "A batch has at most 20 messages. Send several."));
            }
            Ok(Incoming::Batch(read.into_iter().map(element).collect()))
        }
        _ if serde_json::from_str::<IgnoredAny>(body).is_ok() => {
            Err(Unreadable::not_a_message(None, "A message is a JSON object."))
        }
        _ => Err(Unreadable::NOT_JSON),
    }
}

fn element(raw: &RawValue) -> Result<Message<'_>, Unreadable<'_>> {
    if raw.get().starts_with('{') {
        message(raw.get())
    } else {
        Err(Unreadable::not_a_message(None, "A message is a JSON object."))
    }
}

fn message(json: &str) -> Result<Message<'_>, Unreadable<'_>> {
    let names = ["jsonrpc", "id", "method", "params", "result", "error"];
    let [jsonrpc, written_id, method, params, result, error] =
        members::read(json, names).map_err(|error| not_an_envelope(&error))?;
    let id = written_id.map(|raw| id(raw.get()));
    let known_id = id.flatten();
    let wrong = |why| Err(Unreadable::not_a_message(known_id, why));
    if jsonrpc.and_then(|raw| string(raw.get())).as_deref() != Some("2.0") {
        return wrong("The member \"jsonrpc\" must be \"2.0\".");
    }
    if id == Some(None) {
        return wrong("The member \"id\" must be a string or an integer of at most 256 bytes.");
    }
    let Some(method) = method else {
        let outcomes = [result, error].iter().flatten().count();
        return if outcomes == 1 { Ok(Message::Response) } else { wrong("The member \"method\" is missing.") };
    };
    if result.is_some() || error.is_some() {
        return wrong("A message is a request or an answer, not both.");
    }
    let Some(method) = string(method.get()).filter(|method| method.len() <= MAX_METHOD) else {
        return wrong("The member \"method\" must be a string of at most 128 bytes.");
    };
    let params = match params.map(RawValue::get) {
        Some(text) if !text.starts_with('{') => return wrong("The member \"params\" must be an object."),
        params => Params(params),
    };
    Ok(match known_id {
        Some(id) => Message::Request(Request { id, method, params }),
        None => Message::Notification(Notification { method, params }),
    })
}

fn not_an_envelope(error: &serde_json::Error) -> Unreadable<'static> {
    match error.classify() {
        serde_json::error::Category::Data => {
            let why =
                "A member of the message is doubled, or its name differs from one that counts in letter case only.";
            Unreadable::not_a_message(None, why)
        }
        _ => Unreadable::NOT_JSON,
    }
}

fn id(json: &str) -> Option<Id<'_>> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    let fits = json.len() <= MAX_ID;
    (fits && (string(json).is_some() || digits.bytes().all(|byte| byte.is_ascii_digit()))).then_some(Id(json))
}

/// The JSON text of a string as a string; nothing else is one.
pub(super) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// The first elements of an array, and whether there are more than a batch may have.
struct Elements<'a> {
    read: Vec<&'a RawValue>,
    more: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a batch")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Elements<'de>, A::Error> {
                let mut read = Vec::new();
                while read.len() < MAX_BATCH {
                    match elements.next_element()? {
                        Some(element) => read.push(element),
                        None => return Ok(Elements { read, more: false }),
                    }
                }
                let mut more = false;
                while elements.next_element::<IgnoredAny>()?.is_some() {
                    more = true;
                }
                Ok(Elements { read, more })
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(json: &str) -> Option<(String, String)> {
        match parse(json.as_bytes()) {
            Ok(Incoming::One(Message::Request(request))) => {
                Some((request.id.as_json().to_owned(), request.method.into_owned()))
            }
            _ => None,
        }
    }

    #[test]
    fn requests_notifications_and_responses_are_told_apart() {
        for id in ["1", "0", "-7", "\"a\"", "\"\"", "\"\\u0061\"", "123456789012345678901234567890"] {
            let json = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            assert_eq!(request(&json), Some((id.to_owned(), "ping".to_owned())));
        }
        let parsed = parse(br#" {"method":"a\/b","params":{"x":1},"jsonrpc":"2.0","extra":[1]} "#).unwrap();
        let Incoming::One(Message::Notification(notification)) = parsed else { panic!("{parsed:?}") };
        assert_eq!((&*notification.method, notification.params), ("a/b", Params(Some(r#"{"x":1}"#))));
        for json in [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#] {
            assert_eq!(parse(json.as_bytes()), Ok(Incoming::One(Message::Response)));
        }
    }

    #[test]
    fn what_is_not_json_is_a_parse_error() {
        for json in ["", " ", "{", "{\"jsonrpc\":\"2.0\"", "nonsense", "{}x", "[1", "{\"a\":\"\u{1}\"}", "{'a':1}"] {
            assert!(!parse(json.as_bytes()).unwrap_err().is_json, "{json:?}");
        }
        assert!(!parse(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}").unwrap_err().is_json);
        assert!(!parse(b"{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"unknown\":\"\xff\"}").unwrap_err().is_json);
    }

    #[test]
    fn json_that_is_no_message_keeps_its_id_if_it_has_one() {
        for json in ["1", "\"a\"", "null", "true", "[]", "{}"] {
            let unreadable = parse(json.as_bytes()).unwrap_err();
            assert_eq!((unreadable.is_json, unreadable.id), (true, None), "{json}");
        }
        for json in [
            r#"{"id":7,"method":"ping"}"#,
            r#"{"jsonrpc":2.0,"id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":null}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":["ping"]}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":null}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#,
        ] {
            assert_eq!(parse(json.as_bytes()).unwrap_err().id, Some(Id("7")), "{json}");
        }
        let long = format!("\"{}\"", "x".repeat(MAX_ID));
        for id in ["null", "1.5", "1e3", "true", "{}", "[1]", &long] {
            let json = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let unreadable = parse(json.as_bytes()).unwrap_err();
            assert_eq!((unreadable.is_json, unreadable.id), (true, None), "{json}");
        }
    }

    #[test]
    fn a_doubled_member_is_refused_however_it_is_written() {
        for json in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","meth\u006fd":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}"#,
        ] {
            assert!(parse(json.as_bytes()).unwrap_err().is_json, "{json}");
        }
    }

    #[test]
    fn a_batch_is_bounded_and_a_bad_element_spoils_no_other() {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let mixed = format!("[{ping}, 1, {{}}, {ping}]");
        let Ok(Incoming::Batch(batch)) = parse(mixed.as_bytes()) else { panic!() };
        assert_eq!(batch.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
        let many = |count| format!("[{}]", vec![ping; count].join(","));
        assert!(parse(many(MAX_BATCH).as_bytes()).is_ok());
        assert!(parse(many(MAX_BATCH + 1).as_bytes()).unwrap_err().is_json);
        assert!(parse(many(100_000).as_bytes()).unwrap_err().is_json);
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}}}}}"#, "[".repeat(200_000));
        assert!(!parse(deep.as_bytes()).unwrap_err().is_json);
        let closed = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}{}}}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let Ok(Incoming::One(Message::Request(request))) = parse(closed.as_bytes()) else { panic!() };
        assert!(request.params.read::<serde_json::Value>().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }

        #[test]
        fn an_id_is_echoed_as_it_came(id in "-?[0-9]{1,30}|\"[a-z\\\\u00e9 ]{0,20}\"") {
            let json = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            if let Ok(Incoming::One(Message::Request(request))) = parse(json.as_bytes()) {
                prop_assert_eq!(request.id.as_json(), id);
            }
        }
    }
}
