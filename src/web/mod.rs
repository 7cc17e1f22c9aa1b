//! OAuth endpoints and pages.

pub mod page;
pub mod assets;
pub mod when;
pub mod error;
pub mod sign_in;
pub mod connect;
pub mod oauth;
pub mod dashboard;
#[cfg(test)]
mod samples;
