//! What a process may reach, enforced by the kernel: Landlock, as far as this kernel has it.
//!
//! Rights are given, never taken: what no rule names cannot be opened, however the process was made to try.
#![expect(unsafe_code, reason = "Landlock has no binding but its system calls")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::beneath::Directory;

// The numbers are the same on every platform; not every C library's list has them.
const SYS_CREATE_RULESET: libc::c_long = 444;
const SYS_ADD_RULE: libc::c_long = 445;
const SYS_RESTRICT_SELF: libc::c_long = 446;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const TRUNCATE: u64 = 1 << 14;
const RESOLVE_UNIX: u64 = 1 << 16;
/// Everything that the first version knows: the above, and making and removing of every kind.
const FIRST: u64 = (1 << 13) - 1;
/// What there is to say about a file that is no directory.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | 1 << 15;

/// What is given beneath a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    /// Everything but to execute: reading, writing, making, removing, and the sockets there.
    Own,
    /// To be executed, and read for that.
    Execute,
    /// A device that takes and gives bytes.
    Device,
}

impl Right {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Own => "own",
            Self::Execute => "execute",
            Self::Device => "use",
        }
    }

    fn bits(self) -> u64 {
        match self {
            Self::Read => READ_FILE | READ_DIR,
            Self::Own => !EXECUTE,
            Self::Execute => EXECUTE | READ_FILE,
            Self::Device => READ_FILE | WRITE_FILE,
        }
    }
}

/// Rules that a process can put itself under, and never leave again.
#[derive(Debug)]
pub(crate) struct Ruleset {
    fd: OwnedFd,
    handled: u64,
}

/// As the kernel reads it; older ones read less of it.
#[repr(C)]
struct Attributes {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct Beneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// The version this kernel speaks; `None` where it has none, or has it switched off.
pub(crate) fn version() -> Option<u32> {
    const ASK_VERSION: u32 = 1;
    // SAFETY: with this flag there is nothing to read, and the pointer must be null.
    let version =
        unsafe { libc::syscall(SYS_CREATE_RULESET, std::ptr::null::<Attributes>(), 0_usize, ASK_VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// What there is to say about files, as far as this version can.
fn of_files(version: u32) -> u64 {
    let since = |first: u32, bits: u64| if version >= first { bits } else { 0 };
    FIRST | since(2, 1 << 13) | since(3, TRUNCATE) | since(5, 1 << 15)
}

impl Ruleset {
    /// For a child. Nothing is given yet; `None` where the kernel cannot enforce it. TCP is left alone, or denied
    /// where the kernel can; so are signals to processes outside, and sockets without a place in the file system.
    pub(crate) fn new(leaves_tcp: bool) -> io::Result<Option<Self>> {
        let Some(version) = version() else { return Ok(None) };
        let since = |first: u32, bits: u64| if version >= first { bits } else { 0 };
        let net = if leaves_tcp { 0 } else { since(4, 0b11) };
        Self::made(version, of_files(version) | since(9, RESOLVE_UNIX), net, since(6, 0b11)).map(Some)
    }

    /// For files and directories alone: sockets, signals and TCP are left as they are.
    pub(crate) fn of_files() -> io::Result<Option<Self>> {
        version().map(|version| Self::made(version, of_files(version), 0, 0)).transpose()
    }

    fn made(version: u32, handled: u64, net: u64, scoped: u64) -> io::Result<Self> {
        let attributes = Attributes { handled_access_fs: handled, handled_access_net: net, scoped };
        let size: usize = match version {
            ..4 => 8,
            4..6 => 16,
            6.. => 24,
        };
        // SAFETY: the structure lives through the call, and no more than `size` bytes of it are read. What the kernel
        // opened nobody else knows.
        let fd = unsafe {
            let fd = libc::syscall(SYS_CREATE_RULESET, &raw const attributes, size, 0_u32);
            let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { fd, handled })
    }

    /// Gives a right beneath a place. A place that is not there is no place to give rights to.
    pub(crate) fn give(&self, right: Right, place: &Path) -> io::Result<()> {
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(place);
        match opened {
            Ok(place) => self.give_file(right, &place),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The same of a place that was opened before: whatever gets its name meanwhile is given nothing.
    pub(crate) fn give_opened(&self, right: Right, place: &Directory) -> io::Result<()> {
        self.give_file(right, place.file())
    }

    fn give_file(&self, right: Right, place: &File) -> io::Result<()> {
        const PATH_BENEATH: u32 = 1;
        let fitting = if place.metadata()?.is_dir() { u64::MAX } else { OF_FILES };
        let allowed_access = right.bits() & fitting & self.handled;
        let rule = Beneath { allowed_access, parent_fd: place.as_raw_fd() };
        // SAFETY: both descriptors are owned, and the structure lives through the call.
        let added =
            unsafe { libc::syscall(SYS_ADD_RULE, self.fd.as_raw_fd(), PATH_BENEATH, &raw const rule, 0_u32) };
        if added == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Puts the calling thread, and those it starts, under these rules.
    pub(crate) fn enforce(self) -> io::Result<()> {
        enforce(self.descriptor())
    }
}

/// Puts the calling thread, and whatever it becomes, under these rules. It allocates nothing: it is called
/// between fork and exec.
pub(super) fn enforce(rules: RawFd) -> io::Result<()> {
    // SAFETY: both calls take numbers only.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::syscall(SYS_RESTRICT_SELF, rules, 0_u32) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
