use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> ProbeAnswer {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    ProbeAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.collect(),
        body: body.to_owned().into(),
        spread: Duration::ZERO,
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn a_challenge_says_where_to_go_on() {
    let whole = "Bearer error=\"invalid_token\", resource_metadata=\"https://h/.well-known/oauth-protected-resource/mcp\", scope=\"mcp\"";
    let metadata = challenge(&answer(401, &[("www-authenticate", whole)], "")).unwrap();
    assert_eq!(metadata.as_str(), "https://h/.well-known/oauth-protected-resource/mcp");
    for (broken, part) in [
        (answer(401, &[], ""), "let the proxy pass keyward's answer on with all its headers"),
        (answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""), "sign-in of its own (basic)"),
        (answer(401, &[("www-authenticate", "Bearer")], ""), "does not say where to sign in"),
        (answer(401, &[("www-authenticate", "Bearer resource_metadata=\"nowhere\"")], ""), "does not say where"),
        (answer(200, &[], "hello"), "something answers in keyward's place"),
        (answer(308, &[("location", "https://h/mcp/")], ""), "it leads to https://h/mcp/"),
        (answer(403, &[("content-type", "text/html; charset=utf-8")], "<html>"), "protection against bots"),
        (answer(404, &[], ""), "let the proxy pass every method and path on"),
        (answer(405, &[], ""), "handle_path"),
        (answer(421, &[], ""), "pass the header host on"),
        (answer(502, &[], ""), "the proxy does not reach keyward"),
        (answer(500, &[], ""), "look at the log"),
    ] {
        let trouble = challenge(&broken).unwrap_err();
        let words = format!("{} {}", trouble.saw, trouble.advice).to_lowercase();
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn a_token_that_a_proxy_takes_away_is_missed() {
    let judged =
        "Bearer error=\"invalid_token\", error_description=\"it is not a token\", resource_metadata=\"https://h/x\"";
    assert_eq!(token_came_through(&answer(401, &[("www-authenticate", judged)], "")), Ok(()));
    let unseen = "Bearer resource_metadata=\"https://h/x?error=1\", scope=\"mcp\"";
    let trouble = token_came_through(&answer(401, &[("www-authenticate", unseen)], "")).unwrap_err();
    assert!(trouble.advice.contains("Authorization"), "{trouble:?}");
}

#[test]
fn the_servers_document_is_of_the_url_that_was_typed() {
    let typed = url("https://h/mcp");
    let json = [("content-type", "application/json")];
    let document = r#"{"resource":"https://h/mcp","authorization_servers":["https://h"]}"#;
    assert_eq!(resource(&answer(200, &json, document), &typed).unwrap(), url("https://h"));
    for (status, body, part) in [
        (200, r#"{"resource":"http://127.0.0.1:8080/mcp","authorization_servers":["https://h"]}"#, "set public_url"),
        (200, r#"{"resource":"https://h/mcp","authorization_servers":[]}"#, "names no place"),
        (200, r#"{"resource":7}"#, "not as it has to be"),
        (404, "", "/.well-known/"),
        (200, "", "the answer is empty"),
        (421, "", "header Host"),
    ] {
        let trouble = resource(&answer(status, &json, body), &typed).unwrap_err();
        assert!(format!("{} {}", trouble.saw, trouble.advice).contains(part), "{trouble:?}");
    }
    let page = resource(&answer(200, &[("content-type", "text/html")], "<html>"), &typed).unwrap_err();
    assert!(page.saw.contains("text/html, not JSON"), "{page:?}");

    assert_eq!(sent_on(page.clone(), &typed, &url("https://h/other")), page);
    let elsewhere = sent_on(page, &url("https://other/.well-known/x"), &typed);
    assert!(
        elsewhere.saw.starts_with("clients are sent on to https://other, and there: the document"),
        "{elsewhere:?}"
    );
    assert!(elsewhere.advice.starts_with("If clients use https://h, set public_url = \"https://h\""), "{elsewhere:?}");
}

#[test]
fn the_document_of_sign_in_is_the_issuers_own() {
    let own = url("https://h");
    let document = |issuer: &str, host: &str, method: &str| {
        let body = format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"https://{host}/authorize","token_endpoint":"https://h/token",
            "registration_endpoint":"https://h/register","code_challenge_methods_supported":["{method}"],
            "client_id_metadata_document_supported":true}}"#
        );
        authorization_server(&answer(200, &[("content-type", "application/json")], &body), &own)
    };
    let places = document("https://h", "h", "S256").unwrap();
    assert!(places.documents && places.register.unwrap().path() == "/register");
    assert!(document("https://other", "h", "S256").unwrap_err().saw.contains("https://other"));
    assert!(document("https://h", "evil", "S256").unwrap_err().saw.contains("another host"));
    assert!(document("https://h", "h", "plain").unwrap_err().saw.contains("S256"));
}

#[test]
fn the_browser_gets_to_keywards_login_page() {
    let authorize = url("https://h/authorize?client_id=x");
    let to = |location: &str| to_login(&answer(303, &[("location", location)], ""), &authorize);
    assert_eq!(to("/login?next=%2Fauthorize").unwrap().as_str(), "https://h/login?next=%2Fauthorize");
    assert!(to("https://sso.example/login").unwrap_err().saw.contains("https://sso.example"));
    assert!(to_login(&answer(400, &[], ""), &authorize).unwrap_err().saw.contains("refuses the request"));
    let page = |headers: &[(&'static str, &str)]| login_page(&answer(200, headers, "<input name=\"form_token\">"));
    assert_eq!(page(&[("content-type", "text/html"), ("set-cookie", "a=b")]), Ok(()));
    assert!(page(&[("content-type", "text/html")]).unwrap_err().saw.contains("cookie"));
    assert!(page(&[("content-type", "text/plain"), ("set-cookie", "a=b")]).is_err());
}

#[test]
fn an_answer_to_a_call_comes_as_json_or_in_a_stream() {
    let result = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
    let stream =
        format!(": hello\n\nevent: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"x\"}}\n\ndata: {result}\n\n");
    assert!(called(&answer(200, &[("content-type", "application/json")], result)).unwrap().get("tools").is_some());
    assert!(called(&answer(200, &[("content-type", "text/event-stream")], &stream)).unwrap().get("tools").is_some());
    let refused = "Bearer error=\"invalid_token\", error_description=\"the token has expired\"";
    let trouble = called(&answer(401, &[("www-authenticate", refused)], "")).unwrap_err();
    assert!(trouble.saw.contains("the token has expired"));
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the upstream\nis down"}}"#;
    let trouble = called(&answer(502, &[("content-type", "application/json")], error)).unwrap_err();
    assert!(trouble.saw.contains("the upstream is down"), "{trouble:?}");
    assert!(called(&answer(200, &[("content-type", "text/html")], "<html>")).is_err());
}

#[test]
fn clocks_and_addresses_are_compared() {
    let server = date(&answer(200, &[("date", "Sun, 06 Nov 1994 08:49:37 GMT")], "")).unwrap();
    assert_eq!(server, Timestamp::from_unix_seconds(784_111_777));
    assert_eq!(clock(server, server + Duration::from_secs(29)), Ok(()));
    let apart = clock(server, server + Duration::from_secs(90)).unwrap_err();
    assert!(apart.minor && apart.saw.contains("90 seconds behind"), "{apart:?}");
    assert!(clock(server + Duration::from_secs(90), server).unwrap_err().saw.contains("ahead of"));
    let private = |address: IpAddr| address.is_loopback();
    assert_eq!(public(&["203.0.113.7".parse().unwrap()], private), Ok(()));
    assert!(public(&["127.0.0.1".parse().unwrap()], private).unwrap_err().saw.contains("127.0.0.1"));
}

#[test]
fn a_stream_that_is_held_back_is_missed() {
    let kind = [("content-type", "text/event-stream")];
    let at_once = answer(200, &kind, ": one\n\n: two\n\n");
    assert!(stream(&at_once).unwrap().unwrap_err().advice.contains("proxy_buffering off"));
    let apart = ProbeAnswer { spread: STREAM_PAUSE, ..at_once };
    assert_eq!(stream(&apart), Some(Ok(())));
    assert_eq!(stream(&answer(404, &kind, "")), None);
    assert_eq!(stream(&answer(200, &[("content-type", "text/html")], "")), None);
}

#[test]
fn a_proxy_that_is_not_trusted_or_says_nothing_is_named() {
    let peer: IpAddr = "172.18.0.2".parse().unwrap();
    let caller = ClientAddress("203.0.113.7".parse().unwrap());
    let of =
        |pairs: &[(&'static str, &str)], peer, client| forwarded(&answer(200, pairs, "").headers, peer, client, true);
    let said = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
    assert!(of(&said, peer, caller).unwrap().contains("203.0.113.7"));
    assert!(of(&said, peer, ClientAddress::UNKNOWN).unwrap_err().advice.contains("trusted_proxies = [\"172.18.0.2\"]"));
    assert!(of(&[("x-forwarded-proto", "http")], peer, caller).unwrap_err().saw.contains("plain http"));
    let loopback = "127.0.0.1".parse().unwrap();
    assert!(of(&[], loopback, ClientAddress(loopback)).unwrap_err().advice.contains("X-Forwarded-For"));
    assert!(of(&[], peer, ClientAddress(peer)).is_ok());
}

#[test]
fn what_others_wrote_is_short_and_on_one_line() {
    let long = "x".repeat(500);
    assert_eq!(quoted("a\r\nb"), "a  b");
    assert_eq!(quoted(&long).chars().count(), MAX_QUOTED + 1);
}

#[test]
fn parameters_of_a_challenge_are_found_wherever_they_stand() {
    for (text, value) in [
        ("Bearer a=b, error=\"x y\"", Some("x y")),
        ("bearer error=x", Some("x")),
        ("Bearer realm=\"error=z\", error=\"y\"", Some("y")),
        ("Bearer", None),
        ("Bearer error", None),
        ("Bearer error=\"open", None),
        ("", None),
    ] {
        assert_eq!(parameter(text, "error").as_deref(), value, "{text}");
    }
}
