//! An Engine that means ill: every reply cut after every byte, and spoilt at every byte.
//!
//! Whoever asked is told exactly what was sent, or that it went wrong: never a whole answer that was not given.
use std::sync::{Arc, Mutex};

use crate::agent::{Agent, request};
use crate::client::Client;
use crate::engine::{Engine, Home, Visit};
use crate::signer::{Draft, Signer, agent, file, head};
use crate::torture_census::Census;

/// A kind of reply, what is asked for it, and what the Engine says when it is well.
const REPLIES: &[(&str, &str, &str, &str)] = &[
    (
        "length",
        "GET /a",
        "",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello there",
    ),
    (
        "chunks",
        "GET /a",
        "",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n there\r\n0\r\nX-A: b\r\n\r\n",
    ),
    ("until close", "GET /a", "", "HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello there"),
    ("nothing", "DELETE /a", "", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
    (
        "a failure",
        "POST /a",
        "Content-Length: 0\r\n",
        "HTTP/1.1 409 Conflict\r\nContent-Length: 21\r\n\r\n{\"message\":\"in use.\"}",
    ),
    (
        "an interim one",
        "GET /a",
        "",
        "HTTP/1.1 102 Processing\r\nX-A: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "a switch",
        "POST /exec/a/start",
        "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n",
        "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello there",
    ),
    (
        "events",
        "GET /events",
        "",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"Type\":\"image\",\"Action\":\"pull\"}\r\n0\r\n\r\n",
    ),
    (
        "log frames",
        "GET /containers/a/logs?stdout=1",
        "",
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n\x01\0\0\0\0\0\0\x05hello\r\n0\r\n\r\n",
    ),
    (
        "an inspection",
        "GET /networks/a",
        "",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n{\"Name\":\"a\",\"Id\":\"abcde\"}",
    ),
];

/// A reply, or an answer, as a reader sees it who forgives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Whole(u16, Vec<u8>),
    /// Nothing, or the beginning of something.
    Broken(Vec<u8>),
}

impl Seen {
    fn content(&self) -> &[u8] {
        match self {
            Self::Whole(_, content) | Self::Broken(content) => content,
        }
    }
}

/// Reads all that came before an end that was orderly, or was none.
fn see(bytes: &[u8], is_orderly: bool) -> Seen {
    let broken = Seen::Broken(Vec::new());
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return broken };
    let text: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
    let rest = &bytes[end + 4..];
    if text.replace("\r\n", "").chars().any(|c| c.is_ascii_control() && c != '\t') {
        return broken;
    }
    let mut lines = text.split("\r\n");
    let Some(status) = status_of(lines.next().unwrap_or_default()) else { return broken };
    let (mut length, mut is_chunked) = (None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { return broken };
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_token) {
            return broken;
        }
        match (name.to_ascii_lowercase().as_str(), value.trim_matches([' ', '\t'])) {
            ("content-length", digits) if length.is_none() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                length = digits.parse::<usize>().ok();
            }
            ("transfer-encoding", "chunked") if !is_chunked => is_chunked = true,
            ("content-length" | "transfer-encoding", _) => return broken,
            _ => {}
        }
    }
    match (status, length, is_chunked) {
        (102, None, false) => see(rest, is_orderly),
        // What stands behind an end is nobody's.
        (204 | 304, _, _) => Seen::Whole(status, Vec::new()),
        // A stream ends where it ends.
        (101, None, false) => Seen::Whole(status, rest.to_vec()),
        (_, Some(length), false) if rest.len() >= length => Seen::Whole(status, rest[..length].to_vec()),
        (_, Some(_), false) => Seen::Broken(rest.to_vec()),
        (_, None, true) => chunks(rest, status),
        (_, None, false) if is_orderly => Seen::Whole(status, rest.to_vec()),
        (_, None, false) => Seen::Broken(rest.to_vec()),
        (_, Some(_), true) => broken,
    }
}

