//! An authenticator app on a phone: reads the key off the page that offers it and shows codes.

use super::appliance::{Answer, Appliance};
use super::browser::Browser;
use keyward::account::totp::TotpSecret;
use keyward::clock::Clock;
use std::time::Duration;

const PATH: &str = "/dashboard/security/authenticator";

/// The app with one key in it.
#[derive(Debug, Clone)]
pub struct AuthenticatorApp {
    secret: TotpSecret,
}

impl AuthenticatorApp {
    /// One that has the key of this page.
    #[track_caller]
    pub fn scanning(page: &Answer) -> Self {
        let (_, rest) = page.body.split_once("<pre id=\"secret\"><code>").unwrap_or_else(|| panic!("{}", page.body));
        let secret = rest.split('<').next().unwrap().replace(' ', "");
        Self { secret: TotpSecret::parse(&secret).unwrap() }
    }

    /// Adds one to the account that is signed in in this browser.
    pub async fn added(appliance: &Appliance, browser: &mut Browser) -> Self {
        Self::added_with_codes(appliance, browser).await.0
    }

    /// The same, and the recovery codes that were shown.
    pub async fn added_with_codes(appliance: &Appliance, browser: &mut Browser) -> (Self, Vec<String>) {
        let page = browser.get(appliance, PATH).await.expect(200);
        let app = Self::scanning(&page);
        let shown = browser.submit(appliance, &page, PATH, &[("code", &app.code(appliance))]).await.expect(200);
        (app, recovery_codes(&shown))
    }

    /// What it shows now.
    pub fn code(&self, appliance: &Appliance) -> String {
        self.secret.code(appliance.clock.now())
    }

    /// What it shows in a while; the clock moves there.
    pub fn next_code(&self, appliance: &Appliance) -> String {
        appliance.advance(Duration::from_secs(30));
        self.code(appliance)
    }
}

/// The recovery codes on a page.
#[track_caller]
pub fn recovery_codes(page: &Answer) -> Vec<String> {
    let (_, rest) = page.body.split_once("<pre id=\"codes\"").unwrap_or_else(|| panic!("{}", page.body));
    let codes = rest.split_once("<code>").unwrap().1.split("</code>").next().unwrap();
    codes.split_whitespace().map(ToOwned::to_owned).collect()
}
