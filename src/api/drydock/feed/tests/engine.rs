//! What a controller is told of an Engine that does something.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use super::*;
use crate::clock::Deadline;
use crate::inventory::Watcher;
use crate::net::Shutdown;
use crate::shared::Shared;
use crate::sys::poll::{Watch, wait};

/// An Engine with one container, for as long as somebody asks it.
struct Engine {
    listener: UnixListener,
    place: PathBuf,
    state: Shared<&'static str>,
    /// Where its events go.
    events: Shared<Option<UnixStream>>,
}

const ID: &str = "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";

impl Engine {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!("lookout-feed-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&place);
        let listener = UnixListener::bind(&place).unwrap();
        Self { listener, place, state: Shared::new("created"), events: Shared::new(None) }
    }

    /// One connection for events, and one for questions until their end.
    fn serve(&self) {
        for _ in 0..2 {
            let patience = Deadline::after_secs(60);
            assert!(wait(&mut [Watch::readable(&self.listener)], patience).unwrap(), "nobody came");
            let mut socket = self.listener.accept().unwrap().0;
            while let Some(target) = asked(&mut socket) {
                if target.starts_with("/events") {
                    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                    socket.write_all(head.as_bytes()).unwrap();
                    self.events.with(|events| *events = Some(socket));
                    break;
                }
                let (status, told) = match target.as_str() {
                    "/containers/json?all=1" => {
                        (200, json!([{ "Id": ID, "State": self.state.with(|state| *state) }]).to_string().into_bytes())
                    }
                    target if target == format!("/containers/{ID}/json") => {
                        (200, inspection(ID, self.state.with(|state| *state), &json!({})))
                    }
                    _ => (404, b"{}".to_vec()),
                };
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", told.len());
                socket.write_all(&[head.into_bytes(), told].concat()).unwrap();
            }
        }
    }

    /// Something happens to its container.
    fn happens(&self, action: &str, state: &'static str) {
        self.state.with(|known| *known = state);
        let actor = json!({ "ID": ID, "Attributes": { "name": "web" } });
        let event = json!({ "Type": "container", "Action": action, "Actor": actor, "timeNano": 2_000_000 });
        let line = format!("{event}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        self.events.with(|events| events.as_ref().unwrap().write_all(chunk.as_bytes()).unwrap());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.place);
    }
}

/// The target of the next request; `None` once there is none.
fn asked(socket: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if socket.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().to_owned())
}

/// Told until there are so many messages.
fn told(tidings: &mut Tidings, count: usize) -> Vec<(String, Value)> {
    let (deadline, mut texts) = (Deadline::after_secs(60), Vec::new());
    loop {
        tidings.tell(&mut |text| texts.push(text));
        if texts.len() >= count {
            break;
        }
        assert!(wait(&mut [Watch::readable(&*tidings)], deadline).unwrap(), "{texts:?}");
    }
    let read = |text: &String| serde_json::from_str::<Value>(text).unwrap();
    let told = texts.iter().map(read).map(|told| (told["type"].as_str().unwrap().to_owned(), told["data"].clone()));
    told.collect()
}

/// What follows the inventory of an Engine while `meanwhile` runs.
fn watched(engine: &Engine, agent: &Agent, meanwhile: impl FnOnce()) {
    let shutdown = Shutdown::new().unwrap();
    let watcher = Watcher {
        docker: Arc::clone(&agent.docker),
        inventory: Arc::clone(&agent.inventory),
        every: Duration::from_secs(3600),
        shutdown: shutdown.clone(),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| engine.serve());
        scope.spawn(|| watcher.run());
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
        shutdown.begin();
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn what_an_engine_does_is_told_in_order_and_a_later_one_begins_with_all_there_is() {
    let engine = Engine::new("order");
    let agent = Agent::specimen(Adapter::Drydock, engine.place.clone());
    let mut tidings = tidings(&agent, &Grant::EVERYTHING, 1 << 20).unwrap();
    // Hears everything after the other: what it has heard waits there.
    let mut witness = agent.inventory.follow().unwrap().unwrap();
    tidings.tell(&mut |text| panic!("told too early: {text}"));
    watched(&engine, &agent, || {
        let deadline = Deadline::after_secs(60);
        while !witness.take().items.iter().any(|news| matches!(**news, News::Complete)) {
            assert!(wait(&mut [Watch::readable(&witness)], deadline).unwrap(), "never complete");
        }
        assert!(wait(&mut [Watch::readable(&tidings)], deadline).unwrap());
        let first = told(&mut tidings, 1);
        assert_eq!(kinds(&first), ["dd:container_sync"]);
        assert_eq!(first[0].1["containers"][0]["status"], "created");
        engine.happens("start", "running");
        let then = told(&mut tidings, 2);
        assert_eq!(kinds(&then), ["container_event", "dd:container_updated"]);
        assert_eq!((&then[0].1["containerName"], &then[0].1["timestamp"]), (&json!("web"), &json!(2)));
        assert_eq!(then[1].1["container"]["status"], "running");
        // Complete already: nobody has to wait for its descriptor.
        let mut second = super::super::tidings(&agent, &Grant::EVERYTHING, 1 << 20).unwrap();
        let mut count = 0;
        second.tell(&mut |text| {
            assert!(text.starts_with(r#"{"type":"dd:container_sync","data":{"containers":[{"id":"c1"#), "{text}");
            count += 1;
        });
        assert_eq!(count, 1);
        let mut feed = Feed::new(&agent, &Grant::EVERYTHING).unwrap().after(&json!({ "version": 1 }));
        let mut framed = Vec::new();
        feed.tell(&mut framed);
        let framed = String::from_utf8(framed).unwrap();
        assert!(framed.starts_with("data: {\"type\":\"dd:ack\",\"data\":{\"version\":1}}\n\ndata: {\"type\":\"dd:watcher-snapshot\""));
    });
}

#[test]
fn the_generic_adapter_tells_events_only_and_who_may_not_view_is_told_nothing() {
    let engine = Engine::new("generic");
    let agent = Agent::specimen(Adapter::Generic, engine.place.clone());
    let nobody = Grant::of(Classes::parse("logs").unwrap());
    let mut seeing = tidings(&agent, &Grant::EVERYTHING, 1 << 20).unwrap();
    let mut blind = tidings(&agent, &nobody, 1 << 20).unwrap();
    watched(&engine, &agent, || {
        assert!(agent.inventory.all(Duration::from_secs(60)).is_some());
        engine.happens("start", "running");
        assert_eq!(kinds(&told(&mut seeing, 1)), ["container_event"]);
        assert!(wait(&mut [Watch::readable(&blind)], Deadline::after_secs(60)).unwrap());
        blind.tell(&mut |text| panic!("{text}"));
    });
}
