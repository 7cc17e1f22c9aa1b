//! What does a person read when something went wrong? What happened and what to do, never how the code looks inside.

use crate::web::page::Page;
use crate::wire::{blocking::Busy, host_check::ForeignHost, paths};
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};

/// An error, told to a person. Answers with its status.
#[derive(Debug, Clone, Template)]
#[template(path = "errors/error.html")]
pub struct ErrorView {
    /// The status of the answer.
    pub status: StatusCode,
    /// In a few words.
    pub title: String,
    /// What happened, in sentences.
    pub happened: String,
    /// What to do now, in sentences.
    pub advice: String,
    /// Names the request in the log.
    pub request_id: Option<String>,
    /// Seconds after which to try again; becomes `Retry-After`.
    pub retry_after: Option<u64>,
    /// Where a link leads: label and path.
    pub link: Option<(String, String)>,
}

impl ErrorView {
    /// An error with a status and its three texts.
    pub fn new(status: StatusCode, title: &str, happened: &str, advice: &str) -> Self {
        Self {
            status,
            title: title.to_owned(),
            happened: happened.to_owned(),
            advice: advice.to_owned(),
            request_id: None,
            retry_after: None,
            link: None,
        }
    }

    /// With the id under which the log has more.
    #[must_use]
    pub fn request_id(mut self, id: &impl ToString) -> Self {
        self.request_id = Some(id.to_string());
        self
    }

    /// With a way on.
    #[must_use]
    pub fn link(mut self, label: &str, path: &str) -> Self {
        self.link = Some((label.to_owned(), path.to_owned()));
        self
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "Nothing is kept at this address. It may have been removed, or the link is incomplete.",
            "Check the address, or begin at the dashboard.",
        )
        .link("To the dashboard", paths::DASHBOARD)
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page does not work that way",
            "The address exists, but it does not take this kind of request.",
            "Open the page from the dashboard instead.",
        )
        .link("To the dashboard", paths::DASHBOARD)
    }

    /// 403: signed in, but not for this.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This page is for admins",
            "You are signed in, but your account may not see this page.",
            "Ask an admin of this Keyward.",
        )
        .link("To the dashboard", paths::DASHBOARD)
    }

    /// 403: the form's token or its origin is not right.
    pub fn stale_form() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This form is no longer good",
            "It was open too long, you signed in again since, or it was sent from another site. Nothing was changed.",
            "Go back, reload the page and send the form again. If it happens every time, allow cookies for this site.",
        )
    }

    /// 403: a form was kept until its sender proves who is there, and that took too long. `back` is its page.
    pub fn waited_too_long(back: Option<&str>) -> Self {
        let (label, path) = back.map_or(("To the dashboard", paths::DASHBOARD), |path| ("Open the page again", path));
        Self::new(
            StatusCode::FORBIDDEN,
            "You were away for too long",
            "What you entered was kept for half an hour and is gone now. Nothing was done with it.",
            "Open the page again and enter it once more.",
        )
        .link(label, path)
    }

    /// 400: what came with the request makes no sense.
    pub fn bad_request(happened: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "This request cannot be read",
            happened,
            "Go back and try again from the page before.",
        )
    }

    /// 421: for another host name than ours.
    pub fn foreign_host(foreign: ForeignHost) -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "This is another host",
            &foreign.to_string(),
            "Use the address that whoever runs this Keyward has given you.",
        )
    }

    /// 413.
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "That is too much",
            "What was sent is larger than this page takes.",
            "Go back and send less.",
        )
    }

    /// 429, with the seconds to wait.
    pub fn slowed_down(seconds: u64) -> Self {
        let again = format!("Wait {} and try again.", crate::web::when::span(seconds.max(1)));
        let error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Slow down, please",
            "There were too many attempts from your address.",
            &again,
        );
        Self { retry_after: Some(seconds.max(1)), ..error }
    }

    /// 500.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something broke here",
            "Keyward could not finish this. It is not your fault, and it is in the log.",
            "Try again. If it stays, tell whoever runs this Keyward.",
        )
    }

    /// 503: too much is going on.
    pub fn busy() -> Self {
        let error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Busy at the moment",
            "Keyward has more to do than it can. Nothing was changed.",
            "Try again in a few seconds.",
        );
        Self { retry_after: Some(Busy::RETRY_AFTER_SECONDS), ..error }
    }

    /// 503: the store takes no writes.
    pub fn unavailable() -> Self {
        let error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not now",
            "Keyward cannot save changes at the moment. Nothing was changed.",
            "Try again in a minute. If it stays, whoever runs this Keyward should look at the log and the disk.",
        );
        Self { retry_after: Some(30), ..error }
    }
}

impl IntoResponse for ErrorView {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = Page::new(self).status(status).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_answers_with_its_status_and_when_to_come_back() {
        let response = ErrorView::slowed_down(8).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "8");
        assert_eq!(ErrorView::not_found().into_response().status(), StatusCode::NOT_FOUND);
        let busy = ErrorView::busy().into_response();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[RETRY_AFTER], "2");
        assert_eq!(busy.headers()[axum::http::header::CONTENT_TYPE], "text/html; charset=utf-8");
    }
}
