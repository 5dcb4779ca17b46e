//! Any bytes as parameters: what goes on says what came.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::query(data));
