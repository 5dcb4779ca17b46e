//! A body that is judged: what passes says nothing forbidden, to a reader of another kind.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::guard(data));
