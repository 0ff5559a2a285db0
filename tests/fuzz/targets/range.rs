//! A range that is accepted selects bytes of the object, and those that were asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::range::check(data));
