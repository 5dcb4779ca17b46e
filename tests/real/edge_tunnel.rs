//! A controller's end of the tunnel, written from docs/edge-protocol.md: whatever the agent says that is not
//! in there is kept as wrong, and the test that saw it fails.

use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use data_encoding::BASE64;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::edge_call::{After, Call, Event, Head};
use crate::edge_welcome::{Mode, check_hello, upgrade};
use crate::wait::PATIENCE;

/// The most an agent puts into one message, and into one piece of a stream, as text and in binary.
const MESSAGE_BYTES_MAX: usize = 15 * 1024 * 1024;
const TEXT_PIECE_MAX: usize = 32 * 1024;
const BINARY_PIECE_MAX: usize = 64 * 1024;

/// What the agent may send of one answer before it is allowed more. No round number, so that counting
/// wrongly shows.
const WINDOW: u64 = 150_001;

pub(crate) struct Tunnel {
    pub(crate) mode: Mode,
    stream: TcpStream,
    writer: Mutex<WebSocket<TcpStream>>,
    calls: Mutex<HashMap<String, Arc<Call>>>,
    others: Mutex<Others>,
    came: Condvar,
    wrong: Mutex<Vec<String>>,
    next: AtomicU32,
}

/// What is about no request.
#[derive(Default)]
struct Others {
    messages: VecDeque<(String, Value)>,
    is_over: bool,
}

