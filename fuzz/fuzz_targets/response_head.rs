//! Any bytes as the head of an Engine's answer: read, refused or found unfinished, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::response_head(data));
