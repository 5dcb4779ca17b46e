//! What the agent tells of itself, and where it sees its host.

use std::path::PathBuf;
use std::time::Duration;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::identity;
use super::parse::{choice, number, quoted, switch, value};
use super::variables::{ADAPTER, AGENT_NAME, DD_POLL_INTERVAL, HOST_PROC, SKIP_DF_COLLECTION};
use crate::api::{About, Adapter};
use crate::host;
use crate::limits::{AGENT_NAME_CHARS_MAX, INVENTORY_SECS_CEILING};

const ADAPTERS: &[(&str, Adapter)] = &[("drydock", Adapter::Drydock), ("generic", Adapter::Generic)];

pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<About> {
    let adapter = findings.take(choice(environment, &ADAPTER, ADAPTERS));
    let poll = findings.take(number(environment, &DD_POLL_INTERVAL, 1..=INVENTORY_SECS_CEILING));
    let hostname = host::name().unwrap_or_else(|| "lookout".to_owned());
    let name = findings.take(name(environment, &hostname));
    // A problem with it is told by the listener, which reads them first.
    let id = identity::agent_id(environment).ok().flatten();
    let poll = Duration::from_secs(poll?);
    Some(About { adapter: adapter?, id, name: name?, hostname, poll })
}

fn name(environment: &Environment, hostname: &str) -> Result<String, Problem> {
    let name = environment.text(&AGENT_NAME)?.unwrap_or(hostname);
    if name.chars().count() <= AGENT_NAME_CHARS_MAX && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    let what = format!("{} is no name a controller takes", quoted(name));
    let remedy = format!("set at most {AGENT_NAME_CHARS_MAX} characters on one line");
    Err(Problem::new(&[&AGENT_NAME], what, remedy))
}

pub(super) fn host(environment: &Environment, findings: &mut Findings) -> Option<host::Settings> {
    let skips_disk = findings.take(switch(environment, &SKIP_DF_COLLECTION));
    let proc = findings.take(proc(environment));
    Some(host::Settings { proc: Some(proc?), disk: None, skips_disk: skips_disk? })
}

/// A wrong one would read as a host without memory.
fn proc(environment: &Environment) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(value(environment, &HOST_PROC)?);
    if path.join("meminfo").is_file() {
        return Ok(path);
    }
    let what = format!("{} is no /proc: there is no meminfo in it", quoted(&path.to_string_lossy()));
    Err(Problem::new(&[&HOST_PROC], what, "name where the host's /proc is mounted, or unset it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(values: &[(&str, &str)]) -> Vec<String> {
        let (environment, mut findings) = (Environment::of(values), Findings::default());
        let about = read(&environment, &mut findings);
        let host = host(&environment, &mut findings);
        assert_eq!(about.is_some() && host.is_some(), findings.problems.is_empty());
        findings.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_agent_has_a_name_and_a_pace_without_being_told() {
        let about = read(&Environment::of(&[]), &mut Findings::default()).unwrap();
        assert_eq!((about.adapter, about.poll), (Adapter::Drydock, Duration::from_secs(300)));
        assert!(!about.name.is_empty() && about.name == about.hostname);
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_remedy() {
        for (name, value) in [
            ("ADAPTER", "portainer"),
            ("DD_POLL_INTERVAL", "0"),
            ("DD_POLL_INTERVAL", "86401"),
            ("AGENT_NAME", "two\nlines"),
            ("SKIP_DF_COLLECTION", "perhaps"),
            ("HOST_PROC", "/no/such/place"),
        ] {
            let told = problems(&[(name, value)]);
            assert!(told.len() == 1 && told[0].starts_with(name), "{name}={value}: {told:?}");
        }
        assert!(problems(&[("ADAPTER", "generic"), ("AGENT_NAME", "web 1")]).is_empty());
    }
}
