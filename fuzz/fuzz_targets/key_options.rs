//! Any bytes as the options of a key: refused, or one key with them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::key_options(data));
