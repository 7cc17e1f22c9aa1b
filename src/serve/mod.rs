//! How does the whole come together? Open the store, make the [`crate::app`], build the routers, listen, and wind up.

pub mod accept;
