//! OAuth endpoints and pages.
