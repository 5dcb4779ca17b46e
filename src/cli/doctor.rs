//! Tells what the doctor finds, to people or to programs.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::json;

use super::arguments::VERSION;
use super::out::{complain, say};
use crate::config::Environment;
use crate::doctor::{Outcome, Row, examine};
use crate::edge::Url;
use crate::exit::{CONFIGURATION, USAGE};

/// How it is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// The controller to look at instead of the configured one.
    url: Option<String>,
    json: bool,
}

impl Options {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        Self { url: matches.get_one("url").cloned(), json: matches.get_flag("json") }
    }
}

pub(super) fn arguments() -> [Arg; 2] {
    let url = Arg::new("url").value_name("URL");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    [
        url.help("The controller's address, instead of that of DRYDOCK_URL"),
        json.help("Tell it as one JSON document"),
    ]
}

pub(super) fn doctor(options: &Options, environment: Environment) -> ExitCode {
    let url = options.url.as_deref();
    if let Some(Err(bad)) = url.map(Url::parse) {
        // Without what was written, which may hold a password.
        complain(&format!("lookout doctor: the address {bad}\n"));
        return ExitCode::from(USAGE);
    }
    let mut rows = Vec::new();
    let is_sound = examine(environment, url, &mut |row| {
        if !options.json {
            say(&line(&row));
        }
        rows.push(row);
    });
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let (failed, warned) = (count(Outcome::Fail), count(Outcome::Warn));
    if options.json {
        let worst = match (failed, warned) {
            (0, 0) => Outcome::Ok,
            (0, _) => Outcome::Warn,
            _ => Outcome::Fail,
        };
        say(&format!("{:#}\n", json!({ "version": VERSION, "outcome": worst, "checks": rows })));
    } else {
        say(&format!("\n{} checks: {failed} failed, {warned} to be looked at.\n", rows.len()));
    }
    match (is_sound, failed) {
        (false, _) => ExitCode::from(CONFIGURATION),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::FAILURE,
    }
}

/// One check: what was found, and below it what helps.
fn line(row: &Row) -> String {
    let outcome = match row.outcome {
        Outcome::Ok => "ok",
        Outcome::Warn => "warn",
        Outcome::Fail => "FAIL",
        Outcome::Skipped => "-",
    };
    let mut text = format!("{outcome:<5} {:<18} {}\n", row.name, row.what);
    for line in row.remedy.iter().flat_map(|remedy| remedy.lines()) {
        let indent = if line.is_empty() { "" } else { "      " };
        text.push_str(&format!("{indent}{line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_told_on_a_line_and_its_remedy_below() {
        let row = |outcome, remedy: Option<&str>| Row {
            name: "proxy",
            outcome,
            what: "none leads there".to_owned(),
            remedy: remedy.map(str::to_owned),
        };
        assert_eq!(line(&row(Outcome::Ok, None)), "ok    proxy              none leads there\n");
        assert_eq!(
            line(&row(Outcome::Fail, Some("do:\n\n  this"))),
            "FAIL  proxy              none leads there\n      do:\n\n        this\n"
        );
        assert_eq!(
            serde_json::to_string(&row(Outcome::Skipped, None)).unwrap(),
            r#"{"name":"proxy","outcome":"skipped","what":"none leads there","remedy":null}"#
        );
    }
}
