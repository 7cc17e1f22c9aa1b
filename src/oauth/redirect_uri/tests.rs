use super::RedirectUriError::{
    Character, DotSegment, Encoding, Fragment, Host, Length, NotLoopback, Scheme, UserInfo, Wildcard,
};
use super::*;
use proptest::prelude::*;

/// Every URI that may be registered, and why it is there.
const ACCEPTED: &[(&str, &str)] = &[
    // Clients in use (their documents and registrations, autumn 2026).
    ("https://claude.ai/api/mcp/auth_callback", "claude.ai"),
    ("https://claude.com/api/mcp/auth_callback", "claude.ai under its newer name"),
    ("http://localhost/callback", "Claude Code publishes localhost without a port"),
    ("http://127.0.0.1/callback", "Claude Code and Codex publish the literal without a port"),
    ("http://127.0.0.1:33418/", "VS Code: the path is a lone slash"),
    ("http://127.0.0.1:33418", "VS Code's older form: no path at all"),
    ("https://vscode.dev/redirect", "VS Code"),
    ("https://insiders.vscode.dev/redirect", "VS Code Insiders"),
    ("http://localhost:8787/callback", "Cursor"),
    ("https://www.cursor.com/agents/mcp/oauth/callback", "Cursor"),
    ("cursor://anysphere.cursor-mcp/oauth/callback", "Cursor's own scheme, without a dot"),
    ("https://chatgpt.com/connector_platform_oauth_redirect", "ChatGPT: underscore in the path"),
    ("https://chatgpt.com/connector/oauth/Ab-3_x~9", "ChatGPT: callback id in the path"),
    ("http://localhost:3334/oauth/callback", "mcp-remote"),
    ("http://127.0.0.1:19876/mcp/oauth/callback", "OpenCode"),
    ("http://localhost:6274/oauth/callback", "Inspector in a browser"),
    ("http://localhost:6274/oauth/callback/debug", "Inspector's debugger"),
    ("https://antigravity.google/oauth-callback", "Antigravity"),
    // What the standards allow.
    ("https://app.example/cb?tenant=a&x=%20+y", "a query of its own is kept"),
    ("https://app.example/cb?next=/../x", "dots in a query are no segments"),
    ("https://app.example/cb?", "an empty query is kept"),
    ("https://app.example", "no path"),
    ("https://app.example:8443/cb", "a port"),
    ("https://app.example:443/cb", "the default port, written out, is another text"),
    ("HTTPS://App.Example/cb", "letter case is kept"),
    ("https://xn--bcher-kva.example/cb", "an international name in its ASCII form"),
    ("https://my_app.example/cb", "an underscore, as some hosts have"),
    ("https://192.0.2.7/cb", "an IPv4 literal"),
    ("https://[2001:db8::7]/cb", "an IPv6 literal"),
    ("https://localhost:8443/cb", "TLS on this machine"),
    ("http://[::1]/cb", "loopback, IPv6"),
    ("http://[::1]:51004/cb", "loopback, IPv6, with a port"),
    ("https://app.example/a..b/...", "dots that are no dot segments"),
    ("https://app.example/%C3%A9/;v=1", "encoded text and a path parameter"),
    ("https://app.example//cb", "an empty segment is only another text"),
    ("com.example.app:/oauth2redirect", "RFC 8252 §7.1"),
    ("com.example.app:///oauth2redirect", "the same with an empty authority"),
    ("com.example.app://callback", "authority only"),
    ("vscode://vendor.extension/cb", "an extension of an editor"),
    ("MyApp+x-1://callback", "every character that a scheme may have"),
];

