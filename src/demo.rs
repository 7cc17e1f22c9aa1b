//! `keyward demo`.
