//! Everything that is measured, as a list: a name, and what is done to one peer for one round.
use std::fs;
use std::io;
use std::time::Duration;

use crate::answers::{self, Answers, BLOCK_BYTES};
use crate::client::{Door, LIST_BUFFER_BYTES, SMALL_BUFFER_BYTES};
use crate::configurations::Certificate;
use crate::figures::Figures;
use crate::load::{self, Load, Outcome};
use crate::memory;
use crate::peers::{Directory, Peer, Programs};
use crate::process;
use crate::requests;
use crate::streams::{self, Framing};

/// How much of everything.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    /// In how many of the rounds peers are started anew: what is measured then hardly varies, and takes long.
    pub(crate) rounds_anew: usize,
    /// How long requests are counted.
    pub(crate) duration: Duration,
    /// Blocks of a download or an upload.
    pub(crate) blocks: u64,
    /// Echoes in a row.
    pub(crate) echoes: usize,
}

impl Scale {
    pub(crate) const WHOLE: Self =
        Self { rounds: 5, rounds_anew: 5, duration: Duration::from_millis(800), blocks: 1024, echoes: 2000 };
    pub(crate) const QUICK: Self =
        Self { rounds: 3, rounds_anew: 1, duration: Duration::from_millis(150), blocks: 128, echoes: 400 };
}

/// Logs that are followed one after the other, for the median of their first lines.
const FOLLOWED: usize = 200;

/// What every measurement may use.
pub(crate) struct Setting {
    pub(crate) scale: Scale,
    pub(crate) answers: Answers,
    pub(crate) directory: Directory,
    pub(crate) programs: Programs,
    pub(crate) certificate: Certificate,
}

/// What is done to one peer in each round.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Setting, &Peer, &str, &mut Figures) -> io::Result<()>,
}

/// Measured on peers that run all the time, the Engine itself first.
pub(crate) const RUNNING: &[Measure] = &[
    Measure { name: "small GET, 1 connection", run: |s, p, name, f| small(s, p, name, f, 1) },
    Measure { name: "small GET, 8 connections", run: |s, p, name, f| small(s, p, name, f, 8) },
    Measure { name: "small GET, 64 connections", run: |s, p, name, f| small(s, p, name, f, 64) },
    Measure { name: "50 KB JSON, 8 connections", run: |s, p, name, f| list(s, p, name, f, 8) },
    Measure { name: "50 KB JSON, 64 connections", run: |s, p, name, f| list(s, p, name, f, 64) },
    Measure { name: "new connection per request", run: new_connections },
    Measure { name: "download, chunked", run: |s, p, name, f| download(s, p, name, f, Framing::Chunked) },
    Measure { name: "download, with length", run: |s, p, name, f| download(s, p, name, f, Framing::Length) },
    Measure { name: "upload, chunked", run: |s, p, name, f| upload(s, p, name, f, Framing::Chunked) },
    Measure { name: "upload, with length", run: |s, p, name, f| upload(s, p, name, f, Framing::Length) },
    Measure { name: "upgraded stream, 32-byte echo", run: echo },
    Measure { name: "followed log, first line", run: follow },
];

/// Measured on proxies only, started anew for it.
pub(crate) const STARTED_ANEW: &[Measure] = &[
    Measure { name: "start to first healthy answer", run: start },
    Measure { name: "idle", run: idle },
    Measure { name: "idle kept-alive connection", run: idle_connections },
    Measure { name: "followed log", run: followed_logs },
    Measure { name: "binary", run: binary },
];

pub(crate) fn small(
    setting: &Setting,
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
    connections: usize,
) -> io::Result<()> {
    let request = requests::get("/version");
    let load = Load {
        request: &request,
        bytes_expected: answers::version().len() as u64,
        buffer_bytes: SMALL_BUFFER_BYTES,
        duration: setting.scale.duration,
    };
    let outcome = keep_alive(peer, name, figures, &load, connections)?;
    figures.add(name, "p50 µs", peer.kind, outcome.within(0.5));
    figures.add(name, "p99 µs", peer.kind, outcome.within(0.99));
    Ok(())
}

pub(crate) fn list(
    setting: &Setting,
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
    connections: usize,
) -> io::Result<()> {
    let request = requests::get("/containers/json");
    let load = Load {
        request: &request,
        bytes_expected: answers::containers().len() as u64,
        buffer_bytes: LIST_BUFFER_BYTES,
        duration: setting.scale.duration,
    };
    keep_alive(peer, name, figures, &load, connections).map(drop)
}

fn keep_alive(
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
    load: &Load<'_>,
    connections: usize,
) -> io::Result<Outcome> {
    let clients = load::open(&peer.door, connections, load)?;
    let (outcome, seconds) = with_cpu_seconds(peer, || load::keep_alive(clients, load))?;
    figures.add(name, "req/s", peer.kind, outcome.per_second());
    figures.add(name, "CPU s / 10 000", peer.kind, seconds * 10_000.0 / outcome.requests());
    Ok(outcome)
}