/// Every URI that may not, and why.
const REFUSED: &[(&str, RedirectUriError, &str)] = &[
    ("", Length, "nothing"),
    // Not a URI, or not the same to every reader.
    (" https://app.example/cb", Character, "leading space: browsers strip it"),
    ("https://app.example/cb ", Character, "trailing space"),
    ("https://app.example/c b", Character, "space"),
    ("https://app.example/cb\n", Character, "line end"),
    ("https://app.example/cb\r\nLocation: https://evil.example", Character, "header injection"),
    ("java\tscript:alert(1)", Character, "a tab that browsers drop"),
    ("https://app.example/\u{0}", Character, "NUL"),
    ("https://app.example/\u{7f}", Character, "DEL"),
    ("https://аpp.example/cb", Character, "a Cyrillic letter"),
    ("https://app。example/cb", Character, "an ideographic full stop is a dot to browsers"),
    ("https://app.example\\@evil.example/cb", Character, "backslash: a slash to browsers, a letter to others"),
    ("https:\\\\app.example\\cb", Character, "backslashes for slashes"),
    ("https://app.example/\"><script>", Character, "markup"),
    ("https://app.example/{id}", Character, "a template is not an address"),
    ("https://app.example/%", Encoding, "broken encoding"),
    ("https://app.example/%2", Encoding, "broken encoding"),
    ("https://app.example/%zz", Encoding, "broken encoding"),
    ("https://app.example/%+1", Encoding, "a sign is no hexadecimal digit"),
    ("https://app.example/%00", Encoding, "encoded NUL"),
    ("https://app.example/%0d%0aX:y", Encoding, "encoded line end"),
    ("https://app.example/%5c..", Encoding, "encoded backslash"),
    ("https://app.example/cb#", Fragment, "empty fragment"),
    ("https://app.example/cb#x", Fragment, "fragment"),
    ("cursor://anysphere.cursor-mcp/cb#x", Fragment, "fragment in an own scheme"),
    // Schemes.
    ("app.example/cb", Scheme, "relative"),
    ("/cb", Scheme, "relative"),
    ("//app.example/cb", Scheme, "relative to the scheme"),
    ("://app.example/cb", Scheme, "empty scheme"),
    ("1app://cb", Scheme, "a scheme begins with a letter"),
    ("my_app://cb", Scheme, "an underscore is no scheme character"),
    ("javascript:alert(1)", Scheme, "runs code"),
    ("JavaScript:alert(1)", Scheme, "the same in other letters"),
    ("javascript://app.example/%20alert(1)", Scheme, "the same, dressed as an address"),
    ("data:text/html,x", Scheme, "holds a page"),
    ("vbscript:x", Scheme, "runs code"),
    ("file:///etc/passwd", Scheme, "reads files"),
    ("blob:https://app.example/1", Scheme, "holds a page"),
    ("about:blank", Scheme, "a page of the browser"),
    ("view-source:https://app.example/", Scheme, "a page of the browser"),
    ("chrome-extension://abcdef/cb", Scheme, "a page of an extension"),
    ("ws://localhost/cb", Scheme, "another protocol"),
    ("wss://app.example/cb", Scheme, "another protocol"),
    ("ftp://app.example/cb", Scheme, "another protocol"),
    ("ms-msdt://x/y", Scheme, "a handler of the operating system"),
    ("intent://app#Intent;end", Fragment, "starts other applications"),
    ("intent://app/x", Scheme, "starts other applications"),
    ("mailto:me@app.example", Scheme, "no address to answer to"),
    ("urn:ietf:wg:oauth:2.0:oob", Scheme, "the code shown on a page: removed from OAuth"),
    ("httpx://app.example/cb", Scheme, "looks like http"),
    ("http+unix://socket/cb", Scheme, "looks like http"),
    ("myapp:callback", Scheme, "no hierarchy behind the scheme"),
    ("myapp:", Scheme, "nothing behind the scheme"),
    ("c:/cb", Scheme, "a drive"),
    ("myapp://", Host, "nothing behind the slashes"),
    ("myapp://]/cb", Host, "no host to any reader"),
    ("myapp://x:99999/cb", Host, "no such port"),
    // Hosts.
    ("https:", Host, "no host"),
    ("https:/app.example/cb", Host, "one slash: browsers add the other"),
    ("https:app.example/cb", Host, "no slash: browsers add both"),
    ("https:///app.example/cb", Host, "three slashes: browsers drop one"),
    ("https://", Host, "empty host"),
    ("https://:443/cb", Host, "empty host"),
    ("https://?x", Host, "empty host"),
    ("https://app.example:/cb", Host, "empty port: browsers drop the colon"),
    ("https://app.example:0/cb", Host, "port 0"),
    ("https://app.example:0443/cb", Host, "leading zero: browsers drop it"),
    ("https://app.example:65536/cb", Host, "no such port"),
    ("https://app.example:8o/cb", Host, "no number"),
    ("https://app.example:1:2/cb", Host, "two ports"),
    ("https://app.example./cb", Host, "trailing dot: another name for cookies"),
    ("https://.example/cb", Host, "empty label"),
    ("https://app..example/cb", Host, "empty label"),
    ("https://app%2eexample/cb", Host, "encoded dot"),
    ("https://app.example,evil.example/cb", Host, "two hosts"),
    ("https://2130706433/cb", Host, "an IPv4 address as one number"),
    ("https://0x7f.0.0.1/cb", Host, "an IPv4 address in base 16"),
    ("https://127.1/cb", Host, "an IPv4 address cut short"),
    ("https://[0:0:0:0:0:0:0:1]/cb", Host, "an IPv6 address written long"),
    ("https://[::1/cb", Host, "an open bracket"),
    ("https://[::1]x/cb", Host, "text behind the bracket"),
    ("https://[::ffff:127.0.0.1]/cb", Host, "IPv4 within IPv6, not in its plain form"),
    ("http://app.example/cb", NotLoopback, "plain http to another machine"),
    ("http://192.168.1.7/cb", NotLoopback, "plain http in the house"),
    ("http://127.0.0.2/cb", NotLoopback, "not one of the three"),
    ("http://0.0.0.0/cb", NotLoopback, "every address is none"),
    ("http://localhost.evil.example/cb", NotLoopback, "only begins like localhost"),
    ("http://evil.example/localhost", NotLoopback, "localhost in the path"),
    ("http://notlocalhost/cb", NotLoopback, "only ends like localhost"),
    ("http://127.0.0.1.evil.example/cb", NotLoopback, "only begins like the literal"),
    ("http://localhost./cb", Host, "trailing dot"),
    ("https://user@app.example/cb", UserInfo, "user name"),
    ("https://user:pass@app.example/cb", UserInfo, "user name and password"),
    ("https://@app.example/cb", UserInfo, "empty user name"),
    ("https://good.example@evil.example/cb", UserInfo, "looks like another host"),
    ("http://localhost:80@evil.example/cb", UserInfo, "looks like loopback"),
    ("cursor://good.example@evil/cb", UserInfo, "user name in an own scheme"),
    ("https://*.app.example/cb", Wildcard, "no wildcard in the host"),
    ("https://app.example/*", Wildcard, "no wildcard in the path"),
    ("cursor://*/cb", Wildcard, "no wildcard in an own scheme"),
    // Paths that name another place after repair.
    ("https://app.example/..", DotSegment, "dot segment"),
    ("https://app.example/a/../b", DotSegment, "dot segment"),
    ("https://app.example/./cb", DotSegment, "dot segment"),
    ("https://app.example/a/%2e%2E/b", DotSegment, "encoded"),
    ("https://app.example/a/.%2e/b", DotSegment, "half encoded"),
    ("https://app.example/a/%252e%252e/b", DotSegment, "encoded twice"),
    ("https://app.example/a/..;/b", DotSegment, "with a path parameter, as some servers drop it"),
    ("https://app.example/a/..%3bx/b", DotSegment, "the same, encoded"),
    ("https://app.example/a%2f..%2fb", DotSegment, "encoded slashes"),
    ("cursor://anysphere.cursor-mcp/../x", DotSegment, "in an own scheme"),
];

