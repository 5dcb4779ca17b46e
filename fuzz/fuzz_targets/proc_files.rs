//! Any text as a file of /proc: it is read or passed over.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::proc_files(data));
