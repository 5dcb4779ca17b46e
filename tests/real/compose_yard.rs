//! Stacks of one test in front of a real Engine, and the composes of this machine that run them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN};
use crate::docker::{Docker, IMAGE};
use crate::folder::Folder;
use crate::scene::Scene;
use crate::wait::PATIENCE;

/// Every compose there is here: a new one, and the old one where the release has it.
pub(crate) fn composes() -> Vec<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/compose");
    let (new, old) = (tools.join("docker-compose"), tools.join("docker-compose-1"));
    assert!(new.exists(), "there is no Compose 2 in .tools/compose: run scripts/setup");
    [new, old].into_iter().filter(|path| path.exists()).collect()
}

/// One agent with a directory of stacks, and one compose.
pub(crate) struct Yard {
    pub(crate) straight: Docker,
    pub(crate) scene: Scene,
    pub(crate) folder: Folder,
    pub(crate) agent: Agent,
    /// It is the old one.
    pub(crate) is_old: bool,
}

/// An order on its way. Whoever drops it leaves.
pub(crate) struct Sent(TcpStream);

impl Sent {
    pub(crate) fn told(mut self) -> Told {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).expect("an answer and its end");
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        let value: Value = serde_json::from_str(body).expect("JSON");
        let word = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Told { success: value["success"] == json!(true), output: word("output"), error: word("error") }
    }
}

/// What an order was answered.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) success: bool,
    pub(crate) output: String,
    pub(crate) error: String,
}

impl Told {
    /// Its output, where all went well.
    pub(crate) fn good(self) -> String {
        assert!(self.success, "{self:?}");
        self.output
    }

    /// All its words, where it did not.
    pub(crate) fn bad(self) -> String {
        assert!(!self.success, "{self:?}");
        self.output + &self.error
    }
}

/// Plays a test with each compose of this machine.
pub(crate) fn with_each(settings: &[(&str, &str)], test: impl Fn(&Yard)) {
    for compose in composes() {
        test(&Yard::new(&compose, settings));
    }
}

/// Plays it with the new one alone, for what the old one does not know.
pub(crate) fn with_new(settings: &[(&str, &str)], test: impl Fn(&Yard)) {
    test(&Yard::new(&composes()[0], settings));
}

impl Yard {
    fn new(compose: &Path, settings: &[(&str, &str)]) -> Self {
        let straight = Docker::straight();
        let (scene, folder) = (Scene::new(&straight), Folder::new());
        let (stacks, run, home) = (folder.at("stacks"), folder.at("run"), folder.at("home"));
        let plugins = format!("{home}/.docker/cli-plugins");
        for path in [&stacks, &run, &plugins] {
            fs::create_dir_all(path).expect("a directory of ours");
        }
        symlink(compose, format!("{plugins}/docker-compose")).expect("a link of ours");
        let fixed = [("STACKS_DIR", stacks.as_str()), ("RUNTIME_DIR", &run), ("HOME", &home)];
        let agent = Agent::with(&[fixed.as_slice(), settings].concat());
        let is_old = compose.ends_with("docker-compose-1");
        Self { straight, scene, folder, agent, is_old }
    }

    /// What a container of this stack is called.
    pub(crate) fn container(&self, stack: &str, service: &str) -> String {
        let dash = if self.is_old { "_" } else { "-" };
        [&self.scene.name(stack), service, "1"].join(dash)
    }

    /// Where a stack lies.
    pub(crate) fn of(&self, stack: &str) -> PathBuf {
        self.folder.path().join("stacks").join(self.scene.name(stack))
    }

    /// What an order is answered. `more` are its members beside the operation and the stack.
    pub(crate) fn order(&self, operation: &str, stack: &str, more: &Value) -> Told {
        self.send(operation, stack, more).told()
    }

    /// Sends an order, and does not wait for its answer.
    pub(crate) fn send(&self, operation: &str, stack: &str, more: &Value) -> Sent {
        let mut body = json!({"operation": operation, "stackName": self.scene.name(stack)});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.agent.address()).expect("the agent accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let fields = "Host: lookout\r\nConnection: close\r\nContent-Type: application/json\r\n";
        let head = format!("POST /_lookout/compose HTTP/1.1\r\n{fields}Authorization: Bearer {TOKEN}\r\n");
        let length = format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all([head, length, body].concat().as_bytes()).expect("the agent reads");
        Sent(stream)
    }

    /// The files of a stack with these services, as the member of an order.
    pub(crate) fn services(services: &Value) -> Value {
        // JSON is YAML, and says exactly what is meant.
        let text = json!({"services": services}).to_string();
        json!({"compose.yaml": text})
    }

    /// What the Engine itself says of a container.
    pub(crate) fn told(&self, format: &str, container: &str) -> String {
        let told = self.straight.run(&["container", "inspect", "--format", format, container]);
        told.text().trim().to_owned()
    }

    /// Names of all containers of the scene, whatever their state.
    pub(crate) fn containers(&self) -> Vec<String> {
        let name = format!("name={}", self.scene.prefix());
        let told =
            self.straight.run(&["ps", "-a", "--filter", &name, "--format", "{{.Names}}"]).good().text();
        let mut names: Vec<_> = told.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// How many private directories of runs there are, in the place that the agent has for them.
    pub(crate) fn private(&self) -> usize {
        let below = |path: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
        };
        below(Path::new(&self.folder.at("run"))).iter().map(|place| below(place).len()).sum()
    }
}

/// A service that waits, of the image all tests share.
pub(crate) fn waiting(more: &Value) -> Value {
    let mut service = json!({"image": IMAGE, "command": ["sleep", "1000"], "stop_grace_period": "0s"});
    service.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    service
}