#[test]
fn the_table_of_redirect_uris() {
    assert!(ACCEPTED.len() + REFUSED.len() >= 60);
    for (text, why) in ACCEPTED {
        let parsed = RedirectUri::parse(text);
        assert_eq!(parsed.as_ref().map(RedirectUri::as_str), Ok(*text), "{why}");
        assert!(parsed.is_ok_and(|uri| uri.matches(&uri)), "{text}: {why}");
    }
    for (text, error, why) in REFUSED {
        assert_eq!(RedirectUri::parse(text), Err(*error), "{text}: {why}");
    }
    let longest = format!("https://app.example/{}", "a".repeat(MAX_REDIRECT_URI - 20));
    assert!(RedirectUri::parse(&longest).is_ok());
    assert_eq!(RedirectUri::parse(&format!("{longest}a")), Err(Length));
}

#[test]
fn schemes_are_refused_in_any_letters() {
    for scheme in REFUSED_SCHEMES.iter().chain(&REFUSED_SCHEME_PREFIXES) {
        for text in [format!("{scheme}:/x"), format!("{}://x/y", scheme.to_uppercase())] {
            if !text.to_lowercase().starts_with("http:") {
                assert_eq!(RedirectUri::parse(&text), Err(Scheme), "{text}");
            }
        }
    }
}

