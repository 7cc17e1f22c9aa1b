//! The actors of the stories.

mod agent;
mod appliance;
mod authenticator_app;
mod browser;
mod html;
mod process;
mod served;
mod tls_front;
mod until;
mod upstream;
mod wire;

pub use agent::{Agent, Grant, Pkce, call, callback_parameters, parameter};
pub use appliance::{ADMIN, Answer, Appliance, NOW, PASSWORD};
pub use authenticator_app::{AuthenticatorApp, recovery_codes};
pub use browser::Browser;
pub use html::{Form, post_forms};
pub use process::{descriptors, memory, tasks};
pub use served::{Person, Served, free_address, make_token, set_up};
pub use tls_front::{CERTIFICATE, TlsFront};
pub use until::until;
pub use upstream::{Seen, Upstream};
pub use wire::{Events, Wire};
