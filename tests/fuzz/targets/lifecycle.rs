//! Rules that are accepted are the same when they have been printed and parsed again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::lifecycle::check(data));