#[test]
fn accepted_uris_do_not_match_each_other() {
    let loopback_on_any_port = |text: &str| text.starts_with("http://");
    for (first, _) in ACCEPTED {
        for (second, _) in ACCEPTED.iter().filter(|(second, _)| second != first && !loopback_on_any_port(second)) {
            assert!(!uri(first).matches(&uri(second)), "{first} {second}");
        }
    }
}

#[test]
fn on_loopback_the_port_and_nothing_else_is_free() {
    for (registered, requested, matches) in [
        ("http://localhost/callback", "http://localhost:51004/callback", true),
        ("http://localhost:8787/callback", "http://localhost:51004/callback", true),
        ("http://localhost:8787/callback", "http://localhost/callback", true),
        ("http://127.0.0.1/callback", "http://127.0.0.1:1/callback", true),
        ("http://127.0.0.1:33418", "http://127.0.0.1:51004", true),
        ("http://[::1]/callback", "http://[::1]:51004/callback", true),
        ("http://[::1]:1/callback?a=b", "http://[::1]:65535/callback?a=b", true),
        ("http://127.0.0.1:33418/", "http://127.0.0.1:33418", false),
        ("http://localhost/callback", "http://127.0.0.1/callback", false),
        ("http://localhost/callback", "http://[::1]/callback", false),
        ("http://127.0.0.1/callback", "http://localhost:1/callback", false),
        ("http://localhost/callback", "https://localhost/callback", false),
        ("http://localhost/callback", "http://LOCALHOST/callback", false),
        ("http://localhost/callback", "http://localhost:1/callback/", false),
        ("http://localhost/callback", "http://localhost:1/callback/x", false),
        ("http://localhost/callback", "http://localhost:1/", false),
        ("http://localhost/callback", "http://localhost:1/callback?a=b", false),
        ("http://localhost/callback?a=b", "http://localhost:1/callback", false),
        ("http://localhost/callback?a=b", "http://localhost:1/callback?a=c", false),
        ("http://localhost/callback", "http://localhost:1/Callback", false),
        ("https://localhost:8443/cb", "https://localhost:8444/cb", false),
        ("https://app.example/cb", "https://app.example:443/cb", false),
        ("https://app.example:8443/cb", "https://app.example:8444/cb", false),
        ("cursor://localhost/cb", "cursor://localhost:1/cb", false),
    ] {
        assert_eq!(uri(registered).matches(&uri(requested)), matches, "{registered} {requested}");
    }
}

#[test]
fn a_person_reads_the_host() {
    for (text, shown, loopback, private_use) in [
        ("https://www.cursor.com/agents/cb?x=y", "www.cursor.com", false, false),
        ("https://app.example?x=/y", "app.example", false, false),
        ("https://app.example:8443", "app.example:8443", false, false),
        ("http://localhost:8787/callback", "localhost:8787", true, false),
        ("http://[::1]/cb", "[::1]", true, false),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp", false, true),
        ("com.example.app:/cb", "com.example.app:", false, true),
        ("com.example.app:///cb", "com.example.app://", false, true),
    ] {
        let uri = uri(text);
        assert_eq!(uri.host_for_display(), shown);
        assert_eq!((uri.is_loopback(), uri.is_private_use()), (loopback, private_use), "{text}");
        assert!(text.starts_with(uri.scheme()));
    }
}

