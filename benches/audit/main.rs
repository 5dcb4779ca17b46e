//! What the audit trail costs: the same requests with each way to keep it, beside none, in one run.
//!
//! `cargo bench --bench audit -- --help` says what can be asked. The fake Engine and what the kernel tells of a
//! process are those of the benchmark `proxy`, the load and the options those of `authority`.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are the purpose")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a wrong run may panic")]
#![expect(clippy::cast_possible_truncation, reason = "figures are rounded anyway")]

mod started;
mod trails;

#[path = "../proxy/answers.rs"]
mod answers;
#[path = "../proxy/chunks.rs"]
mod chunks;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/client.rs"]
mod client;
#[path = "../proxy/configurations.rs"]
mod configurations;
#[path = "../proxy/conversation.rs"]
mod conversation;
#[path = "../proxy/engine.rs"]
mod engine;
#[path = "../proxy/head.rs"]
mod head;
#[expect(dead_code, reason = "the benchmark `authority` uses all of it")]
#[path = "../authority/load.rs"]
mod load;
#[expect(dead_code, reason = "the benchmark `authority` uses all of it")]
#[path = "../authority/options.rs"]
mod options;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/peers.rs"]
mod peers;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/process.rs"]
mod process;
#[path = "../proxy/readiness.rs"]
mod readiness;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/requests.rs"]
mod requests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io, thread};

use crate::load::{Expected, Lane, Requests};
use crate::options::{Role, Scale, USAGE};
use crate::peers::{Directory, Peer};
use crate::trails::{Agent, Trail};

