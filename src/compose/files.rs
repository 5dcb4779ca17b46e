//! A stack's directory: nothing is written, read or looked for outside it, and no link is followed.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use super::environment;
use super::names::{FilePath, StackDir, UNFINISHED};
use super::order::Invalid;
use super::sources;
use crate::limits::COMPOSE_FILE_BYTES_MAX;
use crate::sys::beneath::{Directory, Kind};

/// Where the variables of a request are kept for those that come after it.
pub(super) const ENV_FILE: &str = ".env.drydock";
/// Where compose looks for variables, where those are not given.
const FOUND_ENV_FILE: &str = ".env";
/// What compose looks for itself, in its order, and what it lays over each.
const MAIN: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVER: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Whether compose takes variables from a file of this name.
pub(super) fn holds_variables(path: &FilePath) -> bool {
    matches!(path.as_str(), ENV_FILE | FOUND_ENV_FILE)
}

const DIR_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o600;

/// Why a stack's directory is not as it should be.
#[derive(Debug)]
pub(super) enum Trouble {
    Absent(String),
    NoComposeFile,
    /// Something else stands in the place of a file or a directory.
    InTheWay(String),
    TooLarge(String),
    NotText(String),
    Refused(String, Invalid),
    Failed {
        doing: &'static str,
        what: String,
        error: io::Error,
    },
}

/// An open stack.
pub(super) struct Stack {
    pub(super) directory: Directory,
    pub(super) path: PathBuf,
}

/// A file that is written and not in its place yet. Drop takes it away.
struct Unfinished {
    directory: Directory,
    name: String,
    to: String,
    is_placed: bool,
}

impl Stack {
    /// The one that is there.
    pub(super) fn open(root: &Path, dir: &StackDir) -> Result<Self, Trouble> {
        Self::walk(root, dir, enter)
    }

    /// The same, made where it is not.
    pub(super) fn make(root: &Path, dir: &StackDir) -> Result<Self, Trouble> {
        Self::walk(root, dir, enter_or_make)
    }

    fn walk(
        root: &Path,
        dir: &StackDir,
        step: impl Fn(&Directory, &str) -> io::Result<Directory>,
    ) -> Result<Self, Trouble> {
        let shown = || dir.to_string();
        let mut directory = Directory::open(root).map_err(|error| failed("opening", shown(), error))?;
        let mut path = root.to_owned();
        for segment in dir.segments() {
            path.push(segment);
            directory = step(&directory, segment).map_err(|error| match () {
                () if error.kind() == ErrorKind::NotFound => Trouble::Absent(shown()),
                () if is_in_the_way(&error) => Trouble::InTheWay(shown()),
                () => failed("opening", shown(), error),
            })?;
        }
        Ok(Self { directory, path })
    }

    /// Writes files, all or none: each is whole on the disk before the first takes its place.
    pub(super) fn put(&self, files: &[(FilePath, Vec<u8>)], variables: Option<&[u8]>) -> Result<(), Trouble> {
        let mut written = Vec::with_capacity(files.len().saturating_add(1));
        for (path, content) in files {
            written.push(self.write(path, content)?);
        }
        if let Some(content) = variables {
            let directory = self.again()?;
            written.push(Unfinished::write(directory, ENV_FILE, content).map_err(|why| why.of(ENV_FILE))?);
        }
        for file in written {
            let shown = file.to.clone();
            file.place().map_err(|error| failed("writing", shown, error))?;
        }
        Ok(())
    }

    fn write(&self, path: &FilePath, content: &[u8]) -> Result<Unfinished, Trouble> {
        let shown = || path.to_string();
        let mut directory = self.again()?;
        for segment in path.directories() {
            directory = enter_or_make(&directory, segment).map_err(|error| match () {
                () if is_in_the_way(&error) => Trouble::InTheWay(shown()),
                () => failed("writing", shown(), error),
            })?;
        }
        Unfinished::write(directory, path.name(), content).map_err(|why| why.of(&shown()))
    }

    /// The same directory, opened once more.
    fn again(&self) -> Result<Directory, Trouble> {
        self.directory.again().map_err(|error| failed("opening", self.path.display().to_string(), error))
    }

    /// The compose file that is there, and what is laid over it. They are looked at, and what they say is
    /// enforced elsewhere: whoever changes them afterwards gains nothing.
    pub(super) fn sources(&self) -> Result<Vec<PathBuf>, Trouble> {
        let main = self.first_of(&MAIN)?.ok_or(Trouble::NoComposeFile)?;
        let over = if main.starts_with("docker-") { OVER.get(2..) } else { OVER.get(..2) };
        let over = self.first_of(over.unwrap_or_default())?;
        [Some(main), over].into_iter().flatten().map(|name| self.looked_at(name)).collect()
    }

