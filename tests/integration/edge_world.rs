//! An agent in edge mode with its controller and its Engine, and requests through the tunnel.
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use crate::agent::{Agent, TOKEN};
use crate::controller::Controller;
use crate::edge_link::Link;
use crate::engine::{Engine, Home, OK, Visit};
use crate::message::{Head, Message};
use crate::signer::{AGENT_ID, file, logged};

/// Content of one `stream` message at most.
const PIECE_BYTES_MAX: usize = 32 * 1024;

/// Starts an agent that calls this controller, with further variables. Later ones win.
pub(crate) fn start(controller: &Controller, socket: &Path, more: &[(&str, &str)]) -> Agent {
    start_at(&controller.url(), socket, more)
}

/// The same with an address of the test's own.
pub(crate) fn start_at(url: &str, socket: &Path, more: &[(&str, &str)]) -> Agent {
    let fixed = [
        ("DRYDOCK_URL", url),
        ("EDGE_PROTOCOL", "lookout"),
        ("TOKEN", TOKEN),
        ("AGENT_ID", AGENT_ID),
        ("DOCKER_SOCKET", socket.to_str().unwrap()),
        ("RECONNECT_DELAY", "1"),
        ("MAX_RECONNECT_DELAY", "1"),
        ("LOG_LEVEL", "debug"),
    ];
    Agent::spawn(&[], &[], &[fixed.as_slice(), more].concat())
}

/// It has not ended.
pub(crate) fn is_running(agent: &Agent) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", agent.pid())).expect("this needs /proc");
    let state = stat.rsplit_once(") ").expect("a name in brackets").1;
    !state.starts_with('Z')
}

