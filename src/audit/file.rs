//! The file behind the trail, or a stream: opened, looked at, moved aside.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::sink::Place;
use super::tail::{self, Tail};
use crate::log::{self, text};
use crate::sys::files;

/// What bytes are written to.
pub(super) enum Out {
    File(File),
    /// Written to beside the lines of the log, never into them.
    Stdout(File),
    Stderr(File),
    /// A disk with so much room.
    #[cfg(test)]
    Narrow(File, std::sync::Arc<std::sync::atomic::AtomicUsize>),
}

pub(super) struct Opened {
    pub(super) out: Out,
    pub(super) size: u64,
    /// Where the chain stood that it goes on with.
    pub(super) chain: Option<Chain>,
    pub(super) tail: Tail,
}

/// Opens a place to go on in it. A chain has one writer: a file that another agent has is refused.
pub(super) fn open(place: &Place, with_chain: bool) -> io::Result<Opened> {
    let path = match place {
        Place::Stdout => return Ok(stream(Out::Stdout(io::stdout().as_fd().try_clone_to_owned()?.into()))),
        Place::Stderr => return Ok(stream(Out::Stderr(io::stderr().as_fd().try_clone_to_owned()?.into()))),
        Place::File(path) => path,
    };
    let appended = files::open_append(path)?;
    let file = appended.file;
    if let Some(mode) = appended.loose {
        let mode = format!("{mode:04o}");
        log::warn("audit.loose", &[("path", text(&path.display())), ("mode", text(&mode))]);
    }
    let size = file.metadata()?.len();
    if !with_chain {
        return Ok(Opened { size, chain: None, tail: tail::of_lines(&file)?, out: Out::File(file) });
    }
    // A file system without locks is no reason to do without the trail.
    if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
        return Err(io::Error::new(
            ErrorKind::WouldBlock,
            "another agent writes to it; a chain has one writer",
        ));
    }
    let (mut chain, mut tail) = tail::of_chain(&file)?;
    if chain.is_none() {
        let before = match files::open_plain(&numbered(path, 1)) {
            Ok(before) => Some(tail::of_chain(&before)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some((last, mut behind)) = before {
            chain = last;
            if size == 0 {
                behind.leave();
                tail = behind;
            }
        }
    }
    Ok(Opened { out: Out::File(file), size, chain, tail })
}

fn stream(out: Out) -> Opened {
    Opened { out, size: 0, chain: None, tail: Tail::Clean }
}

/// Moves a file to `.1`, and those that were moved before one further. Only up to the first free place,
/// so that trying again moves none twice; only where there is none, the oldest goes.
pub(super) fn shift(path: &Path, keep: usize) -> io::Result<()> {
    let is_taken = |number: &usize| fs::symlink_metadata(numbered(path, *number)).is_ok();
    let free = (1..keep).find(|number| !is_taken(number)).unwrap_or_else(|| keep.max(1));
    for number in (1..free).rev() {
        fs::rename(numbered(path, number), numbered(path, number.saturating_add(1)))?;
    }
    fs::rename(path, numbered(path, 1))
}

pub(super) fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

impl Out {
    /// How much was written, and why not all of it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> (usize, Option<io::Error>) {
        match self {
            Self::File(file) => write_whole(file, bytes),
            Self::Stdout(file) => {
                let _between_lines = io::stdout().lock();
                write_whole(file, bytes)
            }
            Self::Stderr(file) => {
                let _between_lines = io::stderr().lock();
                write_whole(file, bytes)
            }
            #[cfg(test)]
            Self::Narrow(file, room) => write_narrow(file, room, bytes),
        }
    }

    /// Whether the file has no name any more, so that what is written to it is gone with it.
    pub(super) fn is_removed(&self) -> bool {
        self.file().is_some_and(|file| file.metadata().is_ok_and(|status| status.nlink() == 0))
    }

    /// Whether this is the file of that name.
    pub(super) fn is(&self, path: &Path) -> bool {
        let Some(Ok(ours)) = self.file().map(File::metadata) else { return false };
        fs::symlink_metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }

    fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::Stdout(_) | Self::Stderr(_) => None,
            #[cfg(test)]
            Self::Narrow(file, _) => Some(file),
        }
    }

    #[cfg(test)]
    pub(super) fn narrow(&mut self, room: std::sync::Arc<std::sync::atomic::AtomicUsize>) {
        let file = self.file().unwrap().try_clone().unwrap();
        *self = Self::Narrow(file, room);
    }
}

/// One write, and more only for what it left over.
fn write_whole(file: &mut File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0_usize;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(more) => written = written.saturating_add(more),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
fn write_narrow(
    file: &mut File,
    room: &std::sync::atomic::AtomicUsize,
    bytes: &[u8],
) -> (usize, Option<io::Error>) {
    use std::sync::atomic::Ordering;

    let fits = bytes.len().min(room.load(Ordering::SeqCst));
    room.fetch_sub(fits, Ordering::SeqCst);
    let (written, failed) = write_whole(file, &bytes[..fits]);
    (written, failed.or_else(|| (fits < bytes.len()).then(|| ErrorKind::StorageFull.into())))
}
