//! Any bytes as the head of a request: read, refused or found unfinished, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::request_head(data));
