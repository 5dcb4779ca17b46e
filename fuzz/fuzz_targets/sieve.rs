//! An answer of many values, cut anywhere: told the same, and nothing but JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::sieve(data));
