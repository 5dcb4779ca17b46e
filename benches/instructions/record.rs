//! The counts on record, in a file that is kept beside the benchmark, and how far one may be above its own.
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, ErrorKind};
use std::process::Command;

use crate::counter::Spent;

pub(crate) const FILE: &str = "benches/instructions.txt";
pub(crate) const HEADING: &str =
    "what is asked                       of its own       all  beside those on record: its own, all";
/// Two runs of one build differ by less than one in a hundred.
const OWN_TOLERANCE_PERCENT: u64 = 5;
/// How often something is cleared in vain depends on who is faster.
const ALL_TOLERANCE_PERCENT: u64 = 10;

/// Counts by the name of what was asked.
#[derive(Default)]
pub(crate) struct Record {
    /// What they were counted with: another compiler or C library makes other instructions of the same source.
    made_with: String,
    counts: BTreeMap<String, Spent>,
}

/// How a count compares with the one on record, in thousandths of that.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Nothing where there is none on record.
    own: Option<u64>,
    /// Nothing either where that was counted with another C library, which has other instructions.
    all: Option<u64>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self { made_with: made_with(), counts: BTreeMap::new() }
    }

    pub(crate) fn read() -> io::Result<Self> {
        let text = match fs::read_to_string(FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => text?,
        };
        let mut record = Self::default();
        for line in text.lines() {
            if let Some(made_with) = line.strip_prefix("# Counted with ") {
                record.made_with = made_with.to_owned();
            } else if !line.starts_with('#') {
                let wrong = || io::Error::other(format!("{FILE} has a line that is none: {line}"));
                let mut fields = line.rsplitn(3, '|').map(str::trim);
                let mut count = || fields.next()?.parse().ok();
                let (all, own) = (count().ok_or_else(wrong)?, count().ok_or_else(wrong)?);
                let name = fields.next().ok_or_else(wrong)?;
                record.add(name, Spent { own, all });
            }
        }
        Ok(record)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(crate) fn add(&mut self, name: &str, spent: Spent) {
        self.counts.insert(name.to_owned(), spent);
    }

    pub(crate) fn judge(&self, name: &str, spent: &Spent) -> Verdict {
        let Some(recorded) = self.counts.get(name) else { return Verdict::default() };
        let share = |count: u64, recorded: u64| (count * 1000).checked_div(recorded);
        let all = share(spent.all, recorded.all).filter(|_| self.made_with == made_with());
        Verdict { own: share(spent.own, recorded.own), all }
    }

    /// This record with what was counted anew.
    pub(crate) fn renewed(mut self, counted: Self) -> Self {
        self.counts.extend(counted.counts);
        Self { made_with: counted.made_with, counts: self.counts }
    }

    pub(crate) fn write(&self) -> io::Result<()> {
        let mut text = format!(
            "# Instructions the agent spends: on what | its own | with the C library's. Renewed by scripts/instructions --write.\n\
             # Counted with {}\n",
            self.made_with
        );
        for (name, Spent { own, all }) in &self.counts {
            let _ = writeln!(text, "{name:<34} | {own:>8} | {all:>8}");
        }
        fs::write(FILE, text)
    }

    pub(crate) fn remedy(&self) -> String {
        let mut sentence = format!(
            "More than {OWN_TOLERANCE_PERCENT} % above what is on record, or {ALL_TOLERANCE_PERCENT} % with the C library. If that is \
             wanted: scripts/instructions --write, and say why."
        );
        if self.made_with != made_with() {
            let _ = write!(
                sentence,
                "\nThose on record were counted with {}, these with {}.",
                self.made_with,
                made_with()
            );
        }
        sentence
    }
}

impl Verdict {
    /// What is on no record is held against nothing, and so it is too many.
    pub(crate) fn is_too_many(&self) -> bool {
        self.own.is_none_or(|share| share > 1000 + 10 * OWN_TOLERANCE_PERCENT)
            || self.all.is_some_and(|share| share > 1000 + 10 * ALL_TOLERANCE_PERCENT)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for share in [self.own, self.all] {
            match share {
                Some(share) => write!(f, "{}.{:03} ", share / 1000, share % 1000)?,
                None => f.write_str("    – ")?,
            }
        }
        f.write_str(if self.is_too_many() { " TOO MANY" } else { "" })
    }
}

/// Compiler, C library, and kind of machine.
fn made_with() -> String {
    let said = |program: &str, argument: &str| {
        let output =
            Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).lines().next().unwrap_or("something unknown").trim().to_owned()
    };
    format!(
        "{}, {}, {}",
        said("rustc", "--version"),
        said("getconf", "GNU_LIBC_VERSION"),
        std::env::consts::ARCH
    )
}
