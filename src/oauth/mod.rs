//! OAuth 2.1 decisions: requests, clients, redirects, PKCE, resources, scopes, metadata, errors.

pub mod special_use;
