//! What the process gives up for good, before it faces anybody: rights that only a flaw would have a use for.
#![expect(
    unsafe_code,
    reason = "prctl(2), setrlimit(2) and capset(2) have no safe binding in the standard library"
)]

use std::io;

use super::seccomp;

/// Something that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// To gain any by executing a program that has more.
    Privileges,
    /// To be looked into by others of the same user, and to leave its memory behind.
    Dumps,
    /// Of root: all but to read and write files whosever they are.
    Capabilities,
    /// Calls that a server has no use for.
    Calls,
    /// To execute any program at all.
    Execution,
}

impl Right {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Privileges => "new privileges",
            Self::Dumps => "dumps",
            Self::Capabilities => "capabilities",
            Self::Calls => "system calls",
            Self::Execution => "execution",
        }
    }

    /// Gives it up, for the calling thread and those it starts.
    pub(crate) fn give_up(self) -> io::Result<()> {
        match self {
            Self::Privileges => no_new_privileges(),
            Self::Dumps => no_dumps(),
            Self::Capabilities => few_capabilities(),
            Self::Calls => seccomp::refuse_with_namespaces(CALLS),
            Self::Execution => seccomp::refuse(&[libc::SYS_execve, libc::SYS_execveat]),
        }
    }
}

/// Looking into others, rearranging what processes see, changing the kernel or the machine.
const CALLS: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

fn no_new_privileges() -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    told(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

fn no_dumps() -> io::Result<()> {
    let nothing = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: numbers, and a structure that lives through the call.
    told(unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0)
            | libc::setrlimit(libc::RLIMIT_CORE, &raw const nothing)
    })
}

/// To pass over who owns a file: tokens, keys and stacks may be anybody's. Everything else goes, also from what a
/// program that is executed could have.
fn few_capabilities() -> io::Result<()> {
    const DAC_OVERRIDE: u32 = 1;
    const DAC_READ_SEARCH: u32 = 2;
    const VERSION_3: u32 = 0x2008_0522;
    // More than any kernel has; asking for one that it does not know ends the list.
    const MANY: u32 = 64;
    let kept = 1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH;
    let mut head: [u32; 2] = [VERSION_3, 0];
    // Effective, permitted and inheritable, for the lower and then for the upper half of all there are.
    let mut sets: [u32; 6] = [0; 6];
    // SAFETY: both arrays are as large and as laid out as the kernel's structures of that version, and live through
    // the calls; prctl takes numbers only.
    unsafe {
        for capability in 0..MANY {
            let is_bounding = libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0);
            // Whoever has none to take away cannot, and has none to lose.
            if is_bounding == 1 && kept >> capability.min(31) & 1 == 0 {
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
        }
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        if libc::syscall(libc::SYS_capget, head.as_mut_ptr(), sets.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let [effective, permitted, ..] = sets;
        let left: [u32; 6] = [effective & kept, permitted & kept, 0, 0, 0, 0];
        if left == sets {
            // A sandbox around us, which has seen to it before, may refuse the call.
            return Ok(());
        }
        told(i32::from(libc::syscall(libc::SYS_capset, head.as_mut_ptr(), left.as_ptr()) != 0))
    }
}

fn told(outcome: i32) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::Program;

    /// What is given up is given up by a thread of the test's own.
    fn apart<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    fn executes() -> io::Result<()> {
        Program::free("/bin/true", &[]).start().map(drop)
    }

    #[test]
    fn who_gave_up_execution_executes_nothing() {
        let refused = apart(|| {
            executes().unwrap();
            Right::Execution.give_up().unwrap();
            executes()
        });
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EACCES));
        executes().unwrap();
    }

    #[test]
    fn who_gave_up_calls_may_not_look_into_others_nor_rearrange_the_machine() {
        apart(|| {
            Right::Calls.give_up().unwrap();
            // SAFETY: each of them is refused, or fails, without looking at what it is given.
            let (traced, shared, cloned, mounted) = unsafe {
                let errno = || io::Error::last_os_error().raw_os_error();
                let traced = (libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0), errno());
                let shared = (libc::c_long::from(libc::unshare(libc::CLONE_NEWNS)), errno());
                let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::SIGCHLD;
                let cloned = (libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0), errno());
                if cloned.0 == 0 {
                    // It was let through, and this is the child.
                    libc::_exit(0);
                }
                let none = std::ptr::null();
                let mounted = (libc::c_long::from(libc::mount(none, none, none, 0, none.cast())), errno());
                (traced, shared, cloned, mounted)
            };
            for refused in [traced, shared, cloned, mounted] {
                assert_eq!(refused, (-1, Some(libc::EACCES)));
            }
            assert!(std::fs::read("/proc/self/status").is_ok() && executes().is_ok(), "the rest works");
        });
    }

    #[test]
    fn of_the_capabilities_those_over_files_are_left_and_no_others() {
        apart(|| {
            Right::Capabilities.give_up().unwrap();
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
                let held = u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap();
                assert_eq!(held & !0b110, 0, "{set}: {held:x}");
            }
        });
    }
}
