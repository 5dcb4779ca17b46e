//! A scripted set of containers, told as an Engine tells them: lists, inspections, logs, and events that can be pushed, broken off and resumed.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::engine::{Engine, Visit};
use crate::patience::{PATIENCE, until};
use crate::signer::sha256;

const CONTAINER: &str = include_str!("../fixtures/inspect/sample.json");
const IMAGE: &str = include_str!("../fixtures/inspect/image-sample.json");
/// The nanosecond before the first event.
const EPOCH: u64 = 1_795_185_809_000_000_000;

/// The containers of one Engine. Copies are the same fleet.
#[derive(Clone, Default)]
pub(crate) struct Fleet(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    /// Inspections by id.
    containers: BTreeMap<String, Value>,
    images: BTreeMap<String, Value>,
    logs: BTreeMap<String, Log>,
    /// Answers that stand for others, by method and path.
    answers: BTreeMap<String, (u16, String)>,
    /// Every event there was, in the order in which they are told.
    journal: Vec<(u64, String)>,
    /// How often the streams of events were broken off.
    breaks: usize,
    /// Streams of events that are open.
    streams: usize,
    /// Every request: its method and target.
    asked: Vec<String>,
}

/// What a container has printed, in the pieces in which it is sent.
#[derive(Clone, Default)]
struct Log {
    pieces: Vec<Vec<u8>>,
    goes_on: bool,
}

/// The id a container of this name has here.
pub(crate) fn id(name: &str) -> String {
    sha256(name)
}

/// A frame of logs: who wrote, and what.
pub(crate) fn framed(source: u8, text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[source, 0, 0, 0], length.as_slice(), text].concat()
}

impl Fleet {
    /// Running containers of these names, without labels.
    pub(crate) fn of(names: &[&str]) -> Self {
        let fleet = Self::default();
        let image: Value = serde_json::from_str(IMAGE).unwrap();
        fleet.lock().images.insert(image["Id"].as_str().unwrap().to_owned(), image);
        for name in names {
            fleet.add(name, |_| {});
        }
        fleet
    }

    pub(crate) fn engine(&self) -> Engine {
        let fleet = self.clone();
        Engine::start(move |visit| fleet.serve(visit))
    }

