//! Subcommands, their help, and which of them is meant.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

pub(super) const NAME: &str = env!("CARGO_PKG_NAME");
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Serve,
    Config,
    Explain,
    Routes,
    Healthcheck,
    Version,
}

const COMMANDS: &[(&str, Ask, &str)] = &[
    ("serve", Ask::Serve, "Answer requests until stopped; lookout alone does the same"),
    ("config", Ask::Config, "Check the configuration; with --explain, show all of it"),
    ("routes", Ask::Routes, "List every route and the class it belongs to"),
    ("healthcheck", Ask::Healthcheck, "Ask the running agent whether it is alive; exit 0 or 1"),
    ("version", Ask::Version, "Say which version this is"),
];

const ABOUT: &str = "Lookout stands in front of a Docker Engine and lets in whoever shows the token.";

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
  1   healthcheck: the agent is not well
  64  the arguments are not understood
  70  something broke inside; the last lines of the log say what
  78  the configuration is not sound; every problem is told

Read more in README.md; what is defended, and what is not, in SECURITY.md.";

/// What is asked for; or help, a version, or why it is not understood.
pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Ask, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let Some((name, of_command)) = matches.subcommand() else { return Ok(Ask::Serve) };
    let named = COMMANDS.iter().find(|(command, ..)| *command == name).map(|(_, ask, _)| *ask);
    Ok(match named {
        Some(Ask::Config) if of_command.get_flag("explain") => Ask::Explain,
        Some(ask) => ask,
        None => Ask::Serve,
    })
}

fn command() -> Command {
    let explain = Arg::new("explain")
        .long("explain")
        .action(ArgAction::SetTrue)
        .help("Show every variable and every guard, with values; secrets are hidden");
    let commands = COMMANDS.iter().map(|(name, ask, about)| {
        let command = Command::new(*name).about(*about);
        if *ask == Ask::Config { command.arg(explain.clone()) } else { command }
    });
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
        for (name, ask, _) in COMMANDS {
            assert_eq!(of(&[name]).unwrap(), *ask);
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
        ] {
            let error = of(arguments).unwrap_err();
            assert!(error.use_stderr(), "{arguments:?}");
            assert!(error.render().to_string().contains("Usage: lookout"), "{arguments:?}");
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
        for (name, _, about) in COMMANDS {
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
