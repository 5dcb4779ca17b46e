//! Any text as a reference to an image: what is canonical stays so.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::image_reference(data));
