//! A posted form says what a form decoder reads in it, each thing once; and its client authenticates in one way or none.
//!
//! Input: an `Authorization` header, a line break, and the form; or the form alone.
#![cfg_attr(fuzzing, no_main)]

use keyward::oauth::client_authentication::{Authentication, ClientCredentials};
use keyward::oauth::form::OAuthForm;
use keyward::oauth::scope::ScopeSet;
use keyward_fuzz::variant;
use keyward_fuzz::workshop::client;

keyward_fuzz::target!(|data| {
    let line = data.iter().position(|byte| *byte == b'\n');
    let (header, body) = line.map_or((None, data), |at| (Some(&data[..at]), &data[at + 1..]));
    let form = match OAuthForm::parse(body) {
        Ok(form) => form,
        Err(error) => return format!("{:?}", error.code()),
    };
    let mut resources = Vec::new();
    for (name, value) in url::form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty()) {
        if name == "resource" {
            resources.push(value.into_owned());
        } else {
            assert_eq!(form.get(&name), Some(&*value), "what stands once is found, what stands twice is refused");
        }
    }
    assert_eq!(form.resources(), resources);
    if let Ok(Some(scope)) = form.scope() {
        assert_eq!(ScopeSet::parse(scope.as_str()), Ok(scope));
    }

    let credentials = match ClientCredentials::parse(header, form.client()) {
        Ok(credentials) => credentials,
        Err(error) => return format!("{:?} {}", error.code(), error.description().len()),
    };
    if let Some(named) = form.get("client_id") {
        assert_eq!(credentials.client().as_str(), named, "one client at a time");
    }
    let kind = variant(&credentials);
    // The client is public: nothing but its bare id is good.
    let client = client();
    match credentials.against(client.clone()) {
        Ok(Authentication::Done(done)) => {
            assert!(kind == "Id" && done.client().id == client.id);
            "authenticated".into()
        }
        Ok(Authentication::NeedsKeys(_)) => panic!("a public client has no keys"),
        Err(_) => kind,
    }
});
