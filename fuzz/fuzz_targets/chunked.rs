//! Any bytes as a chunked body, whole and byte by byte: the same content and end, also to a freer reader, or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::chunked(data));
