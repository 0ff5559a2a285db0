//! The ids that every answer carries and the log repeats.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The id of a request, told to the client and written to the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestId(u64);

/// Where the ids of this process begin.
static NEXT_ID: LazyLock<AtomicU64> = LazyLock::new(|| {
    let mut seed = [0; 8];
    // Without randomness ids still differ within the process.
    let _ = getrandom::fill(&mut seed);
    AtomicU64::new(u64::from_ne_bytes(seed))
});
/// The id of this process, which answers call the host's.
static HOST_ID: LazyLock<String> = LazyLock::new(|| {
    let mut bytes = [0; 48];
    let _ = getrandom::fill(&mut bytes);
    STANDARD.encode(bytes)
});

impl RequestId {
    /// A fresh id.
    pub fn next() -> Self {
        // A bijection of a counter: no two ids are the same, and none tells how many there were.
        let mut mixed = NEXT_ID.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(mixed ^ (mixed >> 31))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // As `{:016X}`, whose machinery costs more than the digits: the log and the answer have one each.
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut shift = u64::BITS;
        let digits: [u8; 16] = std::array::from_fn(|_| {
            shift -= 4;
            DIGITS
                .get(usize::try_from(self.0 >> shift).unwrap_or(usize::MAX) % DIGITS.len())
                .copied()
                .unwrap_or_default()
        });
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

/// The id of this process.
pub(super) fn host_id() -> &'static str {
    &HOST_ID
}
