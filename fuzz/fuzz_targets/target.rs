//! Any bytes as the target of a request: a decoded path without surprises, or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::target(data));
