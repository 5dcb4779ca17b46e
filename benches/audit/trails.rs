//! What is compared: an agent for each way to keep the trail, and whether it kept it.
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::load;
use crate::peers::Directory;
use crate::requests;
use crate::started::Started;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trail {
    /// Another build, from before there was one. It would refuse to be told of one.
    Before,
    Off,
    /// As it is where nothing is said.
    Ring,
    File,
    /// Chained and signed.
    Chain,
    Detail,
}

impl Trail {
    pub(crate) const ALL: [Self; 6] =
        [Self::Before, Self::Off, Self::Ring, Self::File, Self::Chain, Self::Detail];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "none, in the build given as before",
            Self::Off => "off",
            Self::Ring => "the last 256 in memory, the default",
            Self::File => "and to a file",
            Self::Chain => "and chained, signed",
            Self::Detail => "and with details",
        }
    }

    /// The least share of the requests without a trail.
    pub(crate) fn target(self) -> Option<f64> {
        match self {
            Self::File => Some(0.90),
            Self::Chain => Some(0.85),
            Self::Before | Self::Off | Self::Ring | Self::Detail => None,
        }
    }

    fn is_chained(self) -> bool {
        matches!(self, Self::Chain | Self::Detail)
    }

    /// The variables that say so.
    fn variables(self, state: &Path, file: &Path) -> Vec<(&'static str, OsString)> {
        let log = ("AUDIT_LOG", file.as_os_str().to_owned());
        let state = ("STATE_DIR", state.as_os_str().to_owned());
        match self {
            Self::Before | Self::Ring => Vec::new(),
            Self::Off => vec![("AUDIT_BUFFER_SIZE", "0".into())],
            Self::File => vec![log, ("AUDIT_CHAIN", "false".into())],
            Self::Chain => vec![log, state],
            Self::Detail => vec![log, state, ("AUDIT_DETAIL", "true".into())],
        }
    }
}

/// A running agent and what it was told to keep.
pub(crate) struct Agent {
    pub(crate) trail: Trail,
    pub(crate) started: Started,
    program: PathBuf,
    kept: PathBuf,
}

impl Agent {
    pub(crate) fn start(trail: Trail, program: &Path, directory: &Directory) -> io::Result<Self> {
        let kept = directory.path.join(format!("{trail:?}"));
        let state = kept.join("state");
        DirBuilder::new().recursive(true).mode(0o700).create(&state)?;
        let variables = trail.variables(&state, &kept.join("audit.jsonl"));
        let started = Started::new(variables, program, directory)
            .map_err(|error| io::Error::other(format!("{}: {error}", trail.name())))?;
        Ok(Self { trail, started, program: program.to_owned(), kept })
    }

    /// Whether it was a trail that was measured: nothing of it is missing, and there is none where it is off.
    pub(crate) fn check(&self, answered: f64) -> io::Result<()> {
        let wrong = |what: &str| io::Error::other(format!("{}: {what}", self.trail.name()));
        if self.trail == Trail::Before {
            return Ok(());
        }
        let (status, told) = load::ask_once(self.started.address, &latest())?;
        let told = String::from_utf8_lossy(&told);
        let remembered = told.matches("\"event\":\"api_request\"").count();
        let is_right = if self.trail == Trail::Off { remembered == 0 } else { remembered == 256 };
        if status != 200 || !is_right {
            return Err(wrong(&format!("{remembered} records in memory, status {status}")));
        }
        let files = self.files()?;
        if matches!(self.trail, Trail::Off | Trail::Ring) {
            return if files.is_empty() { Ok(()) } else { Err(wrong("a file that nobody asked for")) };
        }
        let (records, detailed) = counts(&files)?;
        if (records as f64) < answered {
            return Err(wrong(&format!("{records} records of {answered} requests")));
        }
        if detailed != if self.trail == Trail::Detail { records } else { 0 } {
            return Err(wrong(&format!("{detailed} of {records} records with details")));
        }
        if self.trail.is_chained() {
            let mut verify = Command::new(&self.program);
            verify.env_clear().args(["audit", "verify"]).args(&files).stdout(Stdio::null());
            let status = verify.status()?;
            if !status.success() {
                return Err(wrong("the chain does not hold"));
            }
        }
        Ok(())
    }

    /// The file, and those that were put aside.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.kept)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.iter().map(fs::DirEntry::path).filter(|path| path.is_file()).collect())
    }
}

/// Requests that were recorded, and how many of them with details.
fn counts(files: &[PathBuf]) -> io::Result<(usize, usize)> {
    let mut counts = (0, 0);
    for file in files {
        for line in BufReader::new(File::open(file)?).lines() {
            let line = line?;
            if line.contains("\"event\":\"api_request\"") {
                counts.0 += 1;
                counts.1 += usize::from(line.contains("\"detail\":{\"headers\":{"));
            }
        }
    }
    Ok(counts)
}

/// Asks for all that is remembered.
fn latest() -> Vec<u8> {
    let asks = String::from_utf8_lossy(&requests::get("/_lookout/audit")).replacen("/v1.41", "", 1);
    asks.into_bytes()
}
