//! What the controller asks of the agent in edge mode: small answers, streams and commands, all checked.
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::chance::{Chance, content};
use crate::direct::{is, page};
use crate::exposition::Checked;
use crate::follow::Numbers;
use crate::ground::Ground;
use crate::line::UNRECORDED;
use crate::scenery;
use crate::shift::Shift;
use crate::switchboard::Ear;
use crate::tally::{Fault, Side};

/// Asks, and waits for the head of a good answer.
fn ask(ground: &Ground, line: &str, more: &[(&str, Value)]) -> Result<(Ear, Value), Fault> {
    let session = ground.switchboard.session()?;
    let number = ground.tally.number();
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let id = format!("r{number}");
    let ear = Arc::clone(&session).hear(id.clone());
    let headers = json!({"User-Agent": format!("soak/{number}")});
    let mut data = json!({"requestId": id, "method": method, "path": path, "headers": headers});
    for (name, value) in more {
        data[*name] = value.clone();
    }
    session.say("request", &data)?;
    let head = ear.next()?;
    let data = head["data"].clone();
    if head["type"] == "error" {
        return Err(match data["code"].as_str() {
            Some("engine-failed") => Fault::Cut(data.to_string()),
            _ => Fault::Wrong(format!("{line}: {data}")),
        });
    }
    is(&format!("{line}: {head}"), head["type"] == "response")?;
    let status = data["statusCode"].as_u64().unwrap_or_default() as u16;
    let told = if status == 200 { String::new() } else { refusal(&ear, &data)? };
    if !told.contains(UNRECORDED) {
        ground.tally.answered(Side::Edge, number);
    }
    if status == 200 { Ok((ear, data)) } else { Err(Fault::Status(status, told)) }
}

/// What a refusal says; that of a stream is one, too.
fn refusal(ear: &Ear, data: &Value) -> Result<String, Fault> {
    let mut told = data.to_string().into_bytes();
    if data["isStream"] == true {
        while let Ok(more) = piece(ear)? {
            told.extend(more);
        }
    }
    Ok(String::from_utf8_lossy(&told).into_owned())
}

pub(crate) fn small(ground: &Ground, chance: &mut Chance) -> Result<(), Fault> {
    let number = chance.within(0, 1_000_000);
    let (_, data) = ask(ground, &format!("GET /images/json?soak={number}"), &[])?;
    let expected: Value = serde_json::from_str(&scenery::answer(number)).expect("JSON");
    is("a small answer through the tunnel is another", data["body"] == expected)
}

/// Its figures, as its controller can ask for them.
pub(crate) fn scrape(ground: &Ground) -> Result<Checked, Fault> {
    let (_, data) = ask(ground, "GET /metrics", &[])?;
    page(data["body"].as_str().unwrap_or_default().into())
}

fn decoded(data: &Value) -> Result<Vec<u8>, Fault> {
    let bytes = data["data"].as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok());
    bytes.ok_or_else(|| Fault::Wrong(format!("no bytes in {data}")))
}

/// The next piece of a stream, or why it ended.
fn piece(ear: &Ear) -> Result<Result<Vec<u8>, String>, Fault> {
    let next = ear.next()?;
    match next["type"].as_str() {
        Some("stream") => Ok(Ok(decoded(&next["data"])?)),
        Some("stream_end") => Ok(Err(next["data"]["reason"].as_str().unwrap_or_default().to_owned())),
        _ => Err(Fault::Wrong(format!("{next} in a stream"))),
    }
}

pub(crate) fn download(ground: &Ground, chance: &mut Chance) -> Result<(), Fault> {
    let (seed, bytes) = (chance.within(1, 1 << 40), chance.within(0, 600_000));
    let target = format!("GET /containers/steady/archive?path=/srv&seed={seed}&bytes={bytes}&chunked=1");
    let (ear, _) = ask(ground, &target, &[("streamResponse", true.into())])?;
    let mut all = Vec::new();
    loop {
        match piece(&ear)? {
            Ok(data) => all.extend(data),
            Err(reason) if reason == "complete" => break,
            Err(reason) => return Err(Fault::Cut(reason)),
        }
    }
    is("a download through the tunnel is another", all == content(seed, bytes))
}