/// A private key as `PRIVATE_KEY_FILE` wants it: PKCS#8 around the bytes of a `Signer` of this number.
pub(crate) fn private_key(home: &Home, seed: u8) -> String {
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let text = BASE64.encode(&[head.as_slice(), &[seed; 32]].concat());
    file(home, "key.pem", format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
}

/// An agent that was welcomed.
pub(crate) struct Edge {
    pub(crate) link: Link,
    pub(crate) agent: Agent,
    pub(crate) controller: Controller,
}

impl Edge {
    pub(crate) fn open(engine: &Engine) -> Self {
        Self::open_with(engine, &[], &json!({}))
    }

    /// With further variables, and what the controller says in its welcome.
    pub(crate) fn open_with(engine: &Engine, more: &[(&str, &str)], welcome: &Value) -> Self {
        let controller = Controller::start();
        let agent = start(&controller, engine.path(), more);
        let link = welcomed(&controller, welcome);
        logged(&agent, &["\"edge.connected\""]);
        Self { link, agent, controller }
    }

    /// Where the controller wants to use these.
    pub(crate) fn open_offering(engine: &Engine, capabilities: &[&str]) -> Self {
        Self::open_with(engine, &[], &json!({ "capabilities": capabilities }))
    }

    /// Takes the next call in place of the last one, which is over.
    pub(crate) fn again(&mut self) {
        self.link = welcomed(&self.controller, &json!({}));
    }
}

/// Takes a call, reads its hello and welcomes it.
pub(crate) fn welcomed(controller: &Controller, welcome: &Value) -> Link {
    let mut link = controller.link();
    link.hello();
    link.welcome(welcome);
    link
}

/// An Engine without containers. What the agent asks by itself is answered here; the script answers the
/// rest, whose bodies it reads, until it gives false.
pub(crate) fn desk(script: impl Fn(&mut Visit, &Head) -> bool + Send + Sync + 'static) -> Engine {
    Engine::start(move |visit| {
        // The end of a test may end the agent while its own questions are being answered.
        while let Ok(Some(head)) = catch_unwind(AssertUnwindSafe(|| visit.head())) {
            let is_own = head.value("user-agent").is_none();
            let told = if is_own && head.start.starts_with("GET /containers/json") {
                visit.try_send(whole("200 OK", "application/json", "[]")).is_ok()
            } else if is_own && head.start.starts_with("GET /events") {
                let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                return hold(visit);
            } else {
                script(visit, &head)
            };
            if !told {
                return;
            }
        }
    })
}

/// Says nothing until the agent leaves, which may take as long as its test does.
fn hold(visit: &mut Visit) {
    loop {
        match visit.wire().some().map(<[u8]>::len) {
            Ok(0) => return,
            Ok(count) => visit.wire().consume(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// The same, where the script is given whole requests and answers each.
pub(crate) fn answering(script: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Engine {
    desk(move |visit, head| {
        let body = visit.body(head);
        let Ok(body) = body else { return false };
        let answer = script(&Message { head: head.clone(), body });
        visit.try_send(answer).is_ok()
    })
}

/// An Engine that says yes to everything.
pub(crate) fn obliging() -> Engine {
    answering(|_| OK.into())
}

/// An answer with its length.
pub(crate) fn whole(status: &str, kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// One object with the members of both; those of the second win.
pub(crate) fn merged(base: &Value, more: &Value) -> Value {
    let mut all: Map<_, _> = base.as_object().cloned().expect("an object");
    all.extend(more.as_object().cloned().expect("an object"));
    Value::Object(all)
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The data of its `response`.
    pub(crate) head: Value,
    pub(crate) body: Vec<u8>,
    /// Why it ended, where it was streamed.
    pub(crate) reason: Option<String>,
}

impl Answer {
    pub(crate) fn status(&self) -> u64 {
        self.head["statusCode"].as_u64().unwrap_or_else(|| panic!("no status in {}", self.head))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The value of a header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head["headers"].as_object().expect("headers are an object");
        let value = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1;
        Some(value.as_str().expect("a header is a text"))
    }

    /// It was streamed to its end.
    pub(crate) fn is_complete(&self) -> bool {
        self.reason.as_deref() == Some("complete")
    }
}

/// An id nobody else has here.
pub(crate) fn fresh(kind: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    format!("{kind}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Link {
    /// Asks; `more` are further members of the request.
    pub(crate) fn request(&self, id: &str, line: &str, more: &Value) {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let headers = json!({"User-Agent": "client"});
        let data = json!({"requestId": id, "method": method, "path": path, "headers": headers});
        self.send("request", &merged(&data, more));
    }

    /// The next message about this request, but for what it may send.
    pub(crate) fn about(&mut self, id: &str) -> Value {
        let what = format!("something about {id}");
        self.find(&what, |kind, data| kind != "window" && data["requestId"] == id)
    }

    /// The terminal reply, and what came before it: an answer, or the data of an error.
    pub(crate) fn answer(&mut self, id: &str) -> Result<Answer, Value> {
        let mut first = self.about(id);
        let head = first["data"].take();
        match first["type"].as_str() {
            Some("error") => return Err(head),
            Some("response") => {}
            other => panic!("{other:?} stands where an answer begins: {head}"),
        }
        if head["isStream"] == true {
            assert!(head.get("body").is_none() && head.get("bodyBase64").is_none(), "{head}");
            let (body, reason) = self.streamed(id);
            return Ok(Answer { head, body, reason: Some(reason) });
        }
        let body = plain_body(&head);
        Ok(Answer { head, body, reason: None })
    }

    /// The content of a stream up to its end, and why it ended.
    pub(crate) fn streamed(&mut self, id: &str) -> (Vec<u8>, String) {
        let mut content = Vec::new();
        loop {
            let next = self.about(id);
            let data = &next["data"];
            if next["type"] == "stream_end" {
                return (content, data["reason"].as_str().expect("a reason").to_owned());
            }
            assert_eq!(next["type"], "stream", "{next}");
            content.extend(piece(data));
        }
    }

    /// Content of a stream, at least so much.
    pub(crate) fn some(&mut self, id: &str, least: usize) -> Vec<u8> {
        let mut content = Vec::new();
        while content.len() < least {
            let next = self.about(id);
            assert_eq!(next["type"], "stream", "after {} bytes: {next}", content.len());
            content.extend(piece(&next["data"]));
        }
        content
    }

    pub(crate) fn ask(&mut self, line: &str) -> Answer {
        self.ask_with(line, &json!({}))
    }

    pub(crate) fn ask_with(&mut self, line: &str, more: &Value) -> Answer {
        let id = fresh("r");
        self.request(&id, line, more);
        self.answer(&id).unwrap_or_else(|error| panic!("{line} was refused: {error}"))
    }

    /// Asks what has no answer, and gives the code and the message.
    pub(crate) fn refused(&mut self, line: &str, more: &Value) -> (String, String) {
        let id = fresh("r");
        self.request(&id, line, more);
        let error = self.answer(&id).expect_err("no answer");
        told(&error)
    }
}

/// Code and message of an error.
pub(crate) fn told(error: &Value) -> (String, String) {
    let text = |name: &str| error[name].as_str().unwrap_or_else(|| panic!("no {name} in {error}")).to_owned();
    let (code, message) = (text("code"), text("message"));
    assert!(message.contains(' '), "a sentence: {error}");
    (code, message)
}

/// The bytes of a `stream`, of which there are some and not too many.
fn piece(data: &Value) -> Vec<u8> {
    let bytes = BASE64.decode(data["data"].as_str().expect("data").as_bytes()).expect("base64");
    assert!((1..=PIECE_BYTES_MAX).contains(&bytes.len()), "a piece of {} bytes", bytes.len());
    bytes
}

fn plain_body(head: &Value) -> Vec<u8> {
    let decoded = |value: &Value| BASE64.decode(value.as_str().expect("text").as_bytes()).expect("base64");
    assert!(head.get("body").is_none() || head.get("bodyBase64").is_none(), "{head}");
    if let Some(body) = head.get("bodyBase64") {
        return decoded(body);
    }
    match head.get("body") {
        None => Vec::new(),
        Some(body) if head["bodyEncoding"] == "base64" => decoded(body),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(body) => body.to_string().into_bytes(),
    }
}
