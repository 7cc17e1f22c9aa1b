//! Is this request meant for us, and does a browser's page that calls us have that right?
//!
//! A page of a stranger can make its own host name resolve to an address of ours (DNS rebinding) and so reach a server
//! on loopback as "the same origin". The `Host` header then still names the stranger's host, and `Origin` the stranger's
//! page: a [`HostPolicy`] and an [`OriginPolicy`] refuse both. The MCP specification demands the latter with a 403
//! (Streamable HTTP, security warning). A request without `Origin` comes from no page and passes.

use crate::oauth::issuer::Issuer;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};
use std::sync::Arc;

/// The names under which this server may be addressed.
#[derive(Debug, Clone)]
pub struct HostPolicy(Arc<Hosts>);

#[derive(Debug)]
struct Hosts {
    /// Lower case, with the port unless it is the scheme's own.
    names: Vec<String>,
    loopback: bool,
}

/// The request names a host that is not ours: 421 (RFC 9110 §15.5.20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This server does not answer to that host name. If it should, add the name to allowed_hosts.")]
pub struct ForeignHost;

impl HostPolicy {
    /// Answers to the public URL's host and to `further` ones (`host` or `host:port`). A server whose public URL is on
    /// loopback answers to every loopback name, at any port.
    pub fn new(public_url: &Issuer, further: &[String]) -> Self {
        let names = std::iter::once(public_url.origin_host())
            .chain(further.iter().map(String::as_str))
            .map(canonical)
            .collect();
        Self(Arc::new(Hosts { names, loopback: public_url.is_loopback() }))
    }

    /// Judges a request by its `Host` header and by the authority of its target (HTTP/2, and the absolute form of HTTP/1.1,
    /// which goes before the header: RFC 9112 §3.2.2). One of them must be there, and no other host may be named.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ForeignHost> {
        let mut named = headers.get_all(HOST).iter();
        let target = uri.authority().map(Authority::as_str);
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().map_err(|_| ForeignHost)?,
            (None, None) => target.ok_or(ForeignHost)?,
            _ => return Err(ForeignHost),
        };
        let known = self.knows(host) && target.is_none_or(|target| self.knows(target));
        if known { Ok(()) } else { Err(ForeignHost) }
    }

    fn knows(&self, host: &str) -> bool {
        self.0.names.iter().any(|name| name.eq_ignore_ascii_case(host))
            || (self.0.loopback && is_loopback_host(without_port(host)))
            || self.0.names.contains(&canonical(host))
    }
}

/// The pages that may call MCP servers and post forms.
#[derive(Debug, Clone)]
pub struct OriginPolicy(Arc<Origins>);

#[derive(Debug)]
struct Origins {
    own: String,
    further: Vec<String>,
}

/// The `Origin` is not one that may call: 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Pages of that origin may not call this server. If they should, add the origin to allowed_origins.")]
pub struct ForeignOrigin;

impl OriginPolicy {
    /// Lets the public URL's own pages, pages on loopback and pages of `further` origins call.
    pub fn new(public_url: &Issuer, further: &[String]) -> Self {
        let further = further.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self(Arc::new(Origins { own: public_url.as_str().to_owned(), further }))
    }

    /// For MCP servers, which take a bearer token and no cookie: no `Origin`, ours, a further one, or a program on the
    /// person's own machine. A stranger's page can claim none of these.
    pub fn check_call(&self, headers: &HeaderMap) -> Result<(), ForeignOrigin> {
        match Self::origin_of(headers)? {
            None => Ok(()),
            Some(origin) if self.is_own(origin) || self.is_further(origin) || is_loopback_origin(origin) => Ok(()),
            Some(_) => Err(ForeignOrigin),
        }
    }

    /// For forms, which a cookie signs in: no `Origin` (the form's own token still decides) or ours.
    pub fn check_form(&self, headers: &HeaderMap) -> Result<(), ForeignOrigin> {
        match Self::origin_of(headers)? {
            None => Ok(()),
            Some(origin) if self.is_own(origin) => Ok(()),
            Some(_) => Err(ForeignOrigin),
        }
    }

