//! Records of what buckets hold.

use serde::{Deserialize, Serialize};

use super::record::{ObjectRecord, Record};
use super::upload_record::UploadRecord;
use crate::store::model::Usage;
use crate::store::rules::usage::{
    AFTER_KEY_BYTES, BEFORE_KEY_BYTES, marker_bytes, object_bytes, part_bytes, upload_bytes,
};

/// What a bucket holds, every version of its objects and its uploads with their parts, or what one record adds to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct UsageRecord {
    /// Without delete markers.
    pub versions: u64,
    /// Of bodies.
    pub bytes: u64,
    /// What records take up besides the bodies: those of versions, delete markers, uploads and parts.
    pub record_bytes: u64,
}

impl UsageRecord {
    pub(in crate::store::local) fn usage(self) -> Usage {
        Usage { versions: self.versions, bytes: self.bytes, record_bytes: self.record_bytes }
    }

    /// An object's.
    pub(in crate::store::local) fn of(key: &[u8], record: &ObjectRecord) -> Self {
        Self {
            versions: 1,
            bytes: record.head.size,
            record_bytes: object_bytes(
                object_key_bytes(key),
                &record.metadata,
                &record.tags,
                record.parts.len(),
            ),
        }
    }

    /// A delete marker's.
    pub(in crate::store::local) fn of_marker(key: &[u8]) -> Self {
        Self { versions: 0, bytes: 0, record_bytes: marker_bytes(object_key_bytes(key)) }
    }

    /// An upload's, without its parts.
    pub(in crate::store::local) fn of_upload(key: &[u8], record: &UploadRecord) -> Self {
        Self {
            versions: 0,
            bytes: 0,
            record_bytes: upload_bytes(
                object_key_bytes(key).saturating_sub(AFTER_KEY_BYTES),
                &record.metadata,
                &record.tags,
            ),
        }
    }

    /// That of a part, whose key is as long as any other.
    pub(in crate::store::local) fn of_part(size: u64) -> Self {
        Self { versions: 0, bytes: size, record_bytes: part_bytes() }
    }

    pub(in crate::store::local) fn add(&mut self, more: Self) {
        self.versions += more.versions;
        self.bytes += more.bytes;
        self.record_bytes += more.record_bytes;
    }

    /// Everything, in bytes.
    pub(in crate::store::local) fn total(&self) -> u64 {
        self.bytes.saturating_add(self.record_bytes)
    }
}

/// Bytes of the key of an object, of which this is the record's.
fn object_key_bytes(record_key: &[u8]) -> usize {
    record_key.len().saturating_sub(BEFORE_KEY_BYTES)
}

impl Record<'_> for UsageRecord {
    type V1 = ThirdUsage;
    type V2 = ThirdUsage;
    type V3 = ThirdUsage;
}

/// The same as versions 1 to 3 had it: the start that brings such a store up to date counts the rest.
#[derive(Deserialize)]
pub(in crate::store::local) struct ThirdUsage {
    versions: u64,
    bytes: u64,
}

impl From<ThirdUsage> for UsageRecord {
    fn from(third: ThirdUsage) -> Self {
        Self { versions: third.versions, bytes: third.bytes, record_bytes: 0 }
    }
}
