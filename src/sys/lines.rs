//! Files of lines that are added to: a new line is on the disk whole, or the file is as it was.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::files::{self, BadFile};

/// A file that nobody else adds to as long as this lives.
pub(crate) struct Lines {
    file: File,
    before: Vec<u8>,
    /// Its length once everything of ours is written.
    after: u64,
}

/// Why there is nothing to add to, or nothing was added.
#[derive(Debug)]
pub(crate) enum NotAdded {
    /// Another process adds to it.
    Busy,
    Bad(BadFile),
    /// Somebody who asks for no lock changed or replaced it meanwhile.
    Changed,
    Unwritable(io::Error),
}

impl Lines {
    /// A file that must be there. Symbolic links are followed; what they lead to is checked.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self, NotAdded> {
        let file = options().open(path).map_err(NotAdded::Unwritable)?;
        Self::take(file, path, most)
    }

    /// A file of our own, which is made where there is none yet. It is no symbolic link.
    pub(crate) fn open_own(path: &Path, most: u64) -> Result<Self, NotAdded> {
        let file = match options().create_new(true).mode(0o600).open(path) {
            Ok(file) => {
                sync_folder(path).map_err(NotAdded::Unwritable)?;
                Ok(file)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                options().custom_flags(FLAGS | libc::O_NOFOLLOW).open(path)
            }
            Err(error) => Err(error),
        };
        Self::take(file.map_err(NotAdded::Unwritable)?, path, most)
    }

    fn take(file: File, path: &Path, most: u64) -> Result<Self, NotAdded> {
        files::check(&file).map_err(NotAdded::Bad)?;
        file.try_lock().map_err(|why| match why {
            TryLockError::WouldBlock => NotAdded::Busy,
            TryLockError::Error(error) => NotAdded::Unwritable(error),
        })?;
        // Whoever had the lock may have put another file in its place.
        let (ours, named) = (file.metadata(), fs::metadata(path));
        let (ours, named) = (
            ours.map_err(NotAdded::Unwritable)?,
            named.map_err(|error| NotAdded::Bad(BadFile::Unreadable(error)))?,
        );
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) {
            return Err(NotAdded::Changed);
        }
        let before = files::read_all(&file, most).map_err(NotAdded::Bad)?;
        let after = u64::try_from(before.len()).unwrap_or(u64::MAX);
        Ok(Self { file, before, after })
    }

    /// What it held when it was opened.
    pub(crate) fn before(&self) -> &[u8] {
        &self.before
    }

    /// Adds a line, behind the line end that may be missing, and waits until the disk has it.
    pub(crate) fn add(&mut self, line: &str) -> Result<(), NotAdded> {
        if self.file.metadata().map_err(NotAdded::Unwritable)?.len() != self.after {
            return Err(NotAdded::Changed);
        }
        let separator = if self.before.last().is_none_or(|&last| last == b'\n') { "" } else { "\n" };
        let text = format!("{separator}{line}\n");
        self.after = self.after.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        // One write, and always at the end: whoever reads meanwhile sees whole lines.
        let written = (&self.file).write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| match self.take_back() {
            Ok(()) => NotAdded::Unwritable(error),
            Err(worse) => worse,
        })
    }

    /// Makes the file what it was.
    pub(crate) fn take_back(&mut self) -> Result<(), NotAdded> {
        // What others put behind our lines is not ours to cut.
        if self.file.metadata().map_err(NotAdded::Unwritable)?.len() > self.after {
            return Err(NotAdded::Changed);
        }
        self.after = u64::try_from(self.before.len()).unwrap_or(u64::MAX);
        self.file.set_len(self.after).and_then(|()| self.file.sync_all()).map_err(NotAdded::Unwritable)
    }
}

/// Nothing that is not a file is waited for.
const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).custom_flags(FLAGS);
    options
}

/// A new name is on the disk once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

