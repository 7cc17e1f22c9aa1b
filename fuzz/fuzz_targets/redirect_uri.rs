//! A redirect URI is kept byte for byte; a browser reads the same host in it; it matches itself and, on loopback, itself with
//! another port, and nothing else.
//!
//! Input: two URIs, with a line break between them.
#![cfg_attr(fuzzing, no_main)]

use keyward::oauth::redirect_uri::RedirectUri;
use keyward_fuzz::{Outcome, text, variant};

keyward_fuzz::target!(|data| {
    let Some(data) = text(data) else { return "not text".into() };
    let (registered, requested) = data.split_once('\n').unwrap_or((data, data));
    let registered_uri = match parse(registered) {
        Ok(uri) => uri,
        Err(outcome) => return outcome,
    };
    assert!(registered_uri.matches(&registered_uri));
    let Ok(requested_uri) = parse(requested) else { return "one".into() };
    let matches = registered_uri.matches(&requested_uri);
    assert_eq!(matches, requested_uri.matches(&registered_uri));
    let equal = registered == requested;
    assert_eq!(matches, equal || same_but_port(registered, requested), "{registered} {requested}");
    assert_eq!(matches && registered_uri.is_loopback(), equal_without_port(&registered_uri, &requested_uri));
    format!("two {} {matches} {equal}", registered_uri.is_loopback())
});

fn parse(text: &str) -> Result<RedirectUri, Outcome> {
    let uri = RedirectUri::parse(text).map_err(|error| variant(&error))?;
    assert_eq!(uri.as_str(), text);
    let browser = url::Url::parse(text).expect("a browser reads it");
    assert!(browser.scheme().eq_ignore_ascii_case(uri.scheme()));
    assert!(browser.fragment().is_none() && browser.username().is_empty() && browser.password().is_none());
    if !uri.is_private_use() {
        let host = browser.host_str().expect("a host");
        assert!(uri.host_for_display().to_ascii_lowercase().starts_with(&host.to_ascii_lowercase()), "{text}: {host}");
        assert_eq!(uri.is_loopback(), browser.scheme() == "http");
        assert!(!uri.is_loopback() || ["localhost", "127.0.0.1", "[::1]"].contains(&host), "{text}");
    }
    let answer = url::Url::parse(&uri.with_parameters(&[("code", "a&b=c#d"), ("iss", "ü")])).expect("still a URI");
    let added: Vec<_> = answer.query_pairs().collect();
    assert!(added.ends_with(&[("code".into(), "a&b=c#d".into()), ("iss".into(), "ü".into())]));
    Ok(uri)
}

fn equal_without_port(one: &RedirectUri, other: &RedirectUri) -> bool {
    one.is_loopback() && other.is_loopback() && one.without_loopback_port() == other.without_loopback_port()
}

/// Told apart here by the text alone: `http://HOST[:PORT]REST`.
fn same_but_port(one: &str, other: &str) -> bool {
    let take_apart = |uri: &str| {
        let host = ["localhost", "127.0.0.1", "[::1]"].into_iter().find_map(|host| {
            let start = "http://".len() + host.len();
            let (head, rest) = (uri.get(..start)?, uri.get(start..)?);
            head.to_ascii_lowercase().eq(&format!("http://{host}")).then(|| (head.to_owned(), rest.to_owned()))
        });
        let (head, rest) = host?;
        let end = match rest.strip_prefix(':') {
            Some(port) => 1 + port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len()),
            None => 0,
        };
        Some((head, rest[end..].to_owned()))
    };
    matches!((take_apart(one), take_apart(other)), (Some(one), Some(other)) if one == other)
}
