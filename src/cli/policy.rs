//! What each credential may do, in words, for whoever writes the lines that say so.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::configuration::refuse;
use super::out::{complain, say};
use super::{audit, policy_explain, policy_suggest};
use crate::auth::keyring::Key;
use crate::auth::{Grant, Keyring};
use crate::clock;
use crate::config::{self, Environment, Problem};
use crate::exit::{CONFIGURATION, SOFTWARE, USAGE};
use crate::http::Malformed;
use crate::policy::words::{powers, root_equivalent};

/// What is asked about the policy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    Check(Option<PathBuf>),
    Explain(policy_explain::Question),
    Suggest(Vec<PathBuf>),
}

pub(super) fn shape(command: Command) -> Command {
    let file = Arg::new("file").value_name("FILE").value_parser(value_parser!(PathBuf));
    let file = file.help("The file of keys; by default the one that AUTHORIZED_KEYS names");
    let check = Command::new("check")
        .about("Say what each key may do, and which of them is as good as root")
        .arg(file.clone());
    let explain = Command::new("explain")
        .about("Say what becomes of one request; exit 0 if it is allowed, 1 if not")
        .args(policy_explain::arguments())
        .arg(file.long("file"))
        .after_help(policy_explain::MORE);
    let suggest = Command::new("suggest")
        .about("Say which classes would have sufficed for what an audit trail tells")
        .arg(audit::files())
        .after_help(policy_suggest::MORE);
    command.subcommand_required(true).subcommands([check, explain, suggest])
}

impl Question {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        match matches.remove_subcommand() {
            Some((name, mut of_command)) if name == "explain" => {
                Self::Explain(policy_explain::Question::of(&mut of_command))
            }
            Some((name, mut of_command)) if name == "suggest" => {
                Self::Suggest(audit::files_of(&mut of_command))
            }
            of_check => Self::Check(of_check.and_then(|(_, mut of_command)| of_command.remove_one("file"))),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    Problem(Problem),
    NoKeysFile,
    NoToken,
    UnknownKey(String),
    /// Several keys have that comment.
    Ambiguous(String),
    Target(Malformed),
    Input(std::io::Error),
}

pub(super) fn answer(question: &Question, environment: &Environment) -> ExitCode {
    let outcome = match question {
        Question::Check(file) => check(file.as_deref(), environment),
        Question::Explain(question) => policy_explain::explain(question, environment),
        Question::Suggest(files) => return audit::ended("policy", policy_suggest::suggest(files)),
    };
    outcome.unwrap_or_else(|why| {
        let code = match why {
            NoAnswer::Problem(problem) => return refuse(&[problem]),
            NoAnswer::NoKeysFile | NoAnswer::NoToken => CONFIGURATION,
            NoAnswer::UnknownKey(_) | NoAnswer::Ambiguous(_) | NoAnswer::Target(_) => USAGE,
            NoAnswer::Input(_) => SOFTWARE,
        };
        complain(&format!("lookout policy: {why}\n"));
        ExitCode::from(code)
    })
}

fn check(file: Option<&Path>, environment: &Environment) -> Result<ExitCode, NoAnswer> {
    let tokens = if file.is_some() { None } else { config::tokens_of(environment)? };
    let keyring = match keys(file, environment) {
        Ok(keyring) => keyring,
        Err(NoAnswer::NoKeysFile) if tokens.is_some() => Keyring::default(),
        Err(why) => return Err(why),
    };
    let mut told = String::new();
    for key in keyring.iter() {
        let title = format!("key {} {}", key.id, key.comment);
        told.push_str(&block(title.trim_end(), &key.options.grant, &terms(key)));
    }
    let mut roots: Vec<_> =
        keyring.iter().filter(|key| is_root(&key.options.grant)).map(|key| key.id.to_string()).collect();
    if let Some((names, classes)) = tokens {
        let grant = Grant::of(classes);
        let title = if names.is_empty() { "TOKEN".to_owned() } else { names.join(", ") };
        if is_root(&grant) {
            roots.push(title.clone());
        }
        told.push_str(&block(&format!("token {title}"), &grant, &[]));
    }
    let roots = if roots.is_empty() { "none that is known".to_owned() } else { roots.join(", ") };
    say(&format!("{told}root-equivalent: {roots}\n"));
    Ok(ExitCode::SUCCESS)
}

fn is_root(grant: &Grant) -> bool {
    root_equivalent(grant).is_some()
}

/// Everything about one credential, an empty line behind it.
fn block(title: &str, grant: &Grant, terms: &[String]) -> String {
    let root = root_equivalent(grant).map(|why| format!("root-equivalent: {why}"));
    let lines = root.into_iter().chain(powers(grant)).chain(terms.iter().cloned());
    let lines: String = lines.map(|line| format!("  {line}\n")).collect();
    format!("{title}\n{lines}\n")
}

/// From where and until when a key is taken.
pub(super) fn terms(key: &Key) -> Vec<String> {
    let mut lines = Vec::new();
    let from: Vec<_> = key.options.from.iter().map(ToString::to_string).collect();
    if !from.is_empty() {
        lines.push(format!("only from {}", from.join(", ")));
    }
    if key.options.records {
        lines.push("its commands and attachments are recorded, with what is typed into them".to_owned());
    }
    if let Some(end) = key.options.expires {
        let at = clock::rfc3339(Duration::from_secs(end));
        let what = if has_expired(key) { "it is taken no more: it expired" } else { "it expires" };
        lines.push(format!("{what} {at}"));
    }
    lines
}

pub(super) fn has_expired(key: &Key) -> bool {
    key.options.expires.is_some_and(|end| end <= clock::unix().as_secs())
}

/// The keys of the file, with what the start would warn about on stderr.
pub(super) fn keys(file: Option<&Path>, environment: &Environment) -> Result<Keyring, NoAnswer> {
    let (keyring, warnings) = config::keys_of(environment, file)?.ok_or(NoAnswer::NoKeysFile)?;
    for warning in warnings {
        complain(&format!("lookout: warning: {warning}\n"));
    }
    Ok(keyring)
}

impl From<Problem> for NoAnswer {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem(problem) => problem.fmt(f),
            Self::NoKeysFile => f.write_str("no file of keys is named: name one, or set AUTHORIZED_KEYS"),
            Self::NoToken => f.write_str("no token is configured: set TOKEN or TOKEN_ALLOW"),
            Self::UnknownKey(name) => {
                write!(f, "no key has the id or the comment {name:?}; a token is called token")
            }
            Self::Ambiguous(name) => write!(f, "more than one key has the comment {name:?}: use an id"),
            Self::Target(why) => write!(f, "no request can have this path: {why}"),
            Self::Input(error) => write!(f, "error reading input: {error}"),
        }
    }
}
