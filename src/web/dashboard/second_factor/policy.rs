//! `/dashboard/users/policy`: who must have a second factor.

use crate::account::sign_in_policy::{Demanded, SignInPolicy};
use crate::app::sign_in_policy::Lacking;
use crate::app::users::By;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, RecentForm};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /dashboard/users/policy`. Sends `form_token` and `second_factor` (`nobody`, `admins` or `everybody`) to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/second_factor/policy.html")]
pub struct SignInPolicyView {
    /// Around the page.
    pub frame: Frame,
    /// What holds now.
    pub chosen: DemandedChoice,
    /// Who has no second factor.
    pub lacking: Lacking,
}

/// Who must have one, as the form writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DemandedChoice {
    /// Nobody.
    Nobody,
    /// Admins.
    Admins,
    /// Everybody.
    Everybody,
}

/// The page.
pub async fn get(State(state): State<WebState>, Admin(admin): Admin, notice: Done) -> Result<Response, Response> {
    let (policy, lacking) = operate(&state, |app| Ok((app.sign_in_policy()?, app.lacking_factor()?))).await?;
    let frame = Frame::new(&state, &admin, notice);
    Ok(Page::new(SignInPolicyView { frame, chosen: policy.second_factor.into(), lacking }).into_response())
}

/// What the form sends.
#[derive(Deserialize)]
pub struct SignInPolicyForm {
    second_factor: DemandedChoice,
}

/// Sets it.
pub async fn post(
    State(state): State<WebState>,
    _: Admin,
    RecentForm(admin, form): RecentForm<SignInPolicyForm>,
) -> Result<Response, Response> {
    let (by, policy) = (By::Admin(admin.user.id), SignInPolicy { second_factor: form.second_factor.into() });
    operate(&state, move |app| app.set_sign_in_policy(by, policy)).await?;
    Ok(see_other(&Notice::PolicySet.at(paths::SIGN_IN_POLICY)))
}

impl From<Demanded> for DemandedChoice {
    fn from(demanded: Demanded) -> Self {
        match demanded {
            Demanded::OfNobody => Self::Nobody,
            Demanded::OfAdmins => Self::Admins,
            Demanded::OfEverybody => Self::Everybody,
        }
    }
}

impl From<DemandedChoice> for Demanded {
    fn from(choice: DemandedChoice) -> Self {
        match choice {
            DemandedChoice::Nobody => Self::OfNobody,
            DemandedChoice::Admins => Self::OfAdmins,
            DemandedChoice::Everybody => Self::OfEverybody,
        }
    }
}

impl SignInPolicyView {
    fn admins(&self) -> String {
        counted(self.lacking.admins, "admin", "admins")
    }

    fn people(&self) -> String {
        counted(self.lacking.people, "person", "people")
    }
}

/// "1 admin has", "3 people have".
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one} has") } else { format!("{count} {many} have") }
}

#[cfg(test)]
impl SignInPolicyView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), chosen: DemandedChoice::Admins, lacking: Lacking { admins: 1, people: 12 } }
    }
}
