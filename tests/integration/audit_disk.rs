//! A disk so small that a test can fill it: a tmpfs that only the agent under test has.
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use crate::agent::{Agent, TOKEN};
use crate::engine::{Engine, Home};
use crate::patience::until;

/// Mounts a disk on the first argument, and becomes what the others say.
const SCRIPT: &str = r#"mount -t tmpfs -o size=256k,mode=0700 small "$1" || exit 75; shift; exec "$@""#;

/// An agent whose trail is on a disk of its own, and what fills that.
pub(crate) struct Narrow {
    pub(crate) agent: Agent,
    /// The disk as others see it.
    disk: PathBuf,
    _home: Home,
}

impl Narrow {
    pub(crate) fn start(engine: &Engine, more: &[(&str, &str)]) -> Self {
        let home = Home::new();
        let path = home.path("disk");
        fs::create_dir(&path).unwrap();
        let (path, log) = (path.to_str().unwrap(), path.join("audit.jsonl"));
        let fixed = [
            ("TOKEN", TOKEN),
            ("DOCKER_SOCKET", engine.path().to_str().unwrap()),
            ("AUDIT_LOG", log.to_str().unwrap()),
        ];
        let prefix = ["unshare", "--mount", "/bin/sh", "-c", SCRIPT, "sh", path];
        let agent = Agent::start_or_end(&prefix, &[fixed.as_slice(), more].concat()).unwrap_or_else(|ended| {
            panic!("a full disk takes `unshare --mount` and a tmpfs: run this as root, or in a container with \
                    CAP_SYS_ADMIN ({:?}: {})", ended.code, ended.words())
        });
        let disk = PathBuf::from(format!("/proc/{}/root{path}", agent.pid()));
        Self { agent, disk, _home: home }
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) {
        let mut ballast = fs::File::create(self.disk.join("ballast")).expect("the agent's disk");
        let end = loop {
            if let Err(error) = ballast.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(end.kind(), ErrorKind::StorageFull);
    }

    /// Gives it back.
    pub(crate) fn free(&self) {
        fs::remove_file(self.disk.join("ballast")).expect("it was filled");
    }

    /// What was written so far.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.disk.join("audit.jsonl")).expect("a trail")
    }

    /// Waits until the log has this, so often.
    pub(crate) fn logged(&self, event: &str, count: usize) {
        until(&format!("the log has {count} of {event}"), || {
            (self.agent.log().matches(event).count() >= count).then_some(())
        });
    }

    /// Where a copy of the trail is, for as long as the agent runs and beyond.
    pub(crate) fn copy(&self, home: &Home) -> String {
        let path = home.path("copy");
        fs::write(&path, self.text()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