impl fmt::Display for NotAdded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("is being changed by another process"),
            Self::Bad(bad) => bad.fmt(f),
            Self::Changed => f.write_str("was changed meanwhile"),
            Self::Unwritable(error) => write!(f, "cannot be written: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lookout-lines-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn file(name: &str, content: &str, mode: u32) -> PathBuf {
        let path = folder(name).join("file");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_missing_line_end_is_made_good() {
        for (index, (before, after)) in
            [("", "new\n"), ("old\n", "old\nnew\n"), ("old", "old\nnew\n"), ("\n", "\nnew\n")]
                .into_iter()
                .enumerate()
        {
            let path = file(&format!("end-{index}"), before, 0o600);
            let mut lines = Lines::open(&path, 99).ok().unwrap();
            assert_eq!(lines.before(), before.as_bytes());
            lines.add("new").unwrap();
            assert_eq!(text(&path), after);
        }
    }

    #[test]
    fn what_was_added_can_be_taken_back() {
        let path = file("back", "no line end", 0o600);
        let mut lines = Lines::open(&path, 99).ok().unwrap();
        lines.add("new").unwrap();
        lines.take_back().unwrap();
        assert_eq!(text(&path), "no line end");
        lines.add("other").unwrap();
        assert_eq!(text(&path), "no line end\nother\n");
    }

    #[test]
    fn what_others_wrote_is_neither_cut_nor_written_behind() {
        let path = file("others", "old\n", 0o600);
        let mut lines = Lines::open(&path, 99).ok().unwrap();
        let mut other = OpenOptions::new().append(true).open(&path).unwrap();
        other.write_all(b"theirs\n").unwrap();
        assert!(matches!(lines.add("ours"), Err(NotAdded::Changed)));
        assert!(matches!(lines.take_back(), Err(NotAdded::Changed)));
        assert_eq!(text(&path), "old\ntheirs\n");
    }

    #[test]
    fn one_at_a_time_adds_to_a_file() {
        let path = file("lock", "", 0o600);
        let lines = Lines::open(&path, 99).ok().unwrap();
        assert!(matches!(Lines::open(&path, 99), Err(NotAdded::Busy)));
        drop(lines);
        assert!(Lines::open(&path, 99).is_ok());
    }

    #[test]
    fn what_is_not_a_file_of_its_owners_is_not_added_to() {
        for mode in [0o620, 0o602] {
            let path = file(&format!("mode-{mode}"), "", mode);
            assert!(matches!(Lines::open(&path, 9), Err(NotAdded::Bad(BadFile::Writable(_)))));
        }
        let large = file("large", "12345", 0o600);
        assert!(matches!(Lines::open(&large, 4), Err(NotAdded::Bad(BadFile::TooLarge(4)))));
        assert!(matches!(Lines::open(Path::new("/dev/null"), 9), Err(NotAdded::Bad(BadFile::NotRegular))));
        let folder = folder("folder");
        assert!(matches!(Lines::open(&folder, 9), Err(NotAdded::Unwritable(_))));
        assert!(matches!(Lines::open(&folder.join("none"), 9), Err(NotAdded::Unwritable(_))));
    }

    #[test]
    fn a_file_of_our_own_is_made_private_and_found_again() {
        let path = folder("own").join("file");
        Lines::open_own(&path, 99).ok().unwrap().add("one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut lines = Lines::open_own(&path, 99).ok().unwrap();
        assert_eq!(lines.before(), b"one\n");
        lines.add("two").unwrap();
        assert_eq!(text(&path), "one\ntwo\n");
    }

    #[test]
    fn a_link_is_followed_to_a_file_of_the_operators_and_not_to_one_of_our_own() {
        let path = file("link", "old\n", 0o600);
        let link = path.with_extension("link");
        symlink(&path, &link).unwrap();
        Lines::open(&link, 99).ok().unwrap().add("new").unwrap();
        assert_eq!(text(&path), "old\nnew\n");
        assert!(Lines::open_own(&link, 99).is_err());
    }
}
