use super::*;
use crate::clock::Timestamp;
use crate::entropy::SeededEntropy;
use crate::id::{GrantId, UserId};
use crate::oauth::client::{ClientKind, ClientMetadata};
use crate::oauth::grant::Grant;
use crate::secret::PlainTokenKind;
use proptest::prelude::*;

const CLIENT: &str = "https://client.example/oauth.json";
const CALLBACK: &str = "https://client.example/cb?keep=%7e+1";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn client(redirect_uris: &[&str]) -> Client {
    let redirect_uris = redirect_uris.iter().map(|text| RedirectUri::parse(text).unwrap()).collect();
    Client {
        id: ClientId::parse(CLIENT).unwrap(),
        kind: ClientKind::Document,
        metadata: ClientMetadata::public(Some("Client".to_owned()), redirect_uris),
        secret: None,
        created_at: Timestamp::EPOCH,
        created_by: None,
    }
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A correct request, with parameters replaced (`Some`) or left out (`None`).
fn query(changes: &[(&str, Option<&str>)]) -> String {
    let mut pairs = vec![
        ("client_id", CLIENT),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("state", "xyz"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        pairs.extend(value.map(|value| (*name, value)));
    }
    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

fn issuer() -> Issuer {
    Issuer::parse("https://mcp.example").unwrap()
}

fn ask(query: &str) -> Result<AuthorizationRequest, RedirectedError> {
    let default = ResourceUri::parse("https://mcp.example/mcp").unwrap();
    let files = ResourceUri::parse("https://mcp.example/mcp/files").unwrap();
    let scopes_of = |resource: &ResourceUri| match resource {
        own if *own == default => Some(ScopeSet::mcp()),
        own if *own == files => Some(ScopeSet::parse("mcp files:read").unwrap()),
        _ => None,
    };
    AuthorizationQuery::parse(query)
        .unwrap()
        .addressed_by(&client(&[CALLBACK, "http://localhost/cb"]))
        .unwrap()
        .against(&Offer { default_resource: &default, scopes_of: &scopes_of })
}

#[test]
fn a_plain_request_gets_the_default_server_and_scope() {
    let request = ask(&query(&[])).unwrap();
    assert_eq!(request.client_id().as_str(), CLIENT);
    assert_eq!(request.redirect_uri().as_str(), CALLBACK);
    assert_eq!(request.state(), Some("xyz"));
    assert_eq!(request.scopes().as_str(), "mcp");
    assert_eq!(request.resource().as_str(), "https://mcp.example/mcp");
    assert_eq!(request.prompt(), Prompt::Consent);
    assert!(request.challenge().verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
}

#[test]
fn mistakes_about_the_client_or_its_address_stay_on_the_page() {
    use AuthorizePageError::{Encoding, NoClient, Repeated, TooLong, UnknownClient};
    let good = query(&[]);
    for (query, why) in [
        (String::new(), NoClient),
        ("client_id=".to_owned(), NoClient),
        ("client_id".to_owned(), NoClient),
        (query(&[("client_id", None)]), NoClient),
        (query(&[("client_id", Some("claude"))]), UnknownClient("claude".to_owned())),
        (format!("{good}&client_id={CLIENT}"), Repeated("client_id")),
        (format!("{good}&client_id="), Repeated("client_id")),
        (format!("{good}&redirect_uri={CALLBACK}"), Repeated("redirect_uri")),
        (format!("{good}&x=%"), Encoding),
        (format!("{good}&x=%4"), Encoding),
        (format!("{good}&x=%g0"), Encoding),
        (format!("{good}&x=%ff"), Encoding),
        (format!("{good}&%c3=1"), Encoding),
        (format!("{good}&x={}", "a".repeat(MAX_QUERY)), TooLong),
    ] {
        assert_eq!(AuthorizationQuery::parse(&query).map(|_| ()), Err(why), "{query:.80}");
    }

    let long = AuthorizationQuery::parse(&query(&[("client_id", Some(&"x".repeat(5_000)))])).unwrap_err();
    assert!(matches!(long, UnknownClient(name) if name.len() == 100));
}

#[test]
fn an_address_that_was_not_registered_is_never_answered() {
    let registered = client(&[CALLBACK, "http://localhost/cb", "cursor://anysphere.cursor-mcp/oauth/callback"]);
    for wrong in [
        "https://evil.example/cb?keep=%7e+1",
        "https://client.example/cb",
        "https://client.example/cb?keep=%7E+1",
        "https://client.example/cb?keep=~+1",
        "https://client.example/cb?keep=%7e+1&x=y",
        "https://client.example:443/cb?keep=%7e+1",
        "https://client.example@evil.example/cb?keep=%7e+1",
        "https://client.example/cb?keep=%7e+1#x",
        "http://client.example/cb?keep=%7e+1",
        "http://localhost/cb/",
        "http://localhost/cb?x=y",
        "http://127.0.0.1/cb",
        "https://localhost/cb",
        "http://localhost.evil.example/cb",
        "http://localhost:80@evil.example/cb",
        "cursor://anysphere.cursor-mcp:1/oauth/callback",
        "CURSOR://anysphere.cursor-mcp/oauth/callback",
        "javascript:alert(1)",
        " https://client.example/cb?keep=%7e+1",
        "//evil.example",
        "cb",
    ] {
        // Also with the parameters that some servers answer to before they look at the address.
        for more in ["", "&prompt=none", "&response_type=token", "&scope=%22", "&resource=x", "&request=x"] {
            let query = query(&[("redirect_uri", Some(wrong))]) + more;
            let outcome = AuthorizationQuery::parse(&query).unwrap().addressed_by(&registered);
            assert!(
                matches!(
                    outcome,
                    Err(AuthorizePageError::UnregisteredRedirect { .. } | AuthorizePageError::BadRedirect(_))
                ),
                "{wrong}"
            );
        }
    }
}

#[test]
fn an_address_may_be_left_out_if_there_is_one() {
    let without = || AuthorizationQuery::parse(&query(&[("redirect_uri", None)])).unwrap();
    assert_eq!(without().addressed_by(&client(&[CALLBACK])).unwrap().redirect_uri.as_str(), CALLBACK);
    for several in [&[][..], &[CALLBACK, "http://localhost/cb"]] {
        assert!(matches!(without().addressed_by(&client(several)), Err(AuthorizePageError::NoRedirect)));
    }
}

#[test]
fn another_client_is_not_taken_for_the_one_that_asks() {
    let other = Client { id: ClientId::parse("https://other.example/oauth.json").unwrap(), ..client(&[CALLBACK]) };
    let outcome = AuthorizationQuery::parse(&query(&[])).unwrap().addressed_by(&other);
    assert!(matches!(outcome, Err(AuthorizePageError::UnknownClient(id)) if id == CLIENT));
}

#[test]
fn every_other_mistake_is_told_to_the_client() {
    use ErrorCode::{
        InteractionRequired, InvalidRequest, InvalidScope, InvalidTarget, RequestNotSupported, RequestUriNotSupported,
        UnsupportedResponseType,
    };
    let long_scope = "s".repeat(65);
    for (name, value, code) in [
        ("response_type", None, InvalidRequest),
        ("response_type", Some(""), InvalidRequest),
        ("response_type", Some("token"), UnsupportedResponseType),
        ("response_type", Some("code id_token"), UnsupportedResponseType),
        ("response_type", Some("CODE"), UnsupportedResponseType),
        ("response_mode", Some("fragment"), InvalidRequest),
        ("response_mode", Some("form_post"), InvalidRequest),
        ("code_challenge", None, InvalidRequest),
        ("code_challenge", Some("short"), InvalidRequest),
        ("code_challenge_method", None, InvalidRequest),
        ("code_challenge_method", Some("plain"), InvalidRequest),
        ("scope", Some("mcp \"x\""), InvalidScope),
        ("scope", Some(&long_scope), InvalidScope),
        ("resource", Some("https://other.example/mcp"), InvalidTarget),
        ("resource", Some("https://mcp.example/mcp#x"), InvalidTarget),
        ("resource", Some("mcp"), InvalidTarget),
        ("prompt", Some("none"), InteractionRequired),
        ("prompt", Some("login none"), InteractionRequired),
        ("request", Some("eyJ"), RequestNotSupported),
        ("request_uri", Some("https://client.example/r"), RequestUriNotSupported),
    ] {
        let error = ask(&query(&[(name, value)])).unwrap_err();
        assert_eq!(error.code(), code, "{name}={value:?}");
        assert!(!error.description().is_empty());
        let url = error.url(&issuer());
        assert!(url.starts_with(&format!("{CALLBACK}&error={code}&error_description=")), "{url}");
        assert!(url.ends_with("&state=xyz&iss=https%3A%2F%2Fmcp.example"), "{url}");
    }
}

#[test]
fn a_parameter_given_twice_is_told_to_the_client() {
    for name in ["response_type", "response_mode", "scope", "code_challenge", "code_challenge_method", "prompt"] {
        let error = ask(&format!("{}&{name}=a&{name}=a", query(&[]))).unwrap_err();
        assert_eq!((error.code(), error.state.as_deref()), (ErrorCode::InvalidRequest, Some("xyz")), "{name}");
    }
    let error = ask(&format!("{}&state=other", query(&[]))).unwrap_err();
    assert_eq!((error.code(), error.state), (ErrorCode::InvalidRequest, None));
    assert!(ask(&format!("{}&unknown=1&unknown=2&=&&", query(&[]))).is_ok(), "unknown parameters are ignored");
    let error = ask(&format!("{}&state=other&prompt=a&prompt=b", query(&[]))).unwrap_err();
    assert!(!error.url(&issuer()).contains("state="), "nobody knows which one was meant");
}

#[test]
fn a_client_without_the_grant_type_is_told_so() {
    let mut client = client(&[CALLBACK]);
    client.metadata.grant_types = vec![GrantType::RefreshToken];
    let default = ResourceUri::parse("https://mcp.example/mcp").unwrap();
    let offer = Offer { default_resource: &default, scopes_of: &|_| Some(ScopeSet::mcp()) };
    let error =
        AuthorizationQuery::parse(&query(&[])).unwrap().addressed_by(&client).unwrap().against(&offer).unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnauthorizedClient);
}

#[test]
fn scopes_are_a_subset_and_never_nothing() {
    let files = "https://mcp.example/mcp/files";
    for (resource, scope, granted) in [
        (None, None, "mcp"),
        (None, Some(""), "mcp"),
        (None, Some("mcp"), "mcp"),
        (None, Some("openid email profile"), "mcp"),
        (None, Some("mcp files:read"), "mcp"),
        (None, Some("offline_access"), "mcp offline_access"),
        (None, Some("openid offline_access mcp"), "mcp offline_access"),
        (Some(files), Some("files:read"), "files:read"),
        (Some(files), Some("offline_access files:read mcp x"), "files:read mcp offline_access"),
        (Some(files), Some("x"), "mcp"),
    ] {
        let request = ask(&query(&[("resource", resource), ("scope", scope)])).unwrap();
        assert_eq!(request.scopes().as_str(), granted, "{scope:?}");
    }
}

#[test]
fn one_resource_may_be_named_twice_but_not_two() {
    let twice =
        format!("{}&resource=https://mcp.example/mcp/files&resource=HTTPS://MCP.example:443/mcp/files/", query(&[]));
    assert_eq!(ask(&twice).unwrap().resource().as_str(), "https://mcp.example/mcp/files");
    let two = format!("{}&resource=https://mcp.example/mcp/files&resource=https://mcp.example/mcp", query(&[]));
    assert_eq!(ask(&two).unwrap_err().code(), ErrorCode::InvalidTarget);
}

#[test]
fn prompts_are_read() {
    for (prompt, read) in [
        (None, Prompt::Consent),
        (Some("consent"), Prompt::Consent),
        (Some("login"), Prompt::Login),
        (Some("consent login"), Prompt::Login),
        (Some("select_account"), Prompt::Login),
        (Some("create"), Prompt::Consent),
    ] {
        assert_eq!(ask(&query(&[("prompt", prompt)])).unwrap().prompt(), read, "{prompt:?}");
    }
}

#[test]
fn state_comes_back_unchanged_or_not_at_all() {
    let longest = "s".repeat(MAX_STATE);
    for state in ["a", " a b+c&d=e#f%20\"<>\\/é😀~", "eyJ=.x_-", &longest] {
        let request = ask(&query(&[("state", Some(state))])).unwrap();
        assert_eq!(request.state(), Some(state));
    }
    assert_eq!(ask(&query(&[("state", None)])).unwrap().state(), None);
    for state in [&format!("{longest}s"), "a\nb", "\0", "a\u{85}"] {
        let error = ask(&query(&[("state", Some(state))])).unwrap_err();
        assert_eq!((error.code(), &error.state), (ErrorCode::InvalidRequest, &None), "{state:.20?}");
    }
}

#[test]
fn answers_keep_the_address_and_name_the_issuer() {
    let code = PlainToken::generate(PlainTokenKind::AuthorizationCode, &SeededEntropy::new(1));
    let sent = code.expose();
    for (redirect_uri, state, url) in [
        (CALLBACK, Some("a b&c"), format!("{CALLBACK}&code={sent}&state=a%20b%26c&iss=https%3A%2F%2Fmcp.example")),
        (
            "http://localhost:8787/cb",
            None,
            format!("http://localhost:8787/cb?code={sent}&iss=https%3A%2F%2Fmcp.example"),
        ),
    ] {
        let request = ask(&query(&[("redirect_uri", Some(redirect_uri)), ("state", state)])).unwrap();
        assert_eq!(request.success_url(&code, &issuer()), url);
    }
    let denied = ask(&query(&[])).unwrap().refused(ErrorCode::AccessDenied, "the person said \"no\"");
    assert_eq!(
        denied.url(&issuer()),
        format!(
            "{CALLBACK}&error=access_denied&error_description=the%20person%20said%20%27no%27&state=xyz&iss=https%3A%2F%2Fmcp.example"
        )
    );
}

#[test]
fn a_request_survives_the_form_and_is_checked_again() {
    let request = ask(&query(&[("state", Some("é\"\\")), ("scope", Some("mcp offline_access"))])).unwrap();
    let text = serde_json::to_string(&request).unwrap();
    let again: AuthorizationRequest = serde_json::from_str(&text).unwrap();
    assert_eq!(again, request);
    let other = Client { id: ClientId::parse("https://other.example/x").unwrap(), ..client(&[CALLBACK]) };
    assert_eq!(again.check_address(&client(&[CALLBACK])), Ok(()));
    assert!(again.is_addressed_by(&client(&[CALLBACK])) && !again.is_addressed_by(&other));
    assert!(matches!(again.check_address(&other), Err(AuthorizePageError::UnknownClient(_))));

    let (id, user) = (GrantId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    let now = Timestamp::from_unix_seconds(7);
    let given = ScopeSet::parse("mcp:read").unwrap();
    let grant = Grant::approved(id, user, &client(&[CALLBACK]), &again, given.clone(), now).unwrap();
    assert_eq!((grant.id, grant.user, grant.created_at, grant.revoked_at), (id, user, now, None));
    assert_eq!((grant.client.as_str(), grant.client_name.as_str()), (CLIENT, "Client"));
    assert_eq!((&grant.resource, &grant.scopes), (again.resource(), &given));
    assert_eq!(grant.redirect_uri.as_str(), CALLBACK);
    let changed = client(&["https://client.example/other"]);
    let outcome = Grant::approved(id, user, &changed, &again, given, now);
    assert!(matches!(outcome, Err(AuthorizePageError::UnregisteredRedirect { .. })));
}

proptest! {
    #[test]
    fn no_query_makes_the_parser_panic(query in ".{0,200}") {
        let _ = AuthorizationQuery::parse(&query);
    }

    #[test]
    fn any_state_without_controls_is_echoed(state in "[^\\p{Cc}]{1,300}") {
        let request = ask(&query(&[("state", Some(&state))])).unwrap();
        let code = PlainToken::generate(PlainTokenKind::AuthorizationCode, &SeededEntropy::new(1));
        let url = url::Url::parse(&request.success_url(&code, &issuer())).unwrap();
        let echoed = url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
        prop_assert_eq!(echoed, Some(state));
    }
}
