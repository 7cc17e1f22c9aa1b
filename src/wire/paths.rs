//! Where does everything live? Every path of the HTTP surface, once; routers, pages and documents take it from here.
//!
//! A constant with `{…}` is a router's pattern; the function of the same name makes the path of one thing.

use crate::access::ServerName;
use crate::account::group::GroupName;
use crate::id::{FactorId, GrantId, InvitationId, KeyId, SessionId, TokenId, UserId};

/// The built-in MCP server, or the one that the configuration puts there.
pub const MCP: &str = "/mcp";
/// Each further guarded server.
pub const MCP_SERVER: &str = "/mcp/{server}";
/// Where proxies ask about requests for their servers; a server's name follows.
pub const VERIFY: &str = "/verify";
/// Protected-resource metadata (RFC 9728 §3); a server's own path follows.
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// Authorization-server metadata (RFC 8414 §3).
pub const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// The public signing keys (RFC 7517 §5).
pub const JWKS: &str = "/.well-known/jwks.json";
/// Well-known documents that this server does not have.
pub const OTHER_WELL_KNOWN: &str = "/.well-known/{*path}";
/// Authorization endpoint (RFC 6749 §3.1): consent.
pub const AUTHORIZE: &str = "/authorize";
/// Token endpoint (RFC 6749 §3.2).
pub const TOKEN: &str = "/token";
/// Dynamic registration (RFC 7591 §3).
pub const REGISTER: &str = "/register";
/// A registration that its client reads again (RFC 7592 §2).
pub const REGISTRATION: &str = "/register/{client_id}";
/// Token revocation (RFC 7009 §2).
pub const REVOKE: &str = "/revoke";
/// Whoever finds a token ends it here.
pub const LEAKED_TOKEN: &str = "/leaked-token";
/// Token introspection (RFC 7662 §2).
pub const INTROSPECT: &str = "/introspect";

/// Is the process alive?
pub const HEALTHZ: &str = "/healthz";
/// May requests be sent here?
pub const READYZ: &str = "/readyz";
/// Do streams of events arrive as they are written?
pub const HEALTHZ_STREAM: &str = "/healthz/stream";
/// Style, script and icons, under content-hashed names.
pub const ASSETS: &str = "/assets/{*path}";

/// First account, with the one-time secret.
pub const SET_UP: &str = "/setup";
/// An account for who was invited, with the one-time secret.
pub const INVITATION: &str = "/invitation";
/// A new password, with the one-time secret.
pub const RESET: &str = "/reset";
/// Sign in.
pub const LOGIN: &str = "/login";
/// The second factor, after the password.
pub const SECOND_FACTOR: &str = "/login/second-factor";
/// Sign in with a passkey alone.
pub const PASSKEY_SIGN_IN: &str = "/login/passkey";
/// A passkey, after the password.
pub const PASSKEY_SECOND_FACTOR: &str = "/login/second-factor/passkey";
/// Prove again who is there; `?next=` says where to go on to.
pub const CONFIRM: &str = "/confirm";
/// Sign out.
pub const LOGOUT: &str = "/logout";

