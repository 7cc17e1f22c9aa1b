//! Which handler answers where? Every route of endpoints and pages, in one list.
//!
//! Discovery and the endpoints for programs answer any origin and take no cookies. Pages answer to their own host only.

use crate::web::assets;
use crate::web::dashboard::{
    access, check, clients, connections, events, groups, home, invitations, personal_tokens, second_factor, security,
    servers, sessions, signing_keys, upstream_key, users,
};
use crate::web::error::ErrorView;
use crate::web::extract::recent::hand_over_renewed;
use crate::web::oauth::{self, authorize, introspect, leaked_token, metadata, register, revoke, token};
use crate::web::respond;
use crate::web::sign_in::{self, confirm, invitation, login, logout, reset, set_up};
use crate::web::state::WebState;
use crate::wire::host_check::HostPolicy;
use crate::wire::paths;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};

/// All routes of this module.
pub fn router(state: WebState, hosts: HostPolicy) -> Router {
    let programs = Router::new()
        .route(paths::AUTHORIZATION_SERVER, get(metadata::authorization_server))
        .route(paths::PROTECTED_RESOURCE, get(metadata::only_protected_resource))
        .route(&format!("{}/{{*path}}", paths::PROTECTED_RESOURCE), get(metadata::protected_resource))
        .route(paths::JWKS, get(metadata::jwks))
        .route(paths::OTHER_WELL_KNOWN, get(metadata::no_such_document))
        .route(paths::TOKEN, post(token::post))
        .route(paths::REGISTER, post(register::post))
        .route(paths::REGISTRATION, get(register::read))
        .route(paths::REVOKE, post(revoke::post))
        .route(paths::LEAKED_TOKEN, post(leaked_token::post))
        .route(paths::INTROSPECT, post(introspect::post))
        .method_not_allowed_fallback(oauth::respond::wrong_method)
        .layer(from_fn_with_state(hosts.clone(), oauth::respond::require_own_host))
        .layer(from_fn(oauth::respond::allow_any_origin));
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to(paths::DASHBOARD) }))
        .route(paths::AUTHORIZE, get(authorize::get).post(authorize::post))
        .route(paths::SET_UP, get(set_up::get).post(set_up::post))
        .route(paths::INVITATION, get(invitation::get).post(invitation::post))
        .route(paths::RESET, get(reset::get).post(reset::post))
        .route(paths::CONFIRM, get(confirm::get).post(confirm::post))
        .route(paths::LOGIN, get(login::get).post(login::post))
        .route(paths::SECOND_FACTOR, get(sign_in::second_factor::get).post(sign_in::second_factor::post))
        .route(paths::PASSKEY_SIGN_IN, post(sign_in::passkey::post_alone))
        .route(paths::PASSKEY_SECOND_FACTOR, post(sign_in::passkey::post_after_password))
        .route(paths::LOGOUT, get(logout::get).post(logout::post))
        .route(paths::DASHBOARD, get(home::get))
        .route(paths::NOTICES_DISMISS, post(home::post_dismiss))
        .route(paths::PERSONAL_TOKENS, get(personal_tokens::list::get))
        .route(paths::PERSONAL_TOKEN_NEW, get(personal_tokens::new::get).post(personal_tokens::new::post))
        .route(
            paths::PERSONAL_TOKENS_REVOKE_ALL,
            get(personal_tokens::revoke::get_all).post(personal_tokens::revoke::post_all),
        )
        .route(paths::PERSONAL_TOKEN, get(personal_tokens::show::get))
        .route(paths::PERSONAL_TOKEN_USE, get(personal_tokens::show::get_use))
        .route(paths::PERSONAL_TOKEN_ROTATE, get(personal_tokens::rotate::get).post(personal_tokens::rotate::post))
        .route(paths::PERSONAL_TOKEN_RENAME, get(personal_tokens::rename::get).post(personal_tokens::rename::post))
        .route(paths::PERSONAL_TOKEN_REVOKE, get(personal_tokens::revoke::get).post(personal_tokens::revoke::post))
        .route(paths::CONNECTIONS, get(connections::get))
        .route(paths::CONNECTION_REVOKE, get(connections::get_revoke).post(connections::post_revoke))
        .route(paths::CONNECTION_NARROW, get(connections::narrow::get).post(connections::narrow::post))
        .route(paths::CONNECTIONS_REVOKE_ALL, get(connections::get_revoke_all).post(connections::post_revoke_all))
        .route(paths::SECURITY, get(security::get))
        .route(paths::SECURITY_PASSWORD, post(security::post_password))
        .route(paths::SESSIONS, get(sessions::get))
        .route(paths::SESSION_END, get(sessions::get_end).post(sessions::post_end))
        .route(paths::SECURITY_SIGN_OUT_EVERYWHERE, get(sessions::get_end_others).post(sessions::post_end_others))
        .route(paths::AUTHENTICATOR, get(second_factor::authenticator::get).post(second_factor::authenticator::post))
        .route(paths::PASSKEY_NEW, get(second_factor::passkey::get).post(second_factor::passkey::post))
        .route(paths::RECOVERY_CODES, get(second_factor::recovery_codes::get).post(second_factor::recovery_codes::post))
        .route(paths::FACTOR_REMOVE, get(second_factor::remove::get).post(second_factor::remove::post))
        .route(paths::SIGN_IN_POLICY, get(second_factor::policy::get).post(second_factor::policy::post))
        .route(paths::SERVERS, get(servers::list::get))
        .route(paths::SERVER_NEW, get(servers::new::get).post(servers::new::post))
        .route(paths::SERVER, get(servers::show::get))
        .route(paths::SERVER_EDIT, get(servers::edit::get).post(servers::edit::post))
        .route(paths::SERVER_TEST, post(servers::show::post_test))
        .route(paths::SERVER_ENABLE, post(servers::enable::post))
        .route(paths::SERVER_REMOVE, get(servers::remove::get).post(servers::remove::post))
        .route(paths::USERS, get(users::list::get))
        .route(paths::USER, get(users::user::get).post(users::user::post))
        .route(paths::USER_DISABLE, users::confirm::page(users::Act::Disable))
        .route(paths::USER_ENABLE, users::confirm::page(users::Act::Enable))
        .route(paths::USER_SIGN_OUT, users::confirm::page(users::Act::SignOut))
        .route(paths::USER_RESET_LINK, get(users::reset_link::get).post(users::reset_link::post))
        .route(paths::USER_REVOKE, get(users::revoke::get).post(users::revoke::post))
        .route(paths::USER_REVOKE_ALL, users::confirm::page(users::Act::RevokeAll))
        .route(paths::USER_RESET_FACTORS, users::confirm::page(users::Act::ResetFactors))
        .route(paths::USER_DELETE, users::confirm::page(users::Act::Delete))
        .route(paths::ACCESS, get(access::get))
        .route(paths::GROUPS, get(groups::list::get).post(groups::list::post))
        .route(paths::GROUP, get(groups::group::get).post(groups::group::post))
        .route(paths::GROUP_ADD, post(groups::group::post_add))
        .route(paths::GROUP_TAKE_OUT, post(groups::group::post_take_out))
        .route(paths::GROUP_REMOVE, get(groups::remove::get).post(groups::remove::post))
        .route(paths::INVITATIONS, get(invitations::list::get))
        .route(paths::INVITATION_NEW, get(invitations::new::get).post(invitations::new::post))
        .route(paths::INVITATION_REVOKE, get(invitations::revoke::get).post(invitations::revoke::post))
        .route(paths::CLIENTS, get(clients::list::get))
        .route(paths::CLIENT_NEW, get(clients::new::get).post(clients::new::post))
        .route(paths::CLIENT_PIN, get(clients::pin::get).post(clients::pin::post))
        .route(paths::CLIENT_REMOVE, get(clients::remove::get).post(clients::remove::post))
        .route(paths::CHECK, get(check::get).post(check::post))
        .route(paths::SIGNING_KEYS, get(signing_keys::get))
        .route(paths::SIGNING_KEYS_ROTATE, post(signing_keys::post_rotate))
        .route(paths::SIGNING_KEY_CONDEMN, get(signing_keys::get_condemn).post(signing_keys::post_condemn))
        .route(paths::UPSTREAM_KEY, get(upstream_key::get).post(upstream_key::post))
        .route(paths::UPSTREAM_KEY_REMOVE, get(upstream_key::get_remove).post(upstream_key::post_remove))
        .route(paths::ACTIVITY, get(events::get_activity))
        .route(paths::EVENTS, get(events::get_events))
        .route(paths::EVENTS_EXPORT, get(events::get_export))
        .route(paths::ASSETS, get(assets::show))
        .fallback(|| async { ErrorView::not_found() })
        .method_not_allowed_fallback(|| async { ErrorView::method_not_allowed() })
        .layer(from_fn(hand_over_renewed))
        .layer(from_fn_with_state(hosts, respond::require_own_host));
    programs.merge(pages).with_state(state)
}
