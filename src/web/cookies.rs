//! Which cookies does a browser get, and what may read them?
//!
//! Each holds one sealed PASETO (see [`crate::seal`]) and is `HttpOnly`, `SameSite=Lax`, `Path=/` and, except on a
//! loopback address without TLS, `Secure` with the `__Host-` prefix (RFC 6265bis §4.1.3).

use crate::oauth::issuer::Issuer;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum_extra::extract::cookie::{Cookie, SameSite};
use std::time::Duration;

/// Longest `Cookie` header that is looked at, in bytes.
const MAX_COOKIES: usize = 16 * 1024;

/// What the cookies are called here.
#[derive(Debug, Clone)]
pub struct CookieNames {
    secure: bool,
}

/// One of our cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieKind {
    /// Names the session.
    Session,
    /// Names the sign-in whose second factor is missing.
    HalfSession,
    /// Says which account the browser has signed in to before.
    Known,
    /// Binds forms of a browser that has not signed in.
    Visit,
    /// The callback address that the person may copy for a while.
    Callback,
}

impl CookieNames {
    /// As fits the public URL.
    pub fn of(issuer: &Issuer) -> Self {
        Self { secure: issuer.is_https() }
    }

    /// The name of a cookie.
    pub const fn name(&self, kind: CookieKind) -> &'static str {
        match (kind, self.secure) {
            (CookieKind::Session, true) => "__Host-keyward-session",
            (CookieKind::Session, false) => "keyward-session",
            (CookieKind::HalfSession, true) => "__Host-keyward-half-session",
            (CookieKind::HalfSession, false) => "keyward-half-session",
            (CookieKind::Known, true) => "__Host-keyward-known",
            (CookieKind::Known, false) => "keyward-known",
            (CookieKind::Visit, true) => "__Host-keyward-visit",
            (CookieKind::Visit, false) => "keyward-visit",
            (CookieKind::Callback, true) => "__Host-keyward-callback",
            (CookieKind::Callback, false) => "keyward-callback",
        }
    }

    /// The value that the browser sent; nothing if it sent the name twice (somebody planted one).
    pub fn read<'h>(&self, headers: &'h HeaderMap, kind: CookieKind) -> Option<&'h str> {
        let name = self.name(kind);
        let sent = headers.get_all(COOKIE).iter().filter(|value| value.len() <= MAX_COOKIES);
        let pairs = sent.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(own, _)| *own == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// `Set-Cookie` for a value that lasts for `life`; until the browser closes if that is absent.
    pub fn set(&self, kind: CookieKind, value: String, life: Option<Duration>) -> String {
        let mut cookie = Cookie::build((self.name(kind), value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .build();
        if let Some(life) = life.and_then(|life| life.try_into().ok()) {
            cookie.set_max_age(Some(life));
        }
        cookie.to_string()
    }

    /// `Set-Cookie` that removes it.
    pub fn clear(&self, kind: CookieKind) -> String {
        self.set(kind, String::new(), Some(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(issuer: &str) -> CookieNames {
        CookieNames::of(&Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn cookies_are_locked_to_the_host() {
        let cookie = names("https://mcp.example.com").set(CookieKind::Session, "v".into(), None);
        assert!(cookie.starts_with("__Host-keyward-session=v; "), "{cookie}");
        for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
        let loopback = names("http://127.0.0.1:8080").set(CookieKind::Session, "v".into(), None);
        assert!(loopback.starts_with("keyward-session=v; ") && !loopback.contains("Secure"));
    }

    #[test]
    fn a_name_that_was_sent_twice_is_not_read() {
        let names = names("http://127.0.0.1:8080");
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, "a=b; keyward-session=one; c=d".parse().unwrap());
        assert_eq!(names.read(&headers, CookieKind::Session), Some("one"));
        headers.append(COOKIE, "keyward-session=two".parse().unwrap());
        assert_eq!(names.read(&headers, CookieKind::Session), None);
    }
}
