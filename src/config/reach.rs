//! What the agent needs of the file system once it runs: what it was told of, and nothing beside it.

use std::path::{Path, PathBuf, absolute};

use super::compose::{self, Stacks};
use super::edge;
use super::environment::Environment;
use super::variables::{
    AUDIT_LOG, AUTHORIZED_KEYS, AUTHORIZED_KEYS_FILE, CA_CERT, CLIENT_CA, DD_AGENT_SECRET_FILE,
    DOCKER_CERT_PATH, DOCKER_HOST, EDGE_HEADERS_FILE, ENROLLMENT_TOKEN, ENROLLMENT_TOKEN_FILE, HOME,
    HOST_PROC, PRIVATE_KEY_FILE, RUNTIME_DIR, STATE_DIR, TLS_CERT, TLS_KEY, TOKEN_FILE, TOKEN_HASH_FILE,
    Variable,
};
use crate::sandbox::Place;
use crate::sys::landlock::Right;

/// Files that are read again at a reload.
const READ: &[&Variable] = &[
    &TLS_CERT,
    &TLS_KEY,
    &CLIENT_CA,
    &TOKEN_FILE,
    &DD_AGENT_SECRET_FILE,
    &TOKEN_HASH_FILE,
    &ENROLLMENT_TOKEN_FILE,
    &PRIVATE_KEY_FILE,
    &EDGE_HEADERS_FILE,
    &CA_CERT,
];
/// What names of hosts, and whom to trust, are found by. They are replaced while the agent runs, each in its own way.
const NAMES: &[&str] = &["/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];

/// Beside what the system itself is made of.
pub(super) fn reach(environment: &Environment) -> Vec<Place> {
    let mut places = Vec::new();
    let mut keep = |right, path: PathBuf| {
        let place = Place { right, path };
        if !places.contains(&place) {
            places.push(place);
        }
    };
    keep(Right::Read, "/proc".into());
    at(environment, &HOST_PROC).into_iter().for_each(|path| keep(Right::Read, path));
    for file in READ.iter().filter_map(|row| at(environment, row)) {
        around(&file).into_iter().for_each(|path| keep(Right::Read, path));
    }
    // An enrolled key is written beside the file, which it then replaces.
    let enrolls = environment.is_set(&ENROLLMENT_TOKEN) || environment.is_set(&ENROLLMENT_TOKEN_FILE);
    let keys = if enrolls { Right::Own } else { Right::Read };
    for file in [&AUTHORIZED_KEYS, &AUTHORIZED_KEYS_FILE].into_iter().filter_map(|row| at(environment, row)) {
        around(&file).into_iter().for_each(|path| keep(keys, path));
    }
    // It is put aside and begun anew under the same name.
    let is_stream = matches!(environment.text(&AUDIT_LOG), Ok(Some("stdout" | "stderr")));
    if let Some(file) = at(environment, &AUDIT_LOG).filter(|_| !is_stream) {
        around(&file).into_iter().for_each(|path| keep(Right::Own, path));
    }
    if let Some(dir) = at(environment, &STATE_DIR) {
        keep(Right::Own, dir);
    }
    if let Ok(Stacks::On(dir)) = compose::stacks(environment) {
        keep(Right::Own, dir);
        keep(Right::Own, at(environment, &RUNTIME_DIR).unwrap_or_else(|| RUNTIME_DIR.default_value().into()));
    }
    let has_name = environment.text(&DOCKER_HOST).ok().flatten().is_some_and(|host| host.starts_with("tcp:"));
    if has_name {
        let certificates = at(environment, &DOCKER_CERT_PATH);
        let certificates = certificates.or_else(|| at(environment, &HOME).map(|home| home.join(".docker")));
        certificates.into_iter().for_each(|path| keep(Right::Read, path));
    }
    if has_name || edge::is_meant(environment) {
        NAMES.iter().for_each(|place| keep(Right::Read, place.into()));
    }
    places
}

/// The path that a variable holds, from where the agent was started. An address is none, and may hold a secret.
fn at(environment: &Environment, row: &'static Variable) -> Option<PathBuf> {
    let text = environment.text(row).ok().flatten().filter(|text| !text.contains("://"))?;
    absolute(text).ok()
}

/// The directory of a file, as one that takes its place is another file; that of what it leads to, where it is a link.
/// Of the root and of devices, nothing but the file itself.
fn around(file: &Path) -> Vec<PathBuf> {
    let around = |file: &Path| match file.parent() {
        Some(dir) if dir.parent().is_some() && dir != Path::new("/dev") => dir.to_owned(),
        _ => file.to_owned(),
    };
    let led_to = file.canonicalize().ok().map(|file| around(&file));
    [around(file)].into_iter().chain(led_to).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::specimens;

    fn reached(values: &[(&str, &str)]) -> Vec<(Right, String)> {
        let places = reach(&Environment::of(values)).into_iter();
        places.map(|place| (place.right, place.path.to_str().unwrap().to_owned())).collect()
    }

    fn has(places: &[(Right, String)], right: Right, path: &str) -> bool {
        places.contains(&(right, path.to_owned()))
    }

    #[test]
    fn without_files_it_needs_the_kernels_figures_alone() {
        for values in [("TOKEN", "t"), ("AUDIT_LOG", "stdout"), ("AUDIT_LOG", "stderr")] {
            assert_eq!(reached(&[values]), [(Right::Read, "/proc".to_owned())]);
        }
    }

    #[test]
    fn a_file_brings_its_directory_and_never_the_root() {
        let places =
            reached(&[("TOKEN_FILE", "/no/such/token"), ("TLS_KEY", "/key"), ("AUDIT_LOG", "/dev/fd/2")]);
        assert!(has(&places, Right::Read, "/no/such") && has(&places, Right::Read, "/key"));
        assert!(!places.iter().any(|(_, path)| ["/", "/dev", "/no"].contains(&path.as_str())), "{places:?}");
        let places = reached(&[("AUDIT_LOG", "/dev/null")]);
        assert_eq!(places[1..], [(Right::Own, "/dev/null".to_owned())]);
    }

    #[test]
    fn a_path_may_begin_where_the_agent_was_started() {
        let here = std::env::current_dir().unwrap();
        for (named, dir) in [("keys", here.clone()), ("lookout-none/keys", here.join("lookout-none"))] {
            let places = reached(&[("AUTHORIZED_KEYS", named)]);
            assert!(has(&places, Right::Read, dir.to_str().unwrap()), "{places:?}");
        }
    }

    #[test]
    fn a_link_brings_also_where_it_leads() {
        let real = specimens::file("reach-real", "token", "t", 0o600);
        let other = specimens::file("reach-link", "other", "t", 0o600);
        let link = other.with_file_name("token");
        let _ = std::fs::remove_file(&link);
        symlink(&real, &link).unwrap();
        let places = reached(&[("TOKEN_FILE", link.to_str().unwrap())]);
        for file in [&link, &real.canonicalize().unwrap()] {
            assert!(has(&places, Right::Read, file.parent().unwrap().to_str().unwrap()), "{places:?}");
        }
    }

    #[test]
    fn what_is_written_is_owned_and_nothing_else() {
        let keys = ("AUTHORIZED_KEYS", "/no/keys/file");
        assert!(has(&reached(&[keys]), Right::Read, "/no/keys"));
        assert!(has(&reached(&[keys, ("ENROLLMENT_TOKEN", "x")]), Right::Own, "/no/keys"));
        let places = reached(&[("AUDIT_LOG", "/no/log/trail"), ("STATE_DIR", "/no/state")]);
        assert!(has(&places, Right::Own, "/no/log") && has(&places, Right::Own, "/no/state"));
        assert!(!places.iter().any(|(_, path)| path == "/tmp"), "runs have no place where compose is off");
    }

    #[test]
    fn names_of_hosts_are_looked_for_only_where_there_are_any() {
        for (values, looks) in [
            (&[("DOCKER_HOST", "unix:///run/docker.sock")][..], false),
            (&[("DOCKER_HOST", "tcp://engine:2376")], true),
            (&[("DRYDOCK_URL", "wss://controller.example")], true),
        ] {
            assert_eq!(has(&reached(values), Right::Read, "/etc"), looks, "{values:?}");
        }
    }
}
