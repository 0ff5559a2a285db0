//! A query that is accepted is the same when it has been printed in canonical form and parsed again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| presigned_fuzz::query::check(data));
