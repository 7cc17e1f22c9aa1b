//! What does a message ask for? Its method, and for a call the tool, read as what a rule decides about.
//!
//! The methods are those of MCP 2025-03-26 to 2026-07-28. Invariant: a method that is not known here is
//! [`Operation::Unknown`], which needs the broadest scope; so what a later revision adds is never open by mistake.

use std::borrow::Cow;

/// What one message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation<'a> {
    /// To run a tool.
    Call(ToolCall<'a>),
    /// Which tools there are. Open to every token of the server; the answer shows those that the token opens.
    ListTools,
    /// To read: a resource, a prompt, a completion.
    Read,
    /// What a client needs to speak at all: to begin, to see other lists, to be told of changes.
    Housekeeping,
    /// Something else.
    Unknown,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// The tool's name, as the body says it.
    pub tool: Cow<'a, str>,
    /// What the tool is known to do.
    pub effect: Effect,
}

/// What a tool is known to do to its environment: the annotation `readOnlyHint` (MCP 2026-07-28, tools).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Its server says that it changes nothing.
    ReadOnly,
    /// It may change something, or its server was not heard about it.
    Any,
}

impl<'a> Operation<'a> {
    /// What a request or notification of this method asks for; none for a call that names no tool. `name` is
    /// `params.name`. A call's effect is [`Effect::Any`] until somebody knows better.
    pub fn of(method: &str, name: Option<Cow<'a, str>>) -> Option<Self> {
        Some(match method {
            "tools/call" => return name.map(|tool| Self::Call(ToolCall { tool, effect: Effect::Any })),
            "tools/list" => Self::ListTools,
            "resources/read" | "prompts/get" | "completion/complete" => Self::Read,
            "initialize"
            | "ping"
            | "server/discover"
            | "resources/list"
            | "resources/templates/list"
            | "prompts/list"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "subscriptions/listen"
            | "logging/setLevel" => Self::Housekeeping,
            _ if method.starts_with("notifications/") => Self::Housekeeping,
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_told_apart() {
        let of = |method: &str| Operation::of(method, Some("x".into())).unwrap();
        assert_eq!(of("tools/call"), Operation::Call(ToolCall { tool: "x".into(), effect: Effect::Any }));
        assert_eq!(Operation::of("tools/call", None), None);
        assert_eq!(of("tools/list"), Operation::ListTools);
        for read in ["resources/read", "prompts/get", "completion/complete"] {
            assert_eq!(of(read), Operation::Read, "{read}");
        }
        for other in
            ["initialize", "ping", "server/discover", "prompts/list", "notifications/x", "subscriptions/listen"]
        {
            assert_eq!(of(other), Operation::Housekeeping, "{other}");
        }
        for unknown in ["", "tools", "tools/Call", "TOOLS/CALL", "tools/call ", "tasks/result", "notifications", "x/y"]
        {
            assert_eq!(of(unknown), Operation::Unknown, "{unknown:?}");
        }
    }
}
