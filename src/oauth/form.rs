//! What did a client post? The form body of the token, revocation and introspection endpoints (RFC 6749 §3.2).
//!
//! Each parameter stands there once, except `resource` (RFC 8707 §2); an empty one counts as absent (RFC 6749 §3.2).

use super::client_authentication::ClientParameters;
use super::error::ProtocolError;
use super::scope::ScopeSet;
use zeroize::ZeroizeOnDrop;

/// Longest body of all, in bytes; the edge reads less (`limits.form_body`).
pub const MAX_FORM: usize = 1024 * 1024;
/// Most parameters that are looked at.
const MAX_PARAMETERS: usize = 64;

/// A posted form. It holds credentials: it is wiped when dropped and prints none.
#[derive(ZeroizeOnDrop)]
pub struct OAuthForm {
    parameters: Vec<(String, String)>,
}

impl OAuthForm {
    /// Reads a body of type `application/x-www-form-urlencoded`.
    pub fn parse(body: &[u8]) -> Result<Self, ProtocolError> {
        if body.len() > MAX_FORM {
            return Err(ProtocolError::invalid_request("the form is too long"));
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            if value.is_empty() {
                continue;
            }
            if parameters.len() >= MAX_PARAMETERS {
                return Err(ProtocolError::invalid_request("the form has too many parameters"));
            }
            if name != "resource" && parameters.iter().any(|(known, _)| *known == name) {
                return Err(ProtocolError::invalid_request("a parameter is given more than once"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self { parameters })
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    pub fn require(&self, name: &'static str) -> Result<&str, ProtocolError> {
        self.get(name).ok_or_else(|| ProtocolError::invalid_request(format!("{name} is missing")))
    }

    /// Every `resource`.
    pub fn resources(&self) -> Vec<&str> {
        self.parameters.iter().filter(|(name, _)| name == "resource").map(|(_, value)| value.as_str()).collect()
    }

    /// `scope`, if it is there.
    pub fn scope(&self) -> Result<Option<ScopeSet>, ProtocolError> {
        let parse = |text| {
            let code = super::error::ErrorCode::InvalidScope;
            ScopeSet::parse(text).map_err(|error| ProtocolError::new(code, error.to_string()))
        };
        self.get("scope").map(parse).transpose()
    }

    /// What speaks of the client.
    pub fn client(&self) -> ClientParameters<'_> {
        ClientParameters {
            client_id: self.get("client_id"),
            client_secret: self.get("client_secret"),
            client_assertion_type: self.get("client_assertion_type"),
            client_assertion: self.get("client_assertion"),
        }
    }
}

impl std::fmt::Debug for OAuthForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OAuthForm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_once_and_empty_ones_are_absent() {
        let form = OAuthForm::parse(b"grant_type=refresh_token&scope=&resource=a&resource=a&code=x%20y").unwrap();
        assert_eq!(form.get("grant_type"), Some("refresh_token"));
        assert_eq!(form.get("code"), Some("x y"));
        assert_eq!(form.get("scope"), None);
        assert_eq!(form.resources(), ["a", "a"]);
        assert_eq!(format!("{form:?}"), "OAuthForm");
        assert!(OAuthForm::parse(b"code=a&code=b").is_err());
        assert!(OAuthForm::parse(&vec![b'a'; MAX_FORM + 1]).is_err());
        assert!(
            OAuthForm::parse(&(0..100).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&").into_bytes()).is_err()
        );
    }
}
