//! Which arguments of a call does its tool want repeated in headers, and do the headers say the same?
//!
//! MCP 2026-07-28, Streamable HTTP, custom headers from tool parameters: a property of a tool's `inputSchema` that is marked
//! `x-mcp-header` is repeated as `Mcp-Param-{its value}`. Somebody on the way may have acted on the header, so it must say
//! what the body says. An argument that is null or absent has no header, and one that is there all the same is not looked at.

use crate::mcp::era::{decode, single};
use crate::mcp::error::RpcError;
use crate::mcp::{jsonrpc, members};
use axum::http::{HeaderMap, HeaderName};
use serde_json::Value;

/// How a property is marked.
const MARK: &str = "x-mcp-header";
/// What the names of the headers begin with.
const PREFIX: &str = "mcp-param-";

/// An argument that is repeated in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    header: HeaderName,
    /// The names of the members that lead to it, from `params.arguments` on.
    path: Box<[Box<str>]>,
}

impl Mirrored {
    /// Those that the tool's `inputSchema`, which is JSON, declares; none if one of them is not as it should be, because
    /// clients do not use such a tool.
    pub fn declared_by(schema: &str) -> Vec<Self> {
        if !schema.contains(MARK) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let read =
            serde_json::from_str(schema).ok().and_then(|schema: Value| collect(&schema, &mut Vec::new(), &mut found));
        if read.is_some() { found } else { Vec::new() }
    }

    /// How many bytes it takes to remember it, more or less.
    pub fn size(&self) -> usize {
        self.header.as_str().len() + self.path.iter().map(|name| name.len()).sum::<usize>()
    }

    /// Whether the header says the same as the arguments of the call, which are JSON.
    pub fn check(&self, headers: &HeaderMap, arguments: Option<&str>) -> Result<(), RpcError> {
        let Self { header, path } = self;
        let mut value = arguments.unwrap_or("null");
        for name in path {
            if !value.starts_with('{') {
                return Ok(());
            }
            let doubled = || RpcError::header_mismatch(format!("The argument that {header} repeats is doubled."));
            let [member] = members::read(value, [name]).map_err(|_| doubled())?;
            let Some(member) = member else { return Ok(()) };
            value = member.get();
        }
        let text = match value.as_bytes().first() {
            Some(b'"') => jsonrpc::string(value).unwrap_or_default(),
            Some(b'{' | b'[' | b'n') | None => return Ok(()),
            Some(_) => value.into(),
        };
        let missing = || RpcError::header_mismatch(format!("The {header} header is missing."));
        let told = decode(header, single(headers, header)?.ok_or_else(missing)?)?;
        if told == text || (!value.starts_with('"') && is_same_number(&told, value)) {
            return Ok(());
        }
        Err(RpcError::header_mismatch(format!("The {header} header and the body do not say the same.")))
    }
}

/// Whether any of the headers repeats an argument.
pub fn is_any_mirrored(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(PREFIX))
}

fn collect(schema: &Value, path: &mut Vec<Box<str>>, found: &mut Vec<Mirrored>) -> Option<()> {
    if let Some(mark) = schema.get(MARK) {
        let is_plain = matches!(schema.get("type")?.as_str()?, "string" | "integer" | "boolean");
        let header =
            HeaderName::try_from(format!("{PREFIX}{}", mark.as_str().filter(|mark| !mark.is_empty())?)).ok()?;
        if path.is_empty() || !is_plain || found.iter().any(|known: &Mirrored| known.header == header) {
            return None;
        }
        found.push(Mirrored { header, path: path.as_slice().into() });
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name.as_str().into());
        collect(property, path, found)?;
        path.pop();
    }
    Some(())
}

