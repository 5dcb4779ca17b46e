//! Reads the configuration and runs the agent, or says everything that stands in its way.

use std::process::ExitCode;

use super::configuration::refuse;
use crate::config::{Config, Environment};
use crate::{log, run};

pub(super) fn serve(environment: Environment) -> ExitCode {
    match Config::start(&environment) {
        Ok(config) => {
            // Its secrets are wiped; the settings hold their own.
            drop(environment);
            log::set_level(config.level);
            for warning in &config.warnings {
                warning.log();
            }
            run::serve(config, || Config::read(&Environment::of_process()))
        }
        Err(problems) => {
            for problem in &problems {
                problem.log();
            }
            refuse(&problems)
        }
    }
}
