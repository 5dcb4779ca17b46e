//! Why a request of the controller's has no answer, or no whole one.

use super::inlet::{Cause, Inlet};
use crate::log::{self, text};

/// Why a request has no answer: a code, and a sentence.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Unanswered {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn cancelled(inlet: &Inlet) -> Self {
        match inlet.cancelled() {
            Some(Cause::Overflow) => Self::new("overflow", "more content came than was allowed"),
            Some(Cause::Asked | Cause::Ended) | None => Self::new("canceled", "the request was canceled"),
        }
    }

    /// Nobody wanted one any more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.code == "canceled"
    }

    /// The same at the end of a stream.
    pub(super) fn reason(&self) -> String {
        if self.is_cancelled() { "canceled".to_owned() } else { format!("error: {}", self.message) }
    }
}

/// The Engine broke off in the middle, for a reason that is the log's alone.
pub(super) fn broke_off(why: &dyn std::fmt::Display) -> Unanswered {
    log::warn("engine.broke_off", &[("error", text(&why))]);
    Unanswered::new("engine-failed", "the answer broke off")
}
