//! What becomes of an answer about revisions and capabilities? It is told again in our name, never passed as it is.
//!
//! -32021 and -32022 (MCP 2026-07-28) speak of the way between an upstream and its caller, which for the upstream is
//! Keyward. What the client declared goes on unchanged, so both still help it: of -32021 the capabilities that are missing,
//! of -32022 those revisions that can pass here as well. If there is none of these, the upstream does not fit.
//! For that, and only for that, an answer is read before it goes on: one with status 400 and JSON, which is short.

use super::connection::Answer;
use super::error::Failure;
use crate::mcp::{LEGACY, MODERN, RpcError};
use axum::body::Bytes;
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Longest refusal, in bytes.
const MAX_REFUSAL: usize = 64 * 1024;

const MISSING_CAPABILITY: i64 = -32021;
const UNSUPPORTED_VERSION: i64 = -32022;

/// What is told instead of a refusal, or the refusal itself.
pub(super) enum Retold {
    /// This, in our name.
    InOurName(RpcError),
    /// As it came.
    AsItCame(Bytes),
}

/// Reads a refusal, part by part within `idle` each, and retells it.
pub(super) async fn retell(body: Answer, idle: Duration) -> Result<Retold, Failure> {
    let unreadable = || Failure::Unreadable(StatusCode::BAD_REQUEST);
    let read = tokio::time::timeout(idle, Limited::new(body, MAX_REFUSAL).collect()).await;
    let bytes = read.map_err(|_| unreadable())?.map_err(|_| unreadable())?.to_bytes();
    match serde_json::from_slice(&bytes) {
        Ok(Refusal { error: ErrorObject { code, data } }) => Ok(match in_our_name(code, data)? {
            Some(error) => Retold::InOurName(error),
            None => Retold::AsItCame(bytes),
        }),
        Err(_) => Ok(Retold::AsItCame(bytes)),
    }
}

fn in_our_name(code: i64, data: Data) -> Result<Option<RpcError>, Failure> {
    match code {
        MISSING_CAPABILITY => {
            let message = "This call needs capabilities that the client did not declare.";
            let required = data.required.filter(serde_json::Value::is_object).unwrap_or_else(|| json!({}));
            let data = json!({ "requiredCapabilities": required });
            Ok(Some(RpcError::relayed(StatusCode::BAD_REQUEST, -32021, message, data)))
        }
        UNSUPPORTED_VERSION => {
            let passes = |version: &&str| *version == MODERN || LEGACY.contains(version);
            let supported: Vec<&str> = data.supported.iter().map(String::as_str).filter(passes).collect();
            if supported.is_empty() {
                return Err(Failure::Revision);
            }
            let message = "This server does not speak that revision of the protocol.";
            let data = json!({ "supported": supported, "requested": data.requested });
            Ok(Some(RpcError::relayed(StatusCode::BAD_REQUEST, -32022, message, data)))
        }
        _ => Ok(None),
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: i64,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "requiredCapabilities")]
    required: Option<serde_json::Value>,
    supported: Vec<String>,
    requested: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Option<serde_json::Value> {
        let Refusal { error: ErrorObject { code, data } } = serde_json::from_str(json).unwrap();
        let told = in_our_name(code, data).unwrap()?;
        assert_eq!(told.status(), 400);
        Some(serde_json::from_slice::<serde_json::Value>(&told.to_json(None)).unwrap()["error"].take())
    }

    #[test]
    fn only_what_holds_for_the_client_too_is_retold() {
        let error = told(
            r#"{"error":{"code":-32022,"message":"http://10.0.0.7 says no","data":{"supported":["2027-01-01","2025-11-25"],"requested":"2026-07-28","inner":1}}}"#,
        );
        let data = json!({"supported": ["2025-11-25"], "requested": "2026-07-28"});
        let message = "This server does not speak that revision of the protocol.";
        assert_eq!(error.unwrap(), json!({"code": -32022, "message": message, "data": data}));

        let error = told(r#"{"error":{"code":-32021,"data":{"requiredCapabilities":{"sampling":{}},"x":1}}}"#).unwrap();
        assert_eq!(error["data"], json!({"requiredCapabilities": {"sampling": {}}}));
        assert_eq!(told(r#"{"error":{"code":-32602,"message":"x"}}"#), None);
    }

    #[test]
    fn an_upstream_of_another_time_does_not_fit() {
        let data = Data { supported: vec!["2027-01-01".to_owned()], ..Data::default() };
        assert!(matches!(in_our_name(UNSUPPORTED_VERSION, data), Err(Failure::Revision)));
        assert!(matches!(in_our_name(UNSUPPORTED_VERSION, Data::default()), Err(Failure::Revision)));
    }
}
