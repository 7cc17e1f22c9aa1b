//! May the holder of this token do that at this server? The last question before a message goes on.
//!
//! The token is genuine, good now and for the server: [`VerifiedToken`] proves it. What is left is the server's rule: is
//! the user one of its users, does a scope of the token open the operation, and does the most that the user may do open it
//! as well (RFC 6750 §3.1; MCP 2026-07-28, authorization, scope challenges). A refusal names the narrowest scope that would
//! do, out of those that this user can have; where there is none, the thing is not there for them.
//! Fails closed: a proof for another server allows nothing here. Only [`decide`] makes a [`Permission`].

use crate::access::operation::{Effect, Operation, ToolCall};
use crate::access::server::GuardedServer;
use crate::account::user::Person;
use crate::oauth::scope::{self, ScopeSet};
use crate::token::VerifiedToken;
use std::borrow::Cow;

/// Proof that one message may go on to its server. Belongs to that message: do not keep it.
#[derive(Debug)]
pub struct Permission(());

/// Why a message may not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The server is not for this user, whatever the token says.
    #[error("This user may not use this server; an admin can change that")]
    NotForUser,
    /// Another token could do it.
    #[error(transparent)]
    Scope(#[from] InsufficientScope),
    /// Nothing that this user could ever have opens it: for them there is no such tool or method.
    #[error("there is nothing of that name for this user")]
    NotThere,
}

/// The token is good but does not reach that far: a 403 that names the scopes to ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The token lacks a scope; this needs: {needed}")]
pub struct InsufficientScope {
    /// All scopes that the request needs, and no other.
    pub needed: ScopeSet,
}

/// Decides whether `token`, which is one of `user`, may do `operation` at `server`.
pub fn decide(
    token: &VerifiedToken,
    user: Person<'_>,
    server: &GuardedServer,
    operation: &Operation<'_>,
) -> Result<Permission, Denied> {
    if token.resource() != &server.resource || !server.rule.admits(user) {
        return Err(Denied::NotForUser);
    }
    let (scopes, most) = (&token.claims().scopes, server.rule.most_for(user));
    let mut within_reach = server.rule.openers(operation).filter(|opener| most.satisfies(opener)).peekable();
    let narrowest = within_reach.peek().copied();
    if within_reach.any(|opener| scopes.satisfies(opener)) {
        return Ok(Permission(()));
    }
    let needed = match operation {
        // Any scope would do: ask for all that the user may have.
        Operation::ListTools | Operation::Housekeeping if most.contains(scope::MCP) => ScopeSet::mcp(),
        Operation::ListTools | Operation::Housekeeping => most.into_owned(),
        _ => ScopeSet::parse(narrowest.ok_or(Denied::NotThere)?).map_err(|_| Denied::NotThere)?,
    };
    Err(InsufficientScope { needed }.into())
}

