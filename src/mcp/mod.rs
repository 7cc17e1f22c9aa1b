//! The built-in MCP server and its tools.
