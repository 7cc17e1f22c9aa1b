//! How does a person come in and go out? Set-up, invitation, login, logout, and a new password by link.

pub mod login;
pub mod logout;
pub mod set_up;
pub mod invitation;
pub mod reset;

pub use invitation::InvitationView;
pub use login::{LoginProblem, LoginView};
pub use logout::LogoutView;
pub use reset::ResetView;
pub use set_up::SetUpView;
