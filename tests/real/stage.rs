//! A key that is limited by a label, things of its own, and things of another team beside them.

use crate::caller::Caller;
use crate::docker::{Docker, IMAGE};
use crate::keyed::Keyed;
use crate::scene::Scene;

const CLASSES: &str = "view,logs,power,create,remove,exec";

/// A key that is limited to the label of its scene, and others' things beside its own.
pub(crate) struct Stage {
    pub(crate) straight: Docker,
    pub(crate) scene: Scene,
    pub(crate) caller: Caller,
    _agent: Keyed,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let straight = Docker::straight();
        let scene = Scene::new(&straight);
        let options = format!("allow=\"{CLASSES}\",label=\"team={}\"", scene.prefix());
        let agent = Keyed::start(&[("web", &options)]);
        let caller = agent.caller("web");
        Self { straight, scene, caller, _agent: agent }
    }

    pub(crate) fn name(&self, what: &str) -> String {
        self.scene.name(what)
    }

    /// A running container of the key's own; its name.
    pub(crate) fn own(&self) -> String {
        let name = self.name("own");
        let says = "echo hello; sleep 1000";
        // By the second label the scene removes it, whatever its name has become.
        let label = self.scene.prefix();
        self.caller.run(&["run", "-d", "--name", &name, "--label", label, IMAGE, "sh", "-c", says]).good();
        name
    }

    /// A running container of another team; its name.
    pub(crate) fn foreign(&self) -> String {
        let name = self.name("foreign");
        let label = format!("team=not-{}", self.scene.prefix());
        self.straight.run(&["run", "-d", "--name", &name, "--label", &label, IMAGE, "sleep", "1000"]).good();
        name
    }

    /// What the Engine itself says of a thing.
    pub(crate) fn told(&self, kind: &str, format: &str, name: &str) -> String {
        let told = self.straight.run(&[kind, "inspect", "--format", format, name]).good().text();
        told.trim().to_owned()
    }

    pub(crate) fn id(&self, name: &str) -> String {
        self.told("container", "{{.Id}}", name)
    }
}
