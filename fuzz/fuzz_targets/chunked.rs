//! Any bytes as a chunked body, whole and byte by byte: the same content, or the same refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::framing(data));
