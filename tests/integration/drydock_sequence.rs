//! A controller as Drydock 1.6.0 is one, step by step: it waits for its acknowledgement, shakes hands, follows, and comes back.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN};
use crate::drydock_rules::faults;
use crate::engine::Home;
use crate::fleet::{Fleet, framed, id};
use crate::listener::Listener;
use crate::message::Message;
use crate::signer::{Draft, Signer, agent as signed_agent, file, head};

/// What the controller's client sends with everything.
const CLIENT: &str = "Accept: application/json, text/plain, */*\r\nUser-Agent: axios/1.7.9\r\n\
                      Accept-Encoding: gzip, compress, deflate, br\r\n";

/// How it shows who it is.
enum Credential {
    Secret,
    Key(Box<Signer>, u8),
}

struct Controller<'a> {
    agent: &'a Agent,
    credential: Credential,
    stream: Listener,
    /// What it knows of this agent's containers, by id.
    store: BTreeMap<String, Value>,
    connected: bool,
}

fn fields(credential: &Credential, line: &str, body: &str) -> String {
    let proof = match credential {
        Credential::Secret => format!("X-Dd-Agent-Secret: {TOKEN}\r\n"),
        Credential::Key(signer, version) => {
            Draft { dialect: "X-Portwing-", ..Draft::new(*version, line, body) }.fields(signer)
        }
    };
    format!("{CLIENT}{proof}")
}

impl<'a> Controller<'a> {
    fn connect(agent: &'a Agent, credential: Credential) -> Self {
        let line = "GET /api/events";
        let stream = Listener::with(agent, head(line, &fields(&credential, line, "")));
        Self { agent, credential, stream, store: BTreeMap::new(), connected: false }
    }

    fn reconnect(&mut self) {
        let line = "GET /api/events";
        self.stream = Listener::with(self.agent, head(line, &fields(&self.credential, line, "")));
        self.connected = false;
    }

    fn call(&self, line: &str) -> Message {
        self.agent.ask(head(line, &fields(&self.credential, line, "")))
    }

    fn post(&self, line: &str, kind: &str, body: &str) -> Message {
        let more = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        self.agent.ask(head(line, &(fields(&self.credential, line, body) + &more)) + body)
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.call(&format!("GET {path}"));
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        assert_eq!(answer.head.value("content-encoding"), None);
        let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
        told.as_array().unwrap_or_else(|| panic!("{path} is no list: {told}")).clone()
    }

    /// Takes a container, or gives up on the agent, as 1.6.0 does for a single one that is wrong.
    fn take(&mut self, container: &Value) {
        assert_eq!(faults(container), [""; 0], "the agent would never be connected: {container}");
        self.store.insert(container["id"].as_str().unwrap().to_owned(), container.clone());
    }

    /// One block of the stream, read as the controller does: every line with `data: ` by itself.
    fn step(&mut self) -> String {
        let frame = self.stream.frame();
        let mut kinds = Vec::new();
        for line in frame.split('\n').filter_map(|line| line.strip_prefix("data: ")) {
            let event: Value = serde_json::from_str(line).expect("one document a line");
            let data = &event["data"];
            match event["type"].as_str().expect("a type") {
                "dd:ack" if data.is_object() => self.shake_hands(),
                "dd:container-added" | "dd:container-updated" => self.take(data),
                "dd:container-removed" => drop(self.store.remove(data["id"].as_str().expect("an id"))),
                "dd:watcher-snapshot" => self.replace(data),
                other => panic!("an event the controller does not know: {other} {data}"),
            }
            kinds.push(event["type"].as_str().unwrap().to_owned());
        }
        assert_eq!(kinds.len(), 1, "{frame}");
        kinds.remove(0)
    }

    fn shake_hands(&mut self) {
        let containers = self.list("/api/containers");
        let watchers = self.list("/api/watchers");
        for container in &containers {
            self.take(container);
            let is_known = |watcher: &Value| watcher["name"] == container["watcher"];
            assert!(watchers.iter().any(is_known), "a watcher nobody advertises: {container}");
        }
        if !containers.is_empty() {
            self.store.retain(|id, _| containers.iter().any(|container| container["id"] == id.as_str()));
        }
        assert_eq!(self.list("/api/triggers"), [Value::Null; 0]);
        self.connected = true;
    }

