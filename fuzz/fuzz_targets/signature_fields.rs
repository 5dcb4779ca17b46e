//! Any bytes as the fields of a signed request: without a key, none of it is good.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::signature_fields(data));
