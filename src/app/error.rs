//! Why did an operation not happen?
//!
//! One type for pages, API and command line; the OAuth endpoints have [`crate::oauth::error::ProtocolError`] instead.
//! Each text says what to do next and may be shown to the person who asked.

use crate::account::throttle::TooSoon;
use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::store::StoreError;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The store cannot read or write now; nothing was changed.
    #[error("The data cannot be read or written at the moment. Nothing was changed. Try again in a minute.")]
    Unavailable(#[source] StoreError),
    /// There is no such thing, or it is not the asker's.
    #[error("There is no such {0}. It may have been removed. Go back to the list and choose again.")]
    NotFound(&'static str),
    /// The asker may not do this.
    #[error("This needs an administrator. Ask one to do it.")]
    NotAllowed,
    /// The input cannot be taken; the text says why and what to enter instead.
    #[error("{0}")]
    Invalid(String),
    /// The name is in use; the text says by what.
    #[error("{0}")]
    NameTaken(String),
    /// Too many attempts.
    #[error(transparent)]
    TooSoon(#[from] TooSoon),
}

impl OperationError {
    /// An input that cannot be taken, in words for the person who entered it.
    pub fn invalid(why: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("{why}"))
    }

    /// The text with what is behind it, for whoever runs the server.
    pub fn with_causes(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        std::iter::once(self.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
    }
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<OperationError> for ProtocolError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Unavailable(error) => {
                tracing::error!(%error, "the store could not be used");
                Self::new(ErrorCode::TemporarilyUnavailable, "the server cannot read or write its data now; try again")
            }
            OperationError::NotAllowed => Self::new(ErrorCode::AccessDenied, "this user may not do this"),
            OperationError::NotFound(_) | OperationError::Invalid(_) | OperationError::NameTaken(_) => {
                Self::invalid_request(error.to_string())
            }
            OperationError::TooSoon(wait) => Self::new(ErrorCode::SlowDown, wait.to_string()),
        }
    }
}

/// What an OAuth endpoint answers, with room for the store's own failure: see [`ProtocolError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct EndpointError(pub ProtocolError);

impl From<ProtocolError> for EndpointError {
    fn from(error: ProtocolError) -> Self {
        Self(error)
    }
}

impl From<OperationError> for EndpointError {
    fn from(error: OperationError) -> Self {
        Self(error.into())
    }
}

impl From<StoreError> for EndpointError {
    fn from(error: StoreError) -> Self {
        Self(OperationError::from(error).into())
    }
}
