//! What happens to real containers, as those hear it who follow an agent's events.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::Agent;
use crate::docker::{Docker, IMAGE};
use crate::raw::{self, Answer};
use crate::scene::Scene;
use crate::second_engine::SecondEngine;
use crate::wait::PATIENCE;

/// How soon every controller is to hear of a start.
const PROMISED: Duration = Duration::from_secs(2);

/// One who follows.
struct Feed {
    answer: Answer,
    rest: String,
}

impl Feed {
    fn open(agent: &Agent, path: &str) -> Self {
        let answer = raw::through(agent, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"));
        assert_eq!(answer.status(), "200", "{}", answer.head);
        assert_eq!(answer.header("Content-Type"), Some("text/event-stream"));
        Self { answer, rest: String::new() }
    }

    fn told(&mut self) -> Value {
        let begun = Instant::now();
        loop {
            if let Some((frame, rest)) = self.rest.split_once("\n\n") {
                let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.rest = rest.to_owned();
                if let Some(data) = data {
                    return serde_json::from_str(&data).expect("JSON");
                }
                continue;
            }
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for an event");
            let chunk = self.chunk();
            self.rest.push_str(&String::from_utf8(chunk).expect("UTF-8"));
        }
    }

    /// One piece of the stream, which has no last one.
    fn chunk(&mut self) -> Vec<u8> {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.extend(self.answer.read::<1>());
        }
        let size = String::from_utf8(size).expect("a size in ASCII");
        let size = usize::from_str_radix(size.trim(), 16).expect("the size of a chunk");
        assert!(size > 0, "the stream has ended; left over: {:?}", self.rest);
        let chunk = self.answer.read_vec(size);
        self.answer.read::<2>();
        chunk
    }

    /// The next that is about this container: other tests have containers of their own.
    fn about(&mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let told = self.told();
            let is_about = ["/name", "/data/name"].iter().any(|path| is(&told, path, name));
            if is_about && is_it(&told) {
                return told;
            }
        }
    }

    fn kind(&mut self, name: &str, kind: &str) -> Value {
        self.about(name, |told| is(told, "/type", kind))
    }

    /// Passes over events until one of the inventory shows this state.
    fn state(&mut self, name: &str, state: &str) -> Value {
        self.about(name, |told| is(told, "/data/status", state))
    }

    fn action(&mut self, name: &str, action: &str) -> Value {
        self.about(name, |told| is(told, "/action", action))
    }
}

/// Whether this text stands at this place.
fn is(told: &Value, path: &str, text: &str) -> bool {
    told.pointer(path).is_some_and(|value| value == text)
}

#[test]
fn everyone_hears_of_a_start_within_what_is_promised() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let [drydock, generic] = ["drydock", "generic"].map(|adapter| Agent::with(&[("ADAPTER", adapter)]));
    until_it_follows(&generic);
    let mut feeds =
        [(); 3].map(|()| (Feed::open(&drydock, "/api/events"), Feed::open(&generic, "/api/v1/events")));
    for (feed, _) in &mut feeds {
        while feed.told()["type"] != "dd:watcher-snapshot" {}
    }
    // One of five in time is enough on a machine that has other things to do; what waits for a look at
    // everything is minutes late each time.
    let within = (0..5).any(|number| {
        let name = scene.name(&format!("soon-{number}"));
        straight.run(&["run", "-d", "--network", "none", "--name", &name, IMAGE, "sleep", "1000"]).good();
        let begun = Instant::now();
        for (nested, flat) in &mut feeds {
            nested.state(&name, "running");
            flat.action(&name, "start");
        }
        begun.elapsed() < PROMISED
    });
    assert!(within, "none of five starts was told to everyone within {PROMISED:?}");
}

