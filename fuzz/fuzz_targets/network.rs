//! Any bytes as a network: refused, or one that holds its own address.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::network(data));