fn status_of(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ")?;
    let (digits, reason) = rest.split_at_checked(3)?;
    let is_good =
        digits.bytes().all(|b| b.is_ascii_digit()) && (reason.is_empty() || reason.starts_with(' '));
    is_good.then(|| digits.parse().ok())?
}

fn chunks(mut rest: &[u8], status: u16) -> Seen {
    let mut content = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Seen::Broken(content) };
        let line: String = rest[..end].iter().map(|byte| char::from(*byte)).collect();
        let (digits, extension) = line.split_once(';').unwrap_or((&line, ""));
        let is_good = digits.bytes().all(|b| b.is_ascii_hexdigit())
            && !extension.contains(|c: char| c.is_ascii_control());
        let Some(size) = usize::from_str_radix(digits, 16).ok().filter(|_| is_good) else {
            return Seen::Broken(content);
        };
        rest = &rest[end + 2..];
        if size == 0 {
            return if has_trailer(rest) { Seen::Whole(status, content) } else { Seen::Broken(content) };
        }
        content.extend_from_slice(&rest[..size.min(rest.len())]);
        if rest.len() < size + 2 || rest[size..size + 2] != *b"\r\n" {
            return Seen::Broken(content);
        }
        rest = &rest[size + 2..];
    }
}

/// Fields, each with its line end, and an empty line; what is behind is nobody's.
fn has_trailer(mut rest: &[u8]) -> bool {
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return false };
        let line: String = rest[..end].iter().map(|byte| char::from(*byte)).collect();
        if line.is_empty() {
            return true;
        }
        let Some((name, value)) = line.split_once(':') else { return false };
        let is_name = !name.is_empty() && name.chars().all(|c| !c.is_ascii_control() && c != ' ');
        if !is_name || value.contains(|c: char| c.is_ascii_control() && c != '\t') {
            return false;
        }
        rest = &rest[end + 2..];
    }
}

/// Says what it is told to say, and hangs up. The agent's own questions are answered well.
struct Puppet {
    engine: Engine,
    words: Arc<Mutex<Vec<u8>>>,
}

impl Puppet {
    fn start() -> Self {
        let words = Arc::<Mutex<Vec<u8>>>::default();
        let told = Arc::clone(&words);
        let engine = Engine::start(move |visit: &mut Visit| {
            if visit.request().is_some() {
                let words = told.lock().unwrap().clone();
                // Whoever has read enough leaves.
                let _ = visit.try_send(words);
            }
        });
        Self { engine, words }
    }

    /// What a client makes of it when the Engine says this.
    fn hear(&self, mut client: Client, asked: &[u8], words: &[u8]) -> Seen {
        *self.words.lock().unwrap() = words.to_vec();
        client.send(asked);
        let (mut got, mut is_orderly) = (Vec::new(), false);
        while let Ok(piece) = client.wire().some() {
            if piece.is_empty() {
                is_orderly = true;
                break;
            }
            let piece = piece.to_vec();
            client.wire().consume(piece.len());
            got.extend(piece);
            // Whoever asks for a switch cannot say that this is to be the last.
            if matches!(see(&got, false), Seen::Whole(400.., _)) {
                is_orderly = true;
                break;
            }
        }
        see(&got, is_orderly)
    }
}

/// Whether what the client made of it is right, or an honest failure.
fn is_honest(said: &Seen, seen: &Seen) -> bool {
    match seen {
        Seen::Whole(502, told) if told.starts_with(b"{\"message\":\"") => true,
        Seen::Whole(..) => seen == said,
        Seen::Broken(content) => said.content().starts_with(content),
    }
}

/// Cut after every byte, and spoilt at every byte.
fn spoilt(words: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> =
        (0..words.len()).map(|end| (format!("cut after {end}"), words[..end].to_vec())).collect();
    for at in 0..words.len() {
        for byte in [0, b'\r', b'\n', 0xff] {
            let mut words = words.to_vec();
            words[at] = byte;
            all.push((format!("{byte:#04x} at {at}"), words));
        }
    }
    all
}

