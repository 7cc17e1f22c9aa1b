//! The background tick.
