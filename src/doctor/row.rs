//! What one check found, and how it is told.

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Ok,
    /// It works, and still should be known.
    Warn,
    Fail,
    /// It could not be asked, or does not matter here.
    Skipped,
}

/// One check.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) what: String,
    pub(crate) remedy: Option<String>,
}

impl Row {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Ok, what: what.into(), remedy: None }
    }

    pub(super) fn warn(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Warn, what: what.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn fail(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Fail, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// A failure whose sentence names the remedy itself.
    pub(super) fn failed(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Fail, what: what.into(), remedy: None }
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Skipped, what: why.into(), remedy: None }
    }
}

/// Whoever listens to what is found, while it is found.
pub(crate) type Tell<'t> = &'t mut dyn FnMut(Row);

/// Text that somebody else wrote, short and on one line.
pub(super) fn plain(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    text.chars().filter(|sign| !sign.is_control()).take(CHARS_MAX).collect()
}
