//! Behaviour of the whole appliance; one binary, a module per behaviour family.
//!
//! Stories are told through the actors of [`support`]: an `Appliance` (the real router over redb in memory, with a clock
//! that moves), a `Browser` (a person), an `Agent` (an MCP client) and an `Upstream` (an MCP server behind Keyward).

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod support;

mod access;
mod authorize;
mod bad_input;
mod client_keys;
mod connections;
mod commands;
mod control;
mod dashboard;
mod event_lines;
mod events;
mod forward_auth;
mod found_tokens;
mod gateway;
mod invitations;
mod key_rotation;
mod leaves;
mod markup;
mod mcp;
mod metadata;
mod notices;
mod open_streams;
mod pages;
mod passkeys;
mod personal_tokens;
mod refresh_rotation;
mod registration;
mod reload;
mod revocation;
mod restart;
mod routes;
mod rows;
mod rules;
mod second_factor;
mod servers;
mod server_log;
mod sessions;
mod sign_in;
mod state_matrix;
mod step_up;
mod stdio;
mod tidy;
mod token_exchange;
mod token_list;
mod token_rotation;
mod upstream_keys;
mod upstream_tls;
mod upstreams;
mod users;
