//! Any bytes as an assistant's message: nothing, or an answer in JSON-RPC 2.0 under the id that was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::json_rpc(data));
