//! The controller's end of a connection to an agent: what came is kept until a test asks for it.
//!
//! One thread owns each connection. It never waits in a write, so that an agent and a controller which both
//! have much to say cannot hold each other up here.
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::controller::Stream;
use crate::patience::PATIENCE;

/// The most an agent puts into one message.
const MESSAGE_BYTES_MAX: usize = 15 * 1024 * 1024;

enum Order {
    Say(Said),
    Read(bool),
}

enum Said {
    Message(Message),
    /// Bytes that are no message.
    Raw(Vec<u8>),
}

/// What came over a connection.
#[derive(Debug)]
enum Told {
    Text(Value),
    Binary(Vec<u8>),
    Closed(Option<(u16, String)>),
    /// Nothing more comes; how it ended.
    Over(String),
}

/// A connection after its upgrade.
pub(crate) struct Link {
    orders: Option<Sender<Order>>,
    told: Receiver<Told>,
    /// What came and was not asked for yet.
    kept: VecDeque<Told>,
    owner: Option<JoinHandle<()>>,
}

impl Link {
    pub(crate) fn over(stream: Stream) -> Self {
        stream.tcp().set_nonblocking(true).unwrap();
        let config = WebSocketConfig::default();
        let config = config.max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
        let (orders, taken) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let owner = thread::spawn(move || {
            let how = own(&mut socket, &taken, &tell);
            // Gone before anybody hears that it is over.
            drop(socket);
            let _ = tell.send(Told::Over(how));
        });
        Self { orders: Some(orders), told, kept: VecDeque::new(), owner: Some(owner) }
    }

    fn order(&self, order: Order) {
        // A connection that is over is noticed by whoever waits for something.
        let _ = self.orders.as_ref().expect("not cut").send(order);
    }

