//! What an `Authorization` header presents stands in it, behind `Bearer` and spaces, and is in the grammar of a token; no
//! other scheme presents anything; and two headers never do.
#![cfg_attr(fuzzing, no_main)]

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use keyward::token::MAX_TOKEN;
use keyward::wire::bearer::{parse, presented};
use keyward_fuzz::variant;

keyward_fuzz::target!(|data| {
    let outcome = parse(data);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(data) {
        headers.append(AUTHORIZATION, value.clone());
        assert_eq!(presented(&headers), outcome);
        headers.append(AUTHORIZATION, value);
        assert!(presented(&headers).is_err());
    }
    let scheme = data.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
    match outcome {
        Ok(Some(token)) => {
            assert!(is_bearer && token.len() <= MAX_TOKEN);
            assert_eq!(data[scheme.len()..].trim_ascii_start(), token.as_bytes());
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)));
            assert_eq!(parse(format!("Bearer {token}").as_bytes()), Ok(Some(token)));
            "a token".into()
        }
        Ok(None) => {
            assert!(!is_bearer);
            "another scheme".into()
        }
        Err(problem) => variant(&problem),
    }
});
