//! How many instructions the agent spends on each kind of request, held against those that are on record.
//!
//! `scripts/instructions --help` says what can be asked. Rates move with the neighbours of a machine, counts hardly:
//! so this is what tells a change that makes the agent slower. The fake Engine, the callers and the controller are
//! those of the other benchmarks; `counter` is what counts, `cases` lists what is asked, `record` is the file.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are the purpose")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a wrong run may panic")]
#![expect(clippy::cast_possible_truncation, reason = "a descriptor is no larger than one")]

mod cases;
mod counter;
mod record;

#[expect(dead_code, reason = "the benchmark `edge` uses all of it")]
#[path = "../edge/agent.rs"]
mod agent;
#[expect(dead_code, reason = "the benchmark `identity` uses all of it")]
#[path = "../identity/agents.rs"]
mod agents;
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
#[expect(dead_code, reason = "the benchmark `identity` uses all of it")]
#[path = "../identity/connection.rs"]
mod connection;
#[path = "../edge/conversation.rs"]
mod conversation;
#[path = "../proxy/engine.rs"]
mod engine;
#[path = "../proxy/head.rs"]
mod head;
#[expect(dead_code, reason = "the benchmark `edge` uses all of it")]
#[path = "../edge/link.rs"]
mod link;
#[path = "../identity/material.rs"]
mod material;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/peers.rs"]
mod peers;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/process.rs"]
mod process;
#[path = "../edge/program.rs"]
mod program;
#[expect(dead_code, reason = "the benchmark `edge` uses all of it")]
#[path = "../edge/questions.rs"]
mod questions;
#[path = "../proxy/readiness.rs"]
mod readiness;
#[expect(dead_code, reason = "the benchmark `proxy` uses all of it")]
#[path = "../proxy/requests.rs"]
mod requests;
#[expect(dead_code, reason = "the benchmark `identity` uses all of it")]
#[path = "../identity/signer.rs"]
mod signer;
#[expect(dead_code, reason = "the benchmark `audit` uses all of it")]
#[path = "../audit/started.rs"]
mod started;
#[expect(dead_code, reason = "the benchmark `edge` uses all of it")]
#[path = "../edge/streams.rs"]
mod streams;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, io};

use crate::cases::{CASES, Setting};
use crate::counter::Counter;
use crate::peers::{Directory, Peer};
use crate::record::Record;

const USAGE: &str = "\
usage: scripts/instructions [--write] [--lookout PATH] [FILTER…]

  FILTER          count only what has one of these words in its name
  --write         put what is counted on record, in benches/instructions.txt
  --lookout PATH  count another build of Lookout";

/// What was asked for.
struct Options {
    writes: bool,
    lookout: PathBuf,
    filters: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let ended = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--engine", socket] => engine::serve(Path::new(socket)).map(|()| true),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(true)
        }
        words => match read(words) {
            Ok(options) => run(&options),
            Err(sentence) => {
                eprintln!("{sentence}\n{USAGE}");
                return ExitCode::from(64);
            }
        },
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the run failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(words: &[&str]) -> Result<Options, String> {
    let mut options =
        Options { writes: false, lookout: env!("CARGO_BIN_EXE_lookout").into(), filters: Vec::new() };
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        match word {
            "--write" => options.writes = true,
            "--lookout" => options.lookout = words.next().ok_or("--lookout needs a value")?.into(),
            other if other.starts_with('-') => return Err(format!("{other} is no option")),
            filter => options.filters.push(filter.to_owned()),
        }
    }
    Ok(options)
}

/// Counts, tells, and says whether everything is within its bounds.
fn run(options: &Options) -> io::Result<bool> {
    if cfg!(debug_assertions) {
        return Err(io::Error::other("a debug build spends other instructions: run scripts/instructions"));
    }
    let directory = Directory::new()?;
    let counter = Counter::new(&options.lookout, &directory.path)?;
    let _engine = Peer::engine(&directory)?;
    let setting = Setting::new(&options.lookout, &directory)?;
    let recorded = Record::read()?;
    println!("{}\n", record::HEADING);
    let (mut counted, mut is_within) = (Record::new(), true);
    for case in CASES {
        let wanted = |filter: &String| case.name.contains(filter.as_str());
        if !options.filters.is_empty() && !options.filters.iter().any(wanted) {
            continue;
        }
        let spent = case.count(&setting, &counter)?;
        let verdict = recorded.judge(case.name, &spent);
        println!("{:<34} {:>9} {:>9}  {verdict}", case.name, spent.own, spent.all);
        is_within &= !verdict.is_too_many();
        counted.add(case.name, spent);
    }
    if counted.is_empty() {
        return Err(io::Error::other("nothing that is counted has such a name"));
    }
    if options.writes {
        recorded.renewed(counted).write()?;
        println!("\nwritten to {}", record::FILE);
        return Ok(true);
    }
    if !is_within {
        println!("\n{}", recorded.remedy());
    }
    Ok(is_within)
}
