//! A controller that is a Docker endpoint: the unmodified docker command speaks HTTP to it, and everything it
//! asks goes through the tunnel. Written from docs/edge-protocol.md alone, it is the proof of its chapter 6.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use crate::edge_call::{Call, Event, Head};
use crate::edge_caller::{Asked, Body, Caller, chunk};
use crate::edge_tunnel::Tunnel;
use crate::edge_welcome::Mode;
use crate::wait::until;

/// A body of at most so much goes with its request; a larger one follows it.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The same where no body can follow.
const WHOLE_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often a listener looks whether it is still wanted.
const PACE: Duration = Duration::from_millis(5);

/// How long what nobody wants any more is let go.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Gateway {
    mode: Mode,
    agents: TcpListener,
    callers: SocketAddr,
    open: Arc<Open>,
    accepting: Option<JoinHandle<()>>,
}

/// What its threads share.
struct Open {
    tunnel: Mutex<Option<Arc<Tunnel>>>,
    is_closed: AtomicBool,
}

impl Open {
    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }
}

impl Gateway {
    pub(crate) fn start(mode: Mode) -> Self {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let (agents, listener) = (listen(), listen());
        for listener in [&agents, &listener] {
            listener.set_nonblocking(true).expect("a socket of ours");
        }
        let callers = listener.local_addr().expect("a socket of ours");
        let open = Arc::new(Open { tunnel: Mutex::default(), is_closed: AtomicBool::new(false) });
        let shared = Arc::clone(&open);
        let accepting = thread::spawn(move || accept(&listener, &shared));
        Self { mode, agents, callers, open, accepting: Some(accepting) }
    }

    /// Where an agent calls.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.agents.local_addr().expect("a socket of ours"))
    }

    /// Where the docker command calls.
    pub(crate) fn address(&self) -> SocketAddr {
        self.callers
    }

    /// Takes the next agent that calls.
    pub(crate) fn welcome(&self) -> Arc<Tunnel> {
        let stream = until("the agent calls", || Some(self.agents.accept().ok()?.0));
        stream.set_nonblocking(false).expect("a socket of ours");
        let tunnel = Tunnel::welcome(stream, self.mode);
        *self.open.tunnel.lock().unwrap() = Some(Arc::clone(&tunnel));
        tunnel
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.open.is_closed.store(true, Ordering::Relaxed);
        if let Some(tunnel) = self.open.tunnel.lock().unwrap().take() {
            tunnel.cut();
        }
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, open: &Arc<Open>) {
    while !open.is_closed() {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(PACE);
            continue;
        };
        let open = Arc::clone(open);
        thread::spawn(move || serve(&open, Caller::new(stream)));
    }
}

/// Answers one request after another.
fn serve(open: &Open, mut caller: Caller) {
    while let Some(asked) = caller.asked(&|| open.is_closed()) {
        let tunnel = open.tunnel.lock().unwrap().clone();
        let mut out = caller.writer();
        let stays = match tunnel.filter(|tunnel| !tunnel.is_over()) {
            None => refuse(&mut out, 503, "no agent is connected"),
            Some(tunnel) => Exchange { tunnel: &tunnel, caller: &mut caller, asked: &asked }.run(&mut out),
        };
        if !matches!(stays, Ok(true)) {
            return caller.leave();
        }
    }
}

/// One request and its answer. Whether the connection can take another is told by all that say a bool.
struct Exchange<'e> {
    tunnel: &'e Tunnel,
    caller: &'e mut Caller,
    asked: &'e Asked,
}

impl Exchange<'_> {
    fn run(self, out: &mut TcpStream) -> io::Result<bool> {
        let mut body = self.asked.body();
        let is_plain = self.tunnel.mode == Mode::Plain;
        if is_plain && self.asked.value("upgrade").is_some() {
            return refuse(out, 501, "this controller carries no upgrades");
        }
        let most = if is_plain { WHOLE_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
        let follows = match body {
            Body::Left(length) => length > most,
            Body::Chunks => !is_plain,
            Body::Chunk(_) | Body::Raw | Body::Over => false,
        };
        let mut members = json!({"headers": headers(self.asked)});
        if follows {
            members["bodyStream"] = json!(true);
        } else if body != Body::Over {
            let mut whole = Vec::new();
            while body != Body::Over {
                whole.extend(self.caller.content(&mut body, most, &|| false)?);
            }
            (members["body"], members["bodyEncoding"]) = (json!(BASE64.encode(&whole)), json!("base64"));
        }
        let (call, events) = self.tunnel.ask((&self.asked.method, &self.asked.target), &members);
        if self.asked.value("upgrade").is_some() {
            return self.switch(out, &call, &events);
        }
        let answer = Answer { tunnel: self.tunnel, asked: self.asked, call: &call, stays: !follows };
        thread::scope(|scope| {
            let (tunnel, caller, call) = (self.tunnel, self.caller, &*call);
            scope.spawn(move || match follows {
                true => upload(tunnel, caller, call, body),
                false if caller.has_left(&|| call.is_over()) => tunnel.cancel(call),
                false => {}
            });
            let stays = answer.give(out, events.recv().ok(), &events);
            if stays.is_err() {
                // Whoever reads from it notices.
                let _ = out.shutdown(Shutdown::Both);
            }
            stays
        })
    }

    /// An upgrade: both ways at once, each to its own end.
    fn switch(self, out: &mut TcpStream, call: &Call, events: &Receiver<Event>) -> io::Result<bool> {
        let Self { tunnel, caller, asked } = self;
        let head = match events.recv().ok() {
            Some(Event::Head(head)) if head.status == 101 => head,
            first => return Answer { tunnel, asked, call, stays: true }.give(out, first, events),
        };
        let token = asked.value("upgrade").unwrap_or_default();
        let mut text =
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {token}\r\n");
        push_fields(&mut text, &head);
        out.write_all(format!("{text}\r\n").as_bytes())?;
        thread::scope(|scope| {
            let inward = scope.spawn(move || upload(tunnel, caller, call, Body::Raw));
            let outcome = pour(tunnel, out, call, events);
            let _ = out.shutdown(if outcome.is_ok() { Shutdown::Write } else { Shutdown::Both });
            let _ = inward.join();
            outcome.map(|()| false)
        })
    }
}

