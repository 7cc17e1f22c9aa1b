//! A client document names the URL it came from, has redirect URIs that may be redirected to, and no shared secret; the
//! client that it makes is the document's.
#![cfg_attr(fuzzing, no_main)]

use keyward::oauth::client::AuthMethod;
use keyward::oauth::client_document::{ClientDocument, MAX_DOCUMENT};
use keyward::oauth::document_url::DocumentUrl;
use keyward::oauth::redirect_uri::RedirectUri;
use keyward_fuzz::variant;
use keyward_fuzz::workshop::NOW;

const URL: &str = "https://app.example/oauth/client.json";

keyward_fuzz::target!(|data| {
    let document = match ClientDocument::parse(&DocumentUrl::parse(URL).expect("a URL"), data) {
        Ok(document) => document,
        Err(error) => return variant(&error),
    };
    assert!(data.len() <= MAX_DOCUMENT);
    let json: serde_json::Value = serde_json::from_slice(data).expect("it is JSON");
    assert_eq!(json["client_id"], URL);
    assert!(json["client_secret"].is_null() && json["client_secret_expires_at"].is_null());
    let client = document.to_client(NOW);
    assert_eq!((client.id.as_str(), &client.secret), (URL, &None));

    let metadata = document.metadata();
    for uri in &metadata.redirect_uris {
        assert_eq!(RedirectUri::parse(uri.as_str()).as_ref(), Ok(uri));
        assert!(json["redirect_uris"].as_array().expect("a list").contains(&uri.as_str().into()));
    }
    assert!(!metadata.redirect_uris.is_empty());
    let methods: Vec<_> = std::iter::once(metadata.auth_method).chain(metadata.more_auth_methods.clone()).collect();
    assert!(methods.iter().all(|method| !method.has_secret()));
    let has_keys = metadata.jwks.is_some() != metadata.jwks_uri.is_some();
    assert_eq!(methods.contains(&AuthMethod::PrivateKeyJwt), has_keys);
    format!("{methods:?} {} {:?}", metadata.redirect_uris.len(), metadata.application_type)
});
