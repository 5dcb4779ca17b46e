//! A private directory for each run: its credentials, its door and its scratch space, gone when it is over.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::log::{self, text};
use crate::secret::Secret;
use crate::sys::ids;

const PREFIX: &str = "lookout-";
const LOCK: &str = "lock";
/// Of a directory's name, which is short because a socket's path must be.
const RANDOM_BYTES: usize = 6;

/// The directory of this agent, in which each run has its own. A lock on a file in it says that the agent lives.
pub(super) struct Runtime {
    dir: PathBuf,
    _lock: File,
}

/// The directory of one run. Drop removes it with everything in it.
pub(super) struct Room {
    dir: PathBuf,
}

impl Runtime {
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        let dir = new_dir(parent, PREFIX)?;
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(LOCK))?;
        lock.try_lock()?;
        Ok(Self { dir, _lock: lock })
    }

    /// Whether nobody took it away.
    pub(super) fn is_there(&self) -> bool {
        self.dir.is_dir()
    }

    pub(super) fn room(&self) -> io::Result<Room> {
        let room = Room { dir: new_dir(&self.dir, "")? };
        for part in [room.home(), room.config(), room.temp()] {
            DirBuilder::new().mode(0o700).create(part)?;
        }
        Ok(room)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

impl Room {
    /// What it is called below the directory of all.
    pub(super) fn below(&self, runtime: &Path) -> &str {
        self.dir.strip_prefix(runtime).ok().and_then(Path::to_str).unwrap_or_default()
    }

    pub(super) fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("config")
    }

    pub(super) fn temp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// Puts down what the program reads its credentials from.
    pub(super) fn configure(&self, content: &Secret<Vec<u8>>) -> io::Result<()> {
        let name = self.config().join("config.json");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)?;
        file.write_all(content.expose())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

/// Removes what agents left behind that were killed: theirs are those that nobody holds the lock of.
pub(super) fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_named)
            && entry.metadata().is_ok_and(|status| status.is_dir() && status.uid() == ids::user());
        if is_ours && is_left(&entry.path()) {
            log::info("compose.swept", &[("path", text(&entry.path().display()))]);
            remove(&entry.path());
        }
    }
}

/// A name as `new_dir` gives it, and nobody else.
fn is_named(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX).map(str::as_bytes);
    random.is_some_and(|it| it.len() == RANDOM_BYTES * 2 && HEXLOWER.decode(it).is_ok())
}

fn is_left(dir: &Path) -> bool {
    let mut options = OpenOptions::new();
    let lock = options.write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(dir.join(LOCK));
    lock.is_ok_and(|lock| lock.metadata().is_ok_and(|status| status.is_file()) && lock.try_lock().is_ok())
}

/// A directory that nobody knew of before, for its owner alone.
fn new_dir(parent: &Path, prefix: &str) -> io::Result<PathBuf> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let dir = parent.join(format!("{prefix}{}", HEXLOWER.encode(&random)));
    DirBuilder::new().mode(0o700).create(&dir)?;
    Ok(dir)
}

fn remove(dir: &Path) {
    if let Err(error) = fs::remove_dir_all(dir)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::error("compose.not_removed", &[("path", text(&dir.display())), ("error", text(&error))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("place-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_room_is_its_owners_alone_and_gone_when_it_is_dropped() {
        let parent = parent("room");
        let runtime = Runtime::make(&parent).unwrap();
        let room = runtime.room().unwrap();
        room.configure(&Secret::new(b"{}".to_vec())).unwrap();
        for dir in [room.dir.clone(), room.home(), room.config(), room.temp()] {
            assert_eq!(fs::metadata(dir).unwrap().mode() & 0o777, 0o700);
        }
        assert_eq!(fs::metadata(room.config().join("config.json")).unwrap().mode() & 0o777, 0o600);
        let dir = room.dir.clone();
        drop(room);
        assert!(!dir.exists());
        drop(runtime);
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_agent_left_is_swept_and_a_living_ones_is_not() {
        let parent = parent("sweep");
        let living = Runtime::make(&parent).unwrap();
        let killed = Runtime::make(&parent).unwrap();
        let left = killed.room().unwrap();
        let paths = (killed.dir.clone(), living.dir.clone());
        // As a killed process leaves them: its locks are gone, its files are not.
        let Runtime { _lock: lock, .. } = &killed;
        lock.unlock().unwrap();
        sweep(&parent);
        assert!(!paths.0.exists() && paths.1.exists());
        assert!(!left.dir.exists());
    }

    #[test]
    fn what_only_looks_like_ours_is_left_alone() {
        let parent = parent("others");
        for name in
            ["lookout-theirs", "lookout-0123456789ab", "lookout-0123456789AB", "lookout-0123456789abcd"]
        {
            fs::create_dir(parent.join(name)).unwrap();
            if name != "lookout-0123456789ab" {
                fs::write(parent.join(name).join(LOCK), "x").unwrap();
            }
        }
        fs::write(parent.join("lookout-0123456789ac"), "x").unwrap();
        sweep(&parent);
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 5);
    }
}