impl Tunnel {
    /// Upgrades a connection of an agent, hears its hello, and welcomes it.
    pub(crate) fn welcome(mut stream: TcpStream, mode: Mode) -> Arc<Self> {
        stream.set_nodelay(true).expect("a socket of ours");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket of ours");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket of ours");
        upgrade(&mut stream);
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
        let socket = |stream: &TcpStream| {
            let stream = stream.try_clone().expect("the same socket");
            WebSocket::from_raw_socket(stream, Role::Server, Some(config))
        };
        // One half reads and the other writes: neither waits for the other.
        let mut reader = socket(&stream);
        let hello = reader.read().expect("a hello").into_text().expect("text");
        check_hello(&serde_json::from_str(&hello).expect("JSON"), mode);
        // From here on the connection may be silent for as long as the agent likes.
        stream.set_read_timeout(None).expect("a socket of ours");
        let tunnel = Arc::new(Self {
            mode,
            writer: Mutex::new(socket(&stream)),
            stream,
            calls: Mutex::default(),
            others: Mutex::default(),
            came: Condvar::new(),
            wrong: Mutex::default(),
            next: AtomicU32::new(1),
        });
        tunnel.send("welcome", &json!({"pollInterval": 300, "capabilities": mode.capabilities()}));
        let heard = Arc::clone(&tunnel);
        thread::spawn(move || heard.keep(reader));
        tunnel
    }

    fn keep(&self, mut socket: WebSocket<TcpStream>) {
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => self.hear(&text),
                Ok(Message::Binary(bytes)) => self.hear_binary(&bytes),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {}
                Err(_) => break,
            }
        }
        self.others.lock().unwrap().is_over = true;
        self.came.notify_all();
        for (_, call) in self.calls.lock().unwrap().drain() {
            call.drop_events();
        }
    }

    fn hear(&self, text: &str) {
        #[derive(serde::Deserialize)]
        struct Envelope<'e> {
            #[serde(rename = "type")]
            kind: String,
            #[serde(borrow)]
            data: &'e RawValue,
        }
        let envelope: Envelope<'_> = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(error) => return self.is_wrong(format!("{error} in {text:.200}")),
        };
        let heard = match envelope.kind.as_str() {
            "stream" => self.hear_stream(envelope.data),
            "response" => self.hear_response(envelope.data),
            _ => self.hear_other(&envelope.kind, serde_json::from_str(envelope.data.get()).expect("JSON")),
        };
        if let Err(wrong) = heard {
            self.is_wrong(format!("{}: {wrong}", envelope.kind));
        }
    }

    fn hear_stream(&self, data: &RawValue) -> Result<(), String> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Piece<'p> {
            request_id: &'p str,
            data: &'p str,
        }
        let piece: Piece<'_> = serde_json::from_str(data.get()).map_err(|error| error.to_string())?;
        let bytes = BASE64.decode(piece.data.as_bytes()).map_err(|error| error.to_string())?;
        if bytes.is_empty() || bytes.len() > TEXT_PIECE_MAX {
            return Err(format!("{} bytes at once", bytes.len()));
        }
        if self.call(piece.request_id)?.channel.is_some() {
            return Err("text, although there is a channel".to_owned());
        }
        self.tell(piece.request_id, Event::Content(bytes))
    }

    fn hear_binary(&self, bytes: &[u8]) {
        let Some((head, content)) = bytes.split_first_chunk() else {
            return self.is_wrong("a binary message without a channel".to_owned());
        };
        let channel = u32::from_be_bytes(*head);
        if content.is_empty() || content.len() > BINARY_PIECE_MAX || self.mode != Mode::Binary {
            self.is_wrong(format!("channel {channel}: {} bytes at once", content.len()));
        }
        let calls = self.calls.lock().unwrap();
        let owner = calls.values().find(|call| call.channel == Some(channel)).map(|call| call.id.clone());
        drop(calls);
        match owner {
            Some(id) => {
                if let Err(wrong) = self.tell(&id, Event::Content(content.to_vec())) {
                    self.is_wrong(wrong);
                }
            }
            None => self.keep_other("binary", json!({"channel": channel, "data": BASE64.encode(content)})),
        }
    }

    fn hear_response(&self, data: &RawValue) -> Result<(), String> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Response<'r> {
            request_id: String,
            status_code: u16,
            headers: HashMap<String, String>,
            #[serde(default)]
            is_stream: bool,
            #[serde(borrow, default, deserialize_with = "even_null")]
            body: Option<&'r RawValue>,
            body_encoding: Option<String>,
        }
        let told: Response<'_> = serde_json::from_str(data.get()).map_err(|error| error.to_string())?;
        let text = |body: &RawValue| serde_json::from_str::<String>(body.get()).ok();
        let body = match told.body {
            None => Vec::new(),
            Some(body) if told.body_encoding.is_some() => {
                let decoded = text(body).and_then(|text| BASE64.decode(text.as_bytes()).ok());
                decoded.ok_or("a body that is no base64")?
            }
            Some(body) => text(body).unwrap_or_else(|| body.get().to_owned()).into_bytes(),
        };
        if told.is_stream && told.body.is_some() {
            return Err("a stream with a body".to_owned());
        }
        let fields = told.headers.into_iter().collect();
        let head = Head { status: told.status_code, fields, is_stream: told.is_stream, body };
        self.tell(&told.request_id, Event::Head(head))
    }

    fn hear_other(&self, kind: &str, data: Value) -> Result<(), String> {
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        match kind {
            "ping" => self.send("pong", &json!({"timestamp": data["timestamp"]})),
            "pong" => {}
            "stream_end" => return self.tell(&text("requestId"), Event::End(text("reason"))),
            "error" if data["requestId"].is_string() => {
                let why = format!("{}: {}", text("code"), text("message"));
                return self.tell(&text("requestId"), Event::Failed(why));
            }
            "window" => {
                let bytes = data["bytes"].as_u64().ok_or("no number of bytes")?;
                // The last one may cross the end of what it is for.
                if let Ok(call) = self.call(&text("requestId")) {
                    call.allow(bytes);
                }
            }
            _ => self.keep_other(kind, data),
        }
        Ok(())
    }

    fn keep_other(&self, kind: &str, data: Value) {
        self.others.lock().unwrap().messages.push_back((kind.to_owned(), data));
        self.came.notify_all();
    }

    fn call(&self, id: &str) -> Result<Arc<Call>, String> {
        let known = self.calls.lock().unwrap().get(id).cloned();
        known.ok_or_else(|| format!("{id:?} is no request that waits for anything"))
    }

    fn tell(&self, id: &str, event: Event) -> Result<(), String> {
        if self.call(id)?.hear(event)? == After::Over {
            self.calls.lock().unwrap().remove(id);
        }
        Ok(())
    }

    fn is_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// What the agent said so far that is not in the document.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// How many requests wait for something.
    pub(crate) fn under_way(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.others.lock().unwrap().is_over
    }

    /// The connection breaks, without a word.
    pub(crate) fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    pub(crate) fn send(&self, kind: &str, data: &Value) {
        self.say(Message::text(json!({"type": kind, "data": data}).to_string()));
    }

    fn say(&self, message: Message) {
        // That a connection is over is noticed by whoever waits for something.
        let _ = self.writer.lock().unwrap().send(message);
    }

    /// A number nobody else has here, for ids and channels.
    pub(crate) fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks; `members` go beside those that every request has. What comes for it comes to the receiver.
    pub(crate) fn ask(&self, line: (&str, &str), members: &Value) -> (Arc<Call>, Receiver<Event>) {
        let number = self.number();
        let channel = (self.mode == Mode::Binary).then_some(number);
        let window = (self.mode != Mode::Plain).then_some(WINDOW);
        let is_upgrade = members["headers"]["Upgrade"].is_string();
        let (tell, told) = mpsc::channel();
        let call = Arc::new(Call::new(format!("r{number}"), channel, window, is_upgrade, tell));
        let mut data = members.clone();
        (data["requestId"], data["method"], data["path"]) = (json!(call.id), json!(line.0), json!(line.1));
        if let Some(channel) = channel {
            data["channel"] = json!(channel);
        }
        if let Some(window) = window {
            (data["window"], data["streamResponse"]) = (json!(window), json!(true));
        }
        self.calls.lock().unwrap().insert(call.id.clone(), Arc::clone(&call));
        self.send("request", &data);
        (call, told)
    }

    /// The most that goes into one piece towards the agent.
    pub(crate) fn most(&self) -> usize {
        if self.mode == Mode::Binary { BINARY_PIECE_MAX } else { TEXT_PIECE_MAX }
    }

    /// Sends content that the agent has allowed.
    pub(crate) fn content(&self, call: &Call, bytes: &[u8]) {
        match call.channel {
            Some(channel) => self.say(Message::binary([&channel.to_be_bytes(), bytes].concat())),
            None => {
                self.send("stream", &json!({"requestId": call.id, "data": BASE64.encode(bytes)}));
            }
        }
    }

    /// Tells the agent that so much was passed on.
    pub(crate) fn took(&self, call: &Call, bytes: usize) {
        if let Some(bytes) = call.took(bytes) {
            self.send("window", &json!({"requestId": call.id, "bytes": bytes}));
        }
    }

    /// Ends the content we send.
    pub(crate) fn end(&self, call: &Call) {
        self.end_with(call, false);
    }

    pub(crate) fn cancel(&self, call: &Call) {
        self.end_with(call, true);
    }

    fn end_with(&self, call: &Call, is_cancelled: bool) {
        let (is_told, after) = call.end_ours(is_cancelled);
        if is_told {
            let reason = if is_cancelled { "canceled" } else { "complete" };
            self.send("stream_end", &json!({"requestId": call.id, "reason": reason}));
        }
        if after == After::Over {
            self.calls.lock().unwrap().remove(&call.id);
        }
    }

    /// The first message, now or later, that is about no request and of which this is true. Others stay.
    pub(crate) fn find(&self, what: &str, is_it: impl Fn(&str, &Value) -> bool) -> Value {
        let begun = Instant::now();
        let mut others = self.others.lock().unwrap();
        loop {
            let found = others.messages.iter().position(|(kind, data)| is_it(kind, data));
            if let Some((_, data)) = found.and_then(|at| others.messages.remove(at)) {
                return data;
            }
            assert!(!others.is_over, "the connection ended before this came: {what}");
            let left = PATIENCE.saturating_sub(begun.elapsed());
            assert!(!left.is_zero(), "waited in vain: {what}; meanwhile came {:?}", kinds(&others));
            others = self.came.wait_timeout(others, left).unwrap().0;
        }
    }
}

fn kinds(others: &Others) -> Vec<&str> {
    others.messages.iter().map(|(kind, _)| kind.as_str()).collect()
}

/// A body that is there, which may be `null`.
fn even_null<'r, R: serde::Deserializer<'r>>(reader: R) -> Result<Option<&'r RawValue>, R::Error> {
    serde::Deserialize::deserialize(reader).map(Some)
}
