//! The authorization server's endpoints.

pub mod respond;
pub mod client;
pub mod metadata;
pub mod token;
pub mod revoke;
pub mod introspect;
pub mod leaked_token;
pub mod register;
pub mod authorize;
pub mod consent;
