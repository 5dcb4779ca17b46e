//! Edge mode beside a bare WebSocket of the same library: one interleaved run on loopback, printed as a table.
//!
//! `cargo bench --bench edge -- --help` says what can be asked. The controller is this process; the agent, the fake
//! Engine behind it and the bare WebSocket are processes of their own.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are the purpose")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a wrong run may panic")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures are rounded anyway")]

mod agent;
mod bare;
mod conversation;
mod figures;
mod life;
mod link;
mod measures;
mod program;
mod questions;
mod shell;
mod soak;
mod streams;

#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/answers.rs"]
mod answers;
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
#[path = "../proxy/options.rs"]
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

use std::process::ExitCode;
use std::{env, fs, io, thread};

use crate::measures::{Measures, Scale};
use crate::options::Options;

const USAGE: &str = "\
usage: cargo bench --bench edge -- [--quick] [--rounds N] [--lookout PATH] [FILTER…]

  FILTER          measure only what has one of these words in its name
  --quick         fewer and shorter rounds: under half a minute, and less to be believed
  --rounds N      how often everything is measured; the table shows medians
  --lookout PATH  measure another build of Lookout
  --soak MINUTES  first of all: a shell beside a stream, and cuts, for so long, with what the agent holds";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let ended = match arguments.as_slice() {
        [bare, address] if bare == "--bare" => bare::serve(address),
        [soak, minutes, more @ ..] if soak == "--soak" => soaked(minutes, more),
        _ => match Options::read(arguments.into_iter()) {
            Ok(Options { engine: Some(socket), .. }) => engine::serve(&socket),
            Ok(options) if options.without.is_empty() => run(&options),
            Ok(_) => Err(io::Error::other("there is nobody here to be left out")),
            Err(sentence) => {
                eprintln!("{sentence}\n{USAGE}");
                return ExitCode::from(64);
            }
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the run failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn soaked(minutes: &str, more: &[String]) -> io::Result<()> {
    let minutes =
        minutes.parse().map_err(|_| io::Error::other(format!("{minutes} is no number of minutes")))?;
    let options = Options::read(more.iter().cloned()).map_err(io::Error::other)?;
    soak::run(&options, minutes)
}

fn run(options: &Options) -> io::Result<()> {
    // `cargo test --all-targets` builds and runs benchmarks too, for nobody's figures.
    let mut scale = if options.quick || cfg!(debug_assertions) { Scale::QUICK } else { Scale::WHOLE };
    scale.rounds = options.rounds.unwrap_or(scale.rounds);
    introduce(&scale);
    let before = process::busy_seconds()?;
    let mut measures = Measures::new(options, &scale)?;
    for round in 1..=scale.rounds {
        eprintln!("round {round} of {}", scale.rounds);
        measures.round(round)?;
    }
    measures.cuts()?;
    println!("{}", measures.figures.table());
    println!(
        "Other programs took {:.0} % of the busy processor time; above a few, measure again.",
        process::busy_seconds()?.share_of_others_since(before) * 100.0
    );
    if measures.figures.is_empty() {
        return Err(io::Error::other("nothing that can be measured has such a name"));
    }
    match measures.figures.missing().filter(|_| options.filters.is_empty()) {
        // A target that no figure is held against would count as met for ever.
        Some(what) => Err(io::Error::other(format!("{what} has a target and was not measured"))),
        None => Ok(()),
    }
}

/// Says what the figures belong to: they mean little without it.
fn introduce(scale: &Scale) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!(
        "{} processors, Linux {}, {} rounds, {} ms for each rate, streams of {} MiB, {} cuts{}\n",
        thread::available_parallelism().map_or(0, usize::from),
        kernel.trim(),
        scale.rounds,
        scale.duration.as_millis(),
        scale.blocks,
        scale.cuts,
        if cfg!(debug_assertions) { "; a debug build, whose figures mean nothing" } else { "" }
    );
}
