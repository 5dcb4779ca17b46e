//! A program that can become no other program, enforced by the kernel.
#![expect(unsafe_code, reason = "seccomp has no binding but its system call")]

use std::ffi::CStr;
use std::io;

use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

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

/// Rules under which the one program can be executed whose name lies at a place in memory. Where it is executed that
/// memory is gone, so that nothing can be executed after it.
pub(super) struct OnlyOnce([sock_filter; 14]);

impl OnlyOnce {
    pub(super) fn new(name: &CStr) -> Self {
        let at = name.as_ptr() as usize as u64;
        let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or_default();
        let number = |call: libc::c_long| u32::try_from(call).unwrap_or(u32::MAX);
        let load = |from: u32| (BPF_LD | BPF_W | BPF_ABS, 0, 0, from);
        let is = |value: u32, then: u8, otherwise: u8| (BPF_JMP | BPF_JEQ | BPF_K, then, otherwise, value);
        let end = |verdict: u32| (BPF_RET | BPF_K, 0, 0, verdict);
        // A jump skips so many of the lines that follow it.
        let lines = [
            load(MACHINE),
            is(THIS_MACHINE, 1, 0),
            end(REFUSE),
            load(CALL),
            (BPF_JMP | BPF_JGE | BPF_K, 0, 1, OTHER_CONVENTION),
            end(REFUSE),
            is(number(libc::SYS_execveat), 5, 0),
            is(number(libc::SYS_execve), 0, 5),
            load(FIRST_LOW),
            is(half(at), 0, 2),
            load(FIRST_HIGH),
            is(half(at >> 32), 1, 0),
            end(REFUSE),
            end(ALLOW),
        ];
        Self(lines.map(|(code, jt, jf, k)| sock_filter {
            code: u16::try_from(code).unwrap_or_default(),
            jt,
            jf,
            k,
        }))
    }

    /// Puts the calling thread, and whatever it becomes, under these rules. It allocates nothing: it is called
    /// between fork and exec.
    pub(super) fn enforce(&self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: libc::c_ushort::try_from(self.0.len()).unwrap_or_default(),
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: the kernel copies the lines, of which there are as many as it is told, and writes to none.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
                | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
