//! The configuration, checked or explained, for whoever wrote it.

use std::process::ExitCode;

use super::out::{complain, say};
use crate::config::{self, Config, Environment, Mode, Problem};
use crate::exit::CONFIGURATION;

/// Whether the agent would start; what it would warn about goes to stderr.
pub(super) fn check(environment: &Environment) -> ExitCode {
    match Config::read(environment) {
        Ok(config) => {
            for warning in &config.warnings {
                complain(&format!("lookout: warning: {warning}\n"));
            }
            say(match config.mode {
                Mode::Standard(_) => "The configuration is sound: standard mode.\n",
                Mode::Edge(_) => "The configuration is sound: edge mode.\n",
            });
            ExitCode::SUCCESS
        }
        Err(problems) => refuse(&problems),
    }
}

/// All of it, whether it is sound or not.
pub(super) fn explain(environment: &Environment) -> ExitCode {
    let explanation = config::explain(environment);
    say(&explanation.text);
    if explanation.is_sound { ExitCode::SUCCESS } else { ExitCode::from(CONFIGURATION) }
}

/// Each problem on its own line, and the code that stands for them.
pub(super) fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        complain(&format!("lookout: {problem}\n"));
    }
    ExitCode::from(CONFIGURATION)
}
