//! Files below a directory, reached name by name: no link is followed, and nothing above is reached.
//!
//! A path is never given to the kernel: each directory is opened below the one before, so that whoever
//! changes the tree meanwhile cannot lead anywhere else.
#![expect(unsafe_code, reason = "openat(2) and its relatives have no safe binding in the standard library")]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(File);

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// A link, a pipe, a socket or a device.
    Other,
}

impl Directory {
    /// The one that everything is below. Links on the way to it are the operator's, and are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path).map(Self)
    }

    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        self.open_at(name, libc::O_RDONLY | libc::O_DIRECTORY, 0).map(Self)
    }

    /// The same one, once more.
    pub(crate) fn again(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    pub(crate) fn make(&self, name: &str, mode: u32) -> io::Result<()> {
        let name = plain(name)?;
        // SAFETY: the descriptor is owned, and the name ends with a zero and lives through the call.
        done(unsafe { libc::mkdirat(self.0.as_raw_fd(), name.as_ptr(), mode) })
    }

    /// Nothing may stand under that name yet.
    pub(crate) fn create(&self, name: &str, mode: u32) -> io::Result<File> {
        self.open_at(name, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, mode)
    }

    /// A regular file to read, and nothing else.
    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        let file = self.open_at(name, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY, 0)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::InvalidInput.into()) }
    }

    /// What stands there, without opening it.
    pub(crate) fn kind(&self, name: &str) -> io::Result<Option<Kind>> {
        match self.open_at(name, libc::O_PATH, 0) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(found) => Ok(Some(match found.metadata()?.mode() & libc::S_IFMT {
                libc::S_IFREG => Kind::File,
                libc::S_IFDIR => Kind::Directory,
                _ => Kind::Other,
            })),
        }
    }

    /// Puts a file in the place of what stands under the other name, at once.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to, fd) = (plain(from)?, plain(to)?, self.0.as_raw_fd());
        // SAFETY: the descriptor is owned, and both names end with a zero and live through the call.
        done(unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) })
    }

    /// Takes a file away.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let name = plain(name)?;
        // SAFETY: the descriptor is owned, and the name ends with a zero and lives through the call.
        done(unsafe { libc::unlinkat(self.0.as_raw_fd(), name.as_ptr(), 0) })
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }

    fn open_at(&self, name: &str, flags: i32, mode: u32) -> io::Result<File> {
        let (name, flags) = (plain(name)?, flags | libc::O_NOFOLLOW | libc::O_CLOEXEC);
        // SAFETY: the descriptor is owned, and the name ends with a zero and lives through the call. What the kernel
        // opened nobody else knows.
        unsafe {
            match libc::openat(self.0.as_raw_fd(), name.as_ptr(), flags, mode) {
                fd if fd < 0 => Err(io::Error::last_os_error()),
                fd => Ok(File::from_raw_fd(fd)),
            }
        }
    }
}

/// One name, which leads no further than to the next directory.
fn plain(name: &str) -> io::Result<CString> {
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(ErrorKind::InvalidInput.into());
    }
    Ok(CString::new(name)?)
}

fn done(outcome: i32) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn root(name: &str) -> (PathBuf, Directory) {
        let path = std::env::temp_dir().join(format!("lookout-beneath-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        let directory = Directory::open(&path).unwrap();
        (path, directory)
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_name() {
        let (_, root) = root("names");
        for name in ["", ".", "..", "a/b", "/etc", "../x", "a\0b"] {
            assert_eq!(root.read(name).unwrap_err().kind(), ErrorKind::InvalidInput, "{name:?}");
            assert!(root.make(name, 0o750).is_err() && root.enter(name).is_err(), "{name:?}");
            assert!(root.create(name, 0o600).is_err() && root.kind(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn links_are_not_followed_wherever_they_lead() {
        let (path, root) = root("links");
        fs::create_dir(path.join("real")).unwrap();
        fs::write(path.join("file"), "x").unwrap();
        symlink("real", path.join("to-dir")).unwrap();
        symlink("file", path.join("to-file")).unwrap();
        symlink("/etc", path.join("out")).unwrap();
        assert!(root.enter("to-dir").is_err() && root.enter("out").is_err());
        assert!(root.read("to-file").is_err() && root.create("to-file", 0o600).is_err());
        assert_eq!(root.kind("out").unwrap(), Some(Kind::Other));
        assert_eq!(root.kind("real").unwrap(), Some(Kind::Directory));
        assert_eq!(root.kind("nothing").unwrap(), None);
        assert!(root.enter("real").is_ok() && root.read("file").is_ok());
    }

    #[test]
    fn a_directory_is_no_file_to_read() {
        let (path, root) = root("kinds");
        fs::create_dir(path.join("dir")).unwrap();
        assert!(root.read("dir").is_err());
    }

    #[test]
    fn a_file_is_made_moved_into_place_and_taken_away() {
        let (path, root) = root("life");
        root.make("stack", 0o750).unwrap();
        let stack = root.enter("stack").unwrap();
        stack.create("new", 0o600).unwrap().write_all(b"hello").unwrap();
        assert_eq!(stack.create("new", 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs::write(path.join("stack/old"), "before").unwrap();
        stack.rename("new", "old").unwrap();
        let mut text = String::new();
        stack.read("old").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert_eq!(fs::metadata(path.join("stack/old")).unwrap().mode() & 0o777, 0o600);
        stack.remove("old").unwrap();
        assert_eq!(stack.kind("old").unwrap(), None);
    }
}
