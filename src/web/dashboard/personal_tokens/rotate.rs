//! `/dashboard/api-keys/{id}/rotate`: a new token in the place of another.

use super::created::{OldToken, already_shown, created};
use super::{TokenRow, reach_in_words};
use crate::app::error::OperationError;
use crate::app::personal_tokens::{Made, Overlap, Rotation};
use crate::id::TokenId;
use crate::web::dashboard::Frame;
use crate::web::extract::{PathId, RecentForm, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::operation_error;
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /dashboard/api-keys/{id}/rotate`. Posts `form_token`, `creation` and `overlap` (`none`, `hour`, `day`) to the same
/// path.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/rotate.html")]
pub struct TokenRotateView {
    /// Around the page.
    pub frame: Frame,
    /// The token to replace.
    pub token: TokenRow,
    /// Names this one act, so that a repeated post makes no second token.
    pub creation: String,
    /// What the new one will reach.
    pub reach: String,
    /// When the new one will expire.
    pub expires: When,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<TokenId>,
) -> Result<Response, Response> {
    let (user, now) = (signed_in.user.id, state.app.now());
    let (entry, into) =
        operate(&state, move |app| Ok((app.personal_token(user, id)?, app.rotated_into(user, id)?))).await?;
    let servers = state.app.live().servers();
    let view = TokenRotateView {
        frame: Frame::new(&state, &signed_in, Done(None)),
        token: TokenRow::of(entry, &servers, now),
        creation: TokenId::generate(now, state.app.entropy()).to_string(),
        reach: reach_in_words(&into.reach, &servers),
        expires: When::new(into.expires_at, now),
    };
    Ok(Page::new(view).into_response())
}

/// What the form sends.
#[derive(Deserialize)]
pub struct RotateForm {
    creation: TokenId,
    overlap: OverlapChoice,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OverlapChoice {
    None,
    Hour,
    Day,
}

impl From<OverlapChoice> for Overlap {
    fn from(choice: OverlapChoice) -> Self {
        match choice {
            OverlapChoice::None => Self::None,
            OverlapChoice::Hour => Self::Hour,
            OverlapChoice::Day => Self::Day,
        }
    }
}

/// Makes the new token.
pub async fn post(
    State(state): State<WebState>,
    PathId(id): PathId<TokenId>,
    RecentForm(signed_in, form): RecentForm<RotateForm>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let rotation = Rotation { id: form.creation, replaces: id, overlap: form.overlap.into() };
    let made = attempt(&state, move |app| {
        let made = app.rotate_personal_token(user, rotation)?;
        Ok::<_, OperationError>((made, app.personal_token(user, id)?.token.ends_at()))
    });
    match made.await?.map_err(|error| operation_error(&error))? {
        (Made::Now(token, secret), old_ends_at) => {
            let now = state.app.now();
            let old = if old_ends_at <= now { OldToken::Ended } else { OldToken::Until(When::new(old_ends_at, now)) };
            Ok(created(&state, &signed_in, &token, &secret, Some(old)))
        }
        (Made::Before(token), _) => Ok(already_shown(&state, &signed_in, &token)),
    }
}

#[cfg(test)]
impl TokenRotateView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            token: TokenRow::sample("Backup <job>", 12, super::TokenState::ExpiresSoon),
            creation: TokenId::from_bytes([0x5b; 16]).to_string(),
            reach: "Notes, Files".to_owned(),
            expires: When::sample(86_400 * 365),
        }
    }
}
