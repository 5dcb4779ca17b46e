//! Endurance: a mixed load on both kinds of agent for as long as is asked, while everything around them goes wrong.
//!
//! `scripts/soak --help` says what can be asked. The fake Engine is a process of its own, the controller is this one.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a run that cannot go on says so by panicking"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "it starts the agents, counts on threads of its own, and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the findings are the purpose")]
#![expect(clippy::cast_possible_truncation, reason = "figures are rounded anyway")]

mod chance;
mod chaos;
mod course;
mod crew;
mod daemon;
mod direct;
mod follow;
mod ground;
mod line;
mod scenery;
mod shift;
mod switchboard;
mod tally;
mod trail;
mod tunnel;
mod watch;
mod weather;

#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/agent.rs"]
mod agent;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/client.rs"]
mod client;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/compose_world.rs"]
mod compose_world;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/controller.rs"]
mod controller;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/edge_link.rs"]
mod edge_link;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/engine.rs"]
mod engine;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../src/metrics/check.rs"]
mod exposition;
#[expect(dead_code, reason = "the benchmark `edge` uses all of it")]
#[path = "../edge/link.rs"]
mod link;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/message.rs"]
mod message;
#[path = "../../tests/integration/patience.rs"]
mod patience;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/process.rs"]
mod process;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/signer.rs"]
mod signer;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/integration/tls_client.rs"]
mod tls_client;

use std::env;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: scripts/soak [--minutes N] [--seed S]

  --minutes N  how long both agents are under load and in trouble; 60 unless said, with two more around it
  --seed S     draw the same troubles again

Ends with a table, and with exit code 1 and a list where anything was found. It takes root, or a container with
CAP_SYS_ADMIN: each trail is on a small disk of its own, which is filled.";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [engine, socket] = arguments.as_slice()
        && engine == "--engine"
    {
        let _ = daemon::serve(Path::new(socket));
        return ExitCode::FAILURE;
    }
    let (mut minutes, mut seed) = (None, u64::from(std::process::id()));
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().and_then(|value| value.parse::<u64>().ok());
        match (word.as_str(), value) {
            ("--minutes", Some(value @ 1..=10_000)) => minutes = Some(value),
            ("--seed", Some(value)) => seed = value,
            ("--help" | "-h", _) => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            // What other benchmarks are chosen by, where all are run.
            (filter, _) if !filter.starts_with('-') => {}
            _ => {
                eprintln!("{word} is not understood\n{USAGE}");
                return ExitCode::from(64);
            }
        }
    }
    let Some(minutes) = minutes else {
        // Together with other benchmarks nobody waits for an hour.
        println!("a soak is asked for with --minutes\n{USAGE}");
        return ExitCode::SUCCESS;
    };
    match course::run(minutes, seed) {
        Ok(findings) if findings.is_empty() => {
            println!("\nNothing was found.");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            println!("\n{} findings:\n{}", findings.len(), findings.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the run failed: {error}");
            ExitCode::FAILURE
        }
    }
}
