//! What each way to prove who one is costs, beside a token in the same run on loopback, printed as tables.
//!
//! `cargo bench --bench identity -- --help` says what can be asked. The fake Engine, its answers and what the kernel
//! tells of a process are those of the benchmark `proxy`.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are the purpose")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a wrong run may panic")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures are rounded anyway")]

mod agents;
mod burst;
mod comparison;
mod connection;
mod credentials;
mod material;
mod options;
mod rates;
mod signer;

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

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use crate::agents::{Agent, Asks};
use crate::burst::{Burst, CLIENTS};
use crate::comparison::{GUARDED, KEPT, KINDS, PUBLIC, contrast, median};
use crate::connection::Connection;
use crate::credentials::Credential;
use crate::material::Material;
use crate::options::{Role, Scale, USAGE};
use crate::peers::{Directory, Peer};
use crate::rates::Lane;
use crate::signer::{Signer, since_1970};

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

/// What every measurement may use.
struct Setting<'s> {
    scale: Scale,
    program: &'s Path,
    directory: Directory,
    material: Material,
}

impl Setting<'_> {
    fn agent(&self, asks: Asks) -> io::Result<Agent> {
        Agent::start(asks, self.program, &self.material, &self.directory)
    }
}

fn run(scale: Scale, program: &Path) -> io::Result<()> {
    let directory = Directory::new()?;
    let material = Material::make(program, &directory.path)?;
    let setting = Setting { scale, program, directory, material };
    let _engine = Peer::engine(&setting.directory)?;
    introduce(&scale);
    let before = process::busy_seconds()?;
    rates(&setting)?;
    bursts(&setting)?;
    compare(&setting)?;
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

/// What the rounds gave for one credential.
struct Row {
    credential: Credential,
    per_second: Vec<f64>,
    cpu_seconds: Vec<f64>,
}

fn rates(setting: &Setting<'_>) -> io::Result<()> {
    let kinds = [Asks::Nothing, Asks::Token, Asks::HashedToken, Asks::Signature, Asks::Certificate];
    let agents: Vec<Agent> = kinds.into_iter().map(|asks| setting.agent(asks)).collect::<io::Result<_>>()?;
    let of = |credential: Credential| {
        let found = agents.iter().find(|agent| agent.asks == credential.asks());
        found.ok_or_else(|| io::Error::other("no agent asks for that"))
    };
    let mut signer = setting.material.signer()?;
    // What was stamped in the second in which an agent started is refused.
    let started = since_1970().as_secs();
    let patience = Instant::now() + Duration::from_secs(10);
    while since_1970().as_secs() <= started && Instant::now() < patience {
        thread::yield_now();
    }
    let mut rows: Vec<Row> = Credential::ALL
        .into_iter()
        .map(|credential| Row { credential, per_second: Vec::new(), cpu_seconds: Vec::new() })
        .collect();
    for row in &rows {
        probe(setting, of(row.credential)?, row.credential, &mut signer)?;
    }
    for round in 1..=setting.scale.rounds {
        eprintln!("round {round} of {}", setting.scale.rounds);
        // Nobody is always the first after a pause, or always behind the same neighbour.
        rows.rotate_left(1);
        rows.reverse();
        for row in &mut rows {
            measure(setting, of(row.credential)?, row, &mut signer)
                .map_err(|error| io::Error::other(format!("{}: {error}", row.credential.name())))?;
        }
    }
    rows.sort_by_key(|row| Credential::ALL.iter().position(|credential| *credential == row.credential));
    tell_rates(&rows);
    Ok(())
}

/// Before anything is measured: whether an agent refuses what lacks the credential.
fn probe(
    setting: &Setting<'_>,
    agent: &Agent,
    credential: Credential,
    signer: &mut Signer,
) -> io::Result<()> {
    let tls = credential.tls(&setting.material)?;
    for request in credential.bad_requests(signer) {
        let mut connection = Connection::open(agent.address, tls.as_ref())?;
        let status = connection.exchange(&request)?.status;
        if status != 401 {
            let name = credential.name();
            return Err(io::Error::other(format!("{name}: what is no credential was answered {status}")));
        }
    }
    Ok(())
}

fn measure(setting: &Setting<'_>, agent: &Agent, row: &mut Row, signer: &mut Signer) -> io::Result<()> {
    let tls = row.credential.tls(&setting.material)?;
    let lanes = (0..CONNECTIONS)
        .map(|_| {
            let requests = row.credential.requests(signer, setting.scale.signatures);
            Lane::begin(Connection::open(agent.address, tls.as_ref())?, requests)
        })
        .collect::<io::Result<Vec<_>>>()?;
    let before = agent.cpu_seconds()?;
    let outcome = rates::ask(lanes, setting.scale.duration)?;
    let seconds = agent.cpu_seconds()? - before;
    row.per_second.push(outcome.requests / outcome.elapsed.as_secs_f64());
    row.cpu_seconds.push(seconds * 10_000.0 / outcome.requests);
    Ok(())
}

fn tell_rates(rows: &[Row]) {
    println!("Small GET over {CONNECTIONS} kept-alive connections\n");
    println!(
        "| {:<26} | {:>7} | {:>7} | {:>11} | {:>14} | {:>7} | {:<6} | {:<6} |",
        "credential", "req/s", "÷ token", "by round", "CPU s / 10 000", "÷ token", "target", ""
    );
    println!(
        "|{:-<28}|{:->8}:|{:->8}:|{:->12}:|{:->15}:|{:->8}:|{:-<8}|{:-<8}|",
        "", "", "", "", "", "", "", ""
    );
    for row in rows {
        let Some(base) = rows.iter().find(|base| base.credential == row.credential.baseline()) else {
            continue;
        };
        let shares: Vec<f64> =
            row.per_second.iter().zip(&base.per_second).map(|(rate, base)| rate / base).collect();
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let share = median(&row.per_second) / median(&base.per_second);
        let target = row.credential.target();
        println!(
            "| {:<26} | {:>7.0} | {share:>7.2} | {:>11} | {:>14.3} | {:>7.2} | {:<6} | {:<6} |",
            row.credential.name(),
            median(&row.per_second),
            format!("{least:.2}–{greatest:.2}"),
            median(&row.cpu_seconds),
            median(&row.cpu_seconds) / median(&base.cpu_seconds),
            target.map_or(String::new(), |target| format!("≥ {target}")),
            target.map_or("", |target| if share >= target { "met" } else { "missed" }),
        );
    }
    println!();
}

fn bursts(setting: &Setting<'_>) -> io::Result<()> {
    let mut given = [Vec::new(), Vec::new()];
    for _ in 0..setting.scale.rounds {
        for (clients, bursts) in [1, CLIENTS].into_iter().zip(&mut given) {
            let burst = burst::burst(&setting.agent(Asks::HashedToken)?, clients)?;
            if burst.admitted != clients {
                let sentence = format!("of {clients} valid clients at once {} were let in", burst.admitted);
                return Err(io::Error::other(sentence));
            }
            bursts.push(burst);
        }
    }
    println!("A hashed token that a fresh agent has not seen yet (m=19456, t=2, p=1)\n");
    println!("| clients at once | answered 200 | ms until all are | RSS MiB before | at most |");
    println!("|----------------:|-------------:|-----------------:|---------------:|--------:|");
    for bursts in &given {
        let of = |value: fn(&Burst) -> f64| median(&bursts.iter().map(value).collect::<Vec<_>>());
        println!(
            "| {:>15} | {:>12} | {:>16.1} | {:>14.1} | {:>7.1} |",
            bursts.first().map_or(0, |burst| burst.clients),
            bursts.iter().map(|burst| burst.admitted).min().unwrap_or(0),
            of(|burst| burst.elapsed.as_secs_f64() * 1e3),
            of(|burst| burst.peak[0]),
            of(|burst| burst.peak[1]),
        );
    }
    println!();
    Ok(())
}

fn compare(setting: &Setting<'_>) -> io::Result<()> {
    let agent = setting.agent(Asks::TokenBehindProxy)?;
    let each = setting.scale.refusals;
    println!("Wrong tokens, {each} of each kind in a random order over one connection");
    for asked in [GUARDED, PUBLIC] {
        let [base, others @ ..] = &comparison::times(&agent, asked, each)?;
        println!(
            "\n{} ({}), held against tokens {}: median {:.0} ns\n",
            asked.path,
            asked.status,
            KINDS[0],
            median(base)
        );
        print!("| {:<36} | {:>14} |", "the token is", "median differs");
        let heads = KEPT.map(|share| format!("t, {:.0} % kept", share * 100.0));
        println!(" {} |", heads.join(" | "));
        let rules: String = heads.iter().map(|head| format!("{:->1$}:|", "", head.len() + 1)).collect();
        println!("|{:-<38}|{:->15}:|{rules}", "", "");
        for (kind, other) in KINDS[1..].iter().zip(others) {
            let found = contrast(base, other);
            print!("| {kind:<36} | {:>11.0} ns |", found.difference);
            for (t, head) in found.t.iter().zip(&heads) {
                print!(" {t:>0$.2} |", head.len());
            }
            println!();
        }
    }
    println!();
    Ok(())
}
