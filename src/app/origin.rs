//! On whose behalf does this thread work at the moment? The audit log asks when it writes a line.
//!
//! An operation takes what it decides about as arguments; who stands behind it changes nothing of what it does, so it is
//! not among them. The edges say it once, where they call an operation: [`crate::wire::blocking`] for requests and
//! [`crate::control`] for the command line. Nobody's word is taken for it: the user is the one whose session or token was
//! checked. No right ever hangs on it.

use crate::id::UserId;
use std::cell::Cell;
use std::net::IpAddr;

/// Where what is done comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody asked: Keyward does it by itself.
    #[default]
    Keyward,
    /// Whoever holds the data directory asked.
    CommandLine,
    /// A request asked.
    Request {
        /// From there, if known.
        address: Option<IpAddr>,
        /// Of this user, once that was proved.
        user: Option<UserId>,
    },
}

thread_local! {
    static CURRENT: Cell<Origin> = const { Cell::new(Origin::Keyward) };
}

/// On whose behalf this thread works.
pub fn current() -> Origin {
    CURRENT.get()
}

/// This thread works on behalf of `origin` until the guard is dropped.
#[must_use]
pub fn enter(origin: Origin) -> Entered {
    Entered(CURRENT.replace(origin))
}

/// See [`enter`].
#[derive(Debug)]
pub struct Entered(Origin);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_works_for_one_at_a_time_and_for_keyward_otherwise() {
        assert_eq!(current(), Origin::Keyward);
        let outer = enter(Origin::CommandLine);
        let request = Origin::Request { address: None, user: None };
        let inner = enter(request);
        assert_eq!(current(), request);
        drop(inner);
        assert_eq!(current(), Origin::CommandLine);
        drop(outer);
        assert_eq!(current(), Origin::Keyward);
    }
}
