//! An Engine with things in it, and keys that are limited in what they may do with them.
use std::fs;
use std::sync::{Arc, Mutex};

use crate::agent::Agent;
use crate::client::Client;
use crate::engine::{Engine, Home, Visit};
use crate::message::{Head, Message};
use crate::patience::until;
use crate::signer::{Draft, Signer, agent, file, head, reload};

/// Ids of what there is. `WEB`, `FRONT` and `data` are labelled team=web, the others team=db.
pub(crate) const WEB: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const DB: &str = "2222222222222222222222222222222222222222222222222222222222222222";
pub(crate) const FRONT: &str = "3333333333333333333333333333333333333333333333333333333333333333";
pub(crate) const BACK: &str = "4444444444444444444444444444444444444444444444444444444444444444";

/// By this what a client asked is told from what the agent looks up by itself.
const CLIENT: &str = "User-Agent: client\r\n";

/// A request as the Engine got it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// Its method and target.
    pub(crate) fn line(&self) -> &str {
        self.head.start.strip_suffix(" HTTP/1.1").expect("HTTP/1.1")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// It is a client's own, and not a question of the agent's.
    pub(crate) fn is_clients(&self) -> bool {
        self.head.value("user-agent").is_some()
    }
}

/// Answers some requests otherwise than this world would.
pub(crate) type Otherwise = Box<dyn Fn(&Call) -> Option<Vec<u8>> + Send + Sync>;

/// The Engine, and an agent in front of it that takes signatures of some keys.
pub(crate) struct World {
    pub(crate) agent: Agent,
    engine: Engine,
    calls: Arc<Mutex<Vec<Call>>>,
    pub(crate) keys: String,
    _home: Home,
}

impl World {
    /// Keys with these options, the first of them number 1.
    pub(crate) fn new(options: &[&str]) -> Self {
        Self::with(options, &[], Box::new(|_| None))
    }

    /// The same with further variables, and an Engine that may answer otherwise.
    pub(crate) fn with(options: &[&str], more: &[(&str, &str)], otherwise: Otherwise) -> Self {
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let notes = Arc::clone(&calls);
        let engine = Engine::start(move |visit| serve(visit, &notes, &otherwise));
        let home = Home::new();
        let keys = file(&home, "keys", lines(options));
        let agent = agent(&engine, &keys, more);
        Self { agent, engine, calls, keys, _home: home }
    }

    /// Puts other options in force, and gives what the agent said of it.
    pub(crate) fn reload(&self, options: &[&str]) -> String {
        fs::write(&self.keys, lines(options)).unwrap();
        reload(&self.agent)
    }

    /// One signed request on a connection of its own. A body that begins as JSON is said to be JSON.
    pub(crate) fn ask(&self, key: u8, line: &str, body: impl AsRef<[u8]>) -> Message {
        let is_json = body.as_ref().first().is_some_and(|first| b"{[".contains(first));
        self.ask_with(key, line, if is_json { "Content-Type: application/json\r\n" } else { "" }, body)
    }

    /// The same with these fields.
    pub(crate) fn ask_with(&self, key: u8, line: &str, fields: &str, body: impl AsRef<[u8]>) -> Message {
        exchange(&mut self.agent.client(), line, signed(key, line, fields, body.as_ref()))
    }

    /// What clients have asked so far that reached the Engine.
    pub(crate) fn asked(&self) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.is_clients()).cloned().collect()
    }

    /// Method and target of what clients have asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|call| call.line().to_owned()).collect()
    }

    /// The last of them.
    pub(crate) fn last(&self) -> Call {
        self.asked().pop().expect("something reached the Engine")
    }

    /// What the agent has looked up by itself, beside whether the Engine is there.
    pub(crate) fn lookups(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let own = calls.iter().filter(|call| !call.is_clients()).map(|call| call.line().to_owned());
        own.filter(|line| line != "GET /_ping").collect()
    }

    /// Records of this event in the log, at least so many.
    pub(crate) fn records(&self, event: &str, count: usize) -> Vec<String> {
        let event = format!("\"{event}\"");
        until(&format!("the log has {count} of {event}"), || {
            let log = self.agent.log();
            let records: Vec<_> =
                log.lines().filter(|line| line.contains(&event)).map(str::to_owned).collect();
            (records.len() >= count).then_some(records)
        })
    }

    /// Ends the agent, and gives everything clients asked that ever reached the Engine.
    pub(crate) fn finish(self) -> Vec<Call> {
        let Self { agent, engine, calls, .. } = self;
        agent.stop();
        engine.settle();
        let calls = calls.lock().unwrap();
        calls.iter().filter(|call| call.is_clients()).cloned().collect()
    }
}

fn lines(options: &[&str]) -> String {
    (1..).zip(options).map(|(number, options)| format!("{options} {}", Signer::new(number).line())).collect()
}

/// A signed request with its body and the body's length.
pub(crate) fn signed(key: u8, line: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    [signed_head(key, line, &(fields.to_owned() + &length), body).into_bytes(), body.to_owned()].concat()
}

/// The head of a request signed with this body, in whatever framing the fields say.
pub(crate) fn signed_head(key: u8, line: &str, fields: &str, body: &[u8]) -> String {
    let agent = if fields.contains("User-Agent") { "" } else { CLIENT };
    head(line, &(Draft::new(3, line, body).fields(&Signer::new(key)) + agent + fields))
}