const CONNECTIONS: usize = 8;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let before = before(&mut arguments);
    let role = before.and_then(|before| Role::read(arguments.into_iter()).map(|role| (role, before)));
    let ended = match role {
        Ok((Role::Help, _)) => {
            println!("{}", usage());
            Ok(())
        }
        Ok((Role::Engine(socket), _)) => engine::serve(&socket),
        Ok((Role::Run { scale, lookout }, before)) => run(&scale, &lookout, before.as_deref()),
        Err(sentence) => {
            eprintln!("{sentence}\n{}", usage());
            return ExitCode::from(64);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the run failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let own = "  --before PATH   measure this build of Lookout too, one that has no trail yet";
    format!("{}\n{own}", USAGE.replace("--bench authority -- ", "--bench audit -- [--before PATH] "))
}

/// Takes out the one option that the other benchmark does not have.
fn before(arguments: &mut Vec<String>) -> Result<Option<PathBuf>, String> {
    let Some(at) = arguments.iter().position(|argument| argument == "--before") else { return Ok(None) };
    arguments.remove(at);
    if at < arguments.len() {
        Ok(Some(arguments.remove(at).into()))
    } else {
        Err("--before needs a value".into())
    }
}

fn run(scale: &Scale, program: &Path, before: Option<&Path>) -> io::Result<()> {
    let directory = Directory::new()?;
    let _engine = Peer::engine(&directory)?;
    introduce(scale);
    let busy = process::busy_seconds()?;
    let mut rows = Vec::new();
    for trail in Trail::ALL {
        let program = if trail == Trail::Before { before } else { Some(program) };
        if let Some(program) = program {
            rows.push(Row::new(Agent::start(trail, program, &directory)?)?);
        }
    }
    for round in 1..=scale.rounds {
        eprintln!("round {round} of {}", scale.rounds);
        for row in &mut rows {
            row.measure(scale)
                .map_err(|error| io::Error::other(format!("{}: {error}", row.agent.trail.name())))?;
        }
        // Nobody is always the first, or always behind the same neighbour.
        rows.rotate_left(1);
        if round % rows.len() == 0 {
            rows.reverse();
        }
    }
    let others = process::busy_seconds()?.share_of_others_since(busy);
    rows.sort_by_key(|row| Trail::ALL.iter().position(|trail| *trail == row.agent.trail));
    tell(&rows);
    println!(
        "Other programs took {:.0} % of the busy processor time; above a few, measure again. Load average {}.",
        others * 100.0,
        load_average()
    );
    rows.iter().try_for_each(|row| row.agent.check(row.requests))
}

/// Says what the figures belong to: they mean little without it.
fn introduce(scale: &Scale) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!(
        "{} processors, Linux {}, {} rounds, {} ms for each rate, load average {}{}\n",
        thread::available_parallelism().map_or(0, usize::from),
        kernel.trim(),
        scale.rounds,
        scale.duration.as_millis(),
        load_average(),
        if cfg!(debug_assertions) { "; a debug build, whose figures mean nothing" } else { "" }
    );
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// One way to keep the trail, and what the rounds gave.
struct Row {
    agent: Agent,
    per_second: Vec<f64>,
    /// Of all rounds together: the kernel counts in steps that are long beside a round.
    requests: f64,
    cpu_seconds: f64,
}

impl Row {
    fn new(agent: Agent) -> io::Result<Self> {
        let wrong = requests::get_as("/version", "wrong");
        let (status, _) = load::ask_once(agent.started.address, &wrong)?;
        if status != 401 {
            let sentence = format!("{}: a wrong token was answered {status}", agent.trail.name());
            return Err(io::Error::other(sentence));
        }
        Ok(Self { agent, per_second: Vec::new(), requests: 0.0, cpu_seconds: 0.0 })
    }

    fn measure(&mut self, scale: &Scale) -> io::Result<()> {
        let expected = Expected { status: 200, body: answers::version().as_bytes() };
        let started = &self.agent.started;
        let lanes = (0..CONNECTIONS)
            .map(|_| Lane::begin(started.address, Requests::Repeated(requests::get("/version")), &expected))
            .collect::<io::Result<Vec<_>>>()?;
        let before = started.cpu_seconds()?;
        let outcome = load::ask(lanes, &expected, scale.duration)?;
        self.cpu_seconds += started.cpu_seconds()? - before;
        self.requests += outcome.requests;
        self.per_second.push(outcome.requests / outcome.elapsed.as_secs_f64());
        Ok(())
    }

    /// Processor time of one request.
    fn microseconds(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.requests
    }
}

fn tell(rows: &[Row]) {
    let Some(off) = rows.iter().find(|row| row.agent.trail == Trail::Off) else { return };
    println!("Small GET over {CONNECTIONS} kept-alive connections\n");
    println!(
        "| {:<35} | {:>7} | {:>6} | {:>11} | {:>14} | {:>6} | {:>12} | {:<6} | {:<6} |",
        "trail", "req/s", "÷ off", "by round", "CPU s / 10 000", "÷ off", "µs more each", "target", ""
    );
    println!(
        "|{:-<37}|{:->8}:|{:->7}:|{:->12}:|{:->15}:|{:->7}:|{:->13}:|{:-<8}|{:-<8}|",
        "", "", "", "", "", "", "", "", ""
    );
    for row in rows {
        let shares: Vec<f64> =
            row.per_second.iter().zip(&off.per_second).map(|(rate, base)| rate / base).collect();
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let share = median(&row.per_second) / median(&off.per_second);
        let target = row.agent.trail.target();
        println!(
            "| {:<35} | {:>7.0} | {share:>6.2} | {:>11} | {:>14.3} | {:>6.2} | {:>12.1} | {:<6} | {:<6} |",
            row.agent.trail.name(),
            median(&row.per_second),
            format!("{least:.2}–{greatest:.2}"),
            row.microseconds() / 100.0,
            row.microseconds() / off.microseconds(),
            row.microseconds() - off.microseconds(),
            target.map_or(String::new(), |target| format!("≥ {target}")),
            target.map_or("", |target| if share >= target { "met" } else { "missed" }),
        );
    }
    println!();
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle(sorted.len().saturating_sub(1) / 2), middle(sorted.len() / 2))
}