    fn replace(&mut self, data: &Value) {
        let containers = data["containers"].as_array().expect("a list, never null");
        for container in containers {
            self.take(container);
        }
        let watcher = &data["watcher"]["name"];
        self.store.retain(|id, stored| {
            stored["watcher"] != *watcher || containers.iter().any(|container| container["id"] == id.as_str())
        });
    }

    fn until(&mut self, kind: &str) {
        while self.step() != kind {}
    }

    /// The names and states of all it knows.
    fn known(&self) -> Vec<String> {
        let told = |container: &Value| {
            let text = |name: &str| container[name].as_str().unwrap();
            format!("{} {}", text("name"), text("status"))
        };
        let mut known: Vec<_> = self.store.values().map(told).collect();
        known.sort();
        known
    }
}

/// What makes a container troublesome.
type Shape = fn(&mut Value);

/// Containers of every kind that made a controller stumble.
fn troublesome() -> Fleet {
    let fleet = Fleet::of(&["plain"]);
    let shapes: [(&str, Shape); 14] = [
        ("bare", |c| {
            c["Config"] = json!({"Image": "acme/web"});
            c["NetworkSettings"] = Value::Null;
            c["Mounts"] = Value::Null;
        }),
        ("by-digest", |c| c["Config"]["Image"] = format!("acme/web@sha256:{}", "ab".repeat(32)).into()),
        ("by-id", |c| c["Config"]["Image"] = c["Image"].clone()),
        ("by-short-id", |c| c["Config"]["Image"] = "edcc7fbb5401".into()),
        ("empty-labels", |c| {
            let names =
                ["dd.display.name", "dd.display.icon", "dd.tag.include", "dd.link.template", "dd.watch"];
            c["Config"]["Labels"] = names.iter().map(|name| ((*name).to_owned(), json!(""))).collect();
        }),
        ("labelled-null", |c| c["Config"]["Labels"] = Value::Null),
        ("nameless-env", |c| c["Config"]["Env"] = json!(["=x", "", "A", "B=", " =y", "C=1=2"])),
        ("never-started", |c| {
            c["State"] = json!({"Status": "created", "StartedAt": "0001-01-01T00:00:00Z", "Health": null});
        }),
        ("no-check", |c| c["State"]["Health"]["Status"] = "none".into()),
        ("odd-check", |c| c["State"]["Health"]["Status"] = "sleepy".into()),
        ("odd-state", |c| c["State"] = json!({"Status": "pondering", "Running": true})),
        ("orphan", |c| c["Image"] = format!("sha256:{}", "cd".repeat(32)).into()),
        ("registry", |c| c["Config"]["Image"] = "registry.example.test:5000/a/b/c:2.0-rc1".into()),
        ("wishes", |c| {
            c["Config"]["Labels"] = json!({
                "dd.watch.digest": "maybe", "dd.tag.family": "loose", "dd.tag.pin.info": "no",
                "dd.depends_on": " , plain,,", "dd.depends_on.action": "explode", "dd.tag.transform": "((",
            });
        }),
    ];
    for (name, shape) in shapes {
        fleet.add(name, shape);
    }
    fleet.change("bare", |bare| bare["Platform"] = Value::from(""));
    fleet
}

#[test]
fn every_troublesome_container_is_taken() {
    let fleet = troublesome();
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let mut controller = Controller::connect(&agent, Credential::Secret);
    assert_eq!(controller.step(), "dd:ack");
    assert!(controller.connected);
    assert_eq!(controller.step(), "dd:watcher-snapshot");
    assert_eq!(controller.store.len(), 15, "{:?}", controller.known());
    // The same without what the image could tell.
    fleet.forget_images();
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let mut controller = Controller::connect(&agent, Credential::Secret);
    controller.until("dd:watcher-snapshot");
    assert_eq!(controller.store.len(), 15, "{:?}", controller.known());
    // A name is what the controller cannot do without: it is spared the rest of the agent's fate.
    fleet.add("nameless", |c| c["Name"] = "".into());
    fleet.tell("nameless", "start");
    fleet.add("last", |_| {});
    fleet.tell("last", "start");
    controller.until("dd:container-added");
    assert_eq!(controller.store.len(), 16, "{:?}", controller.known());
}