#[test]
fn a_controller_hears_a_container_from_its_start_to_its_end() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::start();
    let mut feed = Feed::open(&agent, "/api/events");
    while feed.told()["type"] != "dd:watcher-snapshot" {}
    let name = scene.name("life");
    // Healthy as long as a file is not there.
    let check = ["--health-cmd", "test ! -e /tmp/ill", "--health-interval", "200ms", "--health-retries", "1"];
    let run = ["run", "-d", "--network", "none", "--label", scene.prefix(), "--name", &name];
    straight.run(&[&run[..], &check, &[IMAGE, "sleep", "1000"]].concat()).good();
    let added = feed.kind(&name, "dd:container-added");
    let id = added["data"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(id.len(), 64);
    feed.about(&name, |told| is(told, "/data/health", "healthy"));
    straight.run(&["exec", &name, "touch", "/tmp/ill"]).good();
    feed.about(&name, |told| is(told, "/data/health", "unhealthy"));
    straight.run(&["pause", &name]).good();
    feed.state(&name, "paused");
    straight.run(&["unpause", &name]).good();
    feed.state(&name, "running");
    let other = scene.name("renamed");
    straight.run(&["rename", &name, &other]).good();
    assert_eq!(feed.kind(&other, "dd:container-updated")["data"]["id"], id.as_str());
    straight.run(&["kill", &other]).good();
    feed.state(&other, "exited");
    straight.run(&["rm", &other]).good();
    assert_eq!(feed.kind(&other, "dd:container-removed")["data"]["id"], id.as_str());
}

#[test]
fn the_generic_feed_tells_what_the_engine_tells() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::with(&[("ADAPTER", "generic")]);
    until_it_follows(&agent);
    let mut feed = Feed::open(&agent, "/api/v1/events");
    let name = scene.name("told");
    let run = ["run", "-d", "--network", "none", "--label", "team=web", "--name", &name];
    let check = ["--health-cmd", "true", "--health-interval", "200ms"];
    straight.run(&[&run[..], &check, &[IMAGE, "sleep", "1000"]].concat()).good();
    let created = feed.action(&name, "create");
    assert_eq!((&created["image"], &created["labels"]["team"]), (&IMAGE.into(), &"web".into()));
    feed.action(&name, "start");
    assert_eq!(feed.action(&name, "health_status")["detail"], "healthy");
    let volume = scene.name("volume");
    straight.run(&["volume", "create", &volume]).good();
    straight.run(&["rename", &name, &scene.name("renamed")]).good();
    let renamed = feed.action(&scene.name("renamed"), "rename");
    // Of what the Engine adds nothing is left: only what is a label.
    assert_eq!(renamed["labels"].as_object().map(serde_json::Map::len), Some(1), "{renamed}");
    straight.run(&["rm", "-f", &scene.name("renamed")]).good();
    let mut last = Vec::new();
    while last.last().is_none_or(|action| action != "destroy") {
        let told = feed.about(&scene.name("renamed"), |_| true);
        assert_eq!(told["type"], "container");
        last.push(told["action"].as_str().expect("an action").to_owned());
    }
    assert!(last.contains(&"die".to_owned()), "{last:?}");
}

/// The agent follows the Engine before it looks at its containers, and does either once somebody asks.
fn until_it_follows(agent: &Agent) {
    let answer = raw::through(agent, "GET /api/v1/containers HTTP/1.1\r\nHost: localhost\r\n");
    assert_eq!(answer.status(), "200", "{}", answer.head);
}

#[test]
fn an_engine_that_restarts_is_followed_again() {
    let mut engine = SecondEngine::new();
    engine.start();
    let second = Docker::at(&format!("unix://{}", engine.socket()), "{}");
    let image = Docker::straight().run(&["save", IMAGE]).good().stdout;
    second.run_with(&["load"], image).good();
    second.run(&["run", "-d", "--network", "none", "--name", "stays", IMAGE, "sleep", "1000"]).good();
    second.run(&["create", "--network", "none", "--name", "goes", IMAGE, "true"]).good();
    let agent = Agent::with(&[("DOCKER_SOCKET", &engine.socket())]);
    let mut feed = Feed::open(&agent, "/api/events");
    while feed.told()["type"] != "dd:watcher-snapshot" {}
    engine.stop();
    engine.start();
    second.run(&["rm", "goes"]).good();
    second.run(&["create", "--network", "none", "--name", "comes", IMAGE, "true"]).good();
    // Each is told by itself or in the snapshot, whichever comes first.
    let mut known = vec!["goes".to_owned(), "stays".to_owned()];
    while known != ["comes", "stays"] {
        let told = feed.told();
        let name = told["data"]["name"].as_str().unwrap_or_default().to_owned();
        match told["type"].as_str().expect("a type") {
            "dd:container-removed" => known.retain(|other| *other != name),
            "dd:container-added" => known.push(name),
            "dd:watcher-snapshot" => {
                let all = told["data"]["containers"].as_array().expect("a list").iter();
                known = all.map(|container| container["name"].as_str().expect("a name").to_owned()).collect();
                assert!(known.contains(&"stays".to_owned()), "an outage is no removal: {known:?}");
            }
            _ => {}
        }
        known.sort();
    }
}
