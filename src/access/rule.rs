//! Who may use a server, and what does each scope open there?

/// The rule of one server. The default: every user, with the scope `mcp`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRule {}