    pub(crate) fn engine_at(&self, path: &Path) -> Engine {
        let fleet = self.clone();
        Engine::at(path, move |visit| fleet.serve(visit))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// A container more, which nobody is told of yet.
    pub(crate) fn add(&self, name: &str, shape: impl FnOnce(&mut Value)) {
        let mut container: Value = serde_json::from_str(CONTAINER).unwrap();
        container["Id"] = id(name).into();
        container["Name"] = format!("/{name}").into();
        container["Config"]["Labels"] = json!({});
        shape(&mut container);
        self.lock().containers.insert(id(name), container);
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        change(self.lock().containers.get_mut(&id(name)).expect("a container of this name"));
    }

    pub(crate) fn change_image(&self, change: impl FnOnce(&mut Value)) {
        change(self.lock().images.values_mut().next().expect("there is one image"));
    }

    /// The image is gone, its containers are not.
    pub(crate) fn forget_images(&self) {
        self.lock().images.clear();
    }

    /// Gone, and nobody is told.
    pub(crate) fn lose(&self, name: &str) {
        self.lock().containers.remove(&id(name));
    }

    /// Gone, and told.
    pub(crate) fn destroy(&self, name: &str) {
        let event = self.happening(name, "destroy", &json!({}));
        self.lose(name);
        self.push(&event);
    }

    /// Told of a container as it is now.
    pub(crate) fn tell(&self, name: &str, action: &str) {
        self.tell_with(name, action, &json!({}));
    }

    /// The same, with what the Engine adds to some events.
    pub(crate) fn tell_with(&self, name: &str, action: &str, added: &Value) {
        let event = self.happening(name, action, added);
        self.push(&event);
    }

    fn happening(&self, name: &str, action: &str, added: &Value) -> Value {
        let state = self.lock();
        let container = &state.containers[&id(name)];
        let mut attributes = container["Config"]["Labels"].as_object().cloned().unwrap_or_default();
        attributes.extend(added.as_object().cloned().unwrap_or_default());
        attributes.insert("name".into(), container["Name"].as_str().unwrap().trim_start_matches('/').into());
        attributes.insert("image".into(), container["Config"]["Image"].clone());
        json!({"Type": "container", "Action": action, "Actor": {"ID": id(name), "Attributes": attributes}})
    }

    /// Any event at all. Without a time of its own it is later than the last one.
    pub(crate) fn push(&self, event: &Value) {
        let mut state = self.lock();
        let next = state.journal.iter().map(|(nanos, _)| *nanos).max().unwrap_or(EPOCH) + 1_000_003;
        let nanos = event["timeNano"].as_u64().unwrap_or(next);
        let mut event = event.clone();
        event["timeNano"] = nanos.into();
        event["time"] = (nanos / 1_000_000_000).into();
        state.journal.push((nanos, event.to_string()));
        self.0.1.notify_all();
    }

    /// When the last event was.
    pub(crate) fn last_nanos(&self) -> u64 {
        self.lock().journal.last().map_or(EPOCH, |(nanos, _)| *nanos)
    }

    /// Ends every open stream of events in the middle.
    pub(crate) fn break_off(&self) {
        self.lock().breaks += 1;
        self.0.1.notify_all();
    }

    /// Returns once so many streams of events are open.
    pub(crate) fn until_streams(&self, count: usize) {
        until("streams of events are open", || (self.lock().streams == count).then_some(()));
    }

    /// From now on this request, a method and a path, has this answer.
    pub(crate) fn answer(&self, request: &str, status: u16, told: &str) {
        self.lock().answers.insert(request.to_owned(), (status, told.to_owned()));
    }

    /// An end to `answer`.
    pub(crate) fn answer_truly(&self, request: &str) {
        self.lock().answers.remove(request);
    }

    /// What a container has printed; more is to come where it goes on.
    pub(crate) fn print(&self, name: &str, pieces: &[&[u8]], goes_on: bool) {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        self.lock().logs.insert(id(name), Log { pieces, goes_on });
    }

    /// Every request so far that begins like this, method first.
    pub(crate) fn asked(&self, begin: &str) -> Vec<String> {
        self.lock().asked.iter().filter(|line| line.starts_with(begin)).cloned().collect()
    }

    /// How often this container was inspected.
    pub(crate) fn inspections(&self, name: &str) -> usize {
        self.asked(&format!("GET /containers/{}/json", id(name))).len()
    }

    /// How often any was.
    pub(crate) fn all_inspections(&self) -> usize {
        let asked = self.asked("GET /containers/");
        asked.iter().filter(|line| line.ends_with("/json") && !line.ends_with("/containers/json")).count()
    }

    fn serve(&self, visit: &mut Visit) {
        while let Some(message) = visit.request() {
            let line = message.head.start.trim_end_matches(" HTTP/1.1").to_owned();
            self.lock().asked.push(line.clone());
            let (request, query) = line.split_once('?').unwrap_or((&line, ""));
            let scripted = self.lock().answers.get(request).cloned();
            if let Some((status, told)) = scripted {
                visit.tell(whole(status, &told));
                continue;
            }
            match request.split('/').collect::<Vec<_>>().as_slice() {
                ["GET ", "events"] => return self.tell_events(visit, query),
                ["GET ", "containers", "json"] => visit.tell(whole(200, &self.list())),
                ["GET ", "containers", name, "json"] => visit.tell(self.inspect(name)),
                ["GET ", "images", name, "json"] => {
                    let image = self.lock().images.get(*name).map(Value::to_string);
                    visit.tell(image.map_or_else(|| refused("image", name), |told| whole(200, &told)));
                }
                ["GET ", "containers", name, "logs"] => self.tell_logs(visit, name),
                ["DELETE ", "containers", name] => visit.tell(self.delete(name)),
                _ => visit.tell(whole(404, r#"{"message":"page not found"}"#)),
            }
        }
    }

    /// By id, by its beginning, or by name, as an Engine looks for it.
    fn find(&self, name: &str) -> Option<Value> {
        let state = self.lock();
        let is_it = |container: &&Value| {
            container["Id"].as_str().is_some_and(|id| id.starts_with(name))
                || container["Name"] == format!("/{name}")
        };
        state.containers.values().find(is_it).cloned()
    }

    fn inspect(&self, name: &str) -> String {
        self.find(name).map_or_else(|| refused("container", name), |found| whole(200, &found.to_string()))
    }

    fn delete(&self, name: &str) -> String {
        let Some(found) = self.find(name) else { return refused("container", name) };
        self.destroy(found["Name"].as_str().unwrap().trim_start_matches('/'));
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
    }

    fn list(&self) -> String {
        let rows: Vec<_> = self.lock().containers.values().map(row).collect();
        Value::from(rows).to_string()
    }

    fn tell_logs(&self, visit: &mut Visit, name: &str) {
        let Some(found) = self.find(name) else { return visit.tell(refused("container", name)) };
        let log = self.lock().logs.get(found["Id"].as_str().unwrap()).cloned().unwrap_or_default();
        visit.tell("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in &log.pieces {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            // Whoever has read enough leaves.
            if visit.try_send_apart(&chunk).is_err() {
                return;
            }
        }
        if log.goes_on { visit.until_left() } else { visit.tell("0\r\n\r\n") }
    }

    fn tell_events(&self, visit: &mut Visit, query: &str) {
        let since = query.split('&').find_map(|pair| pair.strip_prefix("since=")).map(nanos);
        let (breaks, mut told) = {
            let mut state = self.lock();
            state.streams += 1;
            let old = state.journal.iter().position(|(nanos, _)| since.is_some_and(|since| *nanos >= since));
            (state.breaks, old.unwrap_or(state.journal.len()))
        };
        // An Engine says what time it is, here the second of its first event.
        let date = "Date: Fri, 20 Nov 2026 14:43:29 GMT";
        visit.tell(format!("HTTP/1.1 200 OK\r\n{date}\r\nTransfer-Encoding: chunked\r\n\r\n"));
        loop {
            let news = {
                let nothing = |state: &mut State| state.breaks == breaks && state.journal.len() == told;
                let waited = self.0.1.wait_timeout_while(self.lock(), PATIENCE * 2, nothing).unwrap();
                let (state, late) = waited;
                if late.timed_out() || state.breaks != breaks {
                    break;
                }
                let mut news = String::new();
                for (_, event) in &state.journal[told..] {
                    let _ = write!(news, "{:x}\r\n{event}\n\r\n", event.len() + 1);
                }
                told = state.journal.len();
                news
            };
            if visit.try_send(news).is_err() {
                break;
            }
        }
        self.lock().streams -= 1;
    }
}

/// `seconds.nanoseconds`, as `since` has it.
fn nanos(since: &str) -> u64 {
    let (secs, rest) = since.split_once('.').unwrap_or((since, "000000000"));
    assert_eq!(rest.len(), 9, "since={since}");
    secs.parse::<u64>().unwrap() * 1_000_000_000 + rest.parse::<u64>().unwrap()
}

/// A container's row of the list. Its age changes by itself, as it does with a real Engine.
fn row(container: &Value) -> Value {
    let state = container["State"]["Status"].as_str().unwrap_or("running");
    let health = container["State"]["Health"]["Status"].as_str();
    let health = health.map(|health| format!(" ({health})")).unwrap_or_default();
    json!({
        "Id": container["Id"], "Names": [container["Name"]], "Image": container["Config"]["Image"],
        "ImageID": container["Image"], "State": state, "Status": format!("Up {} seconds{health}", age()),
        "Labels": container["Config"]["Labels"], "Ports": [], "Mounts": [], "NetworkSettings": {"Networks": {}},
    })
}

/// Never twice the same.
fn age() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn whole(status: u16, told: &str) -> String {
    let fields = "Content-Type: application/json";
    format!("HTTP/1.1 {status} As Scripted\r\n{fields}\r\nContent-Length: {}\r\n\r\n{told}", told.len())
}

fn refused(kind: &str, name: &str) -> String {
    whole(404, &json!({ "message": format!("No such {kind}: {name}") }).to_string())
}