    fn first_of(&self, names: &[&'static str]) -> Result<Option<&'static str>, Trouble> {
        for name in names {
            match self.directory.kind(name).map_err(|error| failed("reading", (*name).to_owned(), error))? {
                Some(Kind::File) => return Ok(Some(name)),
                Some(Kind::Directory | Kind::Other) => return Err(Trouble::InTheWay((*name).to_owned())),
                None => {}
            }
        }
        Ok(None)
    }

    fn looked_at(&self, name: &str) -> Result<PathBuf, Trouble> {
        let text = self.read(name)?.ok_or_else(|| Trouble::Absent(name.to_owned()))?;
        let text = std::str::from_utf8(&text).map_err(|_| Trouble::NotText(name.to_owned()))?;
        sources::look(text).map_err(|why| Trouble::Refused(name.to_owned(), why))?;
        Ok(self.path.join(name))
    }

    /// The variables that were kept, where any were. Neither they nor those that compose finds itself may steer it.
    pub(super) fn variables(&self) -> Result<Option<Vec<u8>>, Trouble> {
        let looked_at = |name: &str| {
            let text = self.read(name)?;
            let looked = environment::look(text.as_deref().unwrap_or_default());
            looked.map(|()| text).map_err(|why| Trouble::Refused(name.to_owned(), why))
        };
        looked_at(FOUND_ENV_FILE)?;
        looked_at(ENV_FILE)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let shown = || name.to_owned();
        let mut text = Vec::new();
        match self.directory.read(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if is_in_the_way(&error) => return Err(Trouble::InTheWay(shown())),
            opened => opened
                .and_then(|file| file.take(COMPOSE_FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut text))
                .map_err(|error| failed("reading", shown(), error))?,
        };
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > COMPOSE_FILE_BYTES_MAX {
            return Err(Trouble::TooLarge(shown()));
        }
        Ok(Some(text))
    }
}

/// Why a file was not written.
enum NotWritten {
    InTheWay,
    Failed(io::Error),
}

impl NotWritten {
    fn of(self, shown: &str) -> Trouble {
        match self {
            Self::InTheWay => Trouble::InTheWay(shown.to_owned()),
            Self::Failed(error) => failed("writing", shown.to_owned(), error),
        }
    }
}

impl From<io::Error> for NotWritten {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Unfinished {
    fn write(directory: Directory, to: &str, content: &[u8]) -> Result<Self, NotWritten> {
        if directory.kind(to)?.is_some_and(|kind| kind != Kind::File) {
            return Err(NotWritten::InTheWay);
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{UNFINISHED}{}", HEXLOWER.encode(&random));
        let mut file: File = directory.create(&name, FILE_MODE)?;
        let unfinished = Self { directory, name, to: to.to_owned(), is_placed: false };
        file.write_all(content)?;
        file.sync_all()?;
        Ok(unfinished)
    }

    fn place(mut self) -> io::Result<()> {
        self.directory.rename(&self.name, &self.to)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_placed {
            // What cannot be taken away is in nobody's way: no other file gets its name.
            let _ = self.directory.remove(&self.name);
        }
    }
}

fn enter(below: &Directory, segment: &str) -> io::Result<Directory> {
    below.enter(segment)
}

fn enter_or_make(below: &Directory, segment: &str) -> io::Result<Directory> {
    match below.enter(segment) {
        Err(error) if error.kind() == ErrorKind::NotFound => match below.make(segment, DIR_MODE) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => below.enter(segment),
        },
        entered => entered,
    }
}

/// A link, or something that is no directory or file, stands there.
fn is_in_the_way(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR | libc::EISDIR | libc::ENXIO))
        || error.kind() == ErrorKind::InvalidInput
}

fn failed(doing: &'static str, what: String, error: io::Error) -> Trouble {
    Trouble::Failed { doing, what, error }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(dir) => {
                write!(f, "stack directory {dir:?} is not there: send its files, or make it below STACKS_DIR")
            }
            Self::NoComposeFile => {
                write!(f, "the stack has no compose file: send one in files, named {}", MAIN[0])
            }
            Self::InTheWay(what) => {
                write!(
                    f,
                    "{what:?} is a link, or not what it should be: only plain files and directories are used"
                )
            }
            Self::TooLarge(what) => write!(f, "{what:?} has more than {COMPOSE_FILE_BYTES_MAX} bytes"),
            Self::NotText(what) => write!(f, "{what:?} is not UTF-8 text"),
            Self::Refused(what, why) => write!(f, "{what}: {why}"),
            Self::Failed { doing, what, error } => write!(f, "{doing} {what:?}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
