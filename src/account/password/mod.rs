//! Is this password good enough, and is it the right one?
//!
//! | File | Question |
//! | --- | --- |
//! | `new` | May this password be set? |
//! | `common` | Is it among the first that a stranger would try? |
//! | `hash` | Is it the right one? |

mod common;
mod hash;
mod new;

pub use hash::PasswordHash;
pub use new::{NewPassword, WeakPassword, readable_password};

/// Fewest characters of a password.
pub const MIN_PASSWORD: usize = 8;
/// Most characters of a password: more would only cost time.
pub const MAX_PASSWORD: usize = 128;
