//! Is a child asked whether it speaks the modern era, before it is greeted in the legacy one? A program of both eras stays in
//! that of the first message, and serves modern clients better in theirs. But a program of the legacy era knows no question
//! before `initialize`: most refuse it, some leave it unanswered, and some end. What one child of a server did is
//! remembered for all that follow, for as long as the server stays as it is.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// How long a child that nobody knows yet may take to answer: longer than most take to start.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the children of one server.
#[derive(Debug, Default)]
pub(super) struct Inquiry(AtomicU8);

/// What a child answers when it is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// None was asked.
    Nothing,
    /// That it speaks the modern era.
    Modern,
    /// No, or nothing, or it ends.
    Legacy,
}

impl Inquiry {
    /// What is known.
    pub(super) fn known(&self) -> Known {
        match self.0.load(Ordering::Relaxed) {
            0 => Known::Nothing,
            1 => Known::Modern,
            _ => Known::Legacy,
        }
    }

    /// Remembers it.
    pub(super) fn learn(&self, known: Known) {
        let number = match known {
            Known::Nothing => 0,
            Known::Modern => 1,
            Known::Legacy => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }
}
