//! How does a form carry what it must not show? A field that is left empty keeps what was entered before, be it stored or in
//! this form, which carries it sealed while it is tried or corrected. So does a URL with a query, in which there may be a key.

use super::super::lists;
use super::Fields;
use crate::access::{CredentialValue, ServerDescription};
use crate::clock::minutes;
use crate::id::UserId;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::web::state::WebState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a form keeps the secrets that were entered in it.
const KEPT_FOR: Duration = minutes(60);

/// What is kept for a field that is left empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// The URL, whose query is not shown.
    pub url: bool,
    /// The credential's value.
    pub credential: bool,
}

/// The secrets that a form carries, sealed.
#[derive(Default, Serialize, Deserialize)]
pub struct Secrets {
    pub(super) by: Option<UserId>,
    pub(super) url: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) environment: BTreeMap<String, String>,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let texts = [self.url.take(), self.credential.take()].into_iter().flatten();
        for text in texts.chain(std::mem::take(&mut self.environment).into_values()) {
            drop(Secret::new(text));
        }
    }
}

impl Secrets {
    /// Those of a description.
    pub fn of(description: &ServerDescription) -> Self {
        let open = |secret: &Secret<String>| Some(secret.expose().clone()).filter(|text| !text.is_empty());
        let known = description.credential.as_ref().and_then(|credential| match &credential.value {
            CredentialValue::Known(value) => open(value),
            CredentialValue::PerUser => None,
        });
        let environment = description.environment.iter();
        Self {
            by: None,
            url: description.url.as_ref().and_then(open),
            credential: known,
            environment: environment.filter_map(|(name, value)| Some((name.clone(), open(value)?))).collect(),
        }
    }

    /// Those that the form carries for this admin.
    fn opened(state: &WebState, kept: &str, by: UserId) -> Option<Self> {
        let app = &state.app;
        app.sealer().open::<Self>(Purpose::EnteredSecret, kept, app.now()).ok().filter(|kept| kept.by == Some(by))
    }
}

impl Fields {
    /// What was entered before: in this form, or what `stored` says.
    pub fn before(&self, state: &WebState, by: UserId, stored: Option<&ServerDescription>) -> Secrets {
        let mut before = stored.map(Secrets::of).unwrap_or_default();
        if let Some(mut kept) = Secrets::opened(state, &self.kept, by) {
            before.url = kept.url.take().or_else(|| before.url.take());
            before.credential = kept.credential.take().or_else(|| before.credential.take());
            before.environment.append(&mut kept.environment);
        }
        before
    }

    /// The fields as they are shown again: secrets are sealed into the form, on top of those that it had.
    pub(super) fn shown(mut self, state: &WebState, by: UserId, mut before: Secrets) -> (Self, Kept) {
        if !self.url.trim().is_empty() {
            before.url = Some(self.url.trim().to_owned());
        }
        let value = std::mem::take(&mut self.credential_value);
        if !value.is_empty() {
            before.credential = Some(value);
        }
        if let Ok(environment) = lists::environment(&self.environment) {
            let entered = environment.iter().filter(|(_, value)| !value.expose().is_empty());
            before.environment.extend(entered.map(|(name, value)| (name.clone(), value.expose().clone())));
            self.environment = environment.keys().map(|name| format!("{name}=")).collect::<Vec<_>>().join("\n");
        }
        let hides_url = before.url.as_ref().is_some_and(|url| url.contains('?'));
        if hides_url {
            self.url = String::new();
        } else {
            self.url = before.url.clone().unwrap_or_default();
        }
        let has = Kept { url: hides_url, credential: before.credential.is_some() };
        before.by = Some(by);
        self.kept = state.app.sealer().seal(Purpose::EnteredSecret, &before, state.app.now(), KEPT_FOR);
        (self, has)
    }
}
