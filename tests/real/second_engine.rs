//! An Engine of one test's own, which can be stopped and started without disturbing anybody.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::docker::Docker;
use crate::folder::Folder;
use crate::process::terminate;
use crate::wait::until;

pub(crate) struct SecondEngine {
    folder: Folder,
    child: Option<Child>,
}

impl SecondEngine {
    /// Its place, with no Engine in it yet.
    pub(crate) fn new() -> Self {
        Self { folder: Folder::new(), child: None }
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.at("docker.sock")
    }

    pub(crate) fn start(&mut self) {
        let log = File::create(self.folder.at("log")).expect("a file for its log");
        // Network and mounts of its own: two Engines would fight over the one bridge.
        let child = Command::new("unshare")
            .args(["--net", "--mount", "dockerd", "--host", &format!("unix://{}", self.socket())])
            .args(["--data-root", &self.folder.at("root"), "--exec-root", &self.folder.at("exec")])
            .args(["--pidfile", &self.folder.at("pid")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn()
            .expect("unshare starts: run scripts/setup");
        let child = self.child.insert(child);
        let docker = Docker::at(&format!("unix://{}", self.folder.at("docker.sock")), "{}");
        until("the second Engine answers", || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = String::from_utf8_lossy(&self.folder.read("log")).into_owned();
                panic!("the second Engine did not start ({status}); it needs root and scripts/setup\n{log}");
            }
            docker.run(&["version"]).status.success().then_some(())
        });
    }

    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("it was started");
        terminate(child.id());
        until("the second Engine ends", || child.try_wait().unwrap());
    }
}

impl Drop for SecondEngine {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
    }
}
