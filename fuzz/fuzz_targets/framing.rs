//! Any bytes as a message: its head and body end in one place, however they arrive and however freely they are read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::framing(data));
