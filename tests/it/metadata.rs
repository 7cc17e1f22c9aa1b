//! What a client finds by itself: discovery documents, keys, and where they are not.

use crate::support::Appliance;

#[tokio::test]
async fn the_resource_names_the_issuer_that_the_server_metadata_names() {
    let appliance = Appliance::new();
    let resource = appliance.get("/.well-known/oauth-protected-resource/mcp", &[]).await.expect(200);
    assert_eq!(resource.header("access-control-allow-origin"), "*");
    let resource = resource.json();
    assert_eq!(resource["resource"], appliance.mcp_url());
    assert_eq!(resource["authorization_servers"][0], appliance.issuer());
    assert_eq!(resource["scopes_supported"], serde_json::json!(["mcp"]));

    let server = appliance.get("/.well-known/oauth-authorization-server", &[]).await.expect(200).json();
    assert_eq!(server["issuer"], appliance.issuer());
    assert_eq!(server["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(server["authorization_response_iss_parameter_supported"], true);
    assert_eq!(server["client_id_metadata_document_supported"], true);
    let methods = server["token_endpoint_auth_methods_supported"].as_array().unwrap();
    for method in ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"] {
        assert!(methods.iter().any(|known| known == method), "{method}");
    }
    assert!(server["scopes_supported"].as_array().unwrap().iter().any(|scope| scope == "offline_access"));
}

#[tokio::test]
async fn the_root_form_describes_the_only_server_and_other_paths_describe_none() {
    let appliance = Appliance::new();
    let root = appliance.get("/.well-known/oauth-protected-resource", &[]).await.expect(200).json();
    assert_eq!(root["resource"], appliance.mcp_url());
    appliance.get("/.well-known/oauth-protected-resource/mcp/other", &[]).await.expect(404);
    appliance.get("/.well-known/openid-configuration", &[]).await.expect(404);
}

#[tokio::test]
async fn documents_do_not_listen_to_forwarded_headers() {
    let appliance = Appliance::new();
    let hostile =
        [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https"), ("forwarded", "host=evil.example")];
    let server = appliance.get("/.well-known/oauth-authorization-server", &hostile).await.expect(200);
    assert!(!server.body.contains("evil"), "{}", server.body);
    appliance.get("/.well-known/oauth-authorization-server", &[("host", "evil.example")]).await.expect(421);
}

#[tokio::test]
async fn keys_are_published_with_an_age_and_without_private_halves() {
    let appliance = Appliance::new();
    let answer = appliance.get("/.well-known/jwks.json", &[]).await.expect(200);
    assert!(answer.header("cache-control").contains("max-age="));
    let keys = answer.json();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "the active key and the next one");
    for key in keys {
        assert_eq!((&key["kty"], &key["crv"]), (&"OKP".into(), &"Ed25519".into()));
        assert!(key.get("d").is_none());
    }
}

#[tokio::test]
async fn a_browser_client_may_ask_before_it_posts() {
    let appliance = Appliance::new();
    for path in ["/token", "/register", "/revoke", "/.well-known/jwks.json"] {
        let headers = [("origin", "http://localhost:6274"), ("access-control-request-method", "POST")];
        let answer = appliance.request(axum::http::Method::OPTIONS, path, &headers, axum::body::Body::empty()).await;
        let answer = answer.expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert!(answer.header("access-control-allow-headers").contains("Content-Type"));
    }
}
