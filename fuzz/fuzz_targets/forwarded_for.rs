//! Any bytes as X-Forwarded-For, line by line: an address, and the peer where nobody is trusted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lookout::fuzzing::forwarded_for(data));
