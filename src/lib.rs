//! Keyward: sign-in for MCP servers in one self-contained executable.

// ground: words everyone uses
pub mod id;
pub mod clock;
pub mod entropy;
pub mod secret;
pub mod seal;

// domain: decisions; synchronous, no I/O, time passed in
pub mod oauth;
pub mod account;
pub mod keys;
pub mod token;
pub mod access;

// persistence: the only place that knows redb
pub mod store;

// operations
pub mod app;

// edges
pub mod wire;
pub mod mcp;
pub mod gateway;
pub mod web;
pub mod upkeep;
pub mod telemetry;
pub mod config;
pub mod serve;
pub mod demo;
pub mod fixture;
pub mod cli;
