//! Where may a browser be sent with an answer? Redirect URIs: which may be registered, and which request matches which
//! registration (OAuth 2.1 §2.3.1 and §4.1.1, RFC 8252 §7 and §8.4, RFC 9700 §4.1).
//!
//! Invariants: the text is kept byte for byte, and compared so. The one exception is the port of an http URI on
//! `localhost`, `127.0.0.1` or `[::1]` (RFC 8252 §7.3; clients publish port-less `localhost` too). The same parser stands
//! before registration and before every authorization request, so that nothing reaches a comparison unparsed. A text that
//! a browser would repair (dot segments, backslashes, odd IP notations, user names) is refused, never repaired.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use url::Url;

/// Longest redirect URI, in bytes.
pub const MAX_REDIRECT_URI: usize = 2048;

/// Hosts that are this machine: plain http goes only there.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Schemes that run code, read files, speak other protocols or open a part of the system, lower case.
const REFUSED_SCHEMES: [&str; 62] = [
    "about",
    "afp",
    "blob",
    "brave",
    "cid",
    "cifs",
    "content",
    "data",
    "dav",
    "davs",
    "dict",
    "facetime",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "git",
    "gopher",
    "imap",
    "intent",
    "irc",
    "ircs",
    "itms-services",
    "jar",
    "javascript",
    "ldap",
    "ldaps",
    "livescript",
    "magnet",
    "mailto",
    "mid",
    "mocha",
    "news",
    "nfs",
    "nntp",
    "opera",
    "pop",
    "res",
    "resource",
    "rlogin",
    "rtsp",
    "search",
    "search-ms",
    "sftp",
    "shell",
    "sip",
    "sips",
    "smb",
    "sms",
    "ssh",
    "svn",
    "tel",
    "telnet",
    "tftp",
    "urn",
    "vbscript",
    "view-source",
    "ws",
    "wss",
    "wyciwyg",
    "xmpp",
];

/// Families of schemes that belong to browsers and operating systems, and look-alikes of http.
const REFUSED_SCHEME_PREFIXES: [&str; 10] =
    ["http", "android-app", "apple-", "chrome", "edge", "microsoft-", "moz-", "ms-", "safari-", "x-apple"];

/// A redirect URI that may be registered, byte for byte as it was given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedirectUri(String);

/// Why a text may not be a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Empty or longer than [`MAX_REDIRECT_URI`].
    #[error("a redirect URI has 1 to 2048 bytes")]
    Length,
    /// A character that RFC 3986 does not allow in a URI: space, control, non-ASCII, backslash, quote and the like.
    #[error("a redirect URI has only the ASCII characters of RFC 3986, without spaces, controls and backslashes")]
    Character,
    /// A percent sign without two hexadecimal digits, or an encoded control character or backslash.
    #[error("a redirect URI has no broken percent encoding and no encoded control character or backslash")]
    Encoding,
    /// RFC 6749 §3.1.2: must not have a fragment.
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// No scheme, or one that a browser must not be sent to.
    #[error(
        "a redirect URI begins with https://, with http:// on a loopback host, or with a scheme of the application's own"
    )]
    Scheme,
    /// Plain http to another machine.
    #[error("plain http goes only to localhost, 127.0.0.1 and [::1]")]
    NotLoopback,
    /// A user name before the host.
    #[error("a redirect URI has no user name or password")]
    UserInfo,
    /// No host, or one that is not in its plain form; or a port out of range.
    #[error("a redirect URI names one host in its plain form, with a port of 1 to 65535 if any")]
    Host,
    /// `*`: redirect URIs are compared exactly.
    #[error("a redirect URI has no wildcard")]
    Wildcard,
    /// `.` or `..` as a segment, also percent-encoded or followed by `;`.
    #[error("a redirect URI has no dot segments")]
    DotSegment,
}

