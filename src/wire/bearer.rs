//! Which token does a request present? The `Authorization` header with the scheme `Bearer` (RFC 6750 §2.1), and nothing
//! else: never the query, never a form.
//!
//! Whether the token is any good is [`crate::token`]'s question. Here is only told apart: no credentials for us, one
//! token, or a header that cannot be read and is the sender's mistake (RFC 6750 §3.1, `invalid_request`).

use crate::token::MAX_TOKEN;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

const SCHEME: &[u8] = b"bearer";

/// Why no token can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerProblem {
    /// More than one `Authorization` header: which of them counts is not for us to guess.
    #[error("There is more than one Authorization header; send one")]
    Repeated,
    /// The scheme stands alone.
    #[error("A token is missing after Bearer in the Authorization header")]
    Empty,
    /// Not the grammar of RFC 6750 §2.1.
    #[error("The Authorization header cannot be read; its form is: Bearer, one space, the token")]
    Unreadable,
    /// Longer than any token of ours.
    #[error("The token in the Authorization header is longer than any that this server issues")]
    TooLong,
}

/// The token that these headers present, if they present any.
pub fn presented(headers: &HeaderMap) -> Result<Option<&str>, BearerProblem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse(value.as_bytes()),
        (Some(_), Some(_)) => Err(BearerProblem::Repeated),
    }
}

/// Reads the value of one `Authorization` header. Another scheme than `Bearer` presents no token to us.
pub fn parse(value: &[u8]) -> Result<Option<&str>, BearerProblem> {
    let (scheme, rest) = value.split_at(value.iter().position(|byte| *byte == b' ').unwrap_or(value.len()));
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        let ours = scheme.len() > SCHEME.len() && scheme[..SCHEME.len()].eq_ignore_ascii_case(SCHEME);
        // "Bearer:x" and "Bearer\tx" mean us; "Basic x" does not.
        let ours = ours && !scheme[SCHEME.len()].is_ascii_alphanumeric();
        return if ours { Err(BearerProblem::Unreadable) } else { Ok(None) };
    }
    let token = &rest[rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len())..];
    if token.is_empty() {
        return Err(BearerProblem::Empty);
    }
    if token.len() > MAX_TOKEN {
        return Err(BearerProblem::TooLong);
    }
    let body = token.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    // Without a way out early, so that many bytes are judged at once: tokens are long and nearly always well formed.
    if body == 0 || !token[..body].iter().fold(true, |all, byte| all & is_token_byte(*byte)) {
        return Err(BearerProblem::Unreadable);
    }
    std::str::from_utf8(token).map(Some).map_err(|_| BearerProblem::Unreadable)
}

#[expect(clippy::needless_bitwise_bool, reason = "without branches, many bytes are judged at once")]
const fn is_token_byte(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // '-', '.', '/' and the digits follow one another in ASCII.
    letter | (byte.wrapping_sub(b'-') < 13) | (byte == b'_') | (byte == b'~') | (byte == b'+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    #[test]
    fn the_scheme_is_read_without_case_and_the_token_as_it_is() {
        for (value, token) in [
            ("Bearer abc", "abc"),
            ("bearer abc", "abc"),
            ("BEARER   a.b-c_d~e+f/g", "a.b-c_d~e+f/g"),
            ("Bearer YWJj==", "YWJj=="),
        ] {
            assert_eq!(parse(value.as_bytes()), Ok(Some(token)), "{value}");
        }
    }

    #[test]
    fn other_schemes_present_nothing() {
        for value in ["", "Basic YTpi", "DPoP abc", "Bearerabc", "Bear abc", "Negotiate", " Bearer abc"] {
            assert_eq!(parse(value.as_bytes()), Ok(None), "{value}");
        }
    }

    #[test]
    fn what_means_a_bearer_token_and_cannot_be_read_is_said_to_be_so() {
        use BearerProblem::{Empty, TooLong, Unreadable};
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN + 1));
        for (value, problem) in [
            ("Bearer", Empty),
            ("Bearer ", Empty),
            ("bearer    ", Empty),
            ("Bearer a b", Unreadable),
            ("Bearer abc ", Unreadable),
            ("Bearer \"abc\"", Unreadable),
            ("Bearer abc,def", Unreadable),
            ("Bearer a=b", Unreadable),
            ("Bearer ==", Unreadable),
            ("Bearer ünï", Unreadable),
            ("Bearer\tabc", Unreadable),
            ("Bearer: abc", Unreadable),
            (&long, TooLong),
        ] {
            assert_eq!(parse(value.as_bytes()), Err(problem), "{value}");
        }
        assert_eq!(parse(b"Bearer a\xffb"), Err(Unreadable));
    }

    #[test]
    fn the_characters_of_a_token_are_those_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_token_byte(byte), allowed, "{byte:#x}");
        }
    }

    #[test]
    fn two_headers_are_one_too_many() {
        let mut headers = HeaderMap::new();
        assert_eq!(presented(&headers), Ok(None));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        assert_eq!(presented(&headers), Ok(Some("abc")));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        assert_eq!(presented(&headers), Err(BearerProblem::Repeated));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_and_what_is_read_was_there(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some(token)) = parse(&value) {
                prop_assert!(value.ends_with(token.as_bytes()));
                prop_assert!(value[..SCHEME.len()].eq_ignore_ascii_case(SCHEME));
                prop_assert!(!token.contains(' '));
            }
        }
    }
}
