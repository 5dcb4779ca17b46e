//! A command that gives back what is typed, alone and beside a stream that never ends.
use std::io;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::agent::Session;
use crate::link::Message;
use crate::streams::{Frames, Stream};

/// What is typed at a time.
const TYPED_BYTES: usize = 32;
/// More than any measurement waits for.
const ENDLESS_BLOCKS: u64 = 10_000_000;

pub(crate) struct Shell {
    id: String,
    before: Vec<u8>,
}

/// What came of it.
pub(crate) struct Typed {
    /// Milliseconds of each echo, sorted.
    echoes: Vec<f64>,
    /// MB/s of the stream beside it, where there is one.
    pub(crate) beside: Option<f64>,
}

impl Typed {
    /// The milliseconds within which this share of the echoes came.
    pub(crate) fn within(&self, share: f64) -> f64 {
        let last = self.echoes.len().saturating_sub(1);
        self.echoes.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }
}

impl Shell {
    pub(crate) fn start(session: &mut Session) -> io::Result<Self> {
        let id = format!("e{}", session.number());
        let asked = json!({ "execId": id, "containerId": "target", "cmd": ["sh"], "tty": true });
        session.say("exec_start", &asked)?;
        let shell = Self {
            before: format!(r#"{{"type":"exec_output","data":{{"execId":"{id}","data":""#).into_bytes(),
            id,
        };
        while shell.told(&session.link.next()?)?.as_deref() != Some("exec_ready") {}
        Ok(shell)
    }

    /// The type of a message that is about this command and no output of it.
    fn told(&self, message: &Message<'_>) -> io::Result<Option<String>> {
        if !message.starts_with(br#"{"type":"exec_"#) || message.starts_with(&self.before) {
            return Ok(None);
        }
        let told: Value = serde_json::from_slice(&message.whole())?;
        if told["data"]["execId"] != self.id.as_str() {
            return Ok(None);
        }
        if told["type"] == "exec_end" && told["data"]["reason"] != "closed" {
            return Err(io::Error::other(format!("the command ended: {told}")));
        }
        Ok(told["type"].as_str().map(str::to_owned))
    }

    /// Types for so long, each time once the last was given back.
    pub(crate) fn echo(&self, session: &mut Session, duration: Duration) -> io::Result<Typed> {
        self.echo_beside(session, duration, &mut None)
    }

    /// The same while a stream comes as fast as it is read.
    pub(crate) fn beside(
        &self,
        session: &mut Session,
        duration: Duration,
        bytes_per_second: Option<f64>,
    ) -> io::Result<Typed> {
        session.link.read_at(bytes_per_second);
        let mut bulk = Some(Stream::begin(session, Frames::Text, ENDLESS_BLOCKS)?);
        // Until all that lies between is full.
        self.echo_beside(session, duration / 2, &mut bulk)?;
        let typed = self.echo_beside(session, duration, &mut bulk)?;
        session.link.read_at(None);
        if let Some(mut bulk) = bulk {
            bulk.cancel(session)?;
            while bulk.end.is_none() {
                bulk.take(&session.link.next()?)?;
            }
        }
        Ok(typed)
    }

    fn echo_beside(
        &self,
        session: &mut Session,
        duration: Duration,
        bulk: &mut Option<Stream>,
    ) -> io::Result<Typed> {
        let before = bulk.as_ref().map(|bulk| bulk.bytes);
        let (begun, mut echoes) = (Instant::now(), Vec::new());
        while begun.elapsed() < duration {
            let typed = [echoes.len().to_le_bytes()[0]; TYPED_BYTES];
            let typed_at = Instant::now();
            let data = json!({ "execId": self.id, "data": BASE64.encode(&typed) });
            session.say("exec_input", &data)?;
            let mut back = Vec::new();
            while back.len() < TYPED_BYTES {
                let message = session.link.next()?;
                if message.starts_with(&self.before) {
                    let content: Vec<u8> = message.part(self.before.len(), message.len() - 3).collect();
                    back.extend(BASE64.decode(&content).map_err(io::Error::other)?);
                } else if let Some(bulk) = bulk {
                    bulk.take(&message)?;
                }
            }
            if back != typed {
                return Err(io::Error::other("an echo is not what was typed"));
            }
            echoes.push(typed_at.elapsed().as_secs_f64() * 1e3);
        }
        echoes.sort_unstable_by(f64::total_cmp);
        let seconds = begun.elapsed().as_secs_f64();
        let came = bulk.as_ref().zip(before).map(|(bulk, before)| bulk.bytes - before);
        Ok(Typed { echoes, beside: came.map(|bytes| bytes as f64 / 1e6 / seconds) })
    }

    pub(crate) fn end(self, session: &mut Session) -> io::Result<()> {
        session.say("exec_end", &json!({ "execId": self.id, "reason": "closed" }))?;
        while self.told(&session.link.next()?)?.as_deref() != Some("exec_end") {}
        Ok(())
    }
}
