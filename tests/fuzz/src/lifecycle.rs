//! Lifecycle rules: what is shown of them is what was put.

use presigned::s3::lifecycle::{Lifecycle, RULES_MAX};

pub fn check(data: &[u8]) {
    let Ok(lifecycle) = Lifecycle::parse(data) else { return };
    assert!((1..=RULES_MAX).contains(&lifecycle.rules().len()));
    let document = lifecycle.document();
    assert_eq!(Lifecycle::parse(document.as_bytes()), Ok(lifecycle), "{document}");
}
