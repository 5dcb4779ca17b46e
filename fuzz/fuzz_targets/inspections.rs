//! Any inspection of a container and its image: both shapes can be told.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::inspections(data));
