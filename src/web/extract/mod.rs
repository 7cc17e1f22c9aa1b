//! What a page handler needs of its request, as types: without the check there is no value.

pub mod caller;
pub mod csrf_form;
pub mod half_signed_in;
pub mod path_id;
pub mod query;
pub mod recent;
pub mod signed_in;
pub mod visitor;

pub use csrf_form::{Confirmed, CsrfForm, FormRefusal};
pub use half_signed_in::HalfSignedIn;
pub use path_id::PathId;
pub use query::{LinkQuery, NextQuery, PageQuery};
pub use recent::{RecentForm, Recently, RecentlySignedIn};
pub use signed_in::{Admin, AnySignedIn, PreviousSession, SignedIn};
pub use visitor::Visitor;
