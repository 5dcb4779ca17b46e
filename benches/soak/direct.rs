//! What is asked of the agent that listens, one request at a time, each answer checked to the byte.
use serde_json::{Value, json};

use crate::chance::{Chance, content, pattern};
use crate::compose_world::{ROUTE, plain};
use crate::exposition::Checked;
use crate::ground::{Ground, STACK};
use crate::line::{Line, Who};
use crate::message::Length;
use crate::scenery;
use crate::signer::{Draft, Signer, sha256};
use crate::tally::Fault;

const MEBIBYTE: u64 = 1024 * 1024;

pub(crate) fn is(what: &str, right: bool) -> Result<(), Fault> {
    if right { Ok(()) } else { Err(Fault::Wrong(what.to_owned())) }
}

/// Uses the kept connection, or a new one; it is kept again where all went well.
pub(crate) fn with<'g, T>(
    ground: &'g Ground,
    kept: &mut Option<Line<'g>>,
    who: Who,
    turn: impl FnOnce(&mut Line<'g>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut line = match kept.take() {
        Some(line) => line,
        None => ground.door.open(&ground.tally, who)?,
    };
    let done = turn(&mut line)?;
    *kept = Some(line);
    Ok(done)
}

/// Small questions: the Engine's answer is a function of the number asked for.
pub(crate) fn small(line: &mut Line<'_>, chance: &mut Chance) -> Result<(), Fault> {
    let number = chance.within(0, 1_000_000);
    let told = line.get(&format!("GET /images/json?soak={number}"))?;
    is("a small answer is another", told == scenery::answer(number).as_bytes())
}

/// Health never fails, whatever else does; readiness may say no.
pub(crate) fn health(line: &mut Line<'_>) -> Result<(), Fault> {
    if let Err(fault) = line.get("GET /health") {
        return Err(Fault::Wrong(format!("not healthy: {fault:?}")));
    }
    match line.ask("GET /ready", "", b"") {
        Ok(head) => line.body(head.length()).map(drop),
        Err(fault) => Err(fault),
    }
}

/// A connection and the key that signs on it.
pub(crate) type Signed<'g> = Option<(u8, Line<'g>)>;

/// With the signing key of today, which stays until this is answered. A key that goes takes its connections along.
pub(crate) fn signed<'g>(
    ground: &'g Ground,
    kept: &mut Signed<'g>,
    chance: &mut Chance,
) -> Result<(), Fault> {
    let seed = ground.signer.read().unwrap();
    let mut line = match kept.take() {
        Some((known, line)) if known == *seed => line,
        _ => ground.door.open(&ground.tally, Who::Nobody)?,
    };
    ask_signed(&Signer::new(*seed), &mut line, chance)?;
    *kept = Some((*seed, line));
    Ok(())
}

fn ask_signed(signer: &Signer, line: &mut Line<'_>, chance: &mut Chance) -> Result<(), Fault> {
    if chance.once_in(2) {
        let number = chance.within(0, 1_000_000);
        let target = format!("GET /images/json?soak={number}");
        let head = line.ask(&target, &Draft::new(2, &target, "").fields(signer), b"")?;
        let told = line.body(head.length())?;
        return is("a signed answer is another", told == scenery::answer(number).as_bytes());
    }
    let target = "PUT /containers/steady/archive?path=/srv";
    let body = content(chance.next(), chance.within(1, 100_000));
    let fields = Draft::new(3, target, &body).fields(signer) + &format!("Content-Length: {}\r\n", body.len());
    let head = line.ask(target, &fields, &body)?;
    digested(&line.body(head.length())?, &body)
}

fn digested(told: &[u8], body: &[u8]) -> Result<(), Fault> {
    let told: Value = serde_json::from_slice(told).map_err(|error| Fault::Wrong(error.to_string()))?;
    is("an upload arrived otherwise", told == json!({"sha256": sha256(body), "bytes": body.len()}))
}

/// Up to four mebibytes, most of them small.
fn size(chance: &mut Chance) -> u64 {
    let most = if chance.once_in(3) { 4 * MEBIBYTE } else { 100_000 };
    chance.within(0, most)
}

