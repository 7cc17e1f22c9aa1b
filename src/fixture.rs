//! `keyward fixture`.
