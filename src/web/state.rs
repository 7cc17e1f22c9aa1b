//! What do the handlers of endpoints and pages share?

use crate::app::App;
use crate::id::SessionId;
use crate::seal::Purpose;
use crate::secret::{Secret, hmac_sha256};
use crate::web::cookies::{CookieKind, CookieNames};
use crate::wire::document_fetch::DocumentFetcher;
use crate::wire::limits::Limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;

/// Shared by all handlers; cheap to clone.
#[derive(Debug, Clone)]
pub struct WebState {
    /// The operations.
    pub app: Arc<App>,
    /// Gets client ID metadata documents.
    pub documents: Arc<DocumentFetcher>,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cookies: CookieNames,
    form_key: Secret<[u8; 32]>,
    client_documents: bool,
    limits: Limits,
}

impl WebState {
    /// The state of an appliance. Forms are bound to a key of this process: a restart asks to send them again.
    /// `client_documents` says whether clients are told that they may be known by a metadata document.
    pub fn new(app: Arc<App>, documents: Arc<DocumentFetcher>, client_documents: bool, limits: Limits) -> Self {
        let cookies = CookieNames::of(&app.options().issuer);
        let form_key = Secret::new(crate::entropy::random_bytes(app.entropy()));
        Self { app, documents, inner: Arc::new(Inner { cookies, form_key, client_documents, limits }) }
    }

    /// The names of our cookies.
    pub fn cookies(&self) -> &CookieNames {
        &self.inner.cookies
    }

    /// Whether clients may be known by a metadata document.
    pub fn client_documents(&self) -> bool {
        self.inner.client_documents
    }

    /// What callers may send.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// `Set-Cookie` with which a browser is signed in.
    pub fn session_cookie(&self, session: SessionId) -> String {
        let life = self.app.options().sessions.longest;
        let sealed = self.app.sealer().seal(Purpose::SessionCookie, &session, self.app.now(), life);
        self.cookies().set(CookieKind::Session, sealed, Some(life))
    }

    /// The token that a form of this browser must carry: bound to its session, or to its visit before signing in.
    pub fn form_token(&self, bound_to: &str) -> String {
        let mac = hmac_sha256(self.inner.form_key.expose(), &[b"form", bound_to.as_bytes()]);
        URL_SAFE_NO_PAD.encode(&mac[..24])
    }
}
