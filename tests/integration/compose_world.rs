//! A place for stacks, and a program in place of compose that plays what a stack's scene says.
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::agent::{Agent, request_with};
use crate::client::Client;
use crate::engine::{Engine, Home};
use crate::message::Message;
use crate::patience::{Gate, until};

/// Where an order goes.
pub(crate) const ROUTE: &str = "POST /_lookout/compose";

/// What plays compose, of the newer kind.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/specimens/compose.py");

/// Stacks, private directories of runs, and the home that the program is found in.
pub(crate) struct Yard {
    home: Home,
    texts: [String; 3],
}

impl Yard {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let texts = ["stacks", "run", "home"].map(|name| {
            let path = home.path(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
            path.to_str().unwrap().to_owned()
        });
        let plugins = home.path("home/.docker/cli-plugins");
        fs::create_dir_all(&plugins).unwrap();
        symlink(PROGRAM, plugins.join("docker-compose")).unwrap();
        Self { home, texts }
    }

    /// With a program of the older kind. Another process writes it, so that it is never busy when it starts.
    pub(crate) fn of_version_one() -> Self {
        let yard = Self::new();
        let link = yard.path("home/.docker/cli-plugins/docker-compose");
        let (old, script) = (yard.path("old"), r#"sed s/2.99.0/1.99.0/ "$1" >"$2" && chmod 755 "$2""#);
        let arguments = ["-c", script, "sh", PROGRAM, old.to_str().unwrap()];
        assert!(std::process::Command::new("/bin/sh").args(arguments).status().unwrap().success());
        fs::remove_file(&link).unwrap();
        symlink(&old, &link).unwrap();
        yard
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// Where a stack lies.
    pub(crate) fn of(&self, stack: &str) -> PathBuf {
        self.path("stacks").join(stack)
    }

    /// A stack that plays this.
    pub(crate) fn stack(&self, name: &str, scene: &Value) -> PathBuf {
        let path = self.of(name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("compose.yaml"), "services: {web: {image: redis}}\n").unwrap();
        fs::write(path.join("scene.json"), scene.to_string()).unwrap();
        path
    }

    /// What makes an agent use this place, and further variables.
    pub(crate) fn with<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let [stacks, run, home] = &self.texts;
        let fixed = [("STACKS_DIR", stacks.as_str()), ("RUNTIME_DIR", run), ("HOME", home)];
        [fixed.as_slice(), more].concat()
    }

    pub(crate) fn start(&self, engine: &Engine) -> Agent {
        Agent::start_with(engine, &self.with(&[]))
    }

    /// The private directories of runs: each agent has a place of its own, in which it keeps them.
    pub(crate) fn private(&self) -> Vec<PathBuf> {
        let below = |path: &Path| -> Vec<PathBuf> {
            // An agent may just be taking its place away.
            let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
        };
        below(&self.path("run")).iter().flat_map(|place| below(place)).collect()
    }

    /// Waits until no run has left anything.
    pub(crate) fn until_clean(&self) {
        until("the private directories are gone", || self.private().is_empty().then_some(()));
    }
}

/// The names in a directory, sorted.
pub(crate) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// What an order was answered.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) success: bool,
    pub(crate) output: String,
    pub(crate) error: Option<String>,
}

impl Told {
    pub(crate) fn of(answer: &Message) -> Self {
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.head.value("content-type"), Some("application/json"), "{:?}", answer.head);
        let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let mut members: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        members.retain(|name| name != "error");
        assert_eq!(members, ["output", "success"], "{value}");
        let success = value["success"].as_bool().expect("a boolean");
        let error = value.get("error").map(|error| error.as_str().expect("a sentence").to_owned());
        assert_eq!(success, error.is_none(), "an error is told where there was one: {value}");
        Self { success, output: value["output"].as_str().expect("a text").to_owned(), error }
    }

    /// Its output, where all went well.
    pub(crate) fn good(self) -> String {
        assert!(self.success, "{self:?}");
        self.output
    }

    /// Its error, where it failed.
    pub(crate) fn failure(&self) -> &str {
        self.error.as_deref().unwrap_or_else(|| panic!("it went well: {self:?}"))
    }

    /// What the program told, line by line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.output.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// What was told of a deed.
    pub(crate) fn deed(&self, name: &str) -> String {
        let lines = self.lines();
        let told = lines.iter().find_map(|line| line.get(name)?.as_str());
        told.unwrap_or_else(|| panic!("nothing of {name:?} in {self:?}")).to_owned()
    }
}

/// The order's request, as whoever holds the token sends it.
pub(crate) fn order(body: &Value) -> String {
    request_with(ROUTE, "Content-Type: application/json\r\n", &body.to_string())
}

/// What an order is answered.
pub(crate) fn tell(agent: &Agent, body: &Value) -> Told {
    Told::of(&agent.ask(order(body)))
}

/// Sends an order, and does not wait for its end.
pub(crate) fn send(agent: &Agent, body: &Value) -> Client {
    let mut client = agent.client();
    client.send(order(body));
    client
}

/// An operation on a stack, and nothing else.
pub(crate) fn plain(operation: &str, stack: &str) -> Value {
    json!({"operation": operation, "stackName": stack})
}

/// The same with further members.
pub(crate) fn with(operation: &str, stack: &str, more: &Value) -> Value {
    let mut body = plain(operation, stack);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// What the program was started with.
pub(crate) fn shown(agent: &Agent, body: &Value) -> Value {
    let told = tell(agent, body);
    assert!(told.success, "{told:?}");
    told.lines().remove(0)
}

/// An Engine that answers everything, but those at `/containers/held` only once the gate is open.
pub(crate) fn holding(gate: &Gate) -> Engine {
    let hold = gate.clone();
    Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target().contains("/held") {
                hold.pass();
            }
            if visit.try_send(crate::engine::OK).is_err() {
                return;
            }
        }
    })
}

/// The targets that reached the Engine, in the order of their connections.
pub(crate) fn targets(engine: &Engine) -> Vec<String> {
    let texts: Vec<String> = engine.visits().iter().map(crate::engine::Record::text).collect();
    let lines = texts.iter().flat_map(|text| text.lines().filter(|line| line.ends_with(" HTTP/1.1")));
    lines.filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect()
}

/// Waits until this target has reached the Engine so often.
pub(crate) fn until_asked(engine: &Engine, target: &str, count: usize) {
    until(&format!("the engine is asked for {target} {count} times"), || {
        let asked = targets(engine);
        (asked.iter().filter(|asked| asked.as_str() == target).count() >= count).then_some(())
    });
}

/// Waits until a program asks for `/containers/held-PID/json`, and gives its number.
pub(crate) fn until_held(engine: &Engine) -> u32 {
    until("the engine is asked by a program that waits", || {
        let number =
            |target: &String| target.strip_prefix("/containers/held-")?.strip_suffix("/json")?.parse().ok();
        targets(engine).iter().find_map(number)
    })
}

/// A step that waits for the gate, and tells the Engine who waits.
pub(crate) fn held() -> Value {
    json!(["ask", "GET", "/containers/held-PID/json"])
}

/// Whether this process still does anything.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that ended may wait for somebody who asks how.
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

pub(crate) fn until_dead(pid: u32) {
    until(&format!("process {pid} has ended"), || (!is_alive(pid)).then_some(()));
}
