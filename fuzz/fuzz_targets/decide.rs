//! A key and a request: what is allowed is in the grant and the golden matrix, and stays so as it is written anew.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::decide(data));