/// Asks for much, and reads none of it.
pub(crate) fn flood(ground: &Ground) -> Result<(), Fault> {
    let session = ground.switchboard.session()?;
    for _ in 0..6 {
        let path = "/containers/steady/archive?path=/srv&seed=1&bytes=4000000";
        let id = format!("f{}", ground.tally.number());
        let data = json!({"requestId": id, "method": "GET", "path": path, "streamResponse": true});
        session.say("request", &data)?;
    }
    Ok(())
}

/// Follows a log for a while, and cancels it.
pub(crate) fn logs(ground: &Ground, shift: &Shift, chance: &mut Chance) -> Result<(), Fault> {
    let end = Instant::now() + Duration::from_secs(chance.within(3, 90));
    let (ear, _) = ask(ground, "GET /containers/steady/logs?follow=1&stdout=1", &[])?;
    let mut numbers = Numbers::default();
    let mut is_canceled = false;
    loop {
        if !is_canceled && (Instant::now() >= end || shift.is_over()) {
            ear.session.say("stream_end", &json!({"requestId": ear.id}))?;
            is_canceled = true;
        }
        match piece(&ear)? {
            Ok(data) => numbers.take(&data)?,
            Err(reason) if is_canceled && reason == "canceled" => return Ok(()),
            Err(reason) if reason == "complete" => {
                return Err(Fault::Wrong("a cut log ends as if it were whole".into()));
            }
            Err(reason) => return Err(Fault::Cut(reason)),
        }
    }
}

/// Types into a command, gets all of it back, ends its input, and learns how it ended.
pub(crate) fn command(ground: &Ground, shift: &Shift, chance: &mut Chance) -> Result<(), Fault> {
    let session = ground.switchboard.session()?;
    let id = format!("e{}", ground.tally.number());
    let ear = Arc::clone(&session).hear(id.clone());
    let command = json!({"execId": id, "containerId": "steady", "cmd": ["cat"], "cols": 80, "rows": 24});
    session.say("exec_start", &command)?;
    let first = ear.next()?;
    if first["type"] == "exec_end" {
        return Err(ended(&first["data"]));
    }
    is(&format!("{first} begins a command"), first["type"] == "exec_ready")?;
    ground.tally.started(Side::Edge);
    for _ in 0..chance.within(1, 60) {
        if shift.is_over() {
            break;
        }
        let most = if chance.once_in(10) { 60_000 } else { 80 };
        let typed = content(chance.next(), chance.within(1, most));
        session.say("exec_input", &json!({"execId": id, "data": BASE64.encode(&typed)}))?;
        let mut said = Vec::new();
        while said.len() < typed.len() {
            let next = ear.next()?;
            if next["type"] == "exec_end" {
                return Err(ended(&next["data"]));
            }
            said.extend(decoded(&next["data"])?);
        }
        is("a command through the tunnel says something else", said == typed)?;
        shift.rest(Duration::from_millis(chance.within(0, 400)));
    }
    session.say("exec_input", &json!({"execId": id, "data": ""}))?;
    let end = ear.next()?;
    let is_exited = end["type"] == "exec_end" && end["data"]["reason"] == "exited";
    if is_exited { Ok(()) } else { Err(ended(&end["data"])) }
}

/// A command that ended before it should.
fn ended(data: &Value) -> Fault {
    let reason = data["reason"].as_str().unwrap_or_default();
    // Without the Engine it cannot be made or started, or breaks off; anything else is nobody's fault but the agent's.
    let expected = ["create exec failed", "start exec failed", "error", "exited", "closed"];
    if expected.iter().any(|begin| reason.starts_with(begin)) {
        Fault::Cut(reason.to_owned())
    } else {
        Fault::Wrong(format!("a command ended with {data}"))
    }
}
