//! OAuth 2.1 decisions: requests, clients, redirects, PKCE, resources, scopes, metadata, errors.

pub mod issuer;
pub mod scope;
pub mod resource;
pub mod redirect_uri;
pub mod pkce;
pub mod client;
pub mod error;
pub mod authorization;
pub mod document_url;
pub mod special_use;
pub mod client_keys;
pub mod claimed_metadata;
pub mod client_document;
pub mod known_clients;
pub mod registration;
pub mod client_assertion;
pub mod client_authentication;
pub mod metadata;
pub mod grant;
pub mod authorization_code;
pub mod refresh_pace;
pub mod refresh_token;
pub mod form;
