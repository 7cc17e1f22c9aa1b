//! A JSON-RPC body is read as any JSON parser reads it: the same id, method and parameters, or a refusal; what is no JSON is
//! refused, and a batch is bounded.
#![cfg_attr(fuzzing, no_main)]

use keyward::mcp::jsonrpc::{Incoming, MAX_BATCH, Message, Unreadable, parse};
use keyward_fuzz::{Outcome, text};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

keyward_fuzz::target!(|data| {
    let read = parse(data);
    if text(data).is_none_or(|text| serde_json::from_str::<IgnoredAny>(text).is_err()) {
        assert!(matches!(read, Err(unreadable) if unreadable.id.is_none()));
        return "no JSON".into();
    }
    // Parameters and what is unknown are passed over here: too deep, too large a number, half a character.
    let Ok(json) = serde_json::from_slice::<Value>(data) else { return "JSON that few can read".into() };
    match read {
        Ok(Incoming::One(message)) => check(&json, &Ok(message)),
        Ok(Incoming::Batch(messages)) => {
            let elements = json.as_array().expect("a batch is an array");
            assert_eq!(messages.len(), elements.len());
            assert!((1..=MAX_BATCH).contains(&messages.len()));
            let outcomes: Vec<_> = elements.iter().zip(&messages).map(|(json, message)| check(json, message)).collect();
            format!("batch of {}", outcomes.first().expect("it is not empty"))
        }
        Err(unreadable) => {
            assert!(unreadable.is_json);
            check(&json, &Err(unreadable))
        }
    }
});

fn check(json: &Value, message: &Result<Message<'_>, Unreadable<'_>>) -> Outcome {
    let same = |id: &str| serde_json::from_str::<Value>(id).expect("an id is JSON") == json["id"];
    match message {
        Ok(Message::Request(request)) => {
            assert!(same(request.id.as_json()) && !json["id"].is_null() && json["jsonrpc"] == "2.0");
            assert_eq!(json["method"], *request.method);
            let parameters: Map<String, Value> = request.params.read().expect("parameters are an object");
            assert_eq!(json.get("params").cloned().unwrap_or_else(|| Map::new().into()), Value::Object(parameters));
            "request".into()
        }
        Ok(Message::Notification(notification)) => {
            assert!(json.get("id").is_none() && json["jsonrpc"] == "2.0");
            assert_eq!(json["method"], *notification.method);
            "notification".into()
        }
        Ok(Message::Response) => {
            assert!(json.get("method").is_none() && json.get("result").is_some() != json.get("error").is_some());
            "response".into()
        }
        Err(unreadable) => {
            assert!(unreadable.id.is_none_or(|id| same(id.as_json())));
            format!("{} {}", unreadable.why, unreadable.id.is_some())
        }
    }
}