/// Whole numbers exactly, others as nearly as most readers.
fn is_same_number(one: &str, other: &str) -> bool {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b"-+.eE".contains(&byte));
    if let (Ok(one), Ok(other)) = (one.parse::<i128>(), other.parse::<i128>()) {
        return one == other;
    }
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(a), Ok(b)) => is_number(one) && is_number(other) && a.total_cmp(&b).is_eq(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use serde_json::json;

    fn declared(properties: &Value) -> Vec<String> {
        let schema = json!({"type": "object", "properties": properties}).to_string();
        let mut all: Vec<_> =
            Mirrored::declared_by(&schema).iter().map(|one| format!("{} {}", one.header, one.path.join("/"))).collect();
        all.sort();
        all
    }

    #[test]
    fn a_schema_says_which_arguments_are_repeated() {
        let region = json!({"type": "string", "x-mcp-header": "Region"});
        let nested = json!({"type": "object", "properties": {"b": {"type": "integer", "x-mcp-header": "B"}}});
        assert_eq!(
            declared(&json!({"region": region, "a": nested, "c": {"type": "string"}})),
            ["mcp-param-b a/b", "mcp-param-region region"]
        );
        for wrong in [
            json!({"type": "number", "x-mcp-header": "X"}),
            json!({"type": "object", "x-mcp-header": "X"}),
            json!({"x-mcp-header": "X"}),
            json!({"type": "string", "x-mcp-header": ""}),
            json!({"type": "string", "x-mcp-header": "a b"}),
            json!({"type": "string", "x-mcp-header": 5}),
            json!({"type": "string", "x-mcp-header": "REGION"}),
        ] {
            assert_eq!(declared(&json!({"region": region, "wrong": wrong})), [""; 0], "{wrong}");
        }
        assert!(Mirrored::declared_by(r#"{"x-mcp-header":"#).is_empty());
        assert!(Mirrored::declared_by(r#"{"type":"string","x-mcp-header":"Root"}"#).is_empty());
    }

    fn told(header: Option<&'static str>, arguments: &str) -> bool {
        let schema = json!({"properties": {"a": {"properties": {"b": {"type": "string", "x-mcp-header": "B"}}}}});
        let [one] = &*Mirrored::declared_by(&schema.to_string()) else { panic!("{schema}") };
        let name = HeaderName::from_static("mcp-param-b");
        let headers = header.map(|value| (name, HeaderValue::from_static(value)));
        one.check(&headers.into_iter().collect(), Some(arguments)).is_ok()
    }

    #[test]
    fn a_header_says_what_the_body_says() {
        for (header, arguments) in [
            (Some("x"), r#"{"a":{"b":"x"}}"#),
            (Some(" x\t"), r#"{"a":{"b":"\u0078"}}"#),
            (Some("=?base64?R3LDvMOfZQ==?="), r#"{"a":{"b":"Grüße"}}"#),
            (Some("=?base64?eA"), r#"{"a":{"b":"=?base64?eA"}}"#),
            (Some("42"), r#"{"a":{"b":42}}"#),
            (Some("42.0"), r#"{"a":{"b":42}}"#),
            (Some("42"), r#"{"a":{"b":4.2e1}}"#),
            (Some("9007199254740993"), r#"{"a":{"b":9007199254740993}}"#),
            (Some("true"), r#"{"a":{"b":true}}"#),
            (None, r#"{"a":{"b":null}}"#),
            (None, r#"{"a":{}}"#),
            (None, r#"{"a":5}"#),
            (None, "{}"),
            (None, "null"),
            (Some("whatever"), "{}"),
        ] {
            assert!(told(header, arguments), "{header:?} {arguments}");
        }
        for (header, arguments) in [
            (None, r#"{"a":{"b":"x"}}"#),
            (None, r#"{"a":{"b":""}}"#),
            (Some("X"), r#"{"a":{"b":"x"}}"#),
            (Some("=?base64?eA=?="), r#"{"a":{"b":"x"}}"#),
            (Some("=?base64?e!==?="), r#"{"a":{"b":"x"}}"#),
            (Some("42.0"), r#"{"a":{"b":"42"}}"#),
            (Some("9007199254740992"), r#"{"a":{"b":9007199254740993}}"#),
            (Some("inf"), r#"{"a":{"b":1e999}}"#),
            (Some("True"), r#"{"a":{"b":true}}"#),
            (Some("x"), r#"{"a":{"b":"x","b":"y"}}"#),
            (Some("x"), r#"{"a":{"b":"x"},"A":{"b":"y"}}"#),
        ] {
            assert!(!told(header, arguments), "{header:?} {arguments}");
        }
    }
}
