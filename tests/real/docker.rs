//! The docker command, pointed straight at the Engine or at an agent.

use std::process::Command;
use std::rc::Rc;

use crate::folder::Folder;
use crate::process::{Outcome, Running};

/// Where `scripts/engine` makes sure that a real Engine answers.
pub(crate) const SOCKET: &str = "/var/run/docker.sock";

/// What `scripts/engine` builds: one static busybox and its links.
pub(crate) const IMAGE: &str = "lookout-test/busybox:1";

/// A way to reach an Engine, with a configuration directory of its own.
#[derive(Clone)]
pub(crate) struct Docker {
    program: &'static str,
    host: String,
    config: Rc<Folder>,
}

impl Docker {
    /// Straight to the Engine. Its absence is a failure with a remedy, never a reason to skip.
    pub(crate) fn straight() -> Self {
        let docker = Self::at(&format!("unix://{SOCKET}"), "{}");
        let found = docker.run(&["image", "inspect", "--format", "{{.Id}}", IMAGE]);
        assert!(
            found.status.success(),
            "no Engine with the image {IMAGE} answers at {SOCKET}: run scripts/engine\n{}",
            found.errors()
        );
        docker
    }

    /// To any address, with the given text as its config.json.
    pub(crate) fn at(host: &str, config: &str) -> Self {
        let folder = Folder::new();
        folder.write("config.json", config);
        Self { program: "docker", host: host.to_owned(), config: Rc::new(folder) }
    }

    /// The same way, taken by another docker command of this machine.
    pub(crate) fn with_program(&self, program: &'static str) -> Self {
        Self { program, ..self.clone() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        for variable in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
            command.env_remove(variable);
        }
        command
            .env("DOCKER_CONFIG", self.config.path())
            // The builder inside the Engine, which every client can drive without a plugin.
            .env("DOCKER_BUILDKIT", "0")
            .env("DOCKER_CLI_HINTS", "false")
            .args(["-H", &self.host])
            .args(arguments);
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments)).reading(Rc::clone(&self.config))
    }

    /// Runs to the end with nothing on standard input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).finish()
    }

    /// Runs to the end with `input` on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: impl Into<Vec<u8>>) -> Outcome {
        let mut running = self.start(arguments);
        running.feed(input.into());
        running.finish_by_itself()
    }

    /// Its address and configuration directory, for a command line that something else starts.
    pub(crate) fn shell_words(&self) -> String {
        format!("env DOCKER_CONFIG={} {} -H {}", self.config.path().display(), self.program, self.host)
    }
}