#[test]
fn a_controller_connects_follows_acts_and_comes_back() {
    let (home, signers) = (Home::new(), [Signer::new(21), Signer::new(22)]);
    let lines: String = signers.iter().map(Signer::line).collect();
    let keys = file(&home, "keys", lines);
    let [first, second] = signers;
    for credential in
        [Credential::Secret, Credential::Key(Box::new(first), 1), Credential::Key(Box::new(second), 2)]
    {
        let fleet = Fleet::of(&["web", "db"]);
        fleet.print("web", &[&framed(1, "hello\n"), &framed(2, "oops\n")], false);
        let engine = fleet.engine();
        let agent = signed_agent(&engine, &keys, &[]);
        whole_life(&fleet, &agent, credential);
    }
}

fn whole_life(fleet: &Fleet, agent: &Agent, credential: Credential) {
    let covers_query = !matches!(credential, Credential::Key(_, 1));
    let mut controller = Controller::connect(agent, credential);
    // Nothing is asked before the acknowledgement, and all of it on it.
    assert_eq!(controller.step(), "dd:ack");
    assert!(controller.connected);
    assert_eq!(controller.known(), ["db running", "web running"]);
    assert_eq!(controller.step(), "dd:watcher-snapshot");
    assert_eq!(controller.known(), ["db running", "web running"]);

    // The user looks at logs, and at the agent's own.
    if covers_query {
        for (query, tail) in
            [("tail=1000&since=0&timestamps=true", "1000"), ("tail=0&since=0&timestamps=false", "0")]
        {
            let logs = controller.call(&format!("GET /api/containers/{}/logs?{query}", id("web")));
            assert_eq!((logs.status(), logs.text().as_str()), (200, "hello\noops\n"));
            let asked = fleet.asked(&format!("GET /containers/{}/logs", id("web"))).pop().unwrap();
            assert!(asked.contains(&format!("tail={tail}")), "{asked}");
        }
        assert!(!controller.list("/api/log/entries?level=&component=&tail=&since=").is_empty());
    }
    assert_eq!(controller.call(&format!("GET /api/containers/{}/logs", id("web"))).status(), 200);

    // It acts through the Engine's own API, and hears of what that did.
    fleet.answer(&format!("POST /containers/{}/stop", id("db")), 204, "");
    let empty = "application/x-www-form-urlencoded";
    let stopped = controller.post(&format!("POST /containers/{}/stop", id("db")), empty, "");
    assert_eq!(stopped.status(), 204, "{}", stopped.text());
    fleet.change("db", |db| db["State"] = json!({"Status": "exited", "StartedAt": "2026-05-21T09:04:50Z"}));
    fleet.tell("db", "die");
    controller.until("dd:container-updated");
    assert_eq!(controller.known(), ["db exited", "web running"]);

    // A container is made anew under its name, as an update does it.
    fleet.change("web", |web| web["Name"] = "/web-old".into());
    fleet.tell("web", "rename");
    controller.until("dd:container-updated");
    fleet.add("web-2", |web| web["Name"] = "/web".into());
    fleet.tell("web-2", "start");
    controller.until("dd:container-added");
    assert_eq!(controller.known(), ["db exited", "web running", "web-old running"]);

    // It deletes, and hears that it is gone; once more is as good.
    let line = format!("DELETE /api/containers/{}", id("db"));
    assert_eq!(controller.call(&line).status(), 204);
    controller.until("dd:container-removed");
    assert_eq!(controller.call(&line).status(), 404);
    assert_eq!(controller.known(), ["web running", "web-old running"]);

    // It would have a watcher of ours run, if we did not say that it is the watcher.
    for path in ["watchers/docker/docker", "triggers/docker/update"] {
        assert_eq!(controller.post(&format!("POST /api/{path}"), "application/json", "{}").status(), 501);
    }

    // It comes back after an absence: what happened meanwhile is in the handshake and the snapshot.
    fleet.add("cache", |_| {});
    fleet.tell("cache", "start");
    controller.until("dd:container-added");
    controller.reconnect();
    controller.until("dd:watcher-snapshot");
    assert!(controller.connected);
    assert_eq!(controller.known(), ["cache running", "web running", "web-old running"]);
}
