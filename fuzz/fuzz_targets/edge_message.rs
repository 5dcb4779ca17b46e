//! Any bytes as a message of a controller: no request breaks out of its lines.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::edge_message(data));