/// A body in chunks of at most so many bytes.
pub(crate) fn chunked(body: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(most) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Sends a request and reads its answer, which has no body where HEAD was asked.
pub(crate) fn exchange(client: &mut Client, line: &str, request: impl AsRef<[u8]>) -> Message {
    client.send(request);
    if line.starts_with("HEAD ") {
        return Message { head: client.head(), body: Vec::new() };
    }
    client.answer()
}

fn serve(visit: &mut Visit, calls: &Mutex<Vec<Call>>, otherwise: &Otherwise) {
    loop {
        let head = match visit.wire().head() {
            Ok(head) => head,
            Err(cut) if cut.got.is_empty() => return,
            Err(cut) => panic!("a head was cut short: {cut:?}"),
        };
        let body = match visit.body(&head) {
            Ok(body) => body,
            // The agent broke it off: what came is on record, and there is nobody to answer.
            Err(cut) => return calls.lock().unwrap().push(Call { head, body: cut.got }),
        };
        let call = Call { head, body };
        let answer = otherwise(&call).unwrap_or_else(|| usual(&call));
        calls.lock().unwrap().push(call);
        if visit.try_send(answer).is_err() {
            return;
        }
    }
}

/// A JSON answer with its length.
pub(crate) fn told(status: u16, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status} Status\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What this world answers.
fn usual(call: &Call) -> Vec<u8> {
    let (method, target) = call.line().split_once(' ').expect("a method and a target");
    let path = target.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/v1.").and_then(|rest| rest.get(2..)).unwrap_or(path);
    let parts: Vec<_> = path.trim_matches('/').split('/').collect();
    let (status, body) = match (method, parts.as_slice()) {
        ("GET", ["containers", name, "json"]) => container(name).map_or_else(absent, found),
        ("GET", ["networks", name]) => network(name).map_or_else(absent, found),
        ("GET", ["volumes", name]) => volume(name).map_or_else(absent, found),
        ("GET", ["images", "redis", "json"]) => found(image()),
        ("GET", ["images", "json"]) => found(format!(r#"[{},{{"Id":"x","RepoTags":["evil:1"]}}]"#, image())),
        ("GET", ["containers", "json"]) => found(listed(&["web", "db"].map(container))),
        ("GET", ["networks"]) => found(listed(&["front", "back"].map(network))),
        ("GET", ["volumes"]) => {
            found(format!(r#"{{"Volumes":{},"Warnings":null}}"#, listed(&["data", "dump"].map(volume))))
        }
        ("GET", ["tasks" | "services" | "nodes" | "secrets" | "plugins" | "configs"]) => {
            found("[]".to_owned())
        }
        ("GET", ["images", .., "history" | "attestations" | "search"]) => found("[]".to_owned()),
        // One that is there already is given as it is.
        ("POST", ["volumes", "create"]) if call.text().contains("\"dump\"") => {
            volume("dump").map_or_else(absent, found)
        }
        ("POST", ["volumes", "create"]) => found(call.text()),
        ("POST", ["containers", _, "exec"]) => found(format!(r#"{{"Id":"{}"}}"#, fresh_id())),
        _ => found("{}".to_owned()),
    };
    // Nothing follows the head of an answer to HEAD.
    if method == "HEAD" { told(status, "") } else { told(status, body) }
}

fn found(body: String) -> (u16, String) {
    (200, body)
}

fn absent() -> (u16, String) {
    (404, r#"{"message":"no such thing"}"#.to_owned())
}

fn listed(things: &[Option<String>]) -> String {
    format!("[{}]", things.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(","))
}

/// Names, ids and the beginnings of ids all lead there.
fn is_named(asked: &str, name: &str, id: &str) -> bool {
    asked == name || (asked.len() >= 4 && id.starts_with(asked))
}

fn container(asked: &str) -> Option<String> {
    let (name, id, team) = match asked {
        _ if is_named(asked, "web", WEB) => ("web", WEB, "web"),
        _ if is_named(asked, "db", DB) => ("db", DB, "db"),
        _ => return None,
    };
    Some(format!(
        r#"{{"Id":"{id}","Name":"/{name}","Labels":{{"team":"{team}"}},"Path":"sh",
            "Args":["--password=hunter2"],
            "Config":{{"Env":["KEY=hunter2"],"Cmd":["hunter2"],"Labels":{{"team":"{team}"}}}}}}"#
    ))
}

fn network(asked: &str) -> Option<String> {
    let (name, id, team) = match asked {
        _ if is_named(asked, "front", FRONT) => ("front", FRONT, "web"),
        _ if is_named(asked, "back", BACK) => ("back", BACK, "db"),
        _ => return None,
    };
    Some(format!(r#"{{"Name":"{name}","Id":"{id}","Driver":"bridge","Labels":{{"team":"{team}"}}}}"#))
}

fn volume(asked: &str) -> Option<String> {
    let team = match asked {
        "data" => "web",
        "dump" => "db",
        _ => return None,
    };
    Some(format!(
        r#"{{"Name":"{asked}","Driver":"local","Labels":{{"team":"{team}"}},"Options":null,"Scope":"local"}}"#
    ))
}

fn image() -> String {
    format!(
        r#"{{"Id":"sha256:{WEB}","RepoTags":["redis:7"],"RepoDigests":[],"Config":{{"Env":["KEY=hunter2"]}}}}"#
    )
}

/// An id no command has had before.
fn fresh_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("{:064x}", COUNT.fetch_add(1, Ordering::Relaxed))
}
