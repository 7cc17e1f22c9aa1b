//! `/dashboard/security/recovery-codes`: new recovery codes, after a question, shown this once.

use crate::account::recovery_code::RecoveryCode;
use crate::app::error::OperationError;
use crate::web::dashboard::Frame;
use crate::web::extract::{Confirmed, RecentForm, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/security/recovery-codes`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/second_factor/recovery_codes_renew.html")]
pub struct RecoveryCodesRenewView {
    /// Around the page.
    pub frame: Frame,
    /// How many of those before still work.
    pub left: usize,
}

/// New codes: the answer to the form, and to the form that adds the first factor.
#[derive(Template)]
#[template(path = "dashboard/second_factor/recovery_codes.html")]
pub struct RecoveryCodesView {
    /// The codes: the only time that they are shown.
    pub codes: Vec<String>,
    /// Whether there were others before.
    pub are_renewed: bool,
    /// Where to go afterwards.
    pub next: String,
}

/// The question.
pub async fn get(State(state): State<WebState>, signed_in: SignedIn) -> Result<Response, Response> {
    let user = signed_in.user.clone();
    let factors = operate(&state, move |app| app.factors(&user)).await?;
    if factors.all.is_empty() {
        return Ok(see_other(paths::SECURITY));
    }
    let left = factors.recovery.map_or(0, |(left, _)| left);
    Ok(Page::new(RecoveryCodesRenewView { frame: Frame::new(&state, &signed_in, Done(None)), left }).into_response())
}

/// Makes them.
pub async fn post(
    State(state): State<WebState>,
    RecentForm(signed_in, _): RecentForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    match attempt(&state, move |app| app.renew_recovery_codes(user)).await? {
        Ok(codes) => Ok(RecoveryCodesView::new(&codes, true, paths::SECURITY.to_owned()).page()),
        // The last factor went meanwhile, and every code with it.
        Err(OperationError::NotFound(_)) => Ok(see_other(paths::SECURITY)),
        Err(error) => Err(operation_error(&error)),
    }
}

impl RecoveryCodesView {
    pub(super) fn new(codes: &[RecoveryCode], are_renewed: bool, next: String) -> Self {
        Self { codes: codes.iter().map(RecoveryCode::to_text).collect(), are_renewed, next }
    }

    pub(super) fn page(self) -> Response {
        Page::new(self).into_response()
    }

    /// The codes as a file: what a link that downloads leads to.
    fn file(&self) -> String {
        let text = format!("Recovery codes of Keyward. Each works once.\n\n{}\n", self.codes.join("\n"));
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        // A form writes spaces as `+`; a data URL (RFC 2397) does not know that.
        format!("data:text/plain;charset=utf-8,{}", encoded.replace('+', "%20"))
    }
}

#[cfg(test)]
impl RecoveryCodesRenewView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), left: 2 }
    }
}

#[cfg(test)]
impl RecoveryCodesView {
    pub(crate) fn sample() -> Self {
        let code = |place: usize| format!("{place}bcd-efgh-jkmn-pqr{place}");
        let codes = (0..10).map(code).collect();
        Self { codes, are_renewed: true, next: "/dashboard/security?done=factor-added".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_every_code_on_a_line_of_its_own() {
        let file = RecoveryCodesView::sample().file();
        assert!(file.starts_with("data:text/plain;charset=utf-8,Recovery%20codes%20of%20Keyward."), "{file}");
        assert!(file.contains("%0A0bcd-efgh-jkmn-pqr0%0A1bcd-efgh-jkmn-pqr1%0A") && !file.contains('+'), "{file}");
    }
}
