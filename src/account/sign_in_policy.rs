//! Who must have a second factor? What an admin has decided; nobody, until one has.
//!
//! Whoever must and has none may do nothing but add one: see [`crate::app::second_factor`].

use crate::account::user::User;
use serde::{Deserialize, Serialize};

/// What is asked of people who sign in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInPolicy {
    /// Who must have a second factor.
    pub second_factor: Demanded,
}

/// Of whom something is demanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Demanded {
    /// Of nobody: everybody decides for themselves.
    #[default]
    OfNobody,
    /// Of admins.
    OfAdmins,
    /// Of everybody.
    OfEverybody,
}

impl SignInPolicy {
    /// Whether this user must have a second factor.
    pub fn demands_factor_of(&self, user: &User) -> bool {
        match self.second_factor {
            Demanded::OfNobody => false,
            Demanded::OfAdmins => user.is_admin(),
            Demanded::OfEverybody => true,
        }
    }
}
