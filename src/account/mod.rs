//! People: users, passwords, second factors, sessions, personal tokens and what slows guessing.

pub mod device;
pub mod factor;
pub mod group;
pub mod half_session;
pub mod invitation;
pub mod passkey;
pub mod password;
pub mod password_reset;
pub mod personal_token;
pub mod recovery_code;
pub mod session;
pub mod sign_in_policy;
pub mod throttle;
pub mod totp;
pub mod usage;
pub mod network;
pub mod token_watch;
pub mod user;
