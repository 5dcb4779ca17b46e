//! Calls of the system that are refused from then on, enforced by the kernel.
#![expect(unsafe_code, reason = "seccomp has no binding but its system call")]

use std::ffi::CStr;
use std::io;

use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

#[cfg(target_arch = "x86_64")]
const THIS_MACHINE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const THIS_MACHINE: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const THIS_MACHINE: u32 = 0xc000_00f3;
#[cfg(target_arch = "arm")]
const THIS_MACHINE: u32 = 0x4000_0028;

// Where the kernel puts what it tells of a call: its number, its machine, and its first argument in two halves, the
// lower one first on every machine named above.
const CALL: u32 = 0;
const MACHINE: u32 = 4;
const FIRST_LOW: u32 = 16;
const FIRST_HIGH: u32 = 20;
/// Numbers from here on are those of another convention on the same machine.
const OTHER_CONVENTION: u32 = 0x4000_0000;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EACCES.cast_unsigned();
const ABSENT: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();

/// One line of a filter: what to do, where to go if so and if not, and a value.
type Line = (u32, u8, u8, u32);

fn load(from: u32) -> Line {
    (BPF_LD | BPF_W | BPF_ABS, 0, 0, from)
}

/// A jump skips so many of the lines that follow it.
fn is(value: u32, then: u8, otherwise: u8) -> Line {
    (BPF_JMP | BPF_JEQ | BPF_K, then, otherwise, value)
}

fn end(verdict: u32) -> Line {
    (BPF_RET | BPF_K, 0, 0, verdict)
}

fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

fn written((code, jt, jf, k): Line) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k }
}

/// What every filter begins with: calls for another machine, or in another convention, are refused.
fn of_this_machine() -> [Line; 6] {
    [
        load(MACHINE),
        is(THIS_MACHINE, 1, 0),
        end(REFUSE),
        load(CALL),
        (BPF_JMP | BPF_JGE | BPF_K, 0, 1, OTHER_CONVENTION),
        end(REFUSE),
    ]
}

/// Rules under which the one program can be executed whose name lies at a place in memory. Where it is executed that
/// memory is gone, so that nothing can be executed after it.
pub(super) struct OnlyOnce(Vec<sock_filter>);

impl OnlyOnce {
    pub(super) fn new(name: &CStr) -> Self {
        let at = name.as_ptr() as usize as u64;
        let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or_default();
        let lines = [
            is(number(libc::SYS_execveat), 5, 0),
            is(number(libc::SYS_execve), 0, 5),
            load(FIRST_LOW),
            is(half(at), 0, 2),
            load(FIRST_HIGH),
            is(half(at >> 32), 1, 0),
            end(REFUSE),
        ];
        Self(filter(lines))
    }

    /// Puts the calling thread, and whatever it becomes, under these rules. It allocates nothing: it is called
    /// between fork and exec.
    pub(super) fn enforce(&self) -> io::Result<()> {
        enforce(&self.0)
    }
}

/// From here on the calling thread, and those it starts, are refused these calls.
pub(super) fn refuse(calls: &[libc::c_long]) -> io::Result<()> {
    enforce(&filter(each_refused(calls)))
}

/// And namespaces of their own, too.
pub(super) fn refuse_with_namespaces(calls: &[libc::c_long]) -> io::Result<()> {
    // Of one call only the flags are looked at. Its successor keeps them where no filter sees them, and is not there:
    // who finds that so uses the older one.
    const NAMESPACES: u32 = 0x7e02_0000;
    let namespaces = [
        is(number(libc::SYS_clone3), 0, 1),
        end(ABSENT),
        is(number(libc::SYS_clone), 0, 3),
        load(FIRST_LOW),
        (BPF_JMP | BPF_JSET | BPF_K, 0, 1, NAMESPACES),
        end(REFUSE),
    ];
    enforce(&filter(each_refused(calls).chain(namespaces)))
}

fn each_refused(calls: &[libc::c_long]) -> impl Iterator<Item = Line> {
    calls.iter().flat_map(|call| [is(number(*call), 0, 1), end(REFUSE)])
}

/// These lines, which fall through to their end where they refuse nothing.
fn filter(lines: impl IntoIterator<Item = Line>) -> Vec<sock_filter> {
    of_this_machine().into_iter().chain(lines).chain([end(ALLOW)]).map(written).collect()
}

fn enforce(lines: &[sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: libc::c_ushort::try_from(lines.len()).unwrap_or_default(),
        filter: lines.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the lines, of which there are as many as it is told, and writes to none.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
