//! What a limit costs: requests of callers with limits, beside the same of callers with none, in one run.
//!
//! `cargo bench --bench authority -- --help` says what can be asked. The fake Engine tells recorded answers; it and
//! what the kernel tells of a process are those of the benchmark `proxy`, signatures those of `identity`.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are the purpose")]
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a wrong run may panic"
)]
#![expect(clippy::cast_possible_truncation, reason = "figures are rounded anyway")]

mod agents;
mod answers;
mod cases;
mod conversation;
mod load;
mod options;

#[path = "../proxy/chunks.rs"]
mod chunks;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/client.rs"]
mod client;
#[path = "../proxy/configurations.rs"]
mod configurations;
#[path = "../proxy/engine.rs"]
mod engine;
#[path = "../proxy/head.rs"]
mod head;
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
#[expect(dead_code, reason = "the benchmark `identity` uses all of it")]
#[path = "../identity/signer.rs"]
mod signer;
#[path = "../audit/started.rs"]
mod started;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use crate::agents::{Agent, Lets};
use crate::cases::{AGENTS, CASES, Caller, Case, Side};
use crate::load::{Expected, Lane, Requests};
use crate::options::{Role, Scale, USAGE};
use crate::peers::{Directory, Peer};
use crate::signer::since_1970;

const CONNECTIONS: usize = 8;

fn main() -> ExitCode {
    let ended = match Role::read(env::args().skip(1)) {
        Ok(Role::Help) => {
            println!("{USAGE}");
            Ok(())
        }
        Ok(Role::Engine(socket)) => engine::serve(&socket),
        Ok(Role::Run { scale, lookout }) => run(scale, &lookout),
        Err(sentence) => {
            eprintln!("{sentence}\n{USAGE}");
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

fn run(scale: Scale, program: &Path) -> io::Result<()> {
    let directory = Directory::new()?;
    let _engine = Peer::engine(&directory)?;
    let agents: Vec<Agent> =
        AGENTS.into_iter().map(|lets| Agent::start(lets, program, &directory)).collect::<io::Result<_>>()?;
    introduce(&scale);
    let before = process::busy_seconds()?;
    // What was stamped in the second in which an agent started is refused.
    let started = since_1970().as_secs();
    let patience = Instant::now() + Duration::from_secs(10);
    while since_1970().as_secs() <= started && Instant::now() < patience {
        thread::yield_now();
    }
    let mut rows = CASES
        .iter()
        .map(|case| {
            Row::new(case, &agents).map_err(|error| io::Error::other(format!("{}: {error}", case.name)))
        })
        .collect::<io::Result<Vec<_>>>()?;
    for round in 1..=scale.rounds {
        eprintln!("round {round} of {}", scale.rounds);
        for row in &mut rows {
            // Nobody is always the first, or always behind the same neighbour.
            let sides = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for side in sides {
                row.sides[side]
                    .measure(row.case, &scale)
                    .map_err(|error| io::Error::other(format!("{}: {error}", row.case.name)))?;
            }
        }
        rows.rotate_left(1);
    }
    rows.sort_by_key(|row| CASES.iter().position(|case| case.name == row.case.name));
    tell(&rows);
    println!(
        "Other programs took {:.0} % of the busy processor time; above a few, measure again.",
        process::busy_seconds()?.share_of_others_since(before) * 100.0
    );
    Ok(())
}

/// Says what the figures belong to: they mean little without it.
fn introduce(scale: &Scale) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!(
        "{} processors, Linux {}, {} rounds, {} ms for each rate{}\n",
        thread::available_parallelism().map_or(0, usize::from),
        kernel.trim(),
        scale.rounds,
        scale.duration.as_millis(),
        if cfg!(debug_assertions) { "; a debug build, whose figures mean nothing" } else { "" }
    );
}

/// One case, and what the rounds gave to one without limits and to one with them.
struct Row<'r> {
    case: &'r Case,
    sides: [Measured<'r>; 2],
}

struct Measured<'r> {
    caller: Caller,
    agent: &'r Agent,
    /// What came before anything was measured, and must come every time.
    told: Vec<u8>,
    per_second: Vec<f64>,
    cpu_seconds: Vec<f64>,
}

impl<'r> Row<'r> {
    /// Asks each once, and what is forbidden too: whether it is limits that are measured.
    fn new(case: &'r Case, agents: &'r [Agent]) -> io::Result<Self> {
        let of = |side: Side| {
            let caller = case.caller(side);
            let lets = match caller {
                Caller::Token(classes) => Lets::Token(classes),
                Caller::Key(_) => Lets::Keys,
            };
            let agent = agents.iter().find(|agent| agent.lets == lets);
            let agent = agent.ok_or_else(|| io::Error::other("no agent lets it in"))?;
            let mut signer = caller.signer();
            let (status, told) = load::ask_once(agent.started.address, &case.request(signer.as_mut()))?;
            if status != case.status() {
                return Err(io::Error::other(format!("{side:?} was answered {status}")));
            }
            case.check(side, &told)?;
            let (status, _) = load::ask_once(agent.started.address, &case.forbidden(signer.as_mut()))?;
            if (status == 403) != (side == Side::Limited) {
                return Err(io::Error::other(format!("{side:?} was answered {status} to what is forbidden")));
            }
            Ok(Measured { caller, agent, told, per_second: Vec::new(), cpu_seconds: Vec::new() })
        };
        Ok(Self { case, sides: [of(Side::All)?, of(Side::Limited)?] })
    }
}

impl Measured<'_> {
    fn measure(&mut self, case: &Case, scale: &Scale) -> io::Result<()> {
        let expected = Expected { status: case.status(), body: &self.told };
        let mut signer = self.caller.signer();
        let mut requests = || match signer.as_mut() {
            None => Requests::Repeated(case.request(None)),
            Some(signer) => {
                Requests::OnceEach((0..scale.signatures).map(|_| case.request(Some(signer))).collect())
            }
        };
        let lanes = (0..CONNECTIONS)
            .map(|_| Lane::begin(self.agent.started.address, requests(), &expected))
            .collect::<io::Result<Vec<_>>>()?;
        let before = self.agent.started.cpu_seconds()?;
        let outcome = load::ask(lanes, &expected, scale.duration)?;
        let seconds = self.agent.started.cpu_seconds()? - before;
        self.per_second.push(outcome.requests / outcome.elapsed.as_secs_f64());
        self.cpu_seconds.push(seconds * 10_000.0 / outcome.requests);
        Ok(())
    }
}

