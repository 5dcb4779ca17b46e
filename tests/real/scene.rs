//! Names nobody else uses, and the removal of everything that got one.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::docker::Docker;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The things of one test. Their names are of one length, so that tables are as wide on every run.
pub(crate) struct Scene {
    prefix: String,
    straight: Docker,
}

impl Scene {
    pub(crate) fn new(straight: &Docker) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("lookout-real-{:07}-{number:04}", std::process::id());
        Self { prefix, straight: straight.clone() }
    }

    /// What every name of this scene begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    /// The line of a Dockerfile that lets the intermediate images of a failed build be found again.
    pub(crate) fn label(&self) -> String {
        format!("LABEL {}=1", self.prefix)
    }

    fn remove(&self, list: &[&str], remove: &[&str]) {
        let found = self.straight.run(list).text();
        for id in found.split_whitespace() {
            self.straight.run(&[remove, &[id]].concat());
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let name = format!("name={}", self.prefix);
        let label = format!("label={}", self.prefix);
        let reference = format!("reference={}*:*", self.prefix);
        self.remove(&["ps", "-aq", "--filter", &name], &["rm", "-fv"]);
        self.remove(&["ps", "-aq", "--filter", &label], &["rm", "-fv"]);
        let tagged = ["images", "--filter", &reference, "--format", "{{.Repository}}:{{.Tag}}"];
        self.remove(&tagged, &["rmi", "-f"]);
        self.remove(&["images", "-aq", "--filter", &label], &["rmi", "-f"]);
        self.remove(&["network", "ls", "-q", "--filter", &name], &["network", "rm"]);
        self.remove(&["volume", "ls", "-q", "--filter", &name], &["volume", "rm", "-f"]);
    }
}
