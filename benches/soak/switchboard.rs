//! The controller that the agent in edge mode calls: it welcomes, hands on what comes, and closes, stalls or refuses when told to.
use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::controller::{Call, Controller, Stream};
use crate::line::PATIENCE;
use crate::link::{Link, frame};
use crate::tally::Fault;

/// Between two looks for a call.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) struct Switchboard {
    controller: Controller,
    current: Mutex<Option<Arc<Session>>>,
    welcomed: AtomicU64,
    refuses_next: AtomicBool,
    reads: AtomicBool,
    is_over: AtomicBool,
}

impl Switchboard {
    pub(crate) fn new() -> Self {
        Self {
            controller: Controller::start(),
            current: Mutex::default(),
            welcomed: AtomicU64::new(0),
            refuses_next: AtomicBool::new(false),
            reads: AtomicBool::new(true),
            is_over: AtomicBool::new(false),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.controller.url()
    }

    /// Takes calls until it is told to end.
    pub(crate) fn serve(&self) {
        while !self.is_over.load(Ordering::SeqCst) {
            let Some(stream) = self.controller.waiting() else {
                thread::sleep(LOOK);
                continue;
            };
            let Ok(call) = Call::read(stream) else { continue };
            if self.refuses_next.swap(false, Ordering::SeqCst) {
                call.refuse("503 Service Unavailable", "Retry-After: 1\r\n");
            } else {
                // However a session ends, the agent calls again.
                let _ = self.session_of(call);
                *self.current.lock().unwrap() = None;
            }
        }
    }

    fn session_of(&self, call: Call) -> std::io::Result<()> {
        let accept = call.accept_key();
        let fields = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}");
        let answered = call.answer(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n\r\n"));
        let Stream::Plain(stream) = answered else { return Ok(()) };
        let session = Arc::new(Session { socket: Mutex::new(stream.try_clone()?), routes: Mutex::default() });
        let mut link = Link::over(stream)?;
        link.next()?;
        let welcome = json!({"capabilities": ["duplex-streams"]});
        session.say("welcome", &welcome).map_err(|fault| std::io::Error::other(format!("{fault:?}")))?;
        *self.current.lock().unwrap() = Some(Arc::clone(&session));
        self.welcomed.fetch_add(1, Ordering::SeqCst);
        let ended = self.hear(&mut link, &session);
        // Whoever waits learns that nothing more comes.
        session.routes.lock().unwrap().clear();
        *self.current.lock().unwrap() = None;
        let _ = session.socket.lock().unwrap().shutdown(Shutdown::Both);
        ended
    }

    fn hear(&self, link: &mut Link, session: &Session) -> std::io::Result<()> {
        loop {
            while !self.reads.load(Ordering::SeqCst) {
                thread::sleep(LOOK);
            }
            let mut message: Value = serde_json::from_slice(&link.next()?.whole())?;
            let data = &message["data"];
            if message["type"] == "ping" {
                let _ = session.say("pong", data);
                continue;
            }
            let id = [&data["requestId"], &data["execId"]].into_iter().find_map(Value::as_str);
            let route = id.and_then(|id| session.routes.lock().unwrap().get(id).cloned());
            if let Some(route) = route {
                let _ = route.send(message.take());
            }
        }
    }

    pub(crate) fn session(&self) -> Result<Arc<Session>, Fault> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(session) = &*self.current.lock().unwrap() {
                return Ok(Arc::clone(session));
            }
            if Instant::now() >= end {
                return Err(Fault::Late("no session of the agent's".into()));
            }
            thread::sleep(LOOK);
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.current.lock().unwrap().is_some()
    }

    /// Sessions so far.
    pub(crate) fn welcomed(&self) -> u64 {
        self.welcomed.load(Ordering::SeqCst)
    }

    /// Closes without a word.
    pub(crate) fn cut(&self) {
        if let Some(session) = &*self.current.lock().unwrap() {
            let _ = session.socket.lock().unwrap().shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn refuse_next(&self) {
        self.refuses_next.store(true, Ordering::SeqCst);
    }

    /// Reads nothing, or goes on.
    pub(crate) fn read(&self, now: bool) {
        self.reads.store(now, Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.read(true);
        self.cut();
    }
}

/// A welcomed agent.
pub(crate) struct Session {
    socket: Mutex<TcpStream>,
    routes: Mutex<HashMap<String, Sender<Value>>>,
}

impl Session {
    pub(crate) fn say(&self, kind: &str, data: &Value) -> Result<(), Fault> {
        let text = json!({ "type": kind, "data": data }).to_string();
        Ok(self.socket.lock().unwrap().write_all(&frame(&text))?)
    }

    /// What comes under this id is heard from now on.
    pub(crate) fn hear(self: Arc<Self>, id: String) -> Ear {
        let (sender, receiver) = mpsc::channel();
        self.routes.lock().unwrap().insert(id.clone(), sender);
        Ear { session: self, id, receiver }
    }
}

/// Hears what is said under one id.
pub(crate) struct Ear {
    pub(crate) session: Arc<Session>,
    pub(crate) id: String,
    receiver: Receiver<Value>,
}

impl Ear {
    /// The next message, whatever it is.
    pub(crate) fn next(&self) -> Result<Value, Fault> {
        self.receiver.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => Fault::Late(format!("nothing more of {}", self.id)),
            RecvTimeoutError::Disconnected => Fault::Cut("the session is over".into()),
        })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.session.routes.lock().unwrap().remove(&self.id);
    }
}
