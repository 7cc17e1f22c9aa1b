//! What a client is told of its registration is a registration of the same metadata.
#![cfg_attr(fuzzing, no_main)]

use keyward::entropy::SeededEntropy;
use keyward::oauth::client::{Client, ClientMetadata};
use keyward::oauth::registration::{MAX_REGISTRATION, RegistrationResponse, parse_registration};
use keyward::secret::{PlainToken, PlainTokenKind, Secret};
use keyward_fuzz::variant;
use keyward_fuzz::workshop::{client, issuer};

keyward_fuzz::target!(|data| {
    let metadata = match parse_registration(data, MAX_REGISTRATION) {
        Ok(metadata) => metadata,
        Err(error) => return variant(&error),
    };
    assert!(data.len() <= MAX_REGISTRATION);
    let answer = answer(&metadata);
    if answer.len() > MAX_REGISTRATION {
        return "too long to say again".into();
    }
    let again = parse_registration(answer.as_bytes(), MAX_REGISTRATION).expect("it was registered once");
    assert_eq!(again, metadata);
    assert_eq!(again.digest(), metadata.digest());
    format!("{:?} {:?} {}", metadata.auth_method, metadata.grant_types, metadata.redirect_uris.len())
});

fn answer(metadata: &ClientMetadata) -> String {
    let secret = PlainToken::generate(PlainTokenKind::ClientSecret, &SeededEntropy::new(1));
    let client = Client { metadata: metadata.clone(), ..client() };
    let access = Secret::new("kwg_token".to_owned());
    let secret = metadata.auth_method.has_secret().then_some(&secret);
    let response = RegistrationResponse::new(&client, metadata, secret, &access, &issuer());
    serde_json::to_string(&response).expect("an answer is plain data")
}
