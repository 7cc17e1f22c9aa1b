//! Which browser is this, before anybody signs in? A random cookie, so that login and set-up forms are bound to it too.

use crate::clock::days;
use crate::entropy::random_bytes;
use crate::seal::Purpose;
use crate::web::cookies::CookieKind;
use crate::web::state::WebState;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::convert::Infallible;

/// A browser that may not be signed in.
#[derive(Debug, Clone)]
pub struct Visitor {
    mark: String,
    /// `Set-Cookie` to send with the page if the browser had no mark yet.
    pub set_cookie: Option<String>,
}

impl Visitor {
    /// What this browser's forms are bound to.
    pub fn binding(&self) -> &str {
        &self.mark
    }

    /// The browser's mark, if it sent one.
    pub(super) fn mark(parts: &Parts, state: &WebState) -> Option<String> {
        let sealed = state.cookies().read(&parts.headers, CookieKind::Visit)?;
        state.app.sealer().open(Purpose::AnonymousCookie, sealed, state.app.now()).ok()
    }
}

impl FromRequestParts<WebState> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        if let Some(mark) = Self::mark(parts, state) {
            return Ok(Self { mark, set_cookie: None });
        }
        let mark = URL_SAFE_NO_PAD.encode(random_bytes::<16>(state.app.entropy()));
        let sealed = state.app.sealer().seal(Purpose::AnonymousCookie, &mark, state.app.now(), days(1));
        Ok(Self { mark, set_cookie: Some(state.cookies().set(CookieKind::Visit, sealed, None)) })
    }
}
