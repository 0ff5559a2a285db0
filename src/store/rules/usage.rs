//! How much things take up, which quotas count: bodies, and what records are reckoned at.

use crate::size;
use crate::store::Error;

/// What a record is reckoned to take up besides its key and its texts: numbers, digests, and its share of the index.
const RECORD_BYTES: u64 = 128;
/// The same for a part within the record of an object.
const PART_BYTES: u64 = 32;
/// Bytes of the key of a part's record: the id of its upload, and its number.
const PART_KEY_BYTES: u64 = 18;
/// Bytes before the key of an object in that of its record: the id of its bucket.
pub(in crate::store) const BEFORE_KEY_BYTES: usize = 4;
/// Bytes after the key of an object in that of an upload's record: a NUL, and the id of the upload.
pub(in crate::store) const AFTER_KEY_BYTES: usize = 17;

type Texts = [(String, String)];

/// What the record of a delete marker takes up, of a key of so many bytes.
pub(in crate::store) fn marker_bytes(key: usize) -> u64 {
    RECORD_BYTES + size::bytes(BEFORE_KEY_BYTES + key)
}

/// What the record of an object takes up.
pub(in crate::store) fn object_bytes(key: usize, metadata: &Texts, tags: &Texts, parts: usize) -> u64 {
    let texts = metadata.iter().chain(tags).map(|(name, value)| size::bytes(name.len() + value.len()));
    marker_bytes(key) + texts.sum::<u64>() + PART_BYTES * size::bytes(parts)
}

/// What the record of an upload takes up, without its parts.
pub(in crate::store) fn upload_bytes(key: usize, metadata: &Texts, tags: &Texts) -> u64 {
    object_bytes(key + AFTER_KEY_BYTES, metadata, tags, 0)
}

/// What the record of a part takes up.
pub(in crate::store) const fn part_bytes() -> u64 {
    RECORD_BYTES + PART_KEY_BYTES
}

/// Checks that a quota has room for `bytes` where `held` are held, of which `replaced` go.
///
/// # Errors
/// Returns [`Error::QuotaExceeded`].
pub(in crate::store) fn check_quota(quota: u64, held: u64, replaced: u64, bytes: u64) -> Result<(), Error> {
    match held.saturating_sub(replaced).checked_add(bytes) {
        Some(sum) if sum <= quota => Ok(()),
        _ => Err(Error::QuotaExceeded { quota }),
    }
}
