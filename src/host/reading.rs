//! Reading of files that are made when they are read, and have no size.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::limits::PROC_FILE_BYTES_MAX;

/// A file's whole lines up to the limit; none where it cannot be read, or is no file. What is not
/// text in it becomes a sign that no number has.
pub(super) fn text(path: &Path) -> Option<String> {
    let mut options = OpenOptions::new();
    // A pipe that an operator points at is not waited for.
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(PROC_FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= PROC_FILE_BYTES_MAX {
        // Half a number is another number.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        bytes.truncate(whole);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_file_is_not_read() {
        for path in ["/", "/dev/zero", "/no/such", "/proc/self/mem"] {
            assert_eq!(text(Path::new(path)), None, "{path}");
        }
        assert!(text(Path::new("/proc/self/status")).is_some_and(|text| text.starts_with("Name:")));
    }

    #[test]
    fn a_file_beyond_the_limit_is_read_to_the_end_of_a_line() {
        let path = std::env::temp_dir().join(format!("lookout-reading-{}", std::process::id()));
        let most = usize::try_from(PROC_FILE_BYTES_MAX).unwrap();
        fs::write(&path, "eth0: 12345\n".repeat(most / 12 + 9)).unwrap();
        let read = text(&path).unwrap();
        assert!(read.len() < most && read.lines().all(|line| line == "eth0: 12345"));
        fs::write(&path, "x".repeat(most + 1)).unwrap();
        assert_eq!(text(&path).unwrap(), "");
        fs::write(&path, b"cpu \xff\xfe 1\n").unwrap();
        assert_eq!(text(&path).unwrap(), "cpu \u{fffd}\u{fffd} 1\n");
        fs::remove_file(path).unwrap();
    }
}