    /// Says this text, whatever it is.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.say_message(Message::text(text.into()));
    }

    /// Says it in a binary message.
    pub(crate) fn say_binary(&self, bytes: impl Into<Vec<u8>>) {
        self.say_message(Message::binary(bytes.into()));
    }

    pub(crate) fn say_message(&self, message: Message) {
        self.order(Order::Say(Said::Message(message)));
    }

    /// Bytes that are no message at all.
    pub(crate) fn say_raw(&self, bytes: &[u8]) {
        self.order(Order::Say(Said::Raw(bytes.to_owned())));
    }

    pub(crate) fn send(&self, kind: &str, data: &Value) {
        self.say(json!({"type": kind, "data": data}).to_string());
    }

    /// Content of a stream that has a channel.
    pub(crate) fn send_binary(&self, channel: u32, content: &[u8]) {
        self.say_binary([&channel.to_be_bytes(), content].concat());
    }

    /// Reads nothing more until told otherwise. What it has to say is still said.
    pub(crate) fn stall(&self) {
        self.order(Order::Read(false));
    }

    pub(crate) fn resume(&self) {
        self.order(Order::Read(true));
    }

    /// The connection breaks, without a word.
    pub(crate) fn cut(&mut self) {
        self.orders = None;
        if let Some(owner) = self.owner.take() {
            owner.join().expect("the owner of a connection does not panic");
        }
    }

    pub(crate) fn close(&self, code: u16, reason: &str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.say_message(Message::Close(Some(frame)));
    }

    fn receive(&mut self, what: &str, end: Instant) -> Told {
        match self.told.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => {
                panic!("waited in vain: {what}; meanwhile came: {}", brief(&self.kept))
            }
            Err(RecvTimeoutError::Disconnected) => panic!("{what} cannot come: the connection is over"),
        }
    }

    /// The first thing that came or comes that is meant, as `pick` has it. The others are kept.
    fn pick<T>(&mut self, what: &str, within: Duration, mut pick: impl FnMut(&Told) -> Option<T>) -> T {
        let seen = self.kept.iter().enumerate().find_map(|(at, told)| pick(told).map(|found| (at, found)));
        if let Some((at, found)) = seen {
            self.kept.remove(at);
            return found;
        }
        let end = Instant::now() + within;
        loop {
            let told = self.receive(what, end);
            if let Some(found) = pick(&told) {
                return found;
            }
            if let Told::Over(how) = &told {
                let kept = brief(&self.kept);
                panic!("the connection ended ({how}) before this came: {what}; meanwhile came: {kept}");
            }
            self.kept.push_back(told);
        }
    }

    /// The first message, now or later, of which this is true.
    pub(crate) fn find(&mut self, what: &str, is_it: impl Fn(&str, &Value) -> bool) -> Value {
        self.find_within(what, PATIENCE, is_it)
    }

    pub(crate) fn find_within(
        &mut self,
        what: &str,
        within: Duration,
        is_it: impl Fn(&str, &Value) -> bool,
    ) -> Value {
        self.pick(what, within, |told| {
            let Told::Text(message) = told else { return None };
            let kind = message["type"].as_str().unwrap_or_default();
            is_it(kind, &message["data"]).then(|| message.clone())
        })
    }

    /// The data of the next message of this type.
    pub(crate) fn next(&mut self, kind: &str) -> Value {
        self.find(&format!("a {kind}"), |one, _| one == kind)["data"].take()
    }

    /// The content of the next binary message of this channel.
    pub(crate) fn binary(&mut self, channel: u32) -> Vec<u8> {
        self.pick(&format!("content of channel {channel}"), PATIENCE, |told| {
            let Told::Binary(bytes) = told else { return None };
            let content = bytes.strip_prefix(&channel.to_be_bytes())?;
            Some(content.to_vec())
        })
    }

    /// The hello, which is the first thing that is said.
    pub(crate) fn hello(&mut self) -> Value {
        let first = self.pick("a hello", PATIENCE, |told| Some(format!("{told:?}")).zip(text(told)));
        let (shown, mut message) = first;
        assert_eq!(message["type"], "hello", "{shown}");
        message["data"].take()
    }

    pub(crate) fn welcome(&self, data: &Value) {
        self.send("welcome", data);
    }

    /// Says no, as controllers do: an error and a close.
    pub(crate) fn reject(&self, code: &str) {
        self.send("error", &json!({"code": code, "message": format!("refused: {code}")}));
        self.close(if code == "internal-error" { 1011 } else { 1008 }, code);
    }

    /// Code and reason of the agent's close.
    pub(crate) fn expect_close(&mut self) -> (u16, String) {
        let closed = self.pick("a close", PATIENCE, |told| {
            let Told::Closed(frame) = told else { return None };
            Some(frame.clone())
        });
        closed.expect("a code and a reason")
    }

    /// The connection ends, however it does.
    pub(crate) fn expect_over(&mut self) -> String {
        self.expect_over_within(PATIENCE)
    }

    pub(crate) fn expect_over_within(&mut self, within: Duration) -> String {
        self.pick("the end of the connection", within, |told| {
            let Told::Over(how) = told else { return None };
            Some(how.clone())
        })
    }

    /// Everything that came so far and nobody asked for, in its order.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        self.kept.extend(self.told.try_iter());
        self.kept.iter().filter_map(text).collect()
    }

    /// None of what came so far and nobody asked for is of this type.
    pub(crate) fn expect_none_of(&mut self, kind: &str) {
        let found: Vec<_> = self.rest().into_iter().filter(|message| message["type"] == kind).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

fn text(told: &Told) -> Option<Value> {
    let Told::Text(message) = told else { return None };
    Some(message.clone())
}

fn brief(kept: &VecDeque<Told>) -> String {
    let shown: Vec<_> = kept.iter().rev().take(12).map(|told| format!("{told:?}")).collect();
    shown.iter().rev().map(|one| one.chars().take(300).collect::<String>() + "\n").collect()
}

fn is_pending(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Says what is ordered and tells what comes, until either side ends it; gives how it ended.
fn own(socket: &mut WebSocket<Stream>, orders: &Receiver<Order>, tell: &Sender<Told>) -> String {
    let (mut reads, mut owes, mut is_cut) = (true, false, false);
    let mut due = VecDeque::new();
    loop {
        let mut moved = false;
        loop {
            match orders.try_recv() {
                Ok(Order::Read(now)) => reads = now,
                Ok(Order::Say(what)) => due.push_back(what),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    is_cut = true;
                    break;
                }
            }
        }
        if !owes && let Some(what) = due.pop_front() {
            (owes, moved) = (true, true);
            let said = match what {
                Said::Message(message) => socket.write(message),
                Said::Raw(bytes) => socket.get_mut().write_all(&bytes).map_err(Error::from),
            };
            if let Some(error) = said.err().filter(|error| !is_pending(error)) {
                return error.to_string();
            }
        }
        if owes {
            match socket.flush() {
                Ok(()) => (owes, moved) = (false, true),
                Err(error) if is_pending(&error) => {}
                Err(error) => return error.to_string(),
            }
        }
        // What was said before the cut is on its way, unless the agent does not take it.
        if is_cut && (owes || due.is_empty()) {
            return "cut by the test".to_owned();
        }
        if reads {
            match socket.read() {
                Ok(message) => {
                    moved = true;
                    hear(message, tell);
                }
                Err(error) if is_pending(&error) => {}
                Err(error) => return error.to_string(),
            }
        }
        if !moved {
            thread::sleep(Duration::from_micros(300));
        }
    }
}

fn hear(message: Message, tell: &Sender<Told>) {
    let told = match message {
        Message::Text(text) => {
            let read = serde_json::from_str(&text);
            Told::Text(read.unwrap_or_else(|error| json!({"type": format!("not JSON: {error}: {text}")})))
        }
        Message::Binary(bytes) => Told::Binary(bytes.to_vec()),
        Message::Close(frame) => {
            Told::Closed(frame.map(|frame| (u16::from(frame.code), frame.reason.to_string())))
        }
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return,
    };
    let _ = tell.send(told);
}
