//! Records of uploads, their parts, and what is remembered of those that were completed.

use serde::{Deserialize, Serialize};

use super::record::{Head, Record, StoredAlgorithm, StoredChecksum};
use crate::clock::Timestamp;
use crate::s3::checksum::ChecksumType;
use crate::s3::metadata::Metadata;
use crate::s3::name::{ETag, ObjectKey, PartNumber, UploadId};
use crate::s3::tagging::Tags;
use crate::store::local::blobs::segment::Segment;
use crate::store::model::{Part, Upload};

/// A multipart upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct UploadRecord {
    pub(in crate::store::local) initiated_millis: i64,
    pub(in crate::store::local) initiator: String,
    pub(in crate::store::local) metadata: Vec<(String, String)>,
    pub(in crate::store::local) checksum: Option<(StoredAlgorithm, bool)>,
    pub(in crate::store::local) tags: Vec<(String, String)>,
    /// Whether there was an object under its key when it was started.
    pub replaces: bool,
}

impl UploadRecord {
    pub(in crate::store::local) fn new(upload: &Upload, replaces: bool) -> Self {
        let composite = |kind| kind == ChecksumType::Composite;
        Self {
            initiated_millis: upload.initiated.unix_millis(),
            initiator: upload.initiator.clone(),
            metadata: upload.metadata.entries().to_vec(),
            checksum: upload.checksum.map(|(algorithm, kind)| (algorithm.into(), composite(kind))),
            tags: upload.tags.entries().to_vec(),
            replaces,
        }
    }

    pub(in crate::store::local) fn upload(self, key: ObjectKey, id: UploadId) -> Upload {
        let kind = |composite| if composite { ChecksumType::Composite } else { ChecksumType::FullObject };
        Upload {
            key,
            id,
            initiated: Timestamp::from_unix_millis(self.initiated_millis),
            metadata: Metadata::from_stored(self.metadata),
            tags: Tags::from_stored(self.tags),
            checksum: self.checksum.map(|(algorithm, composite)| (algorithm.into(), kind(composite))),
            initiator: self.initiator,
        }
    }
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct PartRecord {
    modified_millis: i64,
    pub size: u64,
    md5: [u8; 16],
    pub checksum: Option<StoredChecksum>,
    pub segments: Vec<Segment>,
}

impl Record<'_> for PartRecord {
    type V1 = Self;
    type V2 = Self;
    type V3 = Self;
}

impl PartRecord {
    pub(in crate::store::local) fn new(part: &Part, segments: Vec<Segment>) -> Self {
        Self {
            modified_millis: part.modified.unix_millis(),
            size: part.size,
            md5: *part.etag.md5(),
            checksum: part.checksum.as_ref().map(StoredChecksum::of),
            segments,
        }
    }

    pub(in crate::store::local) fn part(&self, number: PartNumber) -> Part {
        Part {
            number,
            size: self.size,
            etag: ETag::single(self.md5),
            modified: Timestamp::from_unix_millis(self.modified_millis),
            checksum: self.checksum.as_ref().and_then(StoredChecksum::value),
        }
    }
}

/// A completed upload, remembered for those that did not hear of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct CompletionRecord {
    pub completed_millis: i64,
    pub bucket: u32,
    pub key: String,
    /// SHA-256 over numbers and tags of the parts.
    pub parts: [u8; 32],
    /// What was made, as it was when it was made.
    pub made: Head,
    /// Whether the bucket had versions.
    pub versioned: bool,
}

impl Record<'_> for CompletionRecord {
    type V1 = Self;
    type V2 = Self;
    type V3 = Self;
}
