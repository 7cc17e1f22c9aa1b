//! What a page handler needs of its request, as types: without the check there is no value.

pub mod csrf_form;
pub mod signed_in;
pub mod visitor;

pub use csrf_form::CsrfForm;
pub use signed_in::{Admin, SignedIn};
pub use visitor::Visitor;
