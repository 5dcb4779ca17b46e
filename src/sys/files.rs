//! Open, then look at what was opened: every check is made on the descriptor, never on the name.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::sys::ids;

/// Why a file was not taken.
#[derive(Debug)]
pub(crate) enum BadFile {
    Unreadable(io::Error),
    NotRegular,
    /// Its mode lets others write to it.
    Writable(u32),
    TooLarge(u64),
}

/// What is odd about a file that was taken all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// Its mode lets everyone read it.
    Readable(u32),
    /// It belongs to somebody who is neither root nor us.
    Owner(u32),
}

/// A file's bytes and what is odd about it.
pub(crate) struct Taken {
    pub(crate) bytes: Secret<Vec<u8>>,
    pub(crate) concerns: Vec<Concern>,
}

/// Reads a file that holds a secret or decides about one. Symbolic links are followed, because
/// that is how orchestrators mount secrets; a pipe, a socket or a device is not waited for.
pub(crate) fn read_trusted(path: &Path, most: u64) -> Result<Taken, BadFile> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).map_err(BadFile::Unreadable)?;
    let concerns = check(&file)?;
    Ok(Taken { bytes: Secret::new(read_all(&file, most)?), concerns })
}

/// Refuses what is no file, or one that others may change.
pub(super) fn check(file: &File) -> Result<Vec<Concern>, BadFile> {
    let status = file.metadata().map_err(BadFile::Unreadable)?;
    if !status.is_file() {
        return Err(BadFile::NotRegular);
    }
    let mode = status.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(BadFile::Writable(mode));
    }
    let mut concerns = Vec::new();
    if mode & 0o004 != 0 {
        concerns.push(Concern::Readable(mode));
    }
    if status.uid() != 0 && status.uid() != ids::user() {
        concerns.push(Concern::Owner(status.uid()));
    }
    Ok(concerns)
}

/// Everything from where the file stands to its end.
pub(super) fn read_all(file: &File, most: u64) -> Result<Vec<u8>, BadFile> {
    // Sized beforehand, so that no copy of a secret is left behind by growing.
    let capacity = usize::try_from(most.saturating_add(1)).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(BadFile::Unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(BadFile::TooLarge(most));
    }
    Ok(std::mem::take(&mut *bytes))
}

/// A file to add to.
pub(crate) struct Appended {
    pub(crate) file: File,
    /// Its mode, where that lets others read or change it.
    pub(crate) loose: Option<u32>,
}

/// Opens a file to add to and to read, and creates it for its owner alone. The name must be the file's own:
/// who could put a link in its place could have anything overwritten.
pub(crate) fn open_append(path: &Path) -> io::Result<Appended> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let file = plain(path, &mut options)?;
    let mode = file.metadata()?.mode() & 0o7777;
    Ok(Appended { file, loose: Some(mode).filter(|mode| mode & 0o077 != 0) })
}

/// Opens a file to read under its own name.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    plain(path, OpenOptions::new().read(true))
}

fn plain(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => {
            io::Error::new(io::ErrorKind::InvalidInput, "is a symbolic link: give the file's own name")
        }
        // What a pipe without a reader says.
        Some(libc::ENXIO) => not_regular(),
        _ => error,
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, BadFile::NotRegular.to_string())
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NotRegular => f.write_str("is not a regular file"),
            Self::Writable(mode) => {
                write!(f, "can be changed by others (mode {mode:04o}): chmod go-w it")
            }
            Self::TooLarge(most) => write!(f, "is larger than {most} bytes"),
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Readable(mode) => write!(f, "everyone can read it (mode {mode:04o}): chmod o-r it"),
            Self::Owner(owner) => {
                write!(f, "it belongs to user {owner}, who is neither root nor the agent's user: chown it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str, content: &str, mode: u32) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("lookout-files-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_private_file_is_read_without_concern() {
        let taken = read_trusted(&file("private", "s3cret\n", 0o600), 100).ok().unwrap();
        assert_eq!(taken.bytes.expose(), b"s3cret\n");
        assert_eq!(taken.concerns, []);
    }

    #[test]
    fn a_file_others_can_change_is_refused() {
        for mode in [0o620, 0o602] {
            let path = file(&format!("writable-{mode}"), "x", mode);
            assert!(matches!(read_trusted(&path, 9), Err(BadFile::Writable(m)) if m == mode));
        }
    }

    #[test]
    fn a_file_everyone_reads_is_a_concern() {
        let taken = read_trusted(&file("readable", "x", 0o644), 9).ok().unwrap();
        assert_eq!(taken.concerns, [Concern::Readable(0o644)]);
    }

    #[test]
    fn directories_and_devices_are_not_files() {
        for path in ["/", "/dev/null"] {
            assert!(matches!(read_trusted(Path::new(path), 9), Err(BadFile::NotRegular)));
        }
        assert!(matches!(read_trusted(Path::new("/no/such"), 9), Err(BadFile::Unreadable(_))));
    }

    #[test]
    fn the_limit_itself_is_taken_and_one_byte_more_is_not() {
        let path = file("sized", "12345", 0o600);
        assert!(read_trusted(&path, 5).is_ok());
        assert!(matches!(read_trusted(&path, 4), Err(BadFile::TooLarge(4))));
    }

    #[test]
    fn a_file_to_add_to_is_made_for_its_owner_and_added_to() {
        let path = file("appended", "", 0o600);
        fs::remove_file(&path).unwrap();
        for (at, text) in ["one\n", "two\n"].into_iter().enumerate() {
            let appended = open_append(&path).unwrap();
            assert_eq!((appended.loose, appended.file.metadata().unwrap().mode() & 0o777), (None, 0o600));
            (&appended.file).write_all(text.as_bytes()).unwrap();
            assert_eq!(appended.file.metadata().unwrap().len(), 4 * (at as u64 + 1));
        }
        assert_eq!(io::read_to_string(open_plain(&path).unwrap()).unwrap(), "one\ntwo\n");
        assert_eq!(open_append(&file("loose", "", 0o640)).unwrap().loose, Some(0o640));
    }

    #[test]
    fn links_and_what_is_no_file_are_not_added_to() {
        let path = file("target", "x", 0o600);
        let link = path.with_extension("link");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [link.as_path(), Path::new("/dev/null"), Path::new("/dev/full")] {
            for error in [open_append(path).err(), open_plain(path).err()] {
                assert_eq!(error.map(|error| error.kind()), Some(io::ErrorKind::InvalidInput), "{path:?}");
            }
        }
        assert!(open_append(Path::new("/")).is_err() && open_plain(Path::new("/")).is_err());
        assert_eq!(open_plain(&path.with_extension("no")).err().unwrap().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_to_string(&path).unwrap(), "x");
    }
}
