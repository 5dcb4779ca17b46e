//! Memory the process no longer uses, given back to the kernel.
#![expect(unsafe_code, reason = "neither the stack nor the allocator's pages are within safe reach")]

use std::mem::MaybeUninit;
use std::ptr;

/// What this function and those it calls may still need below its own frame: one call of the kernel. No more, as it may
/// cost every sleeping connection a page.
const KEPT_BELOW: usize = 1024;
/// The largest page Linux is run with, for a kernel that does not say.
const PAGE: usize = 64 * 1024;

/// Gives back what deeper calls left behind on this thread's stack. A connection that falls idle
/// would otherwise keep the pages of its deepest call for as long as it sleeps.
// Never inlined: what lies below its own frame belongs to nobody, and only then.
#[inline(never)]
pub(crate) fn give_back_stack() {
    let mark = 0_u8;
    let here = ptr::from_ref(&mark).addr();
    let Some(lowest) = lowest_of_stack() else { return };
    let page = page_size();
    let below_a_page = page.saturating_sub(1);
    let end = here.saturating_sub(KEPT_BELOW) & !below_a_page;
    let start = lowest.saturating_add(below_a_page) & !below_a_page;
    let Some(length) = end.checked_sub(start).filter(|length| *length > 0) else { return };
    // SAFETY: the range lies within this thread's own stack, below every live frame and what the
    // frames of this call need; what was there is dead, and the pages read as zero when the stack
    // grows over them again. A refusal changes nothing.
    unsafe { libc::madvise(ptr::without_provenance_mut(start), length, libc::MADV_DONTNEED) };
}

/// The lowest address of this thread's stack.
fn lowest_of_stack() -> Option<usize> {
    let mut attributes = MaybeUninit::uninit();
    let (mut lowest, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the first call fills the attributes of the calling thread, which lives; only where it
    // did are they looked at and given back, once. Both results are places of our own.
    let is_known = unsafe {
        libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) == 0 && {
            let known = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            known == 0
        }
    };
    is_known.then(|| lowest.addr())
}

fn page_size() -> usize {
    // SAFETY: sysconf(3) only looks a number up.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(PAGE)
}

/// Gives back what the allocator holds for nobody. Takes a while where there is much of it.
pub(crate) fn give_back_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Touches a good part of the stack, and says what it wrote there.
    #[inline(never)]
    fn deep(seed: u8) -> u64 {
        let room = std::hint::black_box([seed; 96 * 1024]);
        room.iter().map(|byte| u64::from(*byte)).sum()
    }

    #[test]
    fn a_stack_works_on_after_it_was_given_back() {
        let before = deep(3);
        for _ in 0..10 {
            give_back_stack();
            assert_eq!(deep(3), before);
        }
        give_back_heap();
    }

    #[test]
    fn the_stack_of_this_thread_is_found() {
        let mark = 0_u8;
        let here = ptr::from_ref(&mark).addr();
        let lowest = lowest_of_stack().unwrap();
        assert!(lowest < here && here - lowest < 64 * 1024 * 1024);
    }
}