pub(crate) fn download(line: &mut Line<'_>, chance: &mut Chance) -> Result<(), Fault> {
    let (seed, bytes, chunked) = (chance.within(1, 1 << 40), size(chance), chance.within(0, 1));
    let target =
        format!("GET /containers/steady/archive?path=/srv&seed={seed}&bytes={bytes}&chunked={chunked}");
    let head = line.ask(&target, "", b"")?;
    let (mut at, mut expected, mut is_same) = (0, Vec::new(), true);
    line.pour(head.length(), &mut |piece| {
        expected.resize(piece.len(), 0);
        pattern(seed, at, &mut expected);
        is_same &= expected == piece;
        at += piece.len() as u64;
    })?;
    is("a download is another", is_same && at == bytes)
}

pub(crate) fn upload(line: &mut Line<'_>, chance: &mut Chance) -> Result<(), Fault> {
    let bytes = size(chance) / 2;
    let body = content(chance.next(), bytes);
    let target = "PUT /v1.47/containers/steady/archive?path=/srv";
    let head = if chance.once_in(2) {
        line.ask(target, &format!("Content-Length: {}\r\n", body.len()), &body)?
    } else {
        let piece = chance.within(1, 65_536) as usize;
        let mut chunks = Vec::new();
        for data in body.chunks(piece) {
            chunks.extend(format!("{:x}\r\n", data.len()).into_bytes());
            chunks.extend(data);
            chunks.extend(b"\r\n");
        }
        chunks.extend(b"0\r\n\r\n");
        line.ask(target, "Transfer-Encoding: chunked\r\n", &chunks)?
    };
    digested(&line.body(head.length())?, &body)
}

/// Leaves in the middle of something.
pub(crate) fn leave(ground: &Ground, chance: &mut Chance) -> Result<(), Fault> {
    let mut line = ground.door.open(&ground.tally, Who::Certificate)?;
    match chance.within(0, 3) {
        0 => line.send(b"GET /images/json HTTP/1.1\r\nHost: look"),
        1 => line.send(
            b"PUT /containers/steady/archive HTTP/1.1\r\nHost: lookout\r\nContent-Length: 100000\r\n\r\nhalf",
        ),
        2 => {
            line.ask("GET /containers/steady/archive?seed=1&bytes=8000000", "", b"")?;
            line.take(1000).map(drop)
        }
        _ => {
            line.ask("GET /containers/steady/logs?follow=1&stdout=1", "", b"")?;
            line.chunk().map(drop)
        }
    }
}

/// A page of metrics, strictly read. Nothing inside may ever have panicked.
pub(crate) fn page(told: Vec<u8>) -> Result<Checked, Fault> {
    let text = String::from_utf8(told).map_err(|error| Fault::Wrong(error.to_string()))?;
    let page = Checked::read(&text).map_err(Fault::Wrong)?;
    is("a page of metrics is empty", !page.family("process_threads").is_empty())?;
    is("something panicked inside", page.number("lookout_panics_total") == 0.0)?;
    Ok(page)
}

pub(crate) fn scrape(line: &mut Line<'_>) -> Result<Checked, Fault> {
    page(line.get("GET /metrics")?)
}

/// The places that are taken, but for those of measuring, which may still be given back.
pub(crate) fn places(page: &Checked) -> Vec<String> {
    let series = page.family("lookout_permits_in_use").into_iter();
    let taken = series.filter(|series| page.number(series) != 0.0 && !series.contains("measurements"));
    taken.map(|series| format!("{series} {}", page.number(series))).collect()
}

/// An order to compose, whose program asks the Engine for the containers.
pub(crate) fn compose(line: &mut Line<'_>, chance: &mut Chance) -> Result<(), Fault> {
    let operation = if chance.once_in(2) { "up" } else { "ps" };
    let body = plain(operation, STACK).to_string();
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let head = line.ask(ROUTE, &fields, body.as_bytes())?;
    is("an order is answered in pieces", matches!(head.length(), Length::Exactly(_)))?;
    let told: Value = serde_json::from_slice(&line.body(head.length())?)
        .map_err(|error| Fault::Wrong(error.to_string()))?;
    let output = told["output"].as_str().unwrap_or_default();
    let is_whole = told["success"] == true && output.starts_with("begun\n") && output.ends_with("done\n");
    is(&format!("compose said {told}"), is_whole)?;
    let asked = output.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default();
    match asked["status"].as_u64() {
        Some(200) => is(&format!("compose was told {asked}"), asked["body"].to_string().contains("Names")),
        Some(status) => Err(Fault::Status(status as u16, asked.to_string())),
        None => Err(Fault::Wrong(format!("compose did not ask: {told}"))),
    }
}
