//! The files of a trail: one that was changed anywhere is never whole, and none takes long.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::audit_verify(data));
