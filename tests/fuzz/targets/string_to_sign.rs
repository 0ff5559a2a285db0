//! Two requests that one signature fits are read as the same request.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::string_to_sign::check(data));