    fn origin_of(headers: &HeaderMap) -> Result<Option<&str>, ForeignOrigin> {
        let mut values = headers.get_all(ORIGIN).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(origin), None) => HeaderValue::to_str(origin).map(Some).map_err(|_| ForeignOrigin),
            _ => Err(ForeignOrigin),
        }
    }

    fn is_own(&self, origin: &str) -> bool {
        self.0.own.eq_ignore_ascii_case(origin)
    }

    fn is_further(&self, origin: &str) -> bool {
        self.0.further.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

fn is_loopback_origin(origin: &str) -> bool {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .is_some_and(|host| is_loopback_host(without_port(host)))
}

fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]"
}

/// Without a port, if one of digits is there.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Lower case, without a scheme's own port.
fn canonical(host: &str) -> String {
    let lower = host.to_ascii_lowercase();
    match lower.strip_suffix(":443").or_else(|| lower.strip_suffix(":80")) {
        Some(name) => name.to_owned(),
        None => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(public_url: &str) -> HostPolicy {
        HostPolicy::new(&Issuer::parse(public_url).unwrap(), &["Inside.lan:8443".to_owned()])
    }

    fn header(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn knows(policy: &HostPolicy, host: &str) -> bool {
        policy.check(&Uri::from_static("/"), &header(HOST, host)).is_ok()
    }

    #[test]
    fn only_known_hosts_are_answered() {
        let public = hosts("https://mcp.example.org");
        for good in ["mcp.example.org", "MCP.example.org", "mcp.example.org:443", "inside.lan:8443"] {
            assert!(knows(&public, good), "{good}");
        }
        for wrong in ["evil.example.com", "mcp.example.org.evil.com", "localhost", "127.0.0.1:8080", "", "inside.lan"] {
            assert!(!knows(&public, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_server_on_loopback_answers_to_every_loopback_name() {
        let local = hosts("http://127.0.0.1:8080");
        for good in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:3000", "[::1]:8080", "localhost"] {
            assert!(knows(&local, good), "{good}");
        }
        for wrong in ["evil.example.com", "evil.example.com:8080", "127.0.0.1.evil.com", "localhost.evil.com:8080"] {
            assert!(!knows(&local, wrong), "{wrong}");
        }
    }

    #[test]
    fn the_host_is_named_exactly_once() {
        let policy = hosts("https://mcp.example.org");
        let authority = Uri::from_static("https://mcp.example.org/mcp");
        assert_eq!(policy.check(&authority, &HeaderMap::new()), Ok(()));
        assert_eq!(policy.check(&Uri::from_static("/mcp"), &HeaderMap::new()), Err(ForeignHost));
        let own = header(HOST, "mcp.example.org");
        assert_eq!(policy.check(&authority, &own), Ok(()));
        assert_eq!(policy.check(&Uri::from_static("http://evil.example/mcp"), &own), Err(ForeignHost));
        assert_eq!(policy.check(&authority, &header(HOST, "evil.example")), Err(ForeignHost));
        let mut two = header(HOST, "mcp.example.org");
        two.append(HOST, HeaderValue::from_static("mcp.example.org"));
        assert_eq!(policy.check(&authority, &two), Err(ForeignHost));
    }

    #[test]
    fn origins_that_may_call_and_origins_that_may_post_forms() {
        let policy = OriginPolicy::new(
            &Issuer::parse("https://mcp.example.org").unwrap(),
            &["https://App.example.com/".to_owned()],
        );
        let judge = |origin: &str| {
            let headers = header(ORIGIN, origin);
            (policy.check_call(&headers).is_ok(), policy.check_form(&headers).is_ok())
        };
        assert_eq!(judge("https://mcp.example.org"), (true, true));
        assert_eq!(judge("https://app.example.com"), (true, false));
        assert_eq!(judge("http://localhost:6274"), (true, false));
        for wrong in [
            "null",
            "",
            "http://mcp.example.org",
            "https://mcp.example.org.evil.com",
            "http://localhost.evil.com:6274",
            "http://evil.com:80@localhost",
            "file://localhost",
        ] {
            assert_eq!(judge(wrong), (false, false), "{wrong}");
        }
        assert!(policy.check_call(&HeaderMap::new()).is_ok() && policy.check_form(&HeaderMap::new()).is_ok());
    }
}
