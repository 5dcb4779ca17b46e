//! Any bytes as a private key file: refused, or written and read to the same key.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::private_key(data));