/// Carries what the caller sends, as far as the agent allows it. A caller that leaves cancels.
fn upload(tunnel: &Tunnel, caller: &mut Caller, call: &Call, mut body: Body) {
    while let Some(most) = call.may_send(tunnel.most()) {
        match caller.content(&mut body, most, &|| call.is_over()) {
            // Allowed and not used: it counts for the next piece.
            Ok(content) => {
                call.allow(u64::try_from(most.saturating_sub(content.len())).expect("a length"));
                if content.is_empty() {
                    if body == Body::Over {
                        return tunnel.end(call);
                    }
                    continue;
                }
                tunnel.content(call, &content);
            }
            Err(_) => return tunnel.cancel(call),
        }
    }
    // Answered before all of it was read. What still comes is let go, so that the answer is not lost.
    let begun = Instant::now();
    let is_late = || begun.elapsed() > LEAVE_WITHIN;
    while body != Body::Over && caller.content(&mut body, 65536, &is_late).is_ok() {}
}

/// Passes content on until the agent ends it.
fn pour(tunnel: &Tunnel, out: &mut TcpStream, call: &Call, events: &Receiver<Event>) -> io::Result<()> {
    while let Ok(event) = events.recv() {
        match event {
            Event::Content(bytes) => {
                let written = out.write_all(&bytes);
                if written.is_err() {
                    tunnel.cancel(call);
                    return written;
                }
                tunnel.took(call, bytes.len());
            }
            Event::End(reason) if reason == "complete" => return Ok(()),
            Event::End(_) | Event::Head(_) | Event::Failed(_) => break,
        }
    }
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// An answer on its way to the caller.
struct Answer<'a> {
    tunnel: &'a Tunnel,
    asked: &'a Asked,
    call: &'a Call,
    /// The connection can take another request afterwards.
    stays: bool,
}

impl Answer<'_> {
    fn give(&self, out: &mut TcpStream, first: Option<Event>, events: &Receiver<Event>) -> io::Result<bool> {
        let head = match first {
            Some(Event::Head(head)) => head,
            Some(Event::Failed(why)) => return refuse(out, 502, &why),
            Some(Event::Content(_) | Event::End(_)) | None => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        };
        let mut text = format!("HTTP/1.1 {} As Told\r\n", head.status);
        push_fields(&mut text, &head);
        if !self.stays {
            text.push_str("Connection: close\r\n");
        }
        let has_body = self.asked.method != "HEAD" && !matches!(head.status, 204 | 304);
        match (has_body, head.is_stream) {
            (false, _) => {}
            (true, true) => text.push_str("Transfer-Encoding: chunked\r\n"),
            (true, false) => text.push_str(&format!("Content-Length: {}\r\n", head.body.len())),
        }
        out.write_all(format!("{text}\r\n").as_bytes())?;
        if !head.is_stream {
            out.write_all(&head.body)?;
            return Ok(self.stays);
        }
        while let Ok(event) = events.recv() {
            match event {
                Event::Content(bytes) => {
                    assert!(has_body, "content of an answer that has none");
                    if let Err(left) = chunk(out, &bytes) {
                        self.tunnel.cancel(self.call);
                        return Err(left);
                    }
                    self.tunnel.took(self.call, bytes.len());
                }
                Event::End(reason) if reason == "complete" => {
                    return if has_body { chunk(out, &[]).map(|()| self.stays) } else { Ok(self.stays) };
                }
                Event::End(_) | Event::Head(_) | Event::Failed(_) => break,
            }
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

/// The fields of an answer that are not about its connection.
fn push_fields(text: &mut String, head: &Head) {
    const OURS: [&str; 5] = ["connection", "transfer-encoding", "content-length", "upgrade", "keep-alive"];
    for (name, value) in &head.fields {
        if !OURS.contains(&name.to_ascii_lowercase().as_str()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
}

/// The fields of a request; one that stands several times is a list.
fn headers(asked: &Asked) -> Value {
    let mut all = Map::new();
    for (name, value) in &asked.fields {
        match all.get_mut(name) {
            None => drop(all.insert(name.clone(), json!(value))),
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(first) => *first = json!([first, value]),
        }
    }
    Value::Object(all)
}

/// Answers by itself, in the words a docker command shows.
fn refuse(out: &mut TcpStream, status: u16, why: &str) -> io::Result<bool> {
    let body = json!({"message": format!("gateway: {why}")}).to_string();
    let head =
        format!("HTTP/1.1 {status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\n");
    out.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    Ok(false)
}
