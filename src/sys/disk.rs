//! The space of a file system.
#![expect(unsafe_code, reason = "statvfs(3) has no safe binding in the standard library")]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a file system holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) total: u64,
    /// What anybody may still take: what is kept back for root is not free.
    pub(crate) free: u64,
}

/// The space of the file system on which `path` lies. Waits for as long as that file system does.
pub(crate) fn space(path: &Path) -> io::Result<Space> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut figures = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a zero and lives through the call; the other pointer is to room for
    // one `statvfs`, which is taken for filled only where the call says that it filled it.
    let figures = unsafe {
        if libc::statvfs(path.as_ptr(), figures.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        figures.assume_init()
    };
    // Counts are in fragments, which need not be as large as blocks.
    let unit = if figures.f_frsize > 0 { figures.f_frsize } else { figures.f_bsize };
    let bytes = |count| wide(count).saturating_mul(wide(unit));
    Ok(Space { total: bytes(figures.f_blocks), free: bytes(figures.f_bavail) })
}

/// The types of these numbers differ from one platform to the next.
fn wide(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_file_system_has_more_space_than_is_free() {
        let space = space(Path::new("/")).unwrap();
        assert!(space.total > space.free && space.total > 1024 * 1024, "{space:?}");
    }

    #[test]
    fn a_file_system_without_blocks_has_no_space() {
        assert_eq!(space(Path::new("/proc")).unwrap(), Space { total: 0, free: 0 });
    }

    #[test]
    fn what_is_no_path_has_none() {
        for (path, kind) in [("/no/such", ErrorKind::NotFound), ("/a\0b", ErrorKind::InvalidInput)] {
            assert_eq!(space(Path::new(path)).unwrap_err().kind(), kind);
        }
    }
}
