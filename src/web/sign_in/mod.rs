//! How does a person come in and go out? Set-up, invitation, login, second factor, logout, and a new password by link.

pub mod login;
pub mod confirm;
pub mod logout;
pub mod passkey;
pub mod second_factor;
pub mod set_up;
pub mod invitation;
pub mod reset;

pub use confirm::{ConfirmProblem, ConfirmView};
pub use invitation::InvitationView;
pub use login::{LoginProblem, LoginView};
pub use logout::LogoutView;
pub use reset::ResetView;
pub use second_factor::SecondFactorView;
pub use set_up::SetUpView;