fn torture(agent: &Agent, puppet: &Puppet) {
    let mut wrong = Vec::new();
    for (kind, line, fields, words) in REPLIES {
        let fields = format!("{fields}{}", if *kind == "a switch" { "" } else { "Connection: close\r\n" });
        let good = see(words.as_bytes(), true);
        let seen = puppet.hear(agent.client(), request(line, &fields).as_bytes(), words.as_bytes());
        assert_eq!((seen, matches!(good, Seen::Whole(..))), (good, true), "{kind}, unspoilt");
        for (how, words) in spoilt(words.as_bytes()) {
            let said = see(&words, true);
            let seen = puppet.hear(agent.client(), request(line, &fields).as_bytes(), &words);
            if !is_honest(&said, &seen) {
                wrong.push(format!("{kind}, {how}: said {said:?}, told {seen:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn a_reply_that_is_cut_or_spoilt_anywhere_is_never_told_as_another() {
    let puppet = Puppet::start();
    let agent = Agent::start(&puppet.engine);
    torture(&agent, &puppet);
    let good = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let told = puppet.hear(agent.client(), request("GET /a", "Connection: close\r\n").as_bytes(), good);
    assert_eq!(told, Seen::Whole(200, b"hello".to_vec()));
    Census { threads: 16, descriptors: 32, peak_kib: 0 }.until_closed(&agent);
}

#[test]
fn what_is_not_honest_is_found() {
    let whole = |text: &str| Seen::Whole(200, text.into());
    let broken = |text: &str| Seen::Broken(text.into());
    for (said, seen, honest) in [
        (whole("hello"), whole("hello"), true),
        (whole("hello"), broken("hel"), true),
        (broken("hello"), broken(""), true),
        (broken("hello"), Seen::Whole(502, b"{\"message\":\"lookout: a\"}".to_vec()), true),
        (whole("hello"), whole("hel"), false),
        (whole("hello"), Seen::Whole(201, b"hello".to_vec()), false),
        (broken("hello"), whole("hello"), false),
        (broken("hello"), broken("help"), false),
    ] {
        assert_eq!(is_honest(&said, &seen), honest, "{said:?} {seen:?}");
    }
}

/// What a caller with limits is not told stays untold, however the answer around it is spoilt.
#[test]
fn a_secret_in_an_inspection_stays_one_however_that_is_cut_or_spoilt() {
    const SECRET: &str = "hunter2";
    let puppet = Puppet::start();
    let (home, key, line) = (Home::new(), Signer::new(1), "GET /containers/a/json");
    let keys = file(&home, "keys", format!("allow=\"view\" {}", key.line()));
    let agent = agent(&puppet.engine, &keys, &[]);
    let ask = || head(line, &(Draft::new(2, line, "").fields(&key) + "Connection: close\r\n")).into_bytes();
    let body = format!(r#"{{"Id":"a","Config":{{"Env":["PASSWORD={SECRET}"],"Labels":{{"a":"b"}}}}}}"#);
    let words = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let told = puppet.hear(agent.client(), &ask(), words.as_bytes());
    let Seen::Whole(200, content) = told else { panic!("unspoilt: {told:?}") };
    assert!(content.starts_with(b"{\"Id\":\"a\""), "{:?}", String::from_utf8_lossy(&content));
    for (how, words) in spoilt(words.as_bytes()) {
        let seen = puppet.hear(agent.client(), &ask(), &words);
        let text = String::from_utf8_lossy(seen.content()).into_owned();
        // Spoilt itself it is no secret any more.
        assert!(!text.contains(SECRET), "{how}: {text}");
        if let Seen::Whole(200, content) = &seen {
            let is_json = serde_json::from_slice::<serde_json::Value>(content).is_ok();
            assert!(is_json && matches!(see(&words, true), Seen::Whole(200, _)), "{how}: {text}");
        }
    }
}
