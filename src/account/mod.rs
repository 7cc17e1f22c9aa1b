//! People: users, passwords, sessions, personal tokens and what slows guessing.

pub mod group;
pub mod invitation;
pub mod password;
pub mod password_reset;
pub mod personal_token;

pub mod session;
pub mod throttle;
pub mod usage;
pub mod user;