/// The dashboard's first page.
pub const DASHBOARD: &str = "/dashboard";
/// Dismiss a notice.
pub const NOTICES_DISMISS: &str = "/dashboard/notices/dismiss";
/// API keys: the user's personal tokens.
pub const PERSONAL_TOKENS: &str = "/dashboard/api-keys";
/// Make a personal token; `?name=&expires=&server=&scope=` fill the form in.
pub const PERSONAL_TOKEN_NEW: &str = "/dashboard/api-keys/new";
/// Revoke every one.
pub const PERSONAL_TOKENS_REVOKE_ALL: &str = "/dashboard/api-keys/revoke-all";
/// One of them.
pub const PERSONAL_TOKEN: &str = "/dashboard/api-keys/{id}";
/// Whether it was used, for the page that waits for that.
pub const PERSONAL_TOKEN_USE: &str = "/dashboard/api-keys/{id}/use";
/// Put a new one in its place.
pub const PERSONAL_TOKEN_ROTATE: &str = "/dashboard/api-keys/{id}/rotate";
/// Rename one.
pub const PERSONAL_TOKEN_RENAME: &str = "/dashboard/api-keys/{id}/rename";
/// Revoke one.
pub const PERSONAL_TOKEN_REVOKE: &str = "/dashboard/api-keys/{id}/revoke";
/// Connected apps: the user's grants.
pub const CONNECTIONS: &str = "/dashboard/connections";
/// Revoke one.
pub const CONNECTION_REVOKE: &str = "/dashboard/connections/{id}/revoke";
/// Lower what one may do.
pub const CONNECTION_NARROW: &str = "/dashboard/connections/{id}/narrow";
/// Revoke every one.
pub const CONNECTIONS_REVOKE_ALL: &str = "/dashboard/connections/revoke-all";
/// The guarded servers that the user may use; for admins all.
pub const SERVERS: &str = "/dashboard/servers";
/// Add one (admin).
pub const SERVER_NEW: &str = "/dashboard/servers/new";
/// One server.
pub const SERVER: &str = "/dashboard/servers/{name}";
/// Change what is said about it (admin).
pub const SERVER_EDIT: &str = "/dashboard/servers/{name}/edit";
/// Try its connection (admin).
pub const SERVER_TEST: &str = "/dashboard/servers/{name}/test";
/// Switch it on or off (admin).
pub const SERVER_ENABLE: &str = "/dashboard/servers/{name}/enable";
/// Remove it (admin).
pub const SERVER_REMOVE: &str = "/dashboard/servers/{name}/remove";
/// The user's own key for a server that wants one of each.
pub const UPSTREAM_KEY: &str = "/dashboard/servers/{name}/key";
/// Remove it.
pub const UPSTREAM_KEY_REMOVE: &str = "/dashboard/servers/{name}/key/remove";
/// Users (admin); `?name=&page=` choose which are shown.
pub const USERS: &str = "/dashboard/users";
/// One of them: role and groups.
pub const USER: &str = "/dashboard/users/{id}";
/// Accept nothing of theirs.
pub const USER_DISABLE: &str = "/dashboard/users/{id}/disable";
/// Accept it again.
pub const USER_ENABLE: &str = "/dashboard/users/{id}/enable";
/// End their sessions.
pub const USER_SIGN_OUT: &str = "/dashboard/users/{id}/sign-out";
/// Make a one-time link to a new password.
pub const USER_RESET_LINK: &str = "/dashboard/users/{id}/reset-link";
/// Revoke one token or app of theirs; which one says `?token=` or `?connection=`.
pub const USER_REVOKE: &str = "/dashboard/users/{id}/revoke";
/// Revoke all tokens and apps of theirs.
pub const USER_REVOKE_ALL: &str = "/dashboard/users/{id}/revoke-all";
/// Remove their second factors.
pub const USER_RESET_FACTORS: &str = "/dashboard/users/{id}/reset-factors";
/// Delete them.
pub const USER_DELETE: &str = "/dashboard/users/{id}/delete";
/// Who must have a second factor (admin).
pub const SIGN_IN_POLICY: &str = "/dashboard/users/policy";
/// Everybody's tokens and apps (admin).
pub const ACCESS: &str = "/dashboard/access";
/// Groups (admin).
pub const GROUPS: &str = "/dashboard/groups";
/// One of them.
pub const GROUP: &str = "/dashboard/groups/{group}";
/// Put somebody into it.
pub const GROUP_ADD: &str = "/dashboard/groups/{group}/add";
/// Take somebody out of it.
pub const GROUP_TAKE_OUT: &str = "/dashboard/groups/{group}/take-out";
/// Remove it.
pub const GROUP_REMOVE: &str = "/dashboard/groups/{group}/remove";
/// Invitations (admin).
pub const INVITATIONS: &str = "/dashboard/invitations";
/// Invite somebody.
pub const INVITATION_NEW: &str = "/dashboard/invitations/new";
/// Take one back.
pub const INVITATION_REVOKE: &str = "/dashboard/invitations/{id}/revoke";
/// Signing keys (admin).
pub const SIGNING_KEYS: &str = "/dashboard/signing-keys";
/// Rotate now.
pub const SIGNING_KEYS_ROTATE: &str = "/dashboard/signing-keys/rotate";
/// Condemn one.
pub const SIGNING_KEY_CONDEMN: &str = "/dashboard/signing-keys/{id}/condemn";
/// Registered clients (admin).
pub const CLIENTS: &str = "/dashboard/clients";
/// Register one by hand.
pub const CLIENT_NEW: &str = "/dashboard/clients/new";
/// Pin a client metadata document.
pub const CLIENT_PIN: &str = "/dashboard/clients/pin";
/// Remove one; which one says `?client_id=`, since an id may be a URL.
pub const CLIENT_REMOVE: &str = "/dashboard/clients/remove";
/// What one did oneself.
pub const ACTIVITY: &str = "/dashboard/activity";
/// What anybody did (admin).
pub const EVENTS: &str = "/dashboard/events";
/// The same as JSON lines.
pub const EVENTS_EXPORT: &str = "/dashboard/events.jsonl";
/// Whether clients find their way in (admin).
pub const CHECK: &str = "/dashboard/check";
/// Password and sessions.
pub const SECURITY: &str = "/dashboard/security";
/// Change the password.
pub const SECURITY_PASSWORD: &str = "/dashboard/security/password";
/// In which browsers one is signed in.
pub const SESSIONS: &str = "/dashboard/security/sessions";
/// End one of these sessions.
pub const SESSION_END: &str = "/dashboard/security/sessions/{id}/end";
/// End every other session.
pub const SECURITY_SIGN_OUT_EVERYWHERE: &str = "/dashboard/security/sign-out-everywhere";
/// Add an authenticator app.
pub const AUTHENTICATOR: &str = "/dashboard/security/authenticator";
/// Add a passkey.
pub const PASSKEY_NEW: &str = "/dashboard/security/passkeys/new";
/// Make new recovery codes.
pub const RECOVERY_CODES: &str = "/dashboard/security/recovery-codes";
/// Remove a second factor.
pub const FACTOR_REMOVE: &str = "/dashboard/security/factors/{id}/remove";