pub(crate) fn new_connections(
    setting: &Setting,
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
) -> io::Result<()> {
    let request = requests::get_and_close("/version");
    let load = Load {
        request: &request,
        bytes_expected: answers::version().len() as u64,
        buffer_bytes: SMALL_BUFFER_BYTES,
        duration: setting.scale.duration,
    };
    let (outcome, seconds) = with_cpu_seconds(peer, || load::new_connections(&peer.door, &load))?;
    figures.add(name, "conn/s", peer.kind, outcome.per_second());
    figures.add(name, "CPU s / 10 000", peer.kind, seconds * 10_000.0 / outcome.requests());
    Ok(())
}

pub(crate) fn download(
    setting: &Setting,
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
    framing: Framing,
) -> io::Result<()> {
    let blocks = setting.scale.blocks;
    transfer(setting, peer, name, figures, |door| streams::download(door, framing, blocks))
}

pub(crate) fn upload(
    setting: &Setting,
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
    framing: Framing,
) -> io::Result<()> {
    let blocks = setting.scale.blocks;
    transfer(setting, peer, name, figures, |door| streams::upload(door, framing, blocks, &setting.answers))
}

fn transfer(
    setting: &Setting,
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
    run: impl FnOnce(&Door) -> io::Result<Duration>,
) -> io::Result<()> {
    let bytes = (setting.scale.blocks * BLOCK_BYTES as u64) as f64;
    let (elapsed, seconds) = with_cpu_seconds(peer, || run(&peer.door))?;
    figures.add(name, "MB/s", peer.kind, bytes / 1e6 / elapsed.as_secs_f64());
    figures.add(name, "CPU s / GB", peer.kind, seconds * 1e9 / bytes);
    Ok(())
}

pub(crate) fn echo(setting: &Setting, peer: &Peer, name: &str, figures: &mut Figures) -> io::Result<()> {
    let round_trip = streams::echo(&peer.door, setting.scale.echoes)?;
    figures.add(name, "µs", peer.kind, round_trip.map(|time| time.as_secs_f64() * 1e6));
    Ok(())
}

fn follow(_: &Setting, peer: &Peer, name: &str, figures: &mut Figures) -> io::Result<()> {
    let wait = streams::follow(&peer.door, FOLLOWED)?;
    figures.add(name, "µs", peer.kind, wait.as_secs_f64() * 1e6);
    Ok(())
}

/// The median of a few starts, since one is easily disturbed.
fn start(setting: &Setting, peer: &Peer, name: &str, figures: &mut Figures) -> io::Result<()> {
    let [mut first, mut second] = [Duration::ZERO; 2];
    for time in [&mut first, &mut second] {
        *time = Peer::proxy(peer.kind, &setting.programs, &setting.directory, None)?.start;
    }
    let mut times = [peer.start, first, second];
    times.sort_unstable();
    let [_, median, _] = times;
    figures.add(name, "ms", peer.kind, median.as_secs_f64() * 1e3);
    Ok(())
}

fn idle(_: &Setting, peer: &Peer, name: &str, figures: &mut Figures) -> io::Result<()> {
    let held = memory::settled(peer)?;
    figures.add(name, "RSS MiB", peer.kind, held.resident / 1024.0);
    figures.add(name, "PSS MiB", peer.kind, held.proportional / 1024.0);
    Ok(())
}

pub(crate) fn idle_connections(
    _: &Setting,
    peer: &Peer,
    name: &str,
    figures: &mut Figures,
) -> io::Result<()> {
    let each = memory::per_idle_connection(peer, answers::version().len() as u64)?;
    figures.add(name, "KiB", peer.kind, each);
    Ok(())
}

fn followed_logs(_: &Setting, peer: &Peer, name: &str, figures: &mut Figures) -> io::Result<()> {
    figures.add(name, "KiB", peer.kind, memory::per_followed_log(peer)?);
    Ok(())
}

fn binary(setting: &Setting, peer: &Peer, name: &str, figures: &mut Figures) -> io::Result<()> {
    let size = setting.programs.of(peer.kind).map(fs::metadata).transpose()?;
    figures.add(name, "MB", peer.kind, size.map(|size| size.len() as f64 / 1e6));
    Ok(())
}

/// Does something to a peer, and says how much processor time the peer took meanwhile.
fn with_cpu_seconds<T>(peer: &Peer, run: impl FnOnce() -> io::Result<T>) -> io::Result<(T, f64)> {
    let processes = peer.processes()?;
    let before = process::cpu_seconds(&processes)?;
    let result = run()?;
    Ok((result, process::cpu_seconds(&processes)? - before))
}
