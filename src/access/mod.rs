//! Guarded MCP servers and who may use them.
