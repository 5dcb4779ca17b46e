//! Which compose there is: found by running it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::broker::Found;
use super::confine;
use super::operation::Generation;
use crate::clock::Deadline;
use crate::limits::{COMPOSE_MEMORY_BYTES_MAX, COMPOSE_VERSION_SECS};
use crate::log::{self, text};
use crate::sys::poll::{Watch, wait};
use crate::sys::process::{Ended, Program};

/// Where Docker's own packages put plugins, most particular first.
const PLUGIN_PLACES: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];
/// Where it lies as a program of its own.
const PROGRAM_PLACES: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];
const NAME: &str = "docker-compose";
/// What builds for the newer ones.
const BUILDER: &str = "docker-buildx";

/// The compose program, as who starts it knows it.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) found: Found,
    /// What must be executed for it to run: itself, what interprets or loads it, and what builds for it.
    pub(super) executes: Vec<PathBuf>,
    /// Tells this file from another one under its name.
    is: Identity,
}

type Identity = (u64, u64, i64, u64);

impl Tool {
    /// The first of all that runs.
    pub(super) fn find(home: Option<&Path>) -> Option<Self> {
        let plugins = plugin_places(home);
        let places = plugins.iter().cloned().chain(PROGRAM_PLACES.iter().map(PathBuf::from));
        places.map(|place| place.join(NAME)).find_map(|path| Self::of(&path, &plugins))
    }

    /// Whether it is still the one that was found.
    pub(super) fn is_there(&self) -> bool {
        identity(&self.found.path).is_ok_and(|is| is == self.is)
    }

    fn of(path: &Path, plugins: &[PathBuf]) -> Option<Self> {
        let path = fs::canonicalize(path).ok()?;
        let is = identity(&path).ok()?;
        let mut executes = runs_by(&path);
        let builder = plugins.iter().find_map(|place| fs::canonicalize(place.join(BUILDER)).ok());
        executes.extend(builder.iter().flat_map(|builder| runs_by(builder)));
        let version = match version(&path, &executes) {
            Ok(version) => version,
            Err(error) => {
                log::warn("compose.not_running", &[("path", text(&path.display())), ("error", text(&error))]);
                return None;
            }
        };
        log::info("compose.found", &[("path", text(&path.display())), ("version", text(&version))]);
        let major = version.trim_start_matches('v').split('.').next().unwrap_or_default();
        let generation = if major == "1" { Generation::One } else { Generation::Two };
        let executes_builder = !matches!(major, "1" | "2");
        Some(Self { found: Found { path, generation, executes_builder }, executes, is })
    }
}

/// Every place where plugins are looked for.
pub(crate) fn plugin_places(home: Option<&Path>) -> Vec<PathBuf> {
    let own = home.map(|home| home.join(".docker/cli-plugins"));
    own.into_iter().chain(PLUGIN_PLACES.iter().map(PathBuf::from)).collect()
}

fn identity(path: &Path) -> io::Result<Identity> {
    let status = fs::metadata(path)?;
    Ok((status.dev(), status.ino(), status.mtime(), status.size()))
}

