//! What the command line may say.
use std::path::PathBuf;

use crate::peers::Kind;

pub(crate) const USAGE: &str = "\
usage: cargo bench --bench proxy -- [--quick] [--rounds N] [--without haproxy|nginx] [--lookout PATH] [FILTER…]

  FILTER          measure only what has one of these words in its name
  --quick         fewer and shorter rounds, smaller streams: under a minute, and less to be believed
  --rounds N      how often everything is measured; the table shows medians
  --without PEER  leave a peer out; one that is not installed is an error otherwise
  --lookout PATH  measure another build of Lookout
  --idle N        instead of all that: what N idle connections take of Lookout, and whether it still answers";

/// What to measure and for how long.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: Option<usize>,
    pub(crate) without: Vec<Kind>,
    pub(crate) lookout: PathBuf,
    pub(crate) filters: Vec<String>,
    /// How many idle connections, where nothing else is asked for.
    pub(crate) idle: Option<usize>,
    /// This process shall be the fake Engine, on this socket.
    pub(crate) engine: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments after the program's name; the error is a sentence.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            quick: false,
            rounds: None,
            without: Vec::new(),
            lookout: PathBuf::from(env!("CARGO_BIN_EXE_lookout")),
            filters: Vec::new(),
            idle: None,
            engine: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo says this to every benchmark.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--rounds" => {
                    let rounds = value()?.parse().ok().filter(|&rounds| (1..=100).contains(&rounds));
                    options.rounds = Some(rounds.ok_or("--rounds is a number from 1 to 100")?);
                }
                "--without" => options.without.push(match value()?.as_str() {
                    "haproxy" => Kind::Haproxy,
                    "nginx" => Kind::Nginx,
                    other => return Err(format!("--without takes haproxy or nginx, not {other}")),
                }),
                "--lookout" => options.lookout = value()?.into(),
                "--idle" => {
                    let count = value()?.parse().ok().filter(|&count| (1..=20_000).contains(&count));
                    options.idle = Some(count.ok_or("--idle is a number from 1 to 20000")?);
                }
                "--engine" => options.engine = Some(value()?.into()),
                other if other.starts_with('-') => return Err(format!("{other} is no option")),
                word => options.filters.push(word.to_owned()),
            }
        }
        Ok(options)
    }

    /// Whether something with this name shall be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }
}
