//! How does a view become a response? With every header that keeps a page to itself, in one place.
//!
//! The policy begins with `default-src 'none'` and opens only what a page uses: its own style, script and images. Pages
//! carry secrets and form tokens, so none is stored. The referrer policy is `same-origin` and not `no-referrer`,
//! because under the latter a browser sends `Origin: null` with a form, and the check of a form's origin would fail.

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Where the forms of a page may lead, redirects included (CSP3 §6.4.2, `form-action`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FormAction {
    /// To this origin only.
    #[default]
    SelfOnly,
    /// On to a client as well: any web address, because clients redirect further, and the scheme of the client's own
    /// redirect URI if that is an application's. For the pages on the way of an authorization request: login, consent.
    ///
    /// Such a page also keeps its opener, because some clients open it in a window that reports back.
    ToClient {
        /// The scheme of the redirect URI, without the colon.
        scheme: String,
    },
}

impl FormAction {
    fn sources(&self) -> String {
        match self {
            Self::SelfOnly => "'self'".to_owned(),
            Self::ToClient { scheme } if is_app_scheme(scheme) => format!("'self' https: http: {scheme}:"),
            Self::ToClient { .. } => "'self' https: http:".to_owned(),
        }
    }
}

/// RFC 3986 §3.1; anything else never enters a header.
fn is_app_scheme(scheme: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    !matches!(scheme, "http" | "https")
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(rest)
}

/// A view on its way to a browser: 200 and forms that stay here, unless told otherwise.
#[derive(Debug)]
pub struct Page<T> {
    view: T,
    status: StatusCode,
    form_action: FormAction,
}

impl<T: Template> Page<T> {
    /// The page of a view.
    pub fn new(view: T) -> Self {
        Self { view, status: StatusCode::OK, form_action: FormAction::default() }
    }

    /// With another status.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With forms that lead elsewhere.
    #[must_use]
    pub fn form_action(self, form_action: FormAction) -> Self {
        Self { form_action, ..self }
    }
}

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.view.render() {
            Ok(html) => (self.status, headers(&self.form_action), html).into_response(),
            Err(error) => {
                tracing::error!(%error, view = std::any::type_name::<T>(), "a page did not render");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn headers(form_action: &FormAction) -> HeaderMap {
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'; form-action {}",
        form_action.sources()
    );
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).expect("schemes are ASCII")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ]);
    if *form_action == FormAction::SelfOnly {
        headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(form_action: &FormAction) -> String {
        headers(form_action)[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_page_opens_nothing_that_it_does_not_use() {
        let policy = policy(&FormAction::SelfOnly);
        assert!(policy.starts_with("default-src 'none'; "));
        assert!(policy.ends_with("form-action 'self'"));
        assert!(!policy.contains("unsafe"));
    }

    #[test]
    fn a_consent_page_reaches_the_client() {
        let to = |scheme: &str| policy(&FormAction::ToClient { scheme: scheme.to_owned() });
        assert!(to("https").ends_with("form-action 'self' https: http:"));
        assert!(to("cursor").ends_with("form-action 'self' https: http: cursor:"));
        assert!(to("com.example.app").ends_with(" com.example.app:"));
    }

    #[test]
    fn nothing_but_a_scheme_enters_the_policy() {
        for scheme in ["", "a b", "a;script-src", "1a", "a\r\nb", "'unsafe-inline'", "*", "é"] {
            let policy = policy(&FormAction::ToClient { scheme: scheme.to_owned() });
            assert!(policy.ends_with("form-action 'self' https: http:"), "{scheme}");
        }
    }

    #[test]
    fn only_pages_on_the_way_to_a_client_keep_their_opener() {
        let kept = |form_action| !headers(&form_action).contains_key(CROSS_ORIGIN_OPENER_POLICY);
        assert!(!kept(FormAction::SelfOnly));
        assert!(kept(FormAction::ToClient { scheme: "https".to_owned() }));
    }
}
