//! What an operator is told: problems, which end the start, and warnings, which do not.

use std::fmt;

use super::variables::Variable;
use crate::log::{self, Value, text};

/// Something that must be put right before the agent starts.
#[derive(Debug)]
pub(crate) struct Problem(Note);

/// Something that works and still should be known.
#[derive(Debug)]
pub(crate) struct Warning {
    event: &'static str,
    note: Note,
}

/// Which variables, what about them, and what helps.
#[derive(Debug)]
struct Note {
    variables: Vec<&'static str>,
    what: String,
    remedy: String,
}

/// Everything found so far: the reading goes on after a problem, so that all are told at once.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl Findings {
    /// The value, or nothing after its problem was noted.
    pub(crate) fn take<T>(&mut self, outcome: Result<T, Problem>) -> Option<T> {
        outcome.map_err(|problem| self.problems.push(problem)).ok()
    }

    pub(crate) fn refuse(
        &mut self,
        variables: &[&'static Variable],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems.push(Problem::new(variables, what, remedy));
    }

    pub(crate) fn warn(
        &mut self,
        event: &'static str,
        variables: &[&'static Variable],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.warnings.push(Warning { event, note: Note::new(variables, what, remedy) });
    }

    /// A variable that is set and changes nothing.
    pub(crate) fn no_effect(&mut self, variable: &'static Variable, why: impl Into<String>) {
        self.warn("config.no_effect", &[variable], why, "unset it");
    }
}

impl Problem {
    pub(crate) fn new(
        variables: &[&'static Variable],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self(Note::new(variables, what, remedy))
    }

    pub(crate) fn log(&self) {
        self.0.log(log::error, "config.problem");
    }

    /// What is the matter, and what helps.
    pub(crate) fn parts(&self) -> (String, &str) {
        self.0.parts()
    }
}

impl Warning {
    pub(crate) fn log(&self) {
        self.note.log(log::warn, self.event);
    }

    /// What should be known, and what helps.
    pub(crate) fn parts(&self) -> (String, &str) {
        self.note.parts()
    }
}

impl Note {
    fn new(variables: &[&'static Variable], what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let variables = variables.iter().map(|variable| variable.name).collect();
        Self { variables, what: what.into(), remedy: remedy.into() }
    }

    fn parts(&self) -> (String, &str) {
        (format!("{}: {}", self.variables.join(", "), self.what), &self.remedy)
    }

    fn log(&self, write: fn(&str, &[(&str, Value<'_>)]), event: &str) {
        let variables = self.variables.join(", ");
        let values =
            [("variables", text(&variables)), ("what", text(&self.what)), ("remedy", text(&self.remedy))];
        write(event, &values);
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.variables.join(", "), self.what, self.remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::variables::{TLS_CERT, TLS_KEY};

    #[test]
    fn a_problem_is_one_line_with_its_variables_and_its_remedy() {
        let problem = Problem::new(&[&TLS_CERT, &TLS_KEY], "only one is set", "set both");
        assert_eq!(problem.to_string(), "TLS_CERT, TLS_KEY: only one is set; set both");
    }

    #[test]
    fn the_reading_goes_on_after_a_problem() {
        let mut findings = Findings::default();
        assert_eq!(findings.take::<u8>(Err(Problem::new(&[&TLS_KEY], "no", "yes"))), None);
        assert_eq!(findings.take(Ok(1)), Some(1));
        assert_eq!(findings.problems.len(), 1);
    }
}