/// [`PERSONAL_TOKEN`] of one token.
pub fn personal_token(id: &TokenId) -> String {
    format!("{PERSONAL_TOKENS}/{id}")
}

/// [`PERSONAL_TOKEN_USE`] of one token.
pub fn personal_token_use(id: &TokenId) -> String {
    format!("{PERSONAL_TOKENS}/{id}/use")
}

/// [`PERSONAL_TOKEN_ROTATE`] of one token.
pub fn personal_token_rotate(id: &TokenId) -> String {
    format!("{PERSONAL_TOKENS}/{id}/rotate")
}

/// [`PERSONAL_TOKEN_RENAME`] of one token.
pub fn personal_token_rename(id: &TokenId) -> String {
    format!("{PERSONAL_TOKENS}/{id}/rename")
}

/// [`PERSONAL_TOKEN_REVOKE`] of one token.
pub fn personal_token_revoke(id: &TokenId) -> String {
    format!("{PERSONAL_TOKENS}/{id}/revoke")
}

/// [`CONNECTION_REVOKE`] of one grant.
pub fn connection_revoke(id: &GrantId) -> String {
    format!("{CONNECTIONS}/{id}/revoke")
}

/// [`CONNECTION_NARROW`] of one grant.
pub fn connection_narrow(id: &GrantId) -> String {
    format!("{CONNECTIONS}/{id}/narrow")
}

/// [`SERVER`] of the server with this name.
pub fn server(name: &str) -> String {
    format!("{SERVERS}/{name}")
}

/// [`SERVER_EDIT`] of the server with this name.
pub fn server_edit(name: &str) -> String {
    format!("{SERVERS}/{name}/edit")
}

