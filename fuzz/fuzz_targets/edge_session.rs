//! What a controller says in a session: every answer is one to it, and everything ends with the session.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::edge_session(data));