/// Where the parts lie in the text.
struct Parts<'a> {
    scheme: &'a str,
    /// Between `//` and the path, if there is `//`.
    authority: Option<&'a str>,
    path: &'a str,
}

impl RedirectUri {
    /// Parses a redirect URI by the rules of registration.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        if text.is_empty() || text.len() > MAX_REDIRECT_URI {
            return Err(RedirectUriError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
            return Err(RedirectUriError::Character);
        }
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        check_encoding(text)?;
        let parts = split(text).ok_or(RedirectUriError::Scheme)?;
        let scheme = parts.scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "https" | "http" => {
                let host = check_host(text, parts.authority.ok_or(RedirectUriError::Host)?)?;
                if scheme == "http" && !LOOPBACK_HOSTS.contains(&host.as_str()) {
                    return Err(RedirectUriError::NotLoopback);
                }
            }
            _ => check_private_use(text, &scheme, &parts)?,
        }
        check_path(parts.path)?;
        Ok(Self(text.to_owned()))
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme, as it was written.
    pub fn scheme(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// Is it http on this machine? Then any program there may be listening.
    pub fn is_loopback(&self) -> bool {
        self.scheme().eq_ignore_ascii_case("http")
    }

    /// Is it a scheme of an application's own? Then whichever application the system has chosen for it gets the answer.
    pub fn is_private_use(&self) -> bool {
        !self.scheme().to_ascii_lowercase().starts_with("http")
    }

    /// What a person should read before approving: the host, with its port if one is written (`www.cursor.com`,
    /// `localhost:8787`); for an application's own scheme `cursor://anysphere.cursor-mcp` or `com.example.app:`.
    pub fn host_for_display(&self) -> &str {
        match split(&self.0) {
            Some(Parts { scheme, authority: Some(authority), .. }) if self.is_private_use() => {
                &self.0[..scheme.len() + "://".len() + authority.len()]
            }
            Some(Parts { authority: Some(authority), .. }) => authority,
            Some(Parts { scheme, .. }) => &self.0[..=scheme.len()],
            None => &self.0,
        }
    }

    /// Does a request for `requested` match this registered URI? Byte for byte, or for http on loopback in everything
    /// but the port.
    pub fn matches(&self, requested: &Self) -> bool {
        self.0 == requested.0
            || match (self.loopback_port(), requested.loopback_port()) {
                (Some(own), Some(other)) => {
                    self.0[..own.start] == requested.0[..other.start] && self.0[own.end..] == requested.0[other.end..]
                }
                _ => false,
            }
    }

    /// The text without its port if it is http on loopback: equal for URIs that match each other.
    pub fn without_loopback_port(&self) -> Cow<'_, str> {
        match self.loopback_port() {
            Some(port) if !port.is_empty() => Cow::Owned([&self.0[..port.start], &self.0[port.end..]].concat()),
            _ => Cow::Borrowed(&self.0),
        }
    }

    /// Where `:port` stands in an http URI on loopback: an empty range behind the host if no port is written.
    fn loopback_port(&self) -> Option<Range<usize>> {
        let Parts { scheme, authority: Some(authority), .. } = split(&self.0)? else { return None };
        if !self.is_loopback() {
            return None;
        }
        let start = scheme.len() + "://".len();
        let (host, _) = split_port(authority);
        Some(start + host.len()..start + authority.len())
    }

    /// This URI with parameters added to its query, which is otherwise kept byte for byte (RFC 6749 §4.1.2, RFC 9207 §2).
    pub fn with_parameters(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = self.0.clone();
        for (name, value) in parameters {
            match url.split_once('?') {
                None => url.push('?'),
                Some((_, query)) if query.is_empty() || query.ends_with('&') => {}
                Some(_) => url.push('&'),
            }
            push_encoded(&mut url, name);
            url.push('=');
            push_encoded(&mut url, value);
        }
        url
    }
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 §2.3), which both form and URI decoders undo.
fn push_encoded(url: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push(char::from(HEX[usize::from(byte >> 4)]));
            url.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Splits by RFC 3986 §3; `None` without a well-formed scheme.
fn split(text: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    if !bytes.next()?.is_ascii_alphabetic() || !bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return None;
    }
    let rest = rest.split('?').next().unwrap_or_default();
    let Some(rest) = rest.strip_prefix("//") else { return Some(Parts { scheme, authority: None, path: rest }) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some(Parts { scheme, authority: Some(authority), path })
}

/// Host and `:port`.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let host_end = if authority.starts_with('[') { authority.find(']').map_or(0, |end| end + 1) } else { 0 };
    match authority[host_end..].rfind(':') {
        Some(colon) => (&authority[..host_end + colon], Some(&authority[host_end + colon + 1..])),
        None => (authority, None),
    }
}

