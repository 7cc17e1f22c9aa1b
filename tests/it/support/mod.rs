//! The actors of the stories.

mod agent;
mod appliance;
mod browser;
mod html;
mod served;
mod upstream;
mod wire;

pub use agent::{Agent, Grant, Pkce, call, callback_parameters, parameter};
pub use appliance::{Answer, Appliance};
pub use browser::Browser;
pub use html::post_forms;
pub use served::{Person, Served, free_address, make_token, set_up};
pub use upstream::{Seen, Upstream};
pub use wire::{Events, Wire};
