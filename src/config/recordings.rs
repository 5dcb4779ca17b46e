//! Recordings of commands: what a key that asks for them needs beside its line.

use std::path::PathBuf;

use super::environment::Environment;
use super::findings::Findings;
use super::state;
use super::variables::{AUDIT_LOG, STATE_DIR};

/// The directory for them. `records` is whether any key asks for it.
pub(super) fn read(
    environment: &Environment,
    records: bool,
    findings: &mut Findings,
) -> Option<Option<PathBuf>> {
    // What is wrong with either is told where it is read.
    let is_whole = environment.is_set(&AUDIT_LOG) && environment.is_set(&STATE_DIR);
    if records && !is_whole {
        findings.refuse(
            &[&AUDIT_LOG, &STATE_DIR],
            "a key has the option record, and what it does is recorded in STATE_DIR and vouched for in AUDIT_LOG",
            "set both, or take the option off the key's line",
        );
        return None;
    }
    let dir = state::dir(environment).ok()?;
    Some(dir.filter(|_| is_whole).map(|dir| dir.join("recordings")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, specimens};

    #[test]
    fn a_key_that_is_recorded_needs_a_trail_and_a_directory() {
        let line = "record ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= ci\n";
        let keys = specimens::file("recorded", "keys", line, 0o600);
        let (home, keys) = (keys.parent().unwrap(), ("AUTHORIZED_KEYS", keys.to_str().unwrap()));
        let (log, dir) = (home.join("recorded-trail"), home.join("recorded-state"));
        let (log, state) = (("AUDIT_LOG", log.to_str().unwrap()), ("STATE_DIR", dir.to_str().unwrap()));
        for values in [&[keys][..], &[keys, log], &[keys, state]] {
            let problems = Config::read(&Environment::of(values)).err().unwrap();
            let [problem] = problems.as_slice() else { panic!("{} problems", problems.len()) };
            let told = problem.to_string();
            assert!(told.starts_with("AUDIT_LOG, STATE_DIR: a key has the option record, "), "{told}");
        }
        for more in [("AUDIT_CHAIN", "true"), ("AUDIT_CHAIN", "false")] {
            let config = Config::read(&Environment::of(&[keys, log, state, more])).ok().unwrap();
            assert_eq!(config.recordings, Some(dir.join("recordings")));
            assert!(config.warnings.iter().all(|warning| !warning.to_string().contains("STATE_DIR")));
        }
        assert!(!dir.exists(), "a directory was made by looking");
    }
}
