//! Streams of the agent that listens, followed for a while: each line must be the next, each change told.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::chance::{Chance, content};
use crate::direct::is;
use crate::ground::Ground;
use crate::line::{Line, Who};
use crate::message::Length;
use crate::scenery;
use crate::shift::Shift;
use crate::signer::{Draft, Signer};
use crate::tally::{Fault, Side};

/// Behind the Engine's own clock at most: an event, its inspection, and a machine that is busy.
const TOLD_WITHIN: Duration = Duration::from_secs(8);

/// Reads the numbers out of a framed log, as its pieces come.
#[derive(Default)]
pub(crate) struct Numbers {
    rest: Vec<u8>,
    next: u64,
}

impl Numbers {
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.rest.extend_from_slice(piece);
        while let Some(&[stream, 0, 0, 0, 0, 0, 0, length]) = self.rest.first_chunk::<8>() {
            let end = 8 + usize::from(length);
            let Some(line) = self.rest.get(8..end) else { break };
            let is_next = stream == 1 && line == format!("{}\n", self.next).as_bytes();
            is(&format!("line {} of a log is {:?}", self.next, String::from_utf8_lossy(line)), is_next)?;
            self.next += 1;
            self.rest.drain(..end);
        }
        is("a log has no frames", self.rest.len() < 64)
    }
}

/// When a follower leaves by itself.
fn until(chance: &mut Chance) -> Instant {
    Instant::now() + Duration::from_secs(chance.within(3, 90))
}

pub(crate) fn logs(ground: &Ground, shift: &Shift, chance: &mut Chance) -> Result<(), Fault> {
    let (end, mut numbers) = (until(chance), Numbers::default());
    let who = if chance.once_in(2) { Who::Certificate } else { Who::Token };
    let mut line = ground.door.open(&ground.tally, who)?;
    let head = line.ask("GET /v1.47/containers/steady/logs?follow=1&stdout=1", "", b"")?;
    is("a log has a length", head.length() == Length::Chunked)?;
    while Instant::now() < end && !shift.is_over() {
        let piece = line.chunk()?;
        if piece.is_empty() {
            return Err(Fault::Wrong("a cut log ends as if it were whole".into()));
        }
        numbers.take(&piece)?;
    }
    Ok(())
}

/// A log that is followed with a signing key.
pub(crate) fn begin_signed<'g>(ground: &'g Ground, signer: &Signer) -> Result<Line<'g>, Fault> {
    let target = "GET /containers/steady/logs?follow=1&stdout=1";
    let mut line = ground.door.open(&ground.tally, Who::Nobody)?;
    line.ask(target, &Draft::new(2, target, "").fields(signer), b"")?;
    line.chunk().map(|_| line)
}

/// It breaks off, now that its key is gone, within a few lines.
pub(crate) fn until_cut(mut line: Line<'_>) -> Result<(), Fault> {
    for _ in 0..20 {
        match line.chunk() {
            Ok(piece) => is("a cut log ends as if it were whole", !piece.is_empty())?,
            Err(Fault::Cut(_)) => return Ok(()),
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Wrong("it goes on".into()))
}

/// Types into a command, and gets all of it back.
pub(crate) fn command(ground: &Ground, shift: &Shift, chance: &mut Chance) -> Result<(), Fault> {
    let mut line = ground.door.open(&ground.tally, Who::Certificate)?;
    let body = r#"{"AttachStdin":true,"AttachStdout":true,"Tty":true,"Cmd":["cat"]}"#;
    let json = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let head = line.ask("POST /containers/steady/exec", &json, body.as_bytes())?;
    let made: Value = serde_json::from_slice(&line.body(head.length())?)
        .map_err(|error| Fault::Wrong(error.to_string()))?;
    let start = r#"{"Detach":false,"Tty":true}"#;
    let fields = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n",
        start.len()
    );
    let target = format!("POST /exec/{}/start", made["Id"].as_str().unwrap_or_default());
    let head = line.ask(&target, &fields, start.as_bytes())?;
    is("a command does not upgrade", head.status() == 101)?;
    ground.tally.started(Side::Standard);
    for _ in 0..chance.within(1, 60) {
        if shift.is_over() {
            break;
        }
        let most = if chance.once_in(10) { 60_000 } else { 80 };
        let typed = content(chance.next(), chance.within(1, most));
        line.send(&typed)?;
        is("a command says something else", line.take(typed.len())? == typed)?;
        shift.rest(Duration::from_millis(chance.within(0, 400)));
    }
    let rest = line.finish()?;
    is("a command says more than was typed", rest.is_empty())
}

/// Follows the inventory: what comes and goes is told, one by one or in a snapshot.
pub(crate) fn events(ground: &Ground, shift: &Shift, chance: &mut Chance) -> Result<(), Fault> {
    let end = until(chance) + Duration::from_secs(60);
    let mut line = ground.door.open(&ground.tally, Who::Token)?;
    line.ask("GET /api/events", "", b"")?;
    let (mut told, mut rest) = (Told::default(), Vec::new());
    while Instant::now() < end && !shift.is_over() {
        let piece = line.chunk()?;
        is("a stream of events has ended", !piece.is_empty())?;
        rest.extend(piece);
        while let Some(at) = rest.windows(2).position(|two| two == b"\n\n") {
            let frame: Vec<u8> = rest.drain(..at + 2).collect();
            if let Some(data) = frame.strip_prefix(b"data: ") {
                let event = serde_json::from_slice(data).map_err(|error| Fault::Wrong(error.to_string()))?;
                told.take(&event)?;
            }
        }
        told.is_timely()?;
    }
    Ok(())
}

/// What a follower knows.
#[derive(Default)]
struct Told {
    present: BTreeSet<u64>,
    has_snapshot: bool,
}

impl Told {
    fn take(&mut self, event: &Value) -> Result<(), Fault> {
        let data = &event["data"];
        let number = data["name"].as_str().and_then(scenery::number);
        match event["type"].as_str().unwrap_or_default() {
            "dd:watcher-snapshot" => {
                let all = data["containers"].as_array().into_iter().flatten();
                let names = all.filter_map(|container| container["name"].as_str());
                self.present = names.filter_map(scenery::number).collect();
                self.has_snapshot = true;
                return Ok(());
            }
            "dd:container-added" => {
                let number = number.ok_or_else(|| Fault::Wrong(format!("who is {data}?")))?;
                // Without a word in between, the next to come is the next number.
                let last = self.present.last().copied();
                self.present.insert(number);
                if last.is_some_and(|last| last + 1 < number) {
                    return Err(Fault::Cut(format!("between {last:?} and {number} others came untold")));
                }
            }
            "dd:container-removed" => {
                let was_there = number.is_some_and(|number| self.present.remove(&number));
                is(&format!("{data} was never there"), was_there)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Nobody is missing who came long ago, and nobody stays who is long gone.
    fn is_timely(&self) -> Result<(), Fault> {
        let late = scenery::slot().saturating_sub(TOLD_WITHIN.as_secs() / scenery::SLOT.as_secs() + 1);
        let is_late = self.has_snapshot && self.present.last().is_none_or(|last| *last < late);
        let stays = self.present.first().is_some_and(|first| first + 3 < late);
        if is_late || stays {
            return Err(Fault::Late(format!("at {} it tells of {:?}", scenery::slot(), self.present)));
        }
        Ok(())
    }
}
