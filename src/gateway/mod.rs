//! Admission of MCP requests: bearer to verified token to decision, and the challenges.
