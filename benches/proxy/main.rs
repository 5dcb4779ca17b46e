//! Lookout beside HAProxy, nginx and the Engine itself: one interleaved run on loopback, printed as a table.
//!
//! `cargo bench --bench proxy -- --help` says what can be asked. The parts: `engine` is the fake Engine that all
//! of them stand before, `peers` starts them, `measures` lists what is done, `targets` what Lookout is to reach.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and threads and looks at the clock"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are the purpose")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a wrong run may panic")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures are rounded anyway")]

mod answers;
mod certificate;
mod chunks;
mod client;
mod configurations;
mod conversation;
mod engine;
mod figures;
mod head;
mod idle;
mod load;
mod measures;
mod memory;
mod options;
mod peers;
mod probe;
mod process;
mod readiness;
mod requests;
mod streams;
mod targets;
mod within_tls;

#[expect(dead_code, reason = "the benchmark `identity` uses all of it")]
#[path = "../identity/material.rs"]
mod material;
#[expect(dead_code, reason = "the benchmark `identity` uses all of it")]
#[path = "../identity/signer.rs"]
mod signer;
#[expect(dead_code, reason = "the benchmark `audit` uses all of it")]
#[path = "../audit/started.rs"]
mod started;

use std::process::{Command, ExitCode};
use std::{env, fs, io};

use crate::answers::Answers;
use crate::figures::Figures;
use crate::measures::{Measure, RUNNING, STARTED_ANEW, Scale, Setting};
use crate::options::{Options, USAGE};
use crate::peers::{Directory, Kind, Peer, Programs};

