//! Stacks on a disk with no room left: what cannot be written whole is not written at all.
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN};
use crate::compose_world::{Yard, names, tell, with};
use crate::engine::Engine;

/// Mounts a disk on the first argument, and becomes what the others say.
const SCRIPT: &str = r#"mount -t tmpfs -o size=256k,mode=0750 small "$1" || exit 75; shift; exec "$@""#;

#[test]
fn a_full_disk_changes_nothing() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let stacks = yard.path("stacks");
    let prefix = ["unshare", "--mount", "/bin/sh", "-c", SCRIPT, "sh", stacks.to_str().unwrap()];
    let variables = yard.with(&[("TOKEN", TOKEN), ("DOCKER_SOCKET", engine.path().to_str().unwrap())]);
    let agent = Agent::start_or_end(&prefix, &variables).unwrap_or_else(|ended| {
        panic!(
            "a full disk takes `unshare --mount` and a tmpfs: run this as root, or in a container with \
                CAP_SYS_ADMIN ({:?}: {})",
            ended.code,
            ended.words()
        )
    });
    let dir = PathBuf::from(format!("/proc/{}/root{}/web", agent.pid(), stacks.display()));
    let scene = json!([["show"]]).to_string();
    let before = json!({"compose.yaml": "services: {}\n", "scene.json": scene, "a.txt": "a", "z.txt": "z"});
    tell(&agent, &with("up", "web", &json!({"files": before, "envVars": {"A": "before"}}))).good();
    let there = || -> Vec<(String, Vec<u8>)> {
        names(&dir).into_iter().map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
    };
    let was = there();
    assert_eq!(was.len(), 5);
    // The small ones fit, also together with half of the large one.
    let large = "x".repeat(300 * 1024);
    for files in [
        json!({"a.txt": "changed", "m.bin": large, "z.txt": "changed"}),
        json!({"a.txt": "changed", "new/deep/m.bin": large}),
        json!({"a.txt": large}),
    ] {
        let told = tell(&agent, &with("up", "web", &json!({"files": files, "envVars": {"A": "after"}})));
        assert!(!told.success && told.output.is_empty(), "the program ran on half of an order: {told:?}");
        assert!(told.failure().to_lowercase().contains("space"), "{told:?}");
        let is: Vec<_> = there_but(&dir, "new");
        assert_eq!(is.iter().collect::<Vec<_>>(), was.iter().map(|(name, _)| name).collect::<Vec<_>>());
        for (name, bytes) in &was {
            assert_eq!(&fs::read(dir.join(name)).unwrap(), bytes, "{name}");
        }
    }
    // There is room for what is small, so nothing was left behind.
    let told = tell(&agent, &with("up", "web", &json!({"files": {"half.bin": "x".repeat(128 * 1024)}})));
    let shown: Value = serde_json::from_str(told.good().lines().next().unwrap()).expect("what it shows");
    assert_eq!(shown["env"]["A"], json!("before"));
}

/// The names there, but for one: a directory may have been made for what then found no room.
fn there_but(dir: &std::path::Path, but: &str) -> Vec<String> {
    names(dir).into_iter().filter(|name| name != but).collect()
}
