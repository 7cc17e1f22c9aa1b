//! The actors of the stories.

mod agent;
mod appliance;
mod browser;
mod html;

pub use agent::{Agent, Grant, Pkce, call, callback_parameters, parameter};
pub use appliance::{Answer, Appliance};
pub use browser::Browser;
pub use html::post_forms;
