//! Answers that many handlers give: redirects after a form, the way to the login page, operation errors as pages.

use crate::app::error::OperationError;
use crate::web::error::ErrorView;
use crate::wire::{host_check::HostPolicy, paths};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Longest path, with its query, that a person is brought back to after signing in.
const MAX_NEXT: usize = 8 * 1024;

/// 303 to an address that is ours or that a registered client named: after a form, the browser asks for it with GET.
pub fn see_other(address: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(address) else {
        return ErrorView::bad_request("The address to go on to cannot be used.").into_response();
    };
    let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The same answer, and a cookie.
pub fn with_cookie(mut response: Response, set_cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(set_cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

/// To the login page, and back to `uri` afterwards if it was a page that one can come back to.
pub fn to_login(method: &Method, uri: &Uri) -> Response {
    let next = uri.path_and_query().map_or("", |path| path.as_str());
    match LocalPath::parse(next) {
        Some(next) if *method == Method::GET => see_other(&login_path(&next)),
        _ => see_other(paths::LOGIN),
    }
}

/// To the page where a second factor is added, and back to `uri` afterwards in the same way.
pub fn to_enrolment(method: &Method, uri: &Uri) -> Response {
    let next = uri.path_and_query().map_or("", |path| path.as_str());
    let next = LocalPath::parse(next).filter(|_| *method == Method::GET);
    see_other(&next.map_or_else(|| paths::AUTHENTICATOR.to_owned(), |next| on_the_way(paths::AUTHENTICATOR, &next)))
}

/// The login page on the way to `next`.
pub fn login_path(next: &LocalPath) -> String {
    on_the_way(paths::LOGIN, next)
}

/// A page on the way to `next`, which it reads from its query.
pub fn on_the_way(page: &str, next: &LocalPath) -> String {
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next.0).finish();
    format!("{page}?{query}")
}

/// The page that asks who is there, on the way to `next`.
pub fn confirm_path(next: Option<&LocalPath>) -> String {
    next.map_or_else(|| paths::CONFIRM.to_owned(), |next| on_the_way(paths::CONFIRM, next))
}

/// A path of this site to go on to: never another host, however it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// Accepts `/authorize?…` and `/dashboard…` only: the pages that a person comes back to.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, _) = text.split_once('?').unwrap_or((text, ""));
        let plain = text.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\') && !text.contains('#');
        let ours = path == paths::AUTHORIZE || path == paths::DASHBOARD || path.starts_with("/dashboard/");
        let straight = !path.contains("//") && !path.contains("..") && !path.contains('%');
        (text.len() <= MAX_NEXT && plain && ours && straight).then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The query, if the path before it is `path`.
    pub fn query_at(&self, path: &str) -> Option<&str> {
        let (own, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        (own == path).then_some(query)
    }
}

/// Middleware: a page for 421 to who asks for another host than ours.
pub async fn require_own_host(State(hosts): State<HostPolicy>, request: Request, next: Next) -> Response {
    match hosts.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(foreign) => ErrorView::foreign_host(foreign).into_response(),
    }
}

/// An operation that did not happen, as a page.
pub fn operation_error(error: &OperationError) -> Response {
    match error {
        OperationError::Unavailable(cause) => {
            tracing::error!(error = %cause, "the store could not be used");
            ErrorView::unavailable().into_response()
        }
        OperationError::NotFound(_) => {
            ErrorView { happened: error.to_string(), ..ErrorView::not_found() }.into_response()
        }
        OperationError::NotAllowed => ErrorView::forbidden().into_response(),
        OperationError::Invalid(why) | OperationError::NameTaken(why) => ErrorView::bad_request(why).into_response(),
        OperationError::TooSoon(too_soon) => ErrorView::slowed_down(too_soon.wait.as_secs()).into_response(),
    }
}

/// A form that cannot be read.
pub fn bad_form(why: &str) -> Response {
    ErrorView::bad_request(&format!("The form cannot be read: {why}.")).into_response()
}

/// The value of a header as text; empty if absent or not ASCII.
pub fn header_text<'h>(headers: &'h HeaderMap, name: &axum::http::HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_brought_back_to_our_own_pages_only() {
        for good in ["/dashboard", "/dashboard/api-keys/new?name=x", "/authorize?client_id=a%2Fb&state=%0A"] {
            assert_eq!(LocalPath::parse(good).map(|path| path.0).as_deref(), Some(good));
        }
        let bad = [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "/%2f%2fevil",
            "https://evil.example/dashboard",
            "dashboard",
            "/dashboard/..//evil.example",
            "/dashboardx",
            "/dashboard//evil.example",
            "/dashboard\r\nx: y",
            "/dashboard#x",
            "/authorize/../logout",
            "/dashboard/%2e%2e",
            "javascript:alert(1)",
            "/logout",
            "/dashboard/a\\b",
            "/dashboard é",
        ];
        for bad in bad {
            assert_eq!(LocalPath::parse(bad), None, "{bad}");
        }
        assert_eq!(LocalPath::parse(&format!("/dashboard?{}", "x".repeat(MAX_NEXT))), None);
    }
}
