//! What is decoded, encoded and decoded again is the same, and the crate percent-encoding agrees.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::uri::check(data));