#[test]
fn parameters_are_added_and_nothing_else_changes() {
    let parameters = [("code", "a b&c=d"), ("iss", "https://h")];
    let added = "code=a%20b%26c%3Dd&iss=https%3A%2F%2Fh";
    for (text, before) in [
        ("https://app.example", "https://app.example?"),
        ("https://app.example/cb", "https://app.example/cb?"),
        ("https://app.example/cb?", "https://app.example/cb?"),
        ("https://app.example/cb?a=%7e+b&c", "https://app.example/cb?a=%7e+b&c&"),
        ("https://app.example/cb?a&", "https://app.example/cb?a&"),
        ("https://app.example/cb?a?", "https://app.example/cb?a?&"),
        ("http://localhost:1/cb", "http://localhost:1/cb?"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp/oauth/callback?"),
        ("com.example.app:/cb?x", "com.example.app:/cb?x&"),
    ] {
        assert_eq!(uri(text).with_parameters(&parameters), format!("{before}{added}"));
    }
}

#[test]
fn only_what_parses_is_read_back() {
    let uri = uri("cursor://anysphere.cursor-mcp/oauth/callback");
    let text = serde_json::to_string(&uri).unwrap();
    assert_eq!(serde_json::from_str::<RedirectUri>(&text).unwrap(), uri);
    assert!(serde_json::from_str::<RedirectUri>("\"javascript:alert(1)\"").is_err());
}

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Is the difference between the two only in the digits of a loopback port?
fn differ_in_port_only(registered: &str, requested: &str) -> bool {
    let without_port = |text: &str| {
        let (host, rest) = LOOPBACK_HOSTS.iter().find_map(|host| {
            let rest = text.strip_prefix("http://")?.strip_prefix(host)?;
            Some((*host, rest))
        })?;
        let rest = match rest.strip_prefix(':') {
            Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => rest,
        };
        Some((host, rest.to_owned()))
    };
    without_port(registered).is_some_and(|own| without_port(requested) == Some(own))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_change_of_one_byte_is_refused(
        which in 0..ACCEPTED.len(),
        place in any::<prop::sample::Index>(),
        byte in 0_u8..128,
        kind in 0..3,
    ) {
        let registered = uri(ACCEPTED[which].0);
        let mut bytes = registered.as_str().as_bytes().to_vec();
        let place = place.index(bytes.len());
        match kind {
            0 => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => drop(bytes.remove(place)),
        }
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != registered.as_str());
        if let Ok(requested) = RedirectUri::parse(&changed) {
            prop_assert_eq!(registered.matches(&requested), differ_in_port_only(registered.as_str(), &changed));
        }
    }

    #[test]
    fn what_parses_means_the_same_to_a_browser(text in "[a-zA-Z]{2,6}:/{0,3}[a-zA-Z0-9.:@%\\[\\]*_-]{0,16}[/?a-zA-Z0-9.%;&=-]{0,20}") {
        if let Ok(parsed) = RedirectUri::parse(&text) {
            let url = Url::parse(&text).unwrap();
            prop_assert_eq!(url.scheme(), parsed.scheme().to_lowercase());
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            if !parsed.is_private_use() {
                prop_assert!(parsed.host_for_display().to_lowercase().starts_with(url.host_str().unwrap()));
                prop_assert!(url.path() == "/" || text.contains(url.path()));
            }
        }
    }
}

#[test]
fn every_change_of_one_byte_of_real_clients_is_refused() {
    for (text, _) in &ACCEPTED[..18] {
        let registered = uri(text);
        for place in 0..text.len() {
            for byte in 0..128 {
                let mut bytes = text.as_bytes().to_vec();
                if std::mem::replace(&mut bytes[place], byte) == byte {
                    continue;
                }
                let changed = String::from_utf8(bytes).unwrap();
                let answered = RedirectUri::parse(&changed).is_ok_and(|requested| registered.matches(&requested));
                assert!(!answered || differ_in_port_only(text, &changed), "{text} {changed}");
            }
        }
    }
}
