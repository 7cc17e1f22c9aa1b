//! How does a result become bytes? Written straight into one buffer: this is the hot path of every tool call.
//!
//! Members of a result are JSON text already. Modern results say `resultType` and who answers; legacy results must not be
//! read by older schemas as anything else, so they say neither.

use crate::mcp::era::Era;
use crate::mcp::jsonrpc::Id;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

/// Who answers (`Implementation` of the MCP schema).
pub(super) const SERVER_INFO: &str =
    concat!(r#"{"name":"keyward","title":"Keyward","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

const MODERN_MEMBERS: &str = concat!(
    r#""resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"keyward","title":"Keyward","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}"#
);

/// The answer with a result, whose members `write` appends as JSON text with commas between.
pub(super) fn result(era: Era, id: Id<'_>, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_json().as_bytes());
    out.extend_from_slice(br#","result":{"#);
    let begin = out.len();
    write(&mut out);
    if era == Era::Modern {
        if out.len() > begin {
            out.push(b',');
        }
        out.extend_from_slice(MODERN_MEMBERS.as_bytes());
    }
    out.extend_from_slice(b"}}");
    out
}

/// The answer to a modern request that asks for input first (MCP 2026-07-28, multi round-trip requests).
pub fn input_required(id: Id<'_>, requests: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_json().as_bytes());
    out.extend_from_slice(br#","result":{"resultType":"input_required","inputRequests":"#);
    append(&mut out, requests);
    out.extend_from_slice(br#","_meta":{"io.modelcontextprotocol/serverInfo":"#);
    out.extend_from_slice(SERVER_INFO.as_bytes());
    out.extend_from_slice(b"}}}");
    out
}

/// The answer with an error.
pub(super) fn error(id: Option<Id<'_>>, error: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.map_or("null", Id::as_json).as_bytes());
    out.extend_from_slice(br#","error":"#);
    append(&mut out, error);
    out.push(b'}');
    out
}

/// Appends `value` as JSON.
pub(super) fn append(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("plain data serialises, and a vector takes it");
}

/// The answers to a batch; 202 if none of its messages gets one.
pub fn batch(status: StatusCode, answers: &[Vec<u8>]) -> Response {
    if answers.is_empty() {
        return accepted();
    }
    let mut body = vec![b'['];
    body.extend(answers.join(&b','));
    body.push(b']');
    json(status, body)
}

/// Appends the JSON text `json` as a JSON string. In such a text only quotes and backslashes need to be escaped.
pub(super) fn append_json_as_string(out: &mut Vec<u8>, json: &str) {
    let begin = out.len() + 1;
    out.resize(begin + 2 * json.len() + 1, b'"');
    let mut end = begin;
    for byte in json.bytes() {
        // Written always, kept where it is needed.
        out[end] = b'\\';
        end += usize::from(matches!(byte, b'"' | b'\\'));
        out[end] = byte;
        end += 1;
    }
    out[end] = b'"';
    out.truncate(end + 1);
}

/// A response with a JSON body.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 202 without a body: to what gets no answer.
pub fn accepted() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::jsonrpc::{self, Incoming, Message};
    use serde_json::{Value, json};

    fn result_of(era: Era, members: &str) -> Value {
        let Ok(Incoming::One(Message::Request(request))) =
            jsonrpc::parse(br#"{"jsonrpc":"2.0","id":"a\"b","method":"x"}"#)
        else {
            panic!()
        };
        let body = result(era, request.id, |out| out.extend_from_slice(members.as_bytes()));
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn json_becomes_a_string_as_any_text_does() {
        for value in [json!({}), json!({"a\"\\b": ["\n\u{1}\u{7f}é\u{2028}", 1.5, null], "": "\\\""}), json!("\"")] {
            let (text, mut out, mut same) = (value.to_string(), Vec::new(), Vec::new());
            append_json_as_string(&mut out, &text);
            append(&mut same, text.as_str());
            assert_eq!(out, same);
        }
    }

    #[test]
    fn modern_results_say_that_they_are_complete_and_who_answers() {
        let info: Value = serde_json::from_str(SERVER_INFO).unwrap();
        let common = json!({"resultType": "complete", "_meta": {"io.modelcontextprotocol/serverInfo": info}});
        assert_eq!(result_of(Era::Modern, ""), json!({"jsonrpc": "2.0", "id": "a\"b", "result": common}));
        assert_eq!(result_of(Era::Modern, r#""x":1"#)["result"]["x"], 1);
        assert_eq!(result_of(Era::Legacy, r#""x":1"#)["result"], json!({"x": 1}));
        assert_eq!(result_of(Era::Legacy, "")["result"], json!({}));
    }
}
