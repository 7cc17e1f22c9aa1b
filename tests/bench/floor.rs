//! What would it cost without Keyward? A bare axum handler that parses and answers the same JSON, without authentication.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::env;
use std::sync::LazyLock;

/// The JSON text of the result.
static RESULT: LazyLock<String> = LazyLock::new(|| {
    let answer = env::var("FLOOR_ANSWER").unwrap();
    let answer: Answer<'_> = serde_json::from_str(&answer).unwrap();
    answer.result.get().to_owned()
});

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Request<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    name: &'a str,
    #[serde(borrow)]
    arguments: &'a RawValue,
}

/// Serves until it is killed.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{{\"url\":\"http://{}\"}}", listener.local_addr().unwrap());
        axum::serve(listener, Router::new().route("/mcp", post(answer))).await.unwrap();
    });
}

async fn answer(body: Bytes) -> Response {
    let Ok(Request { jsonrpc: "2.0", id, method: "tools/call", params }) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !matches!(params.name, "whoami" | "echo") || !params.arguments.get().starts_with('{') {
        return StatusCode::NOT_FOUND.into_response();
    }
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, *RESULT);
    ([(CONTENT_TYPE, "application/json")], answer).into_response()
}
