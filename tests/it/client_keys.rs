//! Clients that prove themselves with a key of their own (RFC 7523), and with a secret (RFC 6749 §2.3.1).

use crate::support::{Agent, Appliance, Browser, Pkce, parameter};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyward::clock::Clock;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

const REDIRECT: &str = "https://client.example/callback";

struct KeyedClient {
    agent: Agent,
    keys: Ed25519KeyPair,
}

impl KeyedClient {
    async fn register(appliance: &Appliance) -> Self {
        let keys = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(keys.public_key().as_ref());
        let body = json!({
            "client_name": "Keyed", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "one", "alg": "EdDSA", "use": "sig"}]},
        });
        let registered = appliance.post_json("/register", &body, &[]).await.expect(201).json();
        let client_id = registered["client_id"].as_str().unwrap().to_owned();
        Self { agent: Agent { client_id, redirect_uri: REDIRECT.to_owned(), pkce: Pkce::new("keyed") }, keys }
    }

    fn assertion(&self, appliance: &Appliance, id: &str, audience: &str) -> String {
        let now = appliance.clock.now().unix_seconds();
        let header = json!({"alg": "EdDSA", "kid": "one", "typ": "JWT"});
        let claims = json!({
            "iss": self.agent.client_id, "sub": self.agent.client_id, "aud": audience, "jti": id, "iat": now, "exp": now + 60,
        });
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.keys.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

#[tokio::test]
async fn a_client_with_a_key_redeems_with_an_assertion_and_never_twice_with_the_same() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let client = KeyedClient::register(&appliance).await;
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let token_endpoint = format!("{}/token", appliance.issuer());
    let code = parameter(&client.agent.authorize(&appliance, &mut browser).await, "code").unwrap();

    let bare = client.agent.redeem(&appliance, &code).await.expect(401);
    assert_eq!(bare.json()["error"], "invalid_client", "the id alone proves nothing");
    let elsewhere = client.assertion(&appliance, "a", "https://elsewhere.example");
    let fields = [("client_assertion_type", kind), ("client_assertion", elsewhere.as_str())];
    client.agent.redeem_with(&appliance, &code, &fields).await.expect(401);

    let assertion = client.assertion(&appliance, "b", &token_endpoint);
    let fields = [("client_assertion_type", kind), ("client_assertion", assertion.as_str())];
    let tokens = client.agent.redeem_with(&appliance, &code, &fields).await.expect(200).json();
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("client_assertion_type", kind),
        ("client_assertion", assertion.as_str()),
    ];
    let again = appliance.post_form("/token", &refresh, &[]).await.expect(401).json();
    assert!(again["error_description"].as_str().unwrap().contains("used before"), "{again}");
    let fresh = client.assertion(&appliance, "c", appliance.issuer());
    let mut refresh = refresh;
    refresh[3].1 = &fresh;
    appliance.post_form("/token", &refresh, &[]).await.expect(200);
}

#[tokio::test]
async fn a_client_with_a_secret_may_send_it_either_way_but_not_wrong_and_not_twice() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let body = json!({"client_name": "Secret", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic"});
    let registered = appliance.post_json("/register", &body, &[]).await.expect(201).json();
    let text = |name: &str| registered[name].as_str().unwrap().to_owned();
    let (client_id, secret) = (text("client_id"), text("client_secret"));
    let agent = Agent { client_id: client_id.clone(), redirect_uri: REDIRECT.to_owned(), pkce: Pkce::new("secret") };
    let code = async |browser: &mut Browser| parameter(&agent.authorize(&appliance, browser).await, "code").unwrap();

    let first = code(&mut browser).await;
    agent.redeem(&appliance, &first).await.expect(401);
    agent.redeem_with(&appliance, &first, &[("client_secret", "kws_wrong")]).await.expect(401);
    agent.redeem_with(&appliance, &first, &[("client_secret", &secret)]).await.expect(200);

    let second = code(&mut browser).await;
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")));
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", second.as_str()),
        ("code_verifier", agent.pkce.verifier.as_str()),
    ];
    let wrong = appliance.post_form("/token", &fields, &[("authorization", &basic("kws_wrong"))]).await.expect(401);
    assert!(wrong.header("www-authenticate").starts_with("Basic"));
    let both = [fields[0], fields[1], fields[2], ("client_secret", secret.as_str())];
    appliance.post_form("/token", &both, &[("authorization", &basic(&secret))]).await.expect(400);
    appliance.post_form("/token", &fields, &[("authorization", &basic(&secret))]).await.expect(200);
}
