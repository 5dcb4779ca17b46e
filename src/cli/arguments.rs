//! Subcommands, their help, and which of them is meant.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{audit, doctor, keygen, policy, server_cert};
use crate::compose::RUNNER;

pub(super) const NAME: &str = env!("CARGO_PKG_NAME");
pub(super) use crate::version::VERSION;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Serve,
    Config,
    Explain,
    Routes,
    Healthcheck,
    Doctor(doctor::Options),
    HashToken,
    Keygen(keygen::Options),
    Cert(server_cert::Options),
    Policy(policy::Question),
    Audit(audit::Question),
    Version,
    /// To be what starts compose for an agent.
    Runner,
}

/// A command, what it takes, and what it then asks for.
struct Row {
    name: &'static str,
    about: &'static str,
    shape: fn(Command) -> Command,
    ask: fn(&mut ArgMatches) -> Ask,
}

const COMMANDS: &[Row] = &[
    Row {
        name: "serve",
        about: "Answer requests until stopped; lookout alone does the same",
        shape: |command| command,
        ask: |_| Ask::Serve,
    },
    Row {
        name: "config",
        about: "Check the configuration; with --explain, show all of it",
        shape: |command| command.arg(explain()),
        ask: |matches| if matches.get_flag("explain") { Ask::Explain } else { Ask::Config },
    },
    Row {
        name: "routes",
        about: "List every route and the class it belongs to",
        shape: |command| command,
        ask: |_| Ask::Routes,
    },
    Row {
        name: "healthcheck",
        about: "Ask the running agent whether it is alive; exit 0 or 1",
        shape: |command| command,
        ask: |_| Ask::Healthcheck,
    },
    Row {
        name: "doctor",
        about: "Say in words why it does not work; exit 0 where nothing failed",
        shape: |command| command.args(doctor::arguments()),
        ask: |matches| Ask::Doctor(doctor::Options::of(matches)),
    },
    Row {
        name: "hash-token",
        about: "Read a token from stdin and print its Argon2id hash, for TOKEN_HASH",
        shape: |command| command,
        ask: |_| Ask::HashToken,
    },
    Row {
        name: "keygen",
        about: "Make an Ed25519 key for a client, and its line for authorized_keys",
        shape: |command| command.args(keygen::arguments()),
        ask: |matches| Ask::Keygen(keygen::Options::of(matches)),
    },
    Row {
        name: "cert",
        about: "Make a certificate for TLS_CERT and TLS_KEY, signed by itself",
        shape: |command| command.args(server_cert::arguments()),
        ask: |matches| Ask::Cert(server_cert::Options::of(matches)),
    },
    Row {
        name: "policy",
        about: "Say in words what each key may do, or what becomes of a request",
        shape: policy::shape,
        ask: |matches| Ask::Policy(policy::Question::of(matches)),
    },
    Row {
        name: "audit",
        about: "Say whether the audit trail is whole; show or search its records",
        shape: audit::shape,
        ask: |matches| Ask::Audit(audit::Question::of(matches)),
    },
    Row {
        name: "version",
        about: "Say which version this is",
        shape: |command| command,
        ask: |_| Ask::Version,
    },
    Row {
        name: RUNNER,
        about: "Start compose for the agent that started this; of no use by hand",
        shape: |command| command.hide(true),
        ask: |_| Ask::Runner,
    },
];

const ABOUT: &str = "Lookout stands in front of a Docker Engine and lets in whoever shows a good credential.";

const MORE: &str = "\
Configuration is environment variables and nothing else. `lookout config --explain` lists
each of them with its value, where that comes from, and what it means.

Examples:
  (umask 077; openssl rand -hex 32 > token)
  TOKEN_FILE=$PWD/token BIND_ADDRESS=127.0.0.1 lookout
  curl -H \"Authorization: Bearer $(cat token)\" http://127.0.0.1:3000/version
  TOKEN_FILE=$PWD/token lookout config --explain

Exit codes:
  0   done, or stopped as asked
  1   the agent is not well, what was asked for was not made, a request is denied, or a
      check failed
  64  the arguments are not understood
  70  something broke inside; the last lines of the log say what
  78  the configuration is not sound; every problem is told

Read more in README.md; what is defended, and what is not, in SECURITY.md.";

/// What is asked for; or help, a version, or why it is not understood.
pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Ask, clap::Error> {
    let mut matches = command().try_get_matches_from(arguments)?;
    let Some((name, mut of_command)) = matches.remove_subcommand() else { return Ok(Ask::Serve) };
    let row = COMMANDS.iter().find(|row| row.name == name);
    Ok(row.map_or(Ask::Serve, |row| (row.ask)(&mut of_command)))
}

fn explain() -> Arg {
    let explain = Arg::new("explain").long("explain").action(ArgAction::SetTrue);
    explain.help("Show every variable and every guard, with values; secrets are hidden")
}