/// HAProxy wants two for each connection that it may have, and some for itself.
const OPEN_FILES_MIN: u64 = 8448;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::read(arguments.into_iter()) {
        Ok(options) => options,
        Err(sentence) => {
            eprintln!("{sentence}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let ended = match &options.engine {
        Some(socket) => engine::serve(socket),
        None => match options.idle {
            Some(connections) => idle::run(&options, connections),
            None => run(&options),
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

fn run(options: &Options) -> io::Result<()> {
    if process::open_files_max()? < OPEN_FILES_MIN {
        return Err(io::Error::other(format!(
            "too few open files are allowed: run `ulimit -n {OPEN_FILES_MIN}` first"
        )));
    }
    let setting = setting(options)?;
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| !options.without.contains(kind)).collect();
    introduce(options, &setting, &kinds);

    let mut peers = vec![Peer::engine(&setting.directory)?];
    for &kind in kinds.iter().filter(|&&kind| kind != Kind::Engine) {
        peers.push(Peer::proxy(kind, &setting.programs, &setting.directory, None)?);
    }
    let mut peers_within_tls = Vec::new();
    if within_tls::RUNNING.iter().any(|measure| options.wants(measure.name)) {
        for &kind in kinds.iter().filter(|&&kind| kind != Kind::Engine) {
            let certificate = Some(&setting.certificate);
            peers_within_tls.push(Peer::proxy(kind, &setting.programs, &setting.directory, certificate)?);
        }
    }
    for peer in peers.iter().chain(&peers_within_tls) {
        probe::peer(peer, &setting.answers)?;
    }

    let mut figures = Figures::default();
    let before = process::busy_seconds()?;
    let ended = measure(options, &setting, &kinds, [&mut peers, &mut peers_within_tls], &mut figures);
    let after = process::busy_seconds();
    println!("{}", figures.table());
    if let Err(error) = ended {
        println!("The table is not whole: the run failed.");
        return Err(error);
    }
    println!(
        "Other programs took {:.0} % of the busy processor time; above a few, measure again.",
        after?.share_of_others_since(before) * 100.0
    );
    if figures.is_empty() {
        return Err(io::Error::other("nothing that can be measured has such a name"));
    }
    match targets::TARGETS.iter().find(|target| !figures.contains(target.0, target.1)) {
        // A target that no figure is held against would count as met for ever.
        Some(target) if options.filters.is_empty() => {
            Err(io::Error::other(format!("{} in {} has a target and was not measured", target.0, target.1)))
        }
        _ => Ok(()),
    }
}

fn measure(
    options: &Options,
    setting: &Setting,
    kinds: &[Kind],
    [peers, peers_within_tls]: [&mut Vec<Peer>; 2],
    figures: &mut Figures,
) -> io::Result<()> {
    let wanted = |measures: &'static [Measure]| measures.iter().filter(|measure| options.wants(measure.name));
    let rounds = setting.scale.rounds;
    for round in 1..=rounds {
        for (measures, peers) in [(RUNNING, &mut *peers), (within_tls::RUNNING, &mut *peers_within_tls)] {
            for measure in wanted(measures) {
                eprintln!("round {round} of {rounds}: {}", measure.name);
                // Nobody is always the first after a pause, or always behind the same neighbour.
                peers.rotate_left(1);
                for peer in peers.iter() {
                    apply(measure, setting, peer, figures)?;
                }
            }
        }
        if round > setting.scale.rounds_anew {
            continue;
        }
        for measure in wanted(STARTED_ANEW).chain(wanted(within_tls::STARTED_ANEW)) {
            eprintln!("round {round} of {rounds}: {}", measure.name);
            let certificate = measure.name.starts_with(within_tls::PREFIX).then_some(&setting.certificate);
            for &kind in kinds.iter().filter(|&&kind| kind != Kind::Engine) {
                let peer = Peer::proxy(kind, &setting.programs, &setting.directory, certificate)?;
                apply(measure, setting, &peer, figures)?;
            }
        }
    }
    if options.wants("after the run") {
        for peer in peers.iter().filter(|peer| peer.kind != Kind::Engine) {
            figures.add("after the run", "RSS MiB", peer.kind, memory::settled(peer)?.resident / 1024.0);
        }
    }
    Ok(())
}

fn setting(options: &Options) -> io::Result<Setting> {
    // `cargo test --all-targets` builds and runs benchmarks too, for nobody's figures.
    let mut scale = if options.quick || cfg!(debug_assertions) { Scale::QUICK } else { Scale::WHOLE };
    scale.rounds = options.rounds.unwrap_or(scale.rounds);
    let directory = Directory::new()?;
    Ok(Setting {
        scale,
        answers: Answers::new(),
        certificate: certificate::make(&options.lookout, &directory.path)?,
        directory,
        programs: Programs::new(options.lookout.clone()),
    })
}

fn apply(measure: &Measure, setting: &Setting, peer: &Peer, figures: &mut Figures) -> io::Result<()> {
    (measure.run)(setting, peer, measure.name, figures).map_err(|error| {
        // What a socket's own timeout says is of no use to a reader.
        let stalled = error.kind() == io::ErrorKind::WouldBlock;
        let why = if stalled { "nothing came for too long".to_owned() } else { error.to_string() };
        io::Error::other(format!("{}, {}: {why}", peer.kind.name(), measure.name))
    })
}

/// Says what the figures belong to: they mean little without it.
fn introduce(options: &Options, setting: &Setting, kinds: &[Kind]) {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |it| it.1);
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!("{count} processors ({model}), Linux {}", kernel.trim());
    for &kind in kinds {
        let Some(program) = setting.programs.of(kind) else { continue };
        let question = if kind == Kind::Lookout { "version" } else { "-v" };
        let said = Command::new(program).arg(question).output().map_or_else(
            |_| Vec::new(),
            |output| if output.stdout.is_empty() { output.stderr } else { output.stdout },
        );
        println!("{}: {}", kind.name(), String::from_utf8_lossy(&said).lines().next().unwrap_or_default());
    }
    let scale = &setting.scale;
    println!(
        "{} rounds, {} ms for each rate, streams of {} MiB{}\n",
        scale.rounds,
        scale.duration.as_millis(),
        scale.blocks,
        if cfg!(debug_assertions) { "; a debug build, whose figures mean nothing" } else { "" }
    );
    if !options.filters.is_empty() {
        println!("only: {}\n", options.filters.join(", "));
    }
}
