//! The settings of the audit trail: asking about them makes no file, and a start makes the key that signs.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::agent::{Agent, TOKEN, run};
use crate::engine::{Engine, Home};

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn asking_about_the_configuration_makes_no_file() {
    let home = Home::new();
    let state = home.path("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let log = home.path("trail");
    let variables =
        [("TOKEN", TOKEN), ("AUDIT_LOG", log.to_str().unwrap()), ("STATE_DIR", state.to_str().unwrap())];
    for arguments in [&["config"][..], &["config", "--explain"]] {
        let ended = run(arguments, &variables);
        assert_eq!(ended.code, Some(0), "{}", ended.words());
    }
    assert!(entries(&state).is_empty() && !log.exists());
    let told = run(&["config", "--explain"], &variables).stdout;
    assert!(told.contains("on, signed with the key in STATE_DIR"), "{told}");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = run(&["config"], &variables);
    assert_eq!(refused.code, Some(78));
    assert!(
        refused.stderr.contains("STATE_DIR: ") && refused.stderr.contains("; chmod 0700 it"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_start_makes_the_key_once_and_for_its_owner_only() {
    let (home, engine) = (Home::new(), Engine::start(|_| {}));
    let (log, state) = (home.path("trail"), home.path("state"));
    let variables = [("AUDIT_LOG", log.to_str().unwrap()), ("STATE_DIR", state.to_str().unwrap())];
    let key = || {
        drop(Agent::start_with(&engine, &variables));
        fs::read_to_string(state.join("audit.pem")).unwrap()
    };
    let first = key();
    assert!(first.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{first}");
    assert_eq!(first, key());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&state), mode(&state.join("audit.pem"))), (0o700, 0o600));
    assert_eq!(entries(&state), [state.join("audit.pem")]);
}
