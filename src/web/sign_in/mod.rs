//! How does a person come in and go out? Set-up, login, logout.

pub mod login;
pub mod logout;
pub mod set_up;

pub use login::{LoginProblem, LoginView};
pub use logout::LogoutView;
pub use set_up::SetUpView;
