//! Any bytes as a keys file: refused whole, or read and written to the same keys.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::authorized_keys(data));