/// [`SERVER_TEST`] of the server with this name.
pub fn server_test(name: &str) -> String {
    format!("{SERVERS}/{name}/test")
}

/// [`SERVER_ENABLE`] of the server with this name.
pub fn server_enable(name: &str) -> String {
    format!("{SERVERS}/{name}/enable")
}

/// [`SERVER_REMOVE`] of the server with this name.
pub fn server_remove(name: &str) -> String {
    format!("{SERVERS}/{name}/remove")
}

/// [`UPSTREAM_KEY`] of one server.
pub fn upstream_key(server: &ServerName) -> String {
    format!("/dashboard/servers/{server}/key")
}

/// [`UPSTREAM_KEY_REMOVE`] of one server.
pub fn upstream_key_remove(server: &ServerName) -> String {
    format!("/dashboard/servers/{server}/key/remove")
}

/// [`SESSION_END`] of one session.
pub fn session_end(id: &SessionId) -> String {
    format!("{SESSIONS}/{id}/end")
}

/// [`USERS`] with names that contain `filter`, on one page.
pub fn users_page(filter: &str, page: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !filter.is_empty() {
        query.append_pair("name", filter);
    }
    format!("{USERS}?{}", query.append_pair("page", &page.to_string()).finish())
}

/// A page of the list at `path`.
pub fn leaf(path: &str, page: usize) -> String {
    format!("{path}?page={page}")
}

/// [`USER`] of one user.
pub fn user(id: &UserId) -> String {
    format!("{USERS}/{id}")
}

/// [`USER_DISABLE`] of one user.
pub fn user_disable(id: &UserId) -> String {
    format!("{USERS}/{id}/disable")
}

/// [`USER_ENABLE`] of one user.
pub fn user_enable(id: &UserId) -> String {
    format!("{USERS}/{id}/enable")
}

/// [`USER_SIGN_OUT`] of one user.
pub fn user_sign_out(id: &UserId) -> String {
    format!("{USERS}/{id}/sign-out")
}

/// [`USER_RESET_LINK`] of one user.
pub fn user_reset_link(id: &UserId) -> String {
    format!("{USERS}/{id}/reset-link")
}

/// [`USER_REVOKE`] of one user.
pub fn user_revoke(id: &UserId) -> String {
    format!("{USERS}/{id}/revoke")
}

/// [`USER_REVOKE_ALL`] of one user.
pub fn user_revoke_all(id: &UserId) -> String {
    format!("{USERS}/{id}/revoke-all")
}

/// [`USER_RESET_FACTORS`] of one user.
pub fn user_reset_factors(id: &UserId) -> String {
    format!("{USERS}/{id}/reset-factors")
}

/// [`USER_DELETE`] of one user.
pub fn user_delete(id: &UserId) -> String {
    format!("{USERS}/{id}/delete")
}

/// [`GROUP`] of one group.
pub fn group(name: &GroupName) -> String {
    format!("{GROUPS}/{name}")
}

/// [`GROUP_ADD`] of one group.
pub fn group_add(name: &GroupName) -> String {
    format!("{GROUPS}/{name}/add")
}

/// [`GROUP_TAKE_OUT`] of one group.
pub fn group_take_out(name: &GroupName) -> String {
    format!("{GROUPS}/{name}/take-out")
}

/// [`GROUP_REMOVE`] of one group.
pub fn group_remove(name: &GroupName) -> String {
    format!("{GROUPS}/{name}/remove")
}

/// [`INVITATION_REVOKE`] of one invitation.
pub fn invitation_revoke(id: &InvitationId) -> String {
    format!("{INVITATIONS}/{id}/revoke")
}

/// [`FACTOR_REMOVE`] of one factor.
pub fn factor_remove(id: &FactorId) -> String {
    format!("{SECURITY}/factors/{id}/remove")
}

/// [`SIGNING_KEY_CONDEMN`] of one key.
pub fn signing_key_condemn(id: &KeyId) -> String {
    format!("{SIGNING_KEYS}/{id}/condemn")
}

