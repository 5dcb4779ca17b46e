//! Any bytes as a client certificate: refused, or a key that stands in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::certificate(data));
