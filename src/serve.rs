//! The wiring: open the store, build the App, serve, shut down.
