//! The audit trail, for whoever has to believe it: verified, followed, searched.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::out::complain;
use super::{audit_query, audit_tail, audit_verify};
use crate::exit::USAGE;

/// What is asked about the trail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    Verify(audit_verify::Options),
    Tail(audit_tail::Options),
    Query(audit_query::Options),
}

pub(super) fn shape(command: Command) -> Command {
    let verify = Command::new("verify")
        .about("Say whether the records are whole; exit 0 if they are, 1 if not")
        .arg(files())
        .args(audit_verify::arguments())
        .after_help(audit_verify::MORE);
    let file = Arg::new("FILE").value_name("FILE").required(true).value_parser(value_parser!(PathBuf));
    let tail = Command::new("tail")
        .about("Show the last records in words; with --follow, the next ones as they come")
        .arg(file.help("The file that AUDIT_LOG names"))
        .args(audit_tail::arguments());
    let query = Command::new("query")
        .about("Show the records that meet every condition")
        .arg(files())
        .args(audit_query::arguments())
        .after_help(audit_query::MORE);
    command.subcommand_required(true).subcommands([verify, tail, query])
}

pub(super) fn files() -> Arg {
    let files = Arg::new("FILE").value_name("FILE").required(true).action(ArgAction::Append);
    let files = files.num_args(1..).value_parser(value_parser!(PathBuf));
    files.help("The file that AUDIT_LOG names and those put aside, in any order")
}

impl Question {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        match matches.remove_subcommand() {
            Some((name, mut of_command)) if name == "tail" => {
                Self::Tail(audit_tail::Options::of(&mut of_command))
            }
            Some((name, mut of_command)) if name == "query" => {
                Self::Query(audit_query::Options::of(&mut of_command))
            }
            Some((_, mut of_command)) => Self::Verify(audit_verify::Options::of(&mut of_command)),
            None => Self::Verify(audit_verify::Options::default()),
        }
    }
}

/// The files of an [`Arg`] made here.
pub(super) fn files_of(matches: &mut ArgMatches) -> Vec<PathBuf> {
    matches.remove_many("FILE").map(Iterator::collect).unwrap_or_default()
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    File(PathBuf, io::Error),
    /// A line longer than any record.
    Long(PathBuf, u64),
    /// The file of a key, and why it holds none.
    Key(PathBuf, String),
    /// Whoever reads the answer is gone, or has no room for it.
    Untold(io::Error),
}

pub(super) fn answer(question: &Question) -> ExitCode {
    let outcome = match question {
        Question::Verify(options) => audit_verify::verify(options),
        Question::Tail(options) => audit_tail::tail(options),
        Question::Query(options) => audit_query::query(options),
    };
    ended("audit", outcome)
}

/// The exit code, after a sentence where there was no answer.
pub(super) fn ended(command: &str, outcome: Result<ExitCode, NoAnswer>) -> ExitCode {
    outcome.unwrap_or_else(|why| {
        // `lookout audit query … | head` has seen enough.
        if matches!(&why, NoAnswer::Untold(error) if error.kind() == ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        complain(&format!("lookout {command}: {why}\n"));
        if matches!(why, NoAnswer::Key(..)) { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    })
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Long(path, line) => {
                write!(f, "{} line {line} is longer than any record: it is no audit trail", path.display())
            }
            Self::Key(path, why) => write!(f, "{} {why}", path.display()),
            Self::Untold(error) => write!(f, "the answer could not be written: {error}"),
        }
    }
}
