//! Any bytes as a controller's address and its answer to the upgrade.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::edge_upgrade(data));
