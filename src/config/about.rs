//! What the agent tells of itself, and where it sees its host.

use std::path::PathBuf;
use std::time::Duration;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::identity;
use super::parse::{choice, number, quoted, switch, value};
use super::variables::{
    ADAPTER, AGENT_ID, AGENT_NAME, DD_POLL_INTERVAL, DRYDOCK_URL, HOST_PROC, SKIP_DF_COLLECTION,
};
use crate::api::{About, Adapter};
use crate::host;
use crate::limits::{AGENT_NAME_CHARS_MAX, INVENTORY_SECS_CEILING};

const ADAPTERS: &[(&str, Adapter)] = &[("drydock", Adapter::Drydock), ("generic", Adapter::Generic)];

pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<About> {
    let adapter = findings.take(choice(environment, &ADAPTER, ADAPTERS));
    let poll = findings.take(number(environment, &DD_POLL_INTERVAL, 1..=INVENTORY_SECS_CEILING));
    let hostname = host::name().unwrap_or_else(|| "lookout".to_owned());
    let name = findings.take(name(environment, &hostname));
    // A problem with it is told with what surrounds signatures, which is read first.
    let id = match identity::agent_id(environment).ok().flatten() {
        None if environment.is_set(&DRYDOCK_URL) => findings.take(any_id()),
        id => id,
    };
    let poll = Duration::from_secs(poll?);
    Some(About { adapter: adapter?, id, name: name?, hostname, poll })
}

/// A random one for as long as the agent runs: a controller does not take an agent without.
fn any_id() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let what = format!("the agent needs one, and the system gives no random bytes for it: {error}");
        Problem::new(&[&AGENT_ID], what, "set it to a name of letters, digits, - and _")
    })?;
    Ok(uuid(bytes))
}

/// A UUID of version 4, from bytes of which six bits do not count.
fn uuid(bytes: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(bytes);
    let version = bits >> 64 & 0x0fff | 0x4000;
    let variant = bits >> 48 & 0x3fff | 0x8000;
    let (low, middle, node) = (bits >> 96, bits >> 80 & 0xffff, bits & 0xffff_ffff_ffff);
    format!("{low:08x}-{middle:04x}-{version:04x}-{variant:04x}-{node:012x}")
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
    fn an_agent_of_a_controller_has_an_id_its_own_or_a_random_one() {
        let id =
            |values: &[(&str, &str)]| read(&Environment::of(values), &mut Findings::default()).unwrap().id;
        let url = ("DRYDOCK_URL", "wss://controller.example");
        assert_eq!(id(&[]), None);
        assert_eq!(id(&[url, ("AGENT_ID", "web_1")]).as_deref(), Some("web_1"));
        let (one, other) = (id(&[url]).unwrap(), id(&[url]).unwrap());
        assert!(one != other && one.len() == 36, "{one} {other}");
    }

    #[test]
    fn a_uuid_says_its_version_and_its_variant() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        let counted = std::array::from_fn(|at| u8::try_from(at * 17).unwrap());
        assert_eq!(uuid(counted), "00112233-4455-4677-8899-aabbccddeeff");
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
