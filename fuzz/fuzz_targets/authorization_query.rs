//! No authorization request leads anywhere but to a redirect URI that its client registered; what it leads to carries the
//! client's `state` unchanged and this server's `iss`; and none is granted without PKCE.
#![cfg_attr(fuzzing, no_main)]

use keyward::entropy::SeededEntropy;
use keyward::oauth::authorization::{AuthorizationQuery, Offer};
use keyward::oauth::client::Client;
use keyward::oauth::error::ErrorCode;
use keyward::oauth::redirect_uri::RedirectUri;
use keyward::oauth::scope::ScopeSet;
use keyward::secret::{PlainToken, PlainTokenKind};
use keyward_fuzz::workshop::{client, issuer, resource};
use keyward_fuzz::{text, variant};
use std::sync::LazyLock;

static CLIENT: LazyLock<Client> = LazyLock::new(client);

keyward_fuzz::target!(|data| {
    let Some(query) = text(data) else { return "not text".into() };
    let parsed = match AuthorizationQuery::parse(query) {
        Ok(parsed) => parsed,
        Err(error) => return variant(&error),
    };
    let addressed = match parsed.addressed_by(&CLIENT) {
        Ok(addressed) => addressed,
        Err(error) => return variant(&error),
    };
    let default = resource();
    let offer = Offer { default_resource: &default, scopes_of: &|asked| (*asked == resource()).then(ScopeSet::mcp) };
    match addressed.against(&offer) {
        Ok(request) => {
            assert!(request.is_addressed_by(&CLIENT) && *request.resource() == default);
            assert_eq!(parameter(query, "code_challenge_method"), ["S256"]);
            assert_eq!(parameter(query, "response_type"), ["code"]);
            let code = PlainToken::generate(PlainTokenKind::AuthorizationCode, &SeededEntropy::new(1));
            check_answer(&request.success_url(&code, &issuer()), request.redirect_uri(), query, "code", code.expose());
            let denied = request.refused(ErrorCode::AccessDenied, "no");
            check_answer(&denied.url(&issuer()), denied.redirect_uri(), query, "error", "access_denied");
            format!("request {:?} {}", request.prompt(), request.scopes().as_str())
        }
        Err(error) => {
            check_answer(&error.url(&issuer()), error.redirect_uri(), query, "error", error.code().as_str());
            format!("{:?} {}", error.code(), error.description().len())
        }
    }
});

fn check_answer(url: &str, redirect_uri: &RedirectUri, query: &str, name: &str, value: &str) {
    assert!(CLIENT.metadata.redirect_uris.iter().any(|registered| registered.matches(redirect_uri)));
    let added = url.strip_prefix(redirect_uri.as_str()).expect("it goes where it was registered");
    assert!(added.starts_with(['?', '&']));
    assert_eq!(parameter(&added[1..], name), [value]);
    assert_eq!(parameter(&added[1..], "iss"), [issuer().as_str()]);
    let (asked, told) = (parameter(query, "state"), parameter(&added[1..], "state"));
    assert!(told.is_empty() || told == asked, "{told:?} is not {asked:?}");
    assert!(name == "error" || told == asked, "a success has the client's state");
}

/// Every value of a parameter that is not empty, as a form decoder reads it.
fn parameter(query: &str, name: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.into_owned()).collect()
}
