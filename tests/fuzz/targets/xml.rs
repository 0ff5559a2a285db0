//! A document that is accepted is within the limits, and the same when it has been written and parsed again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::xml::check(data));
