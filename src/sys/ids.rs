//! Who this process is, for messages that tell an operator what to change.
#![expect(unsafe_code, reason = "the standard library does not tell a process its ids")]

/// The effective user id.
pub(crate) fn user() -> u32 {
    // SAFETY: geteuid(2) takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The effective group id.
pub(crate) fn group() -> u32 {
    // SAFETY: getegid(2) takes nothing and cannot fail.
    unsafe { libc::getegid() }
}

/// Supplementary groups; empty when the kernel does not say.
pub(crate) fn groups() -> Vec<u32> {
    // SAFETY: a size of zero asks for the count and writes nothing.
    let count = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let Ok(len) = usize::try_from(count) else { return Vec::new() };
    let mut groups = vec![0; len];
    // SAFETY: the buffer holds exactly `count` ids and lives through the call.
    let filled = unsafe { libc::getgroups(count, groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(filled).unwrap_or(0));
    groups
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn ids_are_those_of_the_process() {
        let status = std::fs::metadata("/proc/self").unwrap();
        assert_eq!((super::user(), super::group()), (status.uid(), status.gid()));
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let listed = text.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        let mut listed: Vec<u32> = listed.split_whitespace().map(|id| id.parse().unwrap()).collect();
        let mut told = super::groups();
        listed.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, listed);
    }
}