/// What it says its version is, and that it runs at all.
fn version(path: &Path, executes: &[PathBuf]) -> io::Result<String> {
    let rules = confine::rules(executes, None, None, false)?;
    let arguments = ["version", "--short"].map(OsString::from);
    let environment = [("PATH", super::environment::PATH), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let program = Program {
        path,
        arguments: &arguments,
        environment: &environment,
        dir: Path::new("/"),
        rules: rules.as_ref(),
        // A script begins with its interpreter, which is nothing that it executes itself.
        executes_others: false,
        memory: COMPOSE_MEMORY_BYTES_MAX,
    };
    let (child, mut pipes) = program.start()?;
    let (deadline, mut told) = (Deadline::after_secs(COMPOSE_VERSION_SECS), Vec::new());
    loop {
        if !wait(&mut [Watch::readable(&pipes.out)], deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut piece = [0; 256];
        let count = pipes.out.read(&mut piece)?;
        if count == 0 {
            break;
        }
        // A version is short; the rest is read and forgotten.
        if told.len() < piece.len() {
            told.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }
    // It may have closed its mouth only.
    if !child.wait_ended(deadline)? {
        return Err(io::ErrorKind::TimedOut.into());
    }
    match child.reap()? {
        Ended::Code(0) => Ok(String::from_utf8_lossy(&told).trim().to_owned()),
        Ended::Code(code) => Err(io::Error::other(format!("it ended with status {code}"))),
        Ended::Signal(signal) => Err(io::Error::other(format!("it was killed by signal {signal}"))),
    }
}

/// A program, and what the kernel runs to run it.
fn runs_by(path: &Path) -> Vec<PathBuf> {
    let interpreter = interpreter(path).and_then(|interpreter| fs::canonicalize(interpreter).ok());
    // A script's interpreter has a loader of its own.
    let loader = interpreter.as_deref().and_then(self::interpreter);
    let loader = loader.and_then(|loader| fs::canonicalize(loader).ok());
    [path.to_owned()].into_iter().chain(interpreter).chain(loader).collect()
}

/// What the file itself names: after `#!`, or in its program headers.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut front = Vec::new();
    File::open(path).ok()?.take(16 * 1024).read_to_end(&mut front).ok()?;
    if let Some(line) = front.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        let line = std::str::from_utf8(line).ok()?;
        return line.split_whitespace().next().map(PathBuf::from);
    }
    of_elf(&front)
}

/// The loader that an ELF file of this machine's byte order asks for.
fn of_elf(front: &[u8]) -> Option<PathBuf> {
    const INTERPRETER: usize = 3;
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let bytes = front.get(at..at.checked_add(bytes)?)?;
        let bytes = bytes.iter().rev().map(|byte| usize::from(*byte));
        bytes.reduce(|sum, byte| sum << 8 | byte)
    };
    if front.get(..4)? != b"\x7fELF" || *front.get(5)? != 1 {
        return None;
    }
    // Where the table of headers is, and in each the place and the size of what it tells of.
    let (table, entry, count, place, size, wide) = match front.get(4)? {
        1 => (number(28, 4)?, number(42, 2)?, number(44, 2)?, 4, 16, 4),
        2 => (number(32, 8)?, number(54, 2)?, number(56, 2)?, 8, 32, 8),
        _ => return None,
    };
    let headers = (0..count).filter_map(|index| table.checked_add(index.checked_mul(entry)?));
    for header in headers {
        if number(header, 4)? == INTERPRETER {
            let from = number(header.checked_add(place)?, wide)?;
            let length = number(header.checked_add(size)?, wide)?;
            let name = front.get(from..from.checked_add(length)?)?;
            return std::str::from_utf8(name).ok().map(|name| PathBuf::from(name.trim_end_matches('\0')));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_that_a_program_asks_for_is_read_from_it() {
        let own = std::env::current_exe().unwrap();
        let loader = interpreter(&own).expect("the tests are linked dynamically");
        assert!(loader.is_file(), "{}", loader.display());
        assert!(loader.file_name().unwrap().to_str().unwrap().starts_with("ld-"), "{}", loader.display());
        assert_eq!(of_elf(b"\x7fELF"), None);
        assert_eq!(of_elf(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0]), None);
        let mut broken = fs::read(&own).unwrap();
        broken.truncate(16 * 1024);
        for at in 16..128 {
            broken[at] = 0xff;
            let _ = of_elf(&broken);
        }
    }

    #[test]
    fn a_script_runs_by_its_interpreter_and_that_ones_loader() {
        let script = std::env::temp_dir().join(format!("lookout-tool-{}", std::process::id()));
        fs::write(&script, "#!/usr/bin/env  -S something\nrest\n").unwrap();
        let runs = runs_by(&script);
        assert_eq!(runs[0], script);
        assert_eq!(runs[1], fs::canonicalize("/usr/bin/env").unwrap());
        assert!(runs[2].file_name().unwrap().to_str().unwrap().contains("ld"), "{runs:?}");
    }

    #[test]
    fn a_home_without_plugins_is_looked_through_first() {
        let places = plugin_places(Some(Path::new("/home/a")));
        assert_eq!(places[0], Path::new("/home/a/.docker/cli-plugins"));
        assert_eq!(places.len(), 1 + PLUGIN_PLACES.len());
        assert_eq!(plugin_places(None).len(), PLUGIN_PLACES.len());
    }
}
