//! What do the handlers of endpoints and pages share?

use crate::account::half_session::{HALF_SESSION_LIFE, HalfSessionKey};
use crate::app::App;
use crate::clock::{days, hours};
use crate::id::SessionId;
use crate::seal::Purpose;
use crate::secret::{Secret, hmac_sha256};
use crate::web::cookies::{CookieKind, CookieNames};
use crate::wire::document_fetch::DocumentFetcher;
use crate::wire::limits::Limits;
use crate::wire::server_insight::ServerInsight;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use std::time::Duration;

/// How long a browser is known after its last sign-in.
const KNOWN_FOR: Duration = days(180);

/// Shared by all handlers; cheap to clone.
#[derive(Debug, Clone)]
pub struct WebState {
    /// The operations.
    pub app: Arc<App>,
    /// What the gateway knows of the servers.
    pub insight: Arc<dyn ServerInsight>,
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
    pub fn new(
        app: Arc<App>,
        insight: Arc<dyn ServerInsight>,
        documents: Arc<DocumentFetcher>,
        client_documents: bool,
        limits: Limits,
    ) -> Self {
        let cookies = CookieNames::of(&app.options().issuer);
        let form_key = Secret::new(crate::entropy::random_bytes(app.entropy()));
        Self { app, insight, documents, inner: Arc::new(Inner { cookies, form_key, client_documents, limits }) }
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

    /// `Set-Cookie` of a browser whose person gave the password and still has to give the second factor.
    pub fn half_session_cookie(&self, half: HalfSessionKey) -> String {
        let sealed = self.app.sealer().seal(Purpose::HalfSessionCookie, &half, self.app.now(), HALF_SESSION_LIFE);
        // A browser that still sends it afterwards is told what happened.
        self.cookies().set(CookieKind::HalfSession, sealed, Some(hours(1)))
    }

    /// `Set-Cookie` that lets this browser prove later that it has signed in to the account with this canonical name.
    pub fn known_browser_cookie(&self, account: &str) -> String {
        let sealed = self.app.sealer().seal(Purpose::KnownBrowser, &account, self.app.now(), KNOWN_FOR);
        self.cookies().set(CookieKind::Known, sealed, Some(KNOWN_FOR))
    }

    /// The canonical name of the account that this browser has signed in to before.
    pub fn known_account(&self, headers: &HeaderMap) -> Option<String> {
        let sealed = self.cookies().read(headers, CookieKind::Known)?;
        self.app.sealer().open(Purpose::KnownBrowser, sealed, self.app.now()).ok()
    }

    /// The token that a form of this browser must carry: bound to its session, or to its visit before signing in.
    pub fn form_token(&self, bound_to: &str) -> String {
        let mac = hmac_sha256(self.inner.form_key.expose(), &[b"form", bound_to.as_bytes()]);
        URL_SAFE_NO_PAD.encode(&mac[..24])
    }
}
