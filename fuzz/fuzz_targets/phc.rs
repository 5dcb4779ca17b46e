//! Any bytes as the hash of a token: refused, or written again as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::phc(data));
