//! What the command line may say.
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
usage: cargo bench --bench authority -- [--quick] [--rounds N] [--lookout PATH]

  --quick         fewer and shorter rounds: under half a minute, and less to be believed
  --rounds N      how often everything is measured; the table shows medians
  --lookout PATH  measure another build of Lookout";

/// How much of everything: many short rounds, since what is compared lies close together.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    /// How long requests are counted.
    pub(crate) duration: Duration,
    /// Requests that are signed for one connection before the clock starts; it stops when they are used up.
    pub(crate) signatures: usize,
}

const WHOLE: Scale = Scale { rounds: 25, duration: Duration::from_millis(200), signatures: 800 };
const QUICK: Scale = Scale { rounds: 5, duration: Duration::from_millis(100), signatures: 400 };

/// What the process shall be.
pub(crate) enum Role {
    Run {
        scale: Scale,
        lookout: PathBuf,
    },
    /// The fake Engine, on this socket.
    Engine(PathBuf),
    Help,
}

impl Role {
    /// Reads the arguments after the program's name; the error is a sentence.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        // `cargo test --all-targets` builds and runs benchmarks too, for nobody's figures.
        let mut scale = if cfg!(debug_assertions) { QUICK } else { WHOLE };
        let (mut rounds, mut lookout) = (None, PathBuf::from(env!("CARGO_BIN_EXE_lookout")));
        while let Some(argument) = arguments.next() {
            let value = |next: Option<String>| next.ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo says this to every benchmark.
                "--bench" => {}
                "--help" | "-h" => return Ok(Self::Help),
                "--quick" => scale = QUICK,
                "--rounds" => rounds = Some(value(arguments.next())?),
                "--lookout" => lookout = value(arguments.next())?.into(),
                "--engine" => return value(arguments.next()).map(|socket| Self::Engine(socket.into())),
                other => return Err(format!("{other} is not known here")),
            }
        }
        if let Some(rounds) = rounds {
            let count = rounds.parse().ok().filter(|count| (1..=100).contains(count));
            scale.rounds = count.ok_or("--rounds is a number from 1 to 100")?;
        }
        Ok(Self::Run { scale, lookout })
    }
}