fn command() -> Command {
    let commands = COMMANDS.iter().map(|row| (row.shape)(Command::new(row.name).about(row.about)));
    Command::new(NAME).version(VERSION).about(ABOUT).after_help(MORE).subcommands(commands)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn of(arguments: &[&str]) -> Result<Ask, clap::Error> {
        read([NAME].iter().chain(arguments).map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(of(&[]).unwrap(), Ask::Serve);
        assert_eq!(of(&["config", "--explain"]).unwrap(), Ask::Explain);
        for (name, ask) in [
            ("serve", Ask::Serve),
            ("config", Ask::Config),
            ("routes", Ask::Routes),
            ("healthcheck", Ask::Healthcheck),
            ("hash-token", Ask::HashToken),
            ("version", Ask::Version),
        ] {
            assert_eq!(of(&[name]).unwrap(), ask);
        }
        for arguments in [
            &["keygen"][..],
            &["keygen", "--comment", "ci", "--out", "dir"],
            &["keygen", "--comment=ci", "--pub-from", "key.pem"],
        ] {
            assert!(matches!(of(arguments), Ok(Ask::Keygen(_))), "{arguments:?}");
        }
        for arguments in [&["doctor"][..], &["doctor", "wss://a"], &["doctor", "--json", "wss://a"]] {
            assert!(matches!(of(arguments), Ok(Ask::Doctor(_))), "{arguments:?}");
        }
        for arguments in [
            &["cert", "--host", "a"][..],
            &["cert", "--host", "a", "--host", "::1", "--days", "1", "--out", "d"],
        ] {
            assert!(matches!(of(arguments), Ok(Ask::Cert(_))), "{arguments:?}");
        }
        for arguments in [
            &["policy", "check"][..],
            &["policy", "check", "keys"],
            &["policy", "explain", "ci", "GET", "/info"],
            &["policy", "suggest", "a", "b"],
            &["policy", "explain", "two words", "POST", "/a?b=c", "--file", "keys"],
        ] {
            assert!(matches!(of(arguments), Ok(Ask::Policy(_))), "{arguments:?}");
        }
        let head = format!("1:{}", "0".repeat(64));
        for arguments in [
            &["audit", "verify", "a", "b", "--key", "k", "--head", &head][..],
            &["audit", "tail", "a", "-n", "0", "--follow"],
            &["audit", "query", "a", "--event", "start", "--since", "2h", "--outcome", "denied", "--json"],
        ] {
            assert!(matches!(of(arguments), Ok(Ask::Audit(_))), "{arguments:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_answered_with_the_usage_on_stderr() {
        for arguments in [
            &["start"][..],
            &["--port", "1"],
            &["-x"],
            &["serve", "now"],
            &["routes", "--explain"],
            &["--explain"],
            &[""],
            &["keygen", "--out", "dir", "--pub-from", "key.pem"],
            &["cert"],
            &["doctor", "wss://a", "wss://b"],
            &["policy"],
            &["policy", "suggest"],
            &["policy", "widen"],
            &["policy", "check", "keys", "more"],
            &["policy", "explain", "ci", "GET"],
            &["audit"],
            &["audit", "verify"],
            &["audit", "tail", "a", "b"],
            &["audit", "query", "--json"],
            &["policy", "explain", "ci", "GET", "/a", "/b"],
        ] {
            let error = of(arguments).unwrap_err();
            assert!(error.use_stderr(), "{arguments:?}");
            assert!(error.render().to_string().contains("Usage: lookout"), "{arguments:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_understood_is_told_with_its_reason() {
        for (arguments, why) in [
            (&["keygen", "--comment", "two\nlines"][..], "the comment holds a control character"),
            (&["cert", "--host", "https://agent"], "neither a host name nor an IP address"),
            (&["cert", "--host", "agent", "--days", "0"], "0 is not in 1..=36500"),
            (&["cert", "--host", "agent", "--days", "36501"], "36501 is not in 1..=36500"),
            (&["policy", "explain", "ci", "get", "/a"], "no method that is known: DELETE, GET, HEAD"),
            (&["audit", "verify", "a", "--head", "7"], "not a number, a colon, and 64 hexadecimal digits"),
            (&["audit", "query", "a", "--event", "login"], "none of api_request, "),
            (&["audit", "query", "a", "--since", "soon"], "no time: write it as"),
            (&["audit", "query", "a", "--outcome", "ok"], "none of allowed, denied, error"),
            (&["audit", "tail", "a", "-n", "x"], "invalid digit"),
        ] {
            let error = of(arguments).unwrap_err();
            assert!(error.use_stderr(), "{arguments:?}");
            assert!(error.render().to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn help_and_version_are_answers_and_not_errors() {
        let version = of(&["--version"]).unwrap_err();
        assert_eq!((version.kind(), version.use_stderr()), (ErrorKind::DisplayVersion, false));
        assert_eq!(version.render().to_string(), format!("lookout {VERSION}\n"));
        for arguments in [&["--help"][..], &["-h"], &["help"], &["help", "config"], &["config", "--help"]] {
            let help = of(arguments).unwrap_err();
            assert_eq!((help.kind(), help.use_stderr()), (ErrorKind::DisplayHelp, false));
        }
    }

    #[test]
    fn help_names_every_command_and_fits_a_terminal() {
        let help = of(&["--help"]).unwrap_err().render().to_string();
        assert!(!help.contains(RUNNER), "nobody starts it by hand");
        for Row { name, about, .. } in COMMANDS.iter().filter(|row| row.name != RUNNER) {
            let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{name} "))).unwrap();
            assert!(line.ends_with(about), "{line}");
        }
        for part in ["Usage: lookout [COMMAND]", "Examples:", "Exit codes:", "README.md", "config --explain"]
        {
            assert!(help.contains(part), "{part}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 90));
    }
}
