//! OAuth endpoints and pages.

pub mod page;
pub mod assets;
pub mod when;
pub mod chart;
pub mod leaf;
pub mod qr;
pub mod passkey;
pub mod error;
pub mod respond;
pub mod cookies;
pub mod state;
pub mod operate;
pub mod notice;
pub mod scopes;
pub mod extract;
pub mod sign_in;
pub mod connect;
pub mod dashboard;
pub mod oauth;
pub mod router;
#[cfg(test)]
mod samples;
