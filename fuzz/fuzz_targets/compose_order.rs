//! Any bytes as an order for compose: what is taken leads downwards, is no option, and stays in its line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::compose_order(data));
