//! The command line: what is asked for, and the code it ends with.

mod arguments;
mod audit;
mod audit_files;
mod audit_key;
mod audit_query;
mod audit_record;
mod audit_tail;
mod audit_verify;
mod configuration;
mod doctor;
mod hash_token;
mod healthcheck;
mod keygen;
mod new_files;
mod out;
mod policy;
mod policy_explain;
mod policy_suggest;
mod routes;
mod serve;
mod server_cert;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::compose;
use crate::config::Environment;
use crate::exit::USAGE;
use arguments::{Ask, NAME, VERSION};
use out::{complain, say};

/// Does what the arguments, program name first, ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match arguments::read(arguments) {
        Ok(Ask::Serve) => serve::serve(Environment::of_process()),
        Ok(Ask::Config) => configuration::check(&Environment::of_process()),
        Ok(Ask::Explain) => configuration::explain(&Environment::of_process()),
        Ok(Ask::Routes) => told(&routes::list()),
        Ok(Ask::Healthcheck) => healthcheck::report(&Environment::of_process()),
        Ok(Ask::Doctor(options)) => doctor::doctor(&options, Environment::of_process()),
        Ok(Ask::HashToken) => hash_token::hash_token(),
        Ok(Ask::Keygen(options)) => keygen::keygen(&options),
        Ok(Ask::Cert(options)) => server_cert::server_cert(&options),
        Ok(Ask::Policy(question)) => policy::answer(&question, &Environment::of_process()),
        Ok(Ask::Audit(question)) => audit::answer(&question),
        Ok(Ask::Version) => told(&format!("{NAME} {VERSION}\n")),
        Ok(Ask::Runner) => compose::serve_as_runner(),
        Err(instead) if instead.use_stderr() => {
            complain(&instead.render().to_string());
            ExitCode::from(USAGE)
        }
        // Help and version, as options.
        Err(instead) => told(&instead.render().to_string()),
    }
}

fn told(text: &str) -> ExitCode {
    say(text);
    ExitCode::SUCCESS
}
