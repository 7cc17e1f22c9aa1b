//! What does a child say, and how is it spoken to? JSON-RPC 2.0, one message a line.
//!
//! The reader is lenient where nothing hangs on it: what it cannot read is noise. Invariant: what is written is one line.

use crate::gateway::stdio::object::quoted;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Most messages that are read from one line (batches, protocol revision 2025-03-26).
const MAX_BATCH: usize = 100;

/// A message of a child, or a client's answer to a child's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spoken<'a> {
    /// An answer to the request with this id.
    Answer {
        /// The id, as JSON.
        id: &'a str,
        /// Which answer.
        outcome: Outcome<'a>,
    },
    /// Wants an answer.
    Request {
        /// The id, as JSON.
        id: &'a str,
        /// What is asked for.
        method: Cow<'a, str>,
        /// With what, as JSON.
        params: Option<&'a str>,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: Cow<'a, str>,
        /// The particulars, as JSON.
        params: Option<&'a str>,
    },
}

/// A result or an error, as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// What was asked for.
    Result(&'a str),
    /// Why not.
    Error(&'a str),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Tells `null` from absence.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one message.
pub(super) fn read(json: &str) -> Option<Spoken<'_>> {
    let Envelope { id, method, params, result, error } = serde_json::from_str(json).ok()?;
    let (id, params) = (id.map(RawValue::get), params.map(RawValue::get).filter(|params| params.starts_with('{')));
    Some(match (method, id, result, error) {
        (Some(method), Some(id), ..) => Spoken::Request { id, method, params },
        (Some(method), None, ..) => Spoken::Notification { method, params },
        (None, Some(id), _, Some(error)) => Spoken::Answer { id, outcome: Outcome::Error(error.get()) },
        (None, Some(id), Some(result), None) => Spoken::Answer { id, outcome: Outcome::Result(result.get()) },
        _ => return None,
    })
}

/// The messages of one line.
pub(super) fn read_line(line: &str) -> Vec<&str> {
    if line.starts_with('[') {
        let batch = serde_json::from_str::<Vec<&RawValue>>(line).unwrap_or_default();
        batch.into_iter().take(MAX_BATCH).map(RawValue::get).collect()
    } else {
        vec![line]
    }
}

/// A request with an id of ours.
pub(super) fn request(id: u64, method: &str, params: Option<&str>) -> Vec<u8> {
    written(Some(&id.to_string()), method, params)
}

/// A request with an id that is JSON.
pub(super) fn request_as(id: &str, method: &str, params: Option<&str>) -> Vec<u8> {
    written(Some(id), method, params)
}

/// A notification.
pub(super) fn notification(method: &str, params: Option<&str>) -> Vec<u8> {
    written(None, method, params)
}

fn written(id: Option<&str>, method: &str, params: Option<&str>) -> Vec<u8> {
    let mut line = Vec::with_capacity(64 + method.len() + params.map_or(0, str::len));
    line.extend_from_slice(br#"{"jsonrpc":"2.0""#);
    if let Some(id) = id {
        line.extend_from_slice(br#","id":"#);
        line.extend_from_slice(id.as_bytes());
    }
    line.extend_from_slice(br#","method":"#);
    line.extend_from_slice(quoted(method).as_bytes());
    if let Some(params) = params {
        line.extend_from_slice(br#","params":"#);
        append_on_one_line(&mut line, params);
    }
    line.push(b'}');
    line
}

/// An answer.
pub(super) fn answer(id: &str, outcome: Outcome<'_>) -> Vec<u8> {
    let (name, text) = match outcome {
        Outcome::Result(text) => ("result", text),
        Outcome::Error(text) => ("error", text),
    };
    let mut line = Vec::with_capacity(48 + id.len() + text.len());
    line.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    line.extend_from_slice(id.as_bytes());
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
    append_on_one_line(&mut line, text);
    line.push(b'}');
    line
}

/// The JSON of an error object.
pub(super) fn error_object(code: i32, message: &str) -> String {
    format!(r#"{{"code":{code},"message":{}}}"#, quoted(message))
}

/// In JSON an end of a line can only be white space.
fn append_on_one_line(line: &mut Vec<u8>, json: &str) {
    let begin = line.len();
    line.extend_from_slice(json.as_bytes());
    for byte in &mut line[begin..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// The `code` of an error object.
pub(super) fn code_of(error: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Code {
        code: i64,
    }
    serde_json::from_str::<Code>(error).ok().map(|error| error.code)
}

/// The id of ours that the ends of a line too long to be read tell of, if they do.
pub(super) fn id_at_the_ends(head: &[u8], tail: &[u8]) -> Option<u64> {
    let after = |text: &[u8], at: usize| -> Option<(u64, usize)> {
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let id = std::str::from_utf8(&text[at..at + digits]).ok()?.parse().ok()?;
        Some((id, at + digits))
    };
    let name = br#""id":"#;
    let (mut head, mut tail) = (head.to_vec(), tail.to_vec());
    for text in [&mut head, &mut tail] {
        text.retain(|byte| *byte != b' ');
    }
    // At the beginning: the envelope's members come before anything that is nested.
    let envelope = head.iter().skip(1).position(|byte| *byte == b'{').map_or(&head[..], |nested| &head[..=nested]);
    if let Some(at) = envelope.windows(name.len()).position(|window| window == name)
        && let Some((id, end)) = after(&head, at + name.len())
        && head.get(end) == Some(&b',')
    {
        return Some(id);
    }
    // At the end: the last member, or the last but the version.
    let tail = tail.strip_suffix(br#","jsonrpc":"2.0"}"#).or(tail.strip_suffix(b"}"))?;
    let at = tail.windows(name.len()).rposition(|window| window == name)?;
    let (id, end) = after(tail, at + name.len())?;
    (end == tail.len() && at > 0 && tail[at - 1] == b',').then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","id":7,"result":{"a":1}}"#),
            Some(Spoken::Answer { id: "7", outcome: Outcome::Result(r#"{"a":1}"#) })
        );
        assert_eq!(
            read(r#"{"id":7,"error":{"code":1},"result":null}"#),
            Some(Spoken::Answer { id: "7", outcome: Outcome::Error(r#"{"code":1}"#) })
        );
        assert_eq!(
            read(r#"{"id":"a","method":"ping","params":null}"#),
            Some(Spoken::Request { id: "\"a\"", method: "ping".into(), params: None })
        );
        assert_eq!(
            read(r#"{"method":"x","params":{}}"#),
            Some(Spoken::Notification { method: "x".into(), params: Some("{}") })
        );
        for noise in ["", "Server listening", "{}", "[1]", "1", r#"{"id":1}"#, "{\"method\":1}"] {
            assert_eq!(read(noise), None, "{noise}");
        }
        assert_eq!(read_line(r#"[{"a":1}, 2]"#), [r#"{"a":1}"#, "2"]);
        assert!(read_line("[starting]").is_empty());
    }

    #[test]
    fn what_is_written_is_one_line() {
        let line = request(5, "tools/call", Some("{\n  \"a\": \"b\\n\"\r\n}"));
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text, r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{   "a": "b\n"  }}"#);
        assert_eq!(notification("x", None), br#"{"jsonrpc":"2.0","method":"x"}"#);
        assert_eq!(answer("\"q\"", Outcome::Error("{}")), br#"{"jsonrpc":"2.0","id":"q","error":{}}"#);
        assert_eq!(code_of(&error_object(-32601, "no \"x\"")), Some(-32601));
    }

    #[test]
    fn a_line_that_is_too_long_may_still_tell_whose_it_is() {
        for (head, tail, id) in [
            (r#"{"jsonrpc":"2.0","id":12,"result":{"a":"xx"#, r#"xx"}}"#, Some(12)),
            (r#"{"jsonrpc": "2.0", "id": 12, "result": {"#, r#"xx"}}"#, Some(12)),
            (r#"{"result":{"id":3,"a":"xx"#, r#"xx"},"jsonrpc":"2.0","id":12}"#, Some(12)),
            (r#"{"result":{"a":"xx"#, r#"xx"},"id":12,"jsonrpc":"2.0"}"#, Some(12)),
            (r#"{"result":{"id":3,"a":"xx"#, r#"xx"}}"#, None),
            (r#"{"result":{"a":"xx"#, r#"xx","id":12}}"#, None),
            ("xx", "xx", None),
            ("", "", None),
        ] {
            assert_eq!(id_at_the_ends(head.as_bytes(), tail.as_bytes()), id, "{head} {tail}");
        }
    }
}