fn check_encoding(text: &str) -> Result<(), RedirectUriError> {
    let mut rest = text;
    while let Some(place) = rest.find('%') {
        let byte = rest
            .get(place + 1..place + 3)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or(RedirectUriError::Encoding)?;
        if byte.is_ascii_control() || byte == b'\\' {
            return Err(RedirectUriError::Encoding);
        }
        rest = &rest[place + 3..];
    }
    Ok(())
}

/// The host of a web URI, lower case, if a browser would read exactly that host and port.
fn check_host(text: &str, authority: &str) -> Result<String, RedirectUriError> {
    check_authority(authority)?;
    let (host, port) = split_port(authority);
    let host = host.to_ascii_lowercase();
    let url = Url::parse(text).map_err(|_| RedirectUriError::Host)?;
    let same_host = !host.is_empty() && url.host_str() == Some(host.as_str());
    let same_port = port.is_none_or(|port| url.port_or_known_default().is_some_and(|known| known.to_string() == port));
    let plain_name = host.starts_with('[')
        || host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            && host.split('.').all(|label| !label.is_empty());
    if same_host && same_port && port != Some("0") && plain_name { Ok(host) } else { Err(RedirectUriError::Host) }
}

fn check_authority(authority: &str) -> Result<(), RedirectUriError> {
    if authority.contains('@') {
        Err(RedirectUriError::UserInfo)
    } else if authority.contains('*') {
        Err(RedirectUriError::Wildcard)
    } else if authority.contains('%') {
        Err(RedirectUriError::Host)
    } else {
        Ok(())
    }
}

/// `scheme:/path` or `scheme://authority/path` with a scheme that is an application's own (RFC 8252 §7.1). A scheme without
/// a dot is accepted, because clients in use have one (`cursor`).
fn check_private_use(text: &str, scheme: &str, parts: &Parts<'_>) -> Result<(), RedirectUriError> {
    let refused = REFUSED_SCHEMES.contains(&scheme)
        || REFUSED_SCHEME_PREFIXES.iter().any(|prefix| scheme.starts_with(prefix))
        || scheme.len() < 2;
    if refused || parts.authority.is_none() && !parts.path.starts_with('/') {
        return Err(RedirectUriError::Scheme);
    }
    let authority = parts.authority.unwrap_or_default();
    check_authority(authority)?;
    let empty = authority.is_empty() && parts.path.is_empty();
    if empty || Url::parse(text).is_err() { Err(RedirectUriError::Host) } else { Ok(()) }
}

/// No dot segments after any of three rounds of decoding, in which an encoded slash divides and `;` ends a segment.
fn check_path(path: &str) -> Result<(), RedirectUriError> {
    if path.contains('*') {
        return Err(RedirectUriError::Wildcard);
    }
    let mut path = path.to_ascii_lowercase();
    for _ in 0..3 {
        let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        if path.split(['/', '\\']).any(dots) {
            return Err(RedirectUriError::DotSegment);
        }
        path =
            path.replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\").replace("%3b", ";").replace("%25", "%");
    }
    Ok(())
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for RedirectUri {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for RedirectUri {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
