//! Streamed answers through the tunnel, in text or in binary messages, and bare messages of the same size.
use std::io;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::agent::Session;
use crate::answers::BLOCK_BYTES;
use crate::link::{Link, Message};

/// The most content that a message of the agent has.
const TEXT_CONTENT_BYTES: usize = 32 * 1024;
const BINARY_CONTENT_BYTES: usize = 64 * 1024;
const CHANNEL_BYTES: usize = 4;
/// Behind the content of a text message.
const BEHIND: &[u8] = br#""}}"#;

/// In which messages content comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    Text,
    Binary,
}

/// A streamed answer under way.
pub(crate) struct Stream {
    id: String,
    frames: Frames,
    channel: u32,
    /// Before the content of a text message.
    before: Vec<u8>,
    /// Content that came.
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
    has_begun: bool,
    pub(crate) end: Option<String>,
}

impl Stream {
    /// Asks for so many blocks.
    pub(crate) fn begin(session: &mut Session, frames: Frames, blocks: u64) -> io::Result<Self> {
        let channel = session.number();
        let id = format!("s{channel}");
        let mut asked = json!({
            "requestId": id, "method": "GET", "path": format!("/images/large/get?blocks={blocks}"),
            "headers": {}, "streamResponse": true,
        });
        if frames == Frames::Binary {
            asked["channel"] = channel.into();
        }
        session.say("request", &asked)?;
        let before = format!(r#"{{"type":"stream","data":{{"requestId":"{id}","data":""#).into_bytes();
        Ok(Self { id, frames, channel, before, bytes: 0, messages: 0, has_begun: false, end: None })
    }

    /// Counts a message that belongs to it; the content of any other is none.
    pub(crate) fn take(&mut self, message: &Message<'_>) -> io::Result<Option<(usize, usize)>> {
        let place = self.content(message);
        if let Some((from, to)) = place {
            self.messages += 1;
            self.bytes += match self.frames {
                Frames::Binary => to - from,
                Frames::Text => {
                    let padding = message.part(to.saturating_sub(2), to).filter(|&byte| byte == b'=').count();
                    (to - from) / 4 * 3 - padding
                }
            };
        } else if message.is_text && !message.starts_with(br#"{"type":"stream","#) {
            self.hear(message)?;
        }
        Ok(place)
    }

    /// Where in a message content of this stream is.
    fn content(&self, message: &Message<'_>) -> Option<(usize, usize)> {
        match self.frames {
            Frames::Binary => {
                let is_ours = !message.is_text && message.starts_with(&self.channel.to_be_bytes());
                is_ours.then_some((CHANNEL_BYTES, message.len()))
            }
            Frames::Text => {
                let is_ours = message.is_text && message.starts_with(&self.before);
                is_ours.then_some((self.before.len(), message.len() - BEHIND.len()))
            }
        }
    }

    /// A message that is no content: head, end, or somebody else's.
    fn hear(&mut self, message: &Message<'_>) -> io::Result<()> {
        let told: Value = serde_json::from_slice(&message.whole())?;
        if told["data"]["requestId"] != self.id.as_str() {
            return Ok(());
        }
        let (kind, data) = (told["type"].as_str().unwrap_or_default(), &told["data"]);
        match kind {
            "response" if data["statusCode"] == 200 && data["isStream"] == true => self.has_begun = true,
            "stream_end" if self.has_begun => {
                self.end = Some(data["reason"].as_str().unwrap_or_default().to_owned());
            }
            _ => return Err(io::Error::other(format!("a stream is answered {told}"))),
        }
        Ok(())
    }

    pub(crate) fn cancel(&self, session: &mut Session) -> io::Result<()> {
        session.say("stream_end", &json!({ "requestId": self.id }))
    }

    /// It must have ended as it should, with so many blocks.
    pub(crate) fn check(&self, blocks: u64) -> io::Result<()> {
        let expected = blocks * BLOCK_BYTES as u64;
        if self.end.as_deref() == Some("complete") && self.bytes as u64 == expected {
            return Ok(());
        }
        let (bytes, end) = (self.bytes, &self.end);
        Err(io::Error::other(format!("a stream of {expected} bytes came as {bytes} and ended with {end:?}")))
    }
}

/// Before anything is measured: whether every byte comes.
pub(crate) fn probe(session: &mut Session, frames: Frames, block: &[u8]) -> io::Result<()> {
    let mut stream = Stream::begin(session, frames, 2)?;
    let mut content = Vec::new();
    while stream.end.is_none() {
        let message = session.link.next()?;
        if let Some((from, to)) = stream.take(&message)? {
            let part: Vec<u8> = message.part(from, to).collect();
            match frames {
                Frames::Binary => content.extend(part),
                Frames::Text => content.extend(BASE64.decode(&part).map_err(io::Error::other)?),
            }
        }
    }
    stream.check(2)?;
    if content == block.repeat(2) {
        return Ok(());
    }
    Err(io::Error::other(format!("what is streamed in {frames:?} is not what the Engine says")))
}

pub(crate) struct Outcome {
    pub(crate) elapsed: Duration,
    pub(crate) messages: usize,
}

/// So many blocks from the Engine.
pub(crate) fn stream(session: &mut Session, frames: Frames, blocks: u64) -> io::Result<Outcome> {
    let begun = Instant::now();
    let mut stream = Stream::begin(session, frames, blocks)?;
    while stream.end.is_none() {
        stream.take(&session.link.next()?)?;
    }
    stream.check(blocks)?;
    Ok(Outcome { elapsed: begun.elapsed(), messages: stream.messages })
}

/// Bare messages with as much content, each as full as the agent's may be.
pub(crate) fn bare(link: &mut Link, frames: Frames, blocks: u64) -> io::Result<Outcome> {
    let content = if frames == Frames::Text { TEXT_CONTENT_BYTES } else { BINARY_CONTENT_BYTES };
    let messages = usize::try_from(blocks).map_err(io::Error::other)? * BLOCK_BYTES / content;
    let (word, bytes) = match frames {
        // As long as an envelope with so much in it.
        Frames::Text => ("text", BASE64.encode_len(content) + 56),
        Frames::Binary => ("binary", content + CHANNEL_BYTES),
    };
    let begun = Instant::now();
    link.say(&format!("{word} {bytes} {messages}"))?;
    for _ in 0..messages {
        let length = link.next()?.len();
        if length != bytes {
            return Err(io::Error::other(format!("{length} bytes came instead of {bytes}")));
        }
    }
    Ok(Outcome { elapsed: begun.elapsed(), messages })
}

/// As many streams at once, in text, to the end of all.
pub(crate) fn many(session: &mut Session, count: usize, blocks: u64) -> io::Result<()> {
    let mut streams =
        (0..count).map(|_| Stream::begin(session, Frames::Text, blocks)).collect::<io::Result<Vec<_>>>()?;
    while streams.iter().any(|stream| stream.end.is_none()) {
        let message = session.link.next()?;
        for stream in &mut streams {
            if stream.take(&message)?.is_some() {
                break;
            }
        }
    }
    streams.iter().try_for_each(|stream| stream.check(blocks))
}
