//! An MCP client: finds the authorization server from a 401, registers, sends its person to the browser, trades codes.

use super::appliance::{Answer, Appliance};
use super::browser::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A PKCE pair (RFC 7636).
#[derive(Debug, Clone)]
pub struct Pkce {
    pub verifier: String,
    pub challenge: String,
}

impl Pkce {
    /// The pair of a verifier that `seed` tells apart.
    pub fn new(seed: &str) -> Self {
        let seed: String = seed.chars().filter(char::is_ascii_alphanumeric).collect();
        let verifier = format!("verifier-{seed:-<40}");
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        Self { verifier, challenge }
    }
}

/// What a client holds after authorization.
#[derive(Debug, Clone)]
pub struct Grant {
    pub access_token: String,
    pub refresh_token: String,
}

/// A registered client.
#[derive(Debug, Clone)]
pub struct Agent {
    pub client_id: String,
    pub redirect_uri: String,
    pub pkce: Pkce,
}

impl Agent {
    /// Registers dynamically as a public client on loopback.
    pub async fn register(appliance: &Appliance, name: &str) -> Self {
        let redirect_uri = "http://127.0.0.1:33418/callback";
        let metadata = json!({
            "client_name": name, "redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        });
        let registered = appliance.post_json("/register", &metadata, &[]).await.expect(201).json();
        Self {
            client_id: registered["client_id"].as_str().unwrap().to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            pkce: Pkce::new(name),
        }
    }

    /// The address to open in the browser.
    pub fn authorize_path(&self, appliance: &Appliance, changes: &[(&str, &str)]) -> String {
        let resource = appliance.mcp_url();
        let standard = [
            ("response_type", "code"),
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("scope", "mcp offline_access"),
            ("state", "state-1"),
            ("code_challenge", self.pkce.challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", resource.as_str()),
        ];
        let kept = standard.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let set = changes.iter().copied().filter(|(_, value)| !value.is_empty());
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept.chain(set)).finish();
        format!("/authorize?{query}")
    }

    /// Sends its person to the consent page and lets them approve; the callback's parameters come back.
    pub async fn authorize(&self, appliance: &Appliance, browser: &mut Browser) -> Vec<(String, String)> {
        self.authorize_with(appliance, browser, &[], "approve").await
    }

    /// The same with other parameters and another decision.
    pub async fn authorize_with(
        &self,
        appliance: &Appliance,
        browser: &mut Browser,
        changes: &[(&str, &str)],
        decision: &str,
    ) -> Vec<(String, String)> {
        let page = browser.get(appliance, &self.authorize_path(appliance, changes)).await.expect(200);
        let answer = browser.submit(appliance, &page, "/authorize", &[("decision", decision)]).await.expect(303);
        callback_parameters(answer.location())
    }

    /// Trades a code.
    pub async fn redeem(&self, appliance: &Appliance, code: &str) -> Answer {
        self.redeem_with(appliance, code, &[]).await
    }

    /// Trades a code with other fields; an empty value leaves one out.
    pub async fn redeem_with(&self, appliance: &Appliance, code: &str, changes: &[(&str, &str)]) -> Answer {
        let resource = appliance.mcp_url();
        let standard = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", self.pkce.verifier.as_str()),
            ("resource", resource.as_str()),
        ];
        let kept = standard.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let fields: Vec<_> = kept.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())).collect();
        appliance.post_form("/token", &fields, &[]).await
    }

    /// Trades a refresh token.
    pub async fn refresh(&self, appliance: &Appliance, refresh_token: &str) -> Answer {
        let fields =
            [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", self.client_id.as_str())];
        appliance.post_form("/token", &fields, &[]).await
    }

    /// The whole way: consent, code, tokens.
    pub async fn connect(&self, appliance: &Appliance, browser: &mut Browser) -> Grant {
        let callback = self.authorize(appliance, browser).await;
        let code = parameter(&callback, "code").unwrap_or_else(|| panic!("no code in {callback:?}"));
        Grant::of(&self.redeem(appliance, &code).await.expect(200).json())
    }
}

impl Grant {
    /// What a token response holds.
    #[track_caller]
    pub fn of(response: &Value) -> Self {
        let text = |name: &str| response[name].as_str().unwrap_or_else(|| panic!("{name} in {response}")).to_owned();
        Self { access_token: text("access_token"), refresh_token: text("refresh_token") }
    }
}

/// The parameters of a callback address.
pub fn callback_parameters(location: &str) -> Vec<(String, String)> {
    let (_, query) = location.split_once('?').unwrap_or_else(|| panic!("no parameters in {location}"));
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// One of them.
pub fn parameter(parameters: &[(String, String)], name: &str) -> Option<String> {
    parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
}

/// Whether the appliance takes this token at its MCP endpoint; the answer tells more.
pub async fn call(appliance: &Appliance, token: &str) -> Answer {
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}});
    let bearer = format!("Bearer {token}");
    appliance.post_json("/mcp", &body, &[("authorization", &bearer), ("mcp-protocol-version", "2025-11-25")]).await
}
