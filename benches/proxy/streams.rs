//! Single long exchanges: downloads, uploads, an upgraded stream, a followed log.
use std::io;
use std::time::{Duration, Instant};

use crate::answers::{Answers, BLOCK_BYTES, LOG_LINE};
use crate::client::{Client, Door, LARGE_BUFFER_BYTES, SMALL_BUFFER_BYTES};
use crate::requests;

/// What is typed into an upgraded stream at a time.
const ECHO_BYTES: usize = 32;

/// How the length of a large body is told.
#[derive(Clone, Copy)]
pub(crate) enum Framing {
    Chunked,
    Length,
}

pub(crate) fn download_request(framing: Framing, blocks: u64) -> Vec<u8> {
    let length = match framing {
        Framing::Chunked => 0,
        Framing::Length => 1,
    };
    requests::get(&format!("/images/large/get?length={length}&blocks={blocks}"))
}

/// Downloads whole blocks over a fresh connection.
pub(crate) fn download(door: &Door, framing: Framing, blocks: u64) -> io::Result<Duration> {
    let request = download_request(framing, blocks);
    let mut client = Client::connect(door, LARGE_BUFFER_BYTES)?;
    let begun = Instant::now();
    client.exchange(&request, blocks * BLOCK_BYTES as u64)?;
    Ok(begun.elapsed())
}

/// Uploads whole blocks over a fresh connection; the answer says how many bytes arrived.
pub(crate) fn upload(door: &Door, framing: Framing, blocks: u64, answers: &Answers) -> io::Result<Duration> {
    let mut client = Client::connect(door, SMALL_BUFFER_BYTES)?;
    let begun = Instant::now();
    send_blocks(&mut client, "/containers/target/archive?path=/", framing, blocks, answers)?;
    let said = receive_text(&mut client)?;
    let elapsed = begun.elapsed();
    let expected = blocks * BLOCK_BYTES as u64;
    if said.starts_with(&format!("{{\"bytes\":{expected},")) {
        return Ok(elapsed);
    }
    Err(io::Error::other(format!("an upload of {expected} bytes arrived as {said}")))
}

pub(crate) fn send_blocks(
    client: &mut Client,
    path: &str,
    framing: Framing,
    blocks: u64,
    answers: &Answers,
) -> io::Result<()> {
    match framing {
        Framing::Length => {
            client.send(&requests::put_with_length(path, blocks * BLOCK_BYTES as u64))?;
            (0..blocks).try_for_each(|_| client.send(&answers.block))
        }
        Framing::Chunked => {
            client.send(&requests::put_chunked(path))?;
            (0..blocks).try_for_each(|_| client.send(&answers.chunked_block))?;
            client.send(b"0\r\n\r\n")
        }
    }
}

/// Reads an answer that must be 200, as text.
pub(crate) fn receive_text(client: &mut Client) -> io::Result<String> {
    let mut data = Vec::new();
    let status = client.receive(|more| data.extend_from_slice(more))?;
    let text = String::from_utf8_lossy(&data).into_owned();
    if status == 200 { Ok(text) } else { Err(io::Error::other(format!("answered {status}: {text}"))) }
}

/// Types into an upgraded stream and waits for each echo: the median round trip, or nothing when the peer
/// does not upgrade.
pub(crate) fn echo(door: &Door, times: usize) -> io::Result<Option<Duration>> {
    let mut client = Client::connect(door, SMALL_BUFFER_BYTES)?;
    client.send(&requests::upgrade("/containers/target/attach?stream=1&stdin=1&stdout=1"))?;
    let (head_length, status, _) = client.receive_head()?;
    if status != 101 {
        return Ok(None);
    }
    client.forget_head(head_length)?;
    let mut round_trips = Vec::with_capacity(times);
    for turn in 0..times {
        let typed = [turn.to_le_bytes()[0]; ECHO_BYTES];
        let mut back = [0; ECHO_BYTES];
        let begun = Instant::now();
        client.send(&typed)?;
        client.receive_raw(&mut back)?;
        round_trips.push(begun.elapsed());
        if back != typed {
            return Err(io::Error::other("an echo is not what was typed"));
        }
    }
    Ok(Some(median(round_trips)))
}

/// Follows a log from a new connection until its first line, many times: the median from request to line.
pub(crate) fn follow(door: &Door, times: usize) -> io::Result<Duration> {
    let request = requests::get("/containers/target/logs?follow=1&stdout=1");
    let mut waits = Vec::with_capacity(times);
    for _ in 0..times {
        let begun = Instant::now();
        let mut client = Client::connect(door, SMALL_BUFFER_BYTES)?;
        client.send(&request)?;
        client.receive_beginning(LOG_LINE)?;
        waits.push(begun.elapsed());
    }
    Ok(median(waits))
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}
