//! A resource has one canonical form, which is a URL of the same host, and which is its own canonical form.
#![cfg_attr(fuzzing, no_main)]

use keyward::oauth::resource::ResourceUri;
use keyward_fuzz::{text, variant};

keyward_fuzz::target!(|data| {
    let Some(given) = text(data) else { return "not text".into() };
    let resource = match ResourceUri::parse(given) {
        Ok(resource) => resource,
        Err(error) => return variant(&error),
    };
    assert_eq!(ResourceUri::parse(resource.as_str()), Ok(resource.clone()));
    let (given, canonical) =
        (url::Url::parse(given).expect("a URL"), url::Url::parse(resource.as_str()).expect("a URL"));
    assert_eq!(given.origin(), canonical.origin());
    assert_eq!(given.query(), canonical.query());
    assert_eq!(given.path().trim_end_matches('/'), canonical.path().trim_end_matches('/'));
    assert!(canonical.fragment().is_none() && canonical.username().is_empty() && canonical.password().is_none());
    format!("{} {:?}", canonical.path().len() > 1, canonical.query().is_some())
});
