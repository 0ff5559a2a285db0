//! A request without a true signature is never verified as one of a user.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::claim::check(data));