fn tell(rows: &[Row<'_>]) {
    println!("Over {CONNECTIONS} kept-alive connections, with limits and with none\n");
    println!(
        "| {:<31} | {:>9} | {:>11} | {:>6} | {:>11} | {:>14} | {:>6} | {:<6} | {:<6} |",
        "request", "all req/s", "limit req/s", "÷ all", "by round", "CPU s / 10 000", "÷ all", "target", ""
    );
    println!(
        "|{:-<33}|{:->10}:|{:->12}:|{:->7}:|{:->12}:|{:->15}:|{:->7}:|{:-<8}|{:-<8}|",
        "", "", "", "", "", "", "", "", ""
    );
    for row in rows {
        let [all, limited] = &row.sides;
        let shares: Vec<f64> =
            limited.per_second.iter().zip(&all.per_second).map(|(rate, base)| rate / base).collect();
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let share = median(&limited.per_second) / median(&all.per_second);
        let target = row.case.target;
        println!(
            "| {:<31} | {:>9.0} | {:>11.0} | {share:>6.2} | {:>11} | {:>14.3} | {:>6.2} | {:<6} | {:<6} |",
            row.case.name,
            median(&all.per_second),
            median(&limited.per_second),
            format!("{least:.2}–{greatest:.2}"),
            median(&limited.cpu_seconds),
            median(&limited.cpu_seconds) / median(&all.cpu_seconds),
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
