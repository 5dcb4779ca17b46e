//! Requests through the tunnel, one or several at a time, and the same number of messages each way without an agent.
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::Session;
use crate::link::{self, Link, Message, STALL};

/// Digits of a number that a request is known by: they all have the same length.
const DIGITS: usize = 8;
/// Of a long answer as much is compared each time; the probe has compared it whole.
const COMPARED_BYTES: usize = 512;

/// What is asked, and what must come back.
pub(crate) struct Question {
    frame: Vec<u8>,
    /// Where in the frame, and in the answer, the number is.
    number_at: usize,
    answered_at: usize,
    /// The answer, whatever stands where the number does.
    answer: Vec<u8>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) requests: f64,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests / self.elapsed.as_secs_f64()
    }
}

impl Question {
    /// Asks once, and looks whether the Engine's body comes back in the answer.
    pub(crate) fn new(session: &mut Session, path: &str, body: &str) -> io::Result<Self> {
        let number = digits(0);
        let text = format!(
            r#"{{"type":"request","data":{{"requestId":"{number}","method":"GET","path":"{path}","headers":{{"Accept":"application/json"}}}}}}"#
        );
        let frame = link::frame(&text);
        let number_at = find(&frame, number.as_bytes())?;
        session.link.send(&frame)?;
        let answer = loop {
            let message = session.link.next()?;
            if is_answer(&message) {
                break message.whole();
            }
        };
        let told: Value = serde_json::from_slice(&answer)?;
        let expected: Value = serde_json::from_str(body)?;
        if told["data"]["statusCode"] != 200 || told["data"]["body"] != expected {
            let said = String::from_utf8_lossy(&answer);
            return Err(io::Error::other(format!("{path} is not answered as the Engine answers: {said}")));
        }
        let answered_at = find(&answer, number.as_bytes())?;
        Ok(Self { frame, number_at, answered_at, answer })
    }

    /// How long the answer is.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.answer.len()
    }

    /// Asks again as soon as an answer comes, so that so many requests are always under way.
    pub(crate) fn ask(
        &mut self,
        session: &mut Session,
        at_once: u32,
        duration: Duration,
    ) -> io::Result<Outcome> {
        let mut requests = 0.0;
        let mut under_way: Vec<u32> = Vec::new();
        let begun = Instant::now();
        for _ in 0..at_once {
            under_way.push(self.send(session)?);
        }
        while !under_way.is_empty() {
            let message = session.link.next()?;
            if !is_answer(&message) {
                continue;
            }
            let number = self.check(&message)?;
            let place = under_way.iter().position(|&asked| asked == number);
            let place = place
                .ok_or_else(|| io::Error::other(format!("{number} was answered, which was not asked")))?;
            under_way.swap_remove(place);
            requests += 1.0;
            if begun.elapsed() < duration {
                under_way.push(self.send(session)?);
            }
        }
        Ok(Outcome { requests, elapsed: begun.elapsed() })
    }

    fn send(&mut self, session: &mut Session) -> io::Result<u32> {
        let number = session.number();
        self.frame[self.number_at..self.number_at + DIGITS].copy_from_slice(digits(number).as_bytes());
        session.link.send(&self.frame)?;
        Ok(number)
    }

    /// The number of an answer, which must be right in all that is looked at.
    fn check(&self, message: &Message<'_>) -> io::Result<u32> {
        let (from, to) = (self.answered_at, self.answered_at + DIGITS);
        let end = self.answer.len().min(COMPARED_BYTES);
        let is_right = message.len() == self.answer.len()
            && message.starts_with(&self.answer[..from])
            && message.part(to, end).eq(self.answer[to..end].iter().copied())
            && message.ends_with(&self.answer[self.answer.len() - 32..]);
        let number = message.part(from, to).fold(0, |number, digit| number * 10 + u32::from(digit & 15));
        if is_right { Ok(number) } else { Err(io::Error::other(format!("answered {}", message.brief()))) }
    }
}

/// Messages as long as a question's, each answered with one as long as its answer.
pub(crate) fn echo(
    link: &mut Link,
    question: &Question,
    at_once: u32,
    duration: Duration,
) -> io::Result<Outcome> {
    let expected = question.answer_bytes();
    link.say(&format!("answer {expected}"))?;
    let (mut under_way, mut requests) = (0, 0.0);
    let begun = Instant::now();
    for _ in 0..at_once {
        link.send(&question.frame)?;
        under_way += 1;
    }
    while under_way > 0 {
        let message = link.next()?;
        if message.len() != expected {
            return Err(io::Error::other(format!("{} bytes came instead of {expected}", message.len())));
        }
        under_way -= 1;
        requests += 1.0;
        if begun.elapsed() < duration {
            link.send(&question.frame)?;
            under_way += 1;
        }
    }
    Ok(Outcome { requests, elapsed: begun.elapsed() })
}

/// The same of the Engine over its socket, one at a time: no agent can answer sooner than it.
pub(crate) fn engine(socket: &Path, answer: &[u8], duration: Duration) -> io::Result<Outcome> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(STALL))?;
    let (mut told, mut requests) = (vec![0; answer.len()], 0.0);
    let begun = Instant::now();
    while begun.elapsed() < duration {
        stream.write_all(b"GET /version HTTP/1.1\r\nHost: docker\r\nAccept: application/json\r\n\r\n")?;
        stream.read_exact(&mut told)?;
        requests += 1.0;
    }
    if told != answer {
        return Err(io::Error::other("the Engine answers something else"));
    }
    Ok(Outcome { requests, elapsed: begun.elapsed() })
}

fn is_answer(message: &Message<'_>) -> bool {
    message.starts_with(br#"{"type":"response","#) || message.starts_with(br#"{"type":"error","#)
}

fn digits(number: u32) -> String {
    format!("{number:0DIGITS$}")
}

fn find(text: &[u8], part: &[u8]) -> io::Result<usize> {
    let found = text.windows(part.len()).position(|window| window == part);
    found.ok_or_else(|| io::Error::other("the number of a request is not there"))
}
