//! Keyward: sign-in for MCP servers in one self-contained executable.
//!
//! This is the map of the house, from ground to edge. **A module uses only modules listed above it**; [`gateway`] and
//! [`web`] do not use each other. So there are no cycles, and the order is the reading order. `tests/it/tidy.rs` holds it
//! to that, and every outside crate to its home.
//!
//! # Ground: words that everyone uses
//!
//! | Module | What it answers, and its rule |
//! | --- | --- |
//! | [`clock`] | What time is it? Nobody else reads the system's clock: decisions are given `now` |
//! | [`entropy`] | Where does randomness come from? Nobody else asks the system for it |
//! | [`id`] | What is this thing called? Typed ids that sort by age; a name, never a secret |
//! | [`secret`] | How are secrets held? Printed as nothing, compared in constant time, wiped; at rest a digest |
//! | [`seal`] | How does a browser carry what it must not read or change? PASETO v4.local, one purpose each |
//!
//! # Domain: decisions; synchronous, without I/O
//!
//! | Module | What it answers, and its rule |
//! | --- | --- |
//! | [`oauth`] | What may a client ask for, and what is it told? Parsed at the door; who sees an error is its type |
//! | [`account`] | Who are the people, how do they prove it, and what slows guessing? |
//! | [`keys`] | Which key signs, which verify? The only home of Ed25519; rotation is a pure plan for `now` |
//! | [`token`] | Is this token good now? The hot path; only it makes the proofs that let a request through |
//! | [`access`] | Which servers are guarded, and may this token do that at this one? Only it permits |
//! | [`event`] | What happened, by whom and how often? A line of the audit log; no secret, no argument is ever in one |
//!
//! # Persistence
//!
//! | Module | What it answers, and its rule |
//! | --- | --- |
//! | [`store`] | How is state kept? Nothing of redb leaves it; what was answered is on the disk; `tables` is the schema |
//!
//! # Operations: synchronous, for pages, protocols, command line and upkeep alike
//!
//! | Module | What it answers, and its rule |
//! | --- | --- |
//! | [`app`] | What does the appliance do? Each operation commits first, publishes to [`app::live`] second, answers third |
//!
//! # Edges: async, HTTP, the terminal
//!
//! | Module | What it answers, and its rule |
//! | --- | --- |
//! | [`wire`] | What do the routers share? Paths, limits, request ids, and the one way to run what blocks |
//! | [`mcp`] | What does the built-in MCP server answer? Whoever gets here has proved who asks |
//! | [`check`] | Do clients find their way in? Walks it from outside, as they do, and says what is broken |
//! | [`gateway`] | Who may pass to a guarded server, and what are the others told? Memory only: no lock, no disk |
//! | [`web`] | What do people and OAuth clients see? A handler is extract, one operation, render |
//! | [`control`] | What may whoever holds the data directory ask for? One request, one function, server running or not |
//! | [`upkeep`] | What happens on its own? Nothing that safety depends on |
//! | [`telemetry`] | What does the log look like? Ids, never secrets |
//! | [`config`] | How is it set up? One table of options, each put into its module's own |
//! | [`serve`] | How does the whole come together? Nobody connects before every revocation is loaded |
//! | [`demo`] | What does a person without a network get? All of it, in memory |
//! | [`fixture`] | What does a test suite get? The same for programs, and the only private key that is ever shown |
//! | [`cli`] | What can be typed? Each subcommand calls one function of the above |
//!
//! # Ways through it
//!
//! - A tool call: [`serve::accept`], [`wire::entry`], [`gateway`], [`wire::bearer`], [`token::Verifier`], [`mcp::Posted`],
//!   [`access::decide`], and [`mcp`] or the server behind `gateway`.
//! - Somebody connects a client: `gateway`'s challenge, [`oauth::metadata`], [`oauth::registration`] or
//!   [`oauth::client_document`], [`oauth::authorization`], [`app::authorize`], [`app::exchange`].
//! - A revocation: [`app::revoke`], [`store::tables::REVOCATIONS`], [`token::RevocationSet`], the next request.
//! - An admin adds a server: [`web::dashboard::servers`], [`access::ServerDescription`], [`app::servers`],
//!   [`store::tables::SERVERS`], [`access::ServerDirectory`], the next request.
//! - Somebody signs in: [`app::sign_in`], [`app::second_factor`] or [`app::passkeys`], and [`app::step_up`] before what hands out
//!   power.
//! - Who did that: [`app::origin`], an operation of [`app`], `app::events`, [`store::tables::EVENTS`], the pages of [`web`].
//! - `keyward tokens revoke` beside a running server: [`cli`], [`control::ask`], [`control::ControlSocket`],
//!   [`control::perform`], and on as above.

// ground: words everyone uses
pub mod clock;
pub mod entropy;
pub mod id;
pub mod secret;
pub mod seal;

// domain: decisions; synchronous, no I/O, time passed in
pub mod oauth;
pub mod account;
pub mod keys;
pub mod token;
pub mod access;
pub mod event;

// persistence: the only place that knows redb
pub mod store;

// operations
pub mod app;

// edges
pub mod wire;
pub mod mcp;
pub mod check;
pub mod gateway;
pub mod web;
pub mod control;
pub mod upkeep;
pub mod telemetry;
pub mod config;
pub mod serve;
pub mod demo;
pub mod fixture;
pub mod cli;
