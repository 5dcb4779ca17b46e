//! Counts instructions: the agent runs within callgrind, and is asked for the sums once it has ended.
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Within callgrind an agent is some fifty times slower; nothing takes this long all the same.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Instructions, of the program itself and of all that ran in its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) own: u64,
    pub(crate) all: u64,
}

impl Spent {
    /// What each of `times` more took.
    pub(crate) fn each_since(self, before: Self, times: u64) -> Self {
        Self {
            own: self.own.saturating_sub(before.own) / times,
            all: self.all.saturating_sub(before.all) / times,
        }
    }
}

/// Starts agents that are counted.
pub(crate) struct Counter {
    lookout: PathBuf,
    directory: PathBuf,
}

/// A program that starts an agent within callgrind, wherever an agent is asked for.
pub(crate) struct Counted {
    pub(crate) program: PathBuf,
    process: PathBuf,
    sums: PathBuf,
    lookout: PathBuf,
}

impl Counter {
    pub(crate) fn new(lookout: &Path, directory: &Path) -> io::Result<Self> {
        let lookout = lookout.canonicalize()?;
        let version = Command::new("valgrind").arg("--version").output();
        if !version.is_ok_and(|output| output.status.success()) {
            return Err(io::Error::other("valgrind is missing: run scripts/setup"));
        }
        Ok(Self { lookout, directory: directory.to_owned() })
    }

    /// One that can be started once. What the agent gives up at its start would keep callgrind from writing.
    pub(crate) fn agent(&self, name: &str) -> io::Result<Counted> {
        let at = |ending: &str| self.directory.join(format!("{name}.{ending}"));
        let (program, process, sums) = (at("sh"), at("pid"), at("sums"));
        let script = format!(
            "#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\nSANDBOX=off\nexport PATH SANDBOX\necho $$ >'{}'\n\
             exec valgrind --quiet --tool=callgrind --callgrind-out-file='{}' '{}' \"$@\"\n",
            process.display(),
            sums.display(),
            self.lookout.display(),
        );
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
        Ok(Counted { program, process, sums, lookout: self.lookout.clone() })
    }
}

impl Counted {
    /// Ends the agent, and waits for the sums.
    pub(crate) fn end(self) -> io::Result<Spent> {
        let process = fs::read_to_string(&self.process)?;
        let status =
            Command::new("/bin/sh").args(["-c", "kill -s TERM \"$1\"", "kill", process.trim()]).status()?;
        if !status.success() {
            return Err(io::Error::other("the agent had ended already"));
        }
        let until = Instant::now() + PATIENCE;
        loop {
            // The total is the last line of the file.
            let sums = fs::read_to_string(&self.sums).unwrap_or_default();
            if sums.contains("\ntotals: ") {
                return spent(&sums, &self.lookout)
                    .ok_or_else(|| io::Error::other("callgrind wrote sums that are not understood"));
            }
            if Instant::now() > until {
                return Err(io::Error::other("callgrind wrote no sums"));
            }
            thread::sleep(LOOK);
        }
    }
}

/// The sums of a file of callgrind's. A line of costs belongs to the object that was named last, but for the one
/// behind `calls=`, which is the sum of what was called.
fn spent(sums: &str, program: &Path) -> Option<Spent> {
    let program = program.to_str()?;
    let (mut spent, mut own) = (Spent::default(), None);
    let (mut is_own, mut is_called) = (false, false);
    for line in sums.lines() {
        if let Some(object) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            // A name is written once, behind its number.
            let (number, name) = object.split_once(' ').unwrap_or((object, ""));
            if name == program {
                own = Some(number);
            }
            if line.starts_with("ob=") {
                is_own = own == Some(number);
            }
        } else if line.starts_with("calls=") {
            is_called = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost: u64 = line.split(' ').nth(1).map_or(Ok(0), str::parse).ok()?;
            if !std::mem::take(&mut is_called) {
                spent.all += cost;
                spent.own += if is_own { cost } else { 0 };
            }
        }
    }
    let total: u64 =
        sums.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()?;
    (spent.own > 0 && spent.all == total).then_some(spent)
}
