//! A stream of logs in pieces: it tells what the whole does.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::log_stream(data));
