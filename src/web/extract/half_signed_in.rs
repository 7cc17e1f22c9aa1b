//! Whose password was right at this browser, while the second factor is missing? [`HalfSignedIn`] is proof of that and of
//! nothing more: only the page that asks for the factor takes it.

use crate::account::half_session::HalfSessionKey;
use crate::account::user::User;
use crate::seal::Purpose;
use crate::web::cookies::CookieKind;
use crate::web::extract::csrf_form::FormBinding;
use crate::web::operate::operate;
use crate::web::state::WebState;
use axum::extract::OptionalFromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;

/// Somebody who gave the right password a moment ago.
#[derive(Debug, Clone)]
pub struct HalfSignedIn {
    /// Under what the appliance remembers it.
    pub key: HalfSessionKey,
    /// Whose password it was.
    pub user: User,
}

impl HalfSignedIn {
    /// What this browser's form is bound to.
    pub fn binding(&self) -> String {
        self.key.id.to_string()
    }
}

/// There is nobody once the time is over.
impl OptionalFromRequestParts<WebState> for HalfSignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Option<Self>, Response> {
        let Some(sealed) = state.cookies().read(&parts.headers, CookieKind::HalfSession) else { return Ok(None) };
        let opened = state.app.sealer().open::<HalfSessionKey>(Purpose::HalfSessionCookie, sealed, state.app.now());
        let Ok(key) = opened else { return Ok(None) };
        let Some(user) = operate(state, move |app| app.half_session(key)).await? else { return Ok(None) };
        let half = Self { key, user };
        parts.extensions.insert(FormBinding(vec![half.binding()]));
        Ok(Some(half))
    }
}
