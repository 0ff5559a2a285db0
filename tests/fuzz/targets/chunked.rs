//! A body gives the same bytes, or the same error, however it is cut into pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::chunked::check(data));
