//! What went wrong between us and an upstream, who is told what, and what says the log?
//!
//! The client is told that it is not its fault and not its token's: a JSON-RPC error with 502 or 504, never 401, 403 or a
//! redirect, which would send it to sign in again or elsewhere. The reason stands in the log only: it may name inner
//! addresses.

use super::client::Unanswered;
use super::link::Unsendable;
use crate::access::GuardedServer;
use crate::mcp::RpcError;
use axum::http::StatusCode;
use std::error::Error;
use std::time::Duration;

/// Why an upstream's answer does not reach the client.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It cannot be asked at all.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    /// There is no connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// There is no connection in time.
    #[error("no connection within {} seconds", .0.as_secs())]
    ConnectTimeout(Duration),
    /// It hung up, or spoke no HTTP, before the head of its answer was there.
    #[error("no answer: {0}")]
    Broken(String),
    /// The head of its answer does not come.
    #[error("no answer within {} seconds", .0.as_secs())]
    TooSlow(Duration),
    /// It does not take our credential, or wants one.
    #[error("it answers {0}: it wants another credential; see `credential` of the server")]
    Refused(StatusCode),
    /// It sends us elsewhere.
    #[error("it answers {0}: redirects are not followed; set `url` to the address that it names")]
    Redirect(StatusCode),
    /// It failed without an answer that an MCP client reads.
    #[error("it answers {0}")]
    Status(StatusCode),
    /// It speaks no revision of MCP that could pass here.
    #[error("it speaks no revision of the protocol that can pass here")]
    Revision,
    /// A refusal that has to be read is too long, or does not come to its end.
    #[error("it answers {0} with a body that cannot be read")]
    Unreadable(StatusCode),
}

impl Failure {
    /// What an exchange failed with before there was a head.
    pub(super) fn of(unanswered: &Unanswered) -> Self {
        match unanswered {
            Unanswered::Connect(error) => Self::Connect(with_causes(error.as_ref())),
            Unanswered::ConnectTimeout(limit) => Self::ConnectTimeout(*limit),
            Unanswered::Broken(error) => Self::Broken(with_causes(error)),
        }
    }

    /// Writes it down, with the server's name.
    pub(super) fn log(&self, server: &GuardedServer) {
        tracing::warn!(server = server.name.as_str(), reason = %self, "the MCP server failed");
    }

    /// What the client is told.
    pub(super) fn told(&self) -> RpcError {
        let (status, sentence) = match self {
            Self::ConnectTimeout(_) | Self::TooSlow(_) => (
                StatusCode::GATEWAY_TIMEOUT,
                "The MCP server behind this address took too long to answer. Whether it did what was asked is not known.",
            ),
            Self::Connect(_) | Self::Unsendable(_) => (
                StatusCode::BAD_GATEWAY,
                "The MCP server behind this address cannot be reached. Try again later; its operator finds the reason in \
                 the log.",
            ),
            Self::Broken(_) => (
                StatusCode::BAD_GATEWAY,
                "The MCP server behind this address hung up before it answered. Whether it did what was asked is not known.",
            ),
            Self::Refused(_) => (
                StatusCode::BAD_GATEWAY,
                "The MCP server behind this address does not let Keyward in. That is no fault of your token; its operator \
                 finds the reason in the log.",
            ),
            Self::Redirect(_) | Self::Status(_) | Self::Unreadable(_) => (
                StatusCode::BAD_GATEWAY,
                "The MCP server behind this address gave an answer that is none. Its operator finds the reason in the log.",
            ),
            Self::Revision => (
                StatusCode::BAD_GATEWAY,
                "The MCP server behind this address speaks no revision of the protocol that can pass here.",
            ),
        };
        RpcError::http(status, sentence)
    }
}

/// An error with what caused it, for the log.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause| (*cause).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