/// Whether the tool called `name` is one that `token` opens: what a list of tools shows.
pub fn shows_tool(token: &VerifiedToken, user: Person<'_>, server: &GuardedServer, name: &str, effect: Effect) -> bool {
    let call = Operation::Call(ToolCall { tool: Cow::Borrowed(name), effect });
    decide(token, user, server, &call).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::rule::AccessRule;
    use crate::access::server::{ServerKind, ServerName};
    use crate::token::Audience;
    use crate::token::workshop::{NOW, Workshop, issuer};

    fn alone(name: &str) -> Person<'_> {
        Person { name, groups: &[] }
    }

    fn server(name: &str, rule: AccessRule) -> GuardedServer {
        let name = ServerName::parse(name).unwrap();
        let server = GuardedServer::further(&issuer(), name, "Server", ServerKind::Builtin).unwrap();
        GuardedServer { rule, ..server }
    }

    /// Two scopes of its own; ben may read and write, cleo only write, dan nothing; emma is not on the list.
    fn files() -> GuardedServer {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let own = [("files:write", texts(&["write_*", "move_*"])), ("files:move", texts(&["move_*"]))];
        let most =
            [("ben", texts(&["mcp:read", "files:write"])), ("cleo", texts(&["files:write"])), ("dan", texts(&[]))];
        let users = ["anna", "ben", "cleo", "dan"];
        let rule = AccessRule::parse(
            Some(users),
            None::<[&str; 0]>,
            own.iter().map(|(name, list)| (*name, list.as_slice())),
            most.iter().map(|(name, list)| (*name, list.as_slice())),
        );
        server("files", rule.unwrap())
    }

    fn token(scopes: &str, server: &GuardedServer) -> VerifiedToken {
        let workshop = Workshop::new(1);
        let token = workshop.personal_with(Audience::EveryServer, ScopeSet::parse(scopes).unwrap());
        workshop.verify(token.expose(), NOW).unwrap().for_resource(&server.resource).unwrap()
    }

    fn call(tool: &'static str, effect: Effect) -> Operation<'static> {
        Operation::Call(ToolCall { tool: tool.into(), effect })
    }

    /// "yes", the scopes that are missing, "not there" or "no user".
    fn told(scopes: &str, user: &str, server: &GuardedServer, operation: &Operation<'_>) -> String {
        match decide(&token(scopes, server), alone(user), server, operation) {
            Ok(Permission(())) => "yes".to_owned(),
            Err(Denied::Scope(InsufficientScope { needed })) => needed.to_string(),
            Err(Denied::NotThere) => "not there".to_owned(),
            Err(Denied::NotForUser) => "no user".to_owned(),
        }
    }

    #[test]
    fn the_table_of_users_tokens_and_operations() {
        let files = files();
        let read = call("read_file", Effect::ReadOnly);
        let write = call("write_file", Effect::Any);
        let both = call("move_log", Effect::ReadOnly);
        let other = call("format_disk", Effect::Any);
        let operations = [&read, &write, &both, &other, &Operation::Read, &Operation::ListTools, &Operation::Unknown];
        for (user, scopes, outcomes) in [
            ("anna", "mcp", ["yes", "yes", "yes", "yes", "yes", "yes", "yes"]),
            ("anna", "mcp:read", ["yes", "files:write", "yes", "mcp", "yes", "yes", "mcp"]),
            ("anna", "files:write", ["mcp:read", "yes", "yes", "mcp", "mcp:read", "yes", "mcp"]),
            ("anna", "files:move", ["mcp:read", "files:write", "yes", "mcp", "mcp:read", "yes", "mcp"]),
            ("anna", "files:write mcp:read", ["yes", "yes", "yes", "mcp", "yes", "yes", "mcp"]),
            ("anna", "other", ["mcp:read", "files:write", "files:write", "mcp", "mcp:read", "mcp", "mcp"]),
            ("Anna", "mcp", ["yes", "yes", "yes", "yes", "yes", "yes", "yes"]),
            ("ben", "mcp", ["yes", "yes", "yes", "not there", "yes", "yes", "not there"]),
            ("ben", "mcp:read", ["yes", "files:write", "yes", "not there", "yes", "yes", "not there"]),
            ("ben", "files:write", ["mcp:read", "yes", "yes", "not there", "mcp:read", "yes", "not there"]),
            (
                "ben",
                "other",
                [
                    "mcp:read",
                    "files:write",
                    "files:write",
                    "not there",
                    "mcp:read",
                    "files:write mcp:read",
                    "not there",
                ],
            ),
            ("cleo", "mcp", ["not there", "yes", "yes", "not there", "not there", "yes", "not there"]),
            (
                "cleo",
                "mcp:read",
                ["not there", "files:write", "files:write", "not there", "not there", "files:write", "not there"],
            ),
            ("dan", "mcp", ["no user"; 7]),
            ("emma", "mcp", ["no user"; 7]),
        ] {
            for (operation, outcome) in operations.iter().zip(outcomes) {
                assert_eq!(told(scopes, user, &files, operation), outcome, "{user} with {scopes}: {operation:?}");
                if let Operation::Call(ToolCall { tool, effect }) = operation {
                    let shown = shows_tool(&token(scopes, &files), alone(user), &files, tool, *effect);
                    assert_eq!(shown, outcome == "yes", "{user} with {scopes} sees {tool}");
                }
            }
        }
    }

    #[test]
    fn a_tool_that_nobody_knows_is_not_read_only() {
        let files = files();
        assert_eq!(told("mcp:read", "anna", &files, &call("read_file", Effect::Any)), "mcp");
        assert_eq!(told("mcp:read", "ben", &files, &call("read_file", Effect::Any)), "not there");
    }

    #[test]
    fn a_refusal_names_what_opens_it() {
        let files = files();
        for user in ["anna", "ben", "cleo"] {
            for scopes in ["mcp:read", "files:write", "files:move", "other", "offline_access"] {
                for operation in [
                    call("read_file", Effect::ReadOnly),
                    call("write_file", Effect::Any),
                    call("move_log", Effect::ReadOnly),
                    call("format_disk", Effect::Any),
                    Operation::Read,
                    Operation::ListTools,
                    Operation::Housekeeping,
                    Operation::Unknown,
                ] {
                    if let Err(Denied::Scope(lack)) = decide(&token(scopes, &files), alone(user), &files, &operation) {
                        let needed = lack.needed.as_str();
                        assert_eq!(told(needed, user, &files, &operation), "yes", "{user}, {needed}: {operation:?}");
                        let given = files.rule.within_reach(alone(user), &lack.needed);
                        assert_eq!(given, lack.needed, "{user} can have {needed}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_proof_for_another_server_allows_nothing() {
        let (files, mail) = (files(), server("mail", AccessRule::default()));
        let token = token("mcp", &files);
        assert!(decide(&token, alone("anna"), &files, &Operation::Housekeeping).is_ok());
        assert_eq!(decide(&token, alone("anna"), &mail, &Operation::Housekeeping).unwrap_err(), Denied::NotForUser);
    }
}