/// [`CLIENT_REMOVE`] of one client.
pub fn client_remove(client_id: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("client_id", client_id).finish();
    format!("{CLIENT_REMOVE}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_thing_fits_its_pattern() {
        let token = TokenId::from_bytes([7; 16]);
        let fits = |pattern: &str, id: &str| pattern.replace("{id}", id);
        assert_eq!(personal_token(&token), fits(PERSONAL_TOKEN, &token.to_string()));
        assert_eq!(personal_token_use(&token), fits(PERSONAL_TOKEN_USE, &token.to_string()));
        assert_eq!(personal_token_rotate(&token), fits(PERSONAL_TOKEN_ROTATE, &token.to_string()));
        assert_eq!(personal_token_rename(&token), fits(PERSONAL_TOKEN_RENAME, &token.to_string()));
        assert_eq!(personal_token_revoke(&token), fits(PERSONAL_TOKEN_REVOKE, &token.to_string()));
        let grant = GrantId::from_bytes([7; 16]);
        assert_eq!(connection_narrow(&grant), fits(CONNECTION_NARROW, &grant.to_string()));
        assert_eq!(connection_revoke(&grant), fits(CONNECTION_REVOKE, &grant.to_string()));
        let of_server = |pattern: &str| pattern.replace("{name}", "files");
        assert_eq!(server("files"), of_server(SERVER));
        assert_eq!(server_edit("files"), of_server(SERVER_EDIT));
        assert_eq!(server_test("files"), of_server(SERVER_TEST));
        assert_eq!(server_enable("files"), of_server(SERVER_ENABLE));
        assert_eq!(server_remove("files"), of_server(SERVER_REMOVE));
        let key = KeyId::from_bytes([7; 16]);
        let server = ServerName::parse("files").unwrap();
        assert_eq!(upstream_key(&server), UPSTREAM_KEY.replace("{name}", "files"));
        assert_eq!(upstream_key_remove(&server), UPSTREAM_KEY_REMOVE.replace("{name}", "files"));
        assert_eq!(signing_key_condemn(&key), fits(SIGNING_KEY_CONDEMN, &key.to_string()));
        let factor = FactorId::from_bytes([7; 16]);
        assert_eq!(factor_remove(&factor), fits(FACTOR_REMOVE, &factor.to_string()));
        let id = UserId::from_bytes([7; 16]);
        for (pattern, path) in [
            (USER, user(&id)),
            (USER_DISABLE, user_disable(&id)),
            (USER_ENABLE, user_enable(&id)),
            (USER_SIGN_OUT, user_sign_out(&id)),
            (USER_RESET_LINK, user_reset_link(&id)),
            (USER_REVOKE, user_revoke(&id)),
            (USER_REVOKE_ALL, user_revoke_all(&id)),
            (USER_RESET_FACTORS, user_reset_factors(&id)),
            (USER_DELETE, user_delete(&id)),
        ] {
            assert_eq!(path, fits(pattern, &id.to_string()));
        }
        let name = GroupName::parse("writers").unwrap();
        let fits_group = |pattern: &str| pattern.replace("{group}", name.as_str());
        assert_eq!(group(&name), fits_group(GROUP));
        assert_eq!(group_add(&name), fits_group(GROUP_ADD));
        assert_eq!(group_take_out(&name), fits_group(GROUP_TAKE_OUT));
        assert_eq!(group_remove(&name), fits_group(GROUP_REMOVE));
        let invitation = InvitationId::from_bytes([7; 16]);
        assert_eq!(invitation_revoke(&invitation), fits(INVITATION_REVOKE, &invitation.to_string()));
        assert_eq!(users_page("a b", 2), "/dashboard/users?name=a+b&page=2");
        assert_eq!(users_page("", 1), "/dashboard/users?page=1");
    }

    #[test]
    fn a_client_is_named_in_the_query() {
        assert_eq!(
            client_remove("https://claude.ai/a?b=c&d"),
            "/dashboard/clients/remove?client_id=https%3A%2F%2Fclaude.ai%2Fa%3Fb%3Dc%26d"
        );
    }
}
