//! Records as version 1 of the format had them. They are read for as long as stores may hold them, and written
//! anew in today's form whenever they change.

use serde::Deserialize;

use super::record::{
    BlobRecord, BucketRecord, Head, ObjectRecord, Record, StoredAlgorithm, StoredBody, StoredChecksum,
    StoredPart, StoredVersioning, UploadRecord,
};
use super::second::{SecondBucket, SecondHead, SecondObject};

impl Record<'_> for Head {
    type First = FirstHead;
    type Second = SecondHead;
    type Third = Self;
}

impl Record<'_> for ObjectRecord {
    type First = FirstObject;
    type Second = SecondObject;
    type Third = Self;
}

impl Record<'_> for BucketRecord {
    type First = FirstBucket;
    type Second = SecondBucket;
    type Third = Self;
}

impl Record<'_> for UploadRecord {
    type First = FirstUpload;
    type Second = Self;
    type Third = Self;
}

impl Record<'_> for BlobRecord {
    type First = FirstBlob;
    type Second = Self;
    type Third = Self;
}

#[derive(Deserialize)]
pub(super) struct FirstHead {
    modified_millis: i64,
    size: u64,
    md5: [u8; 16],
    etag_parts: u16,
    checksum: Option<StoredChecksum>,
    composite: bool,
    storage_class: Option<String>,
}

impl From<FirstHead> for Head {
    fn from(first: FirstHead) -> Self {
        Self {
            modified_millis: first.modified_millis,
            size: first.size,
            md5: first.md5,
            etag_parts: first.etag_parts,
            checksum: first.checksum,
            composite: first.composite,
            storage_class: first.storage_class,
            version: None,
            archived: false,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct FirstObject {
    head: FirstHead,
    metadata: Vec<(String, String)>,
    part_sizes: Vec<u64>,
    body: StoredBody,
}

impl From<FirstObject> for ObjectRecord {
    fn from(first: FirstObject) -> Self {
        let part = |size| StoredPart { size, checksum: None };
        Self {
            head: first.head.into(),
            metadata: first.metadata,
            parts: first.part_sizes.into_iter().map(part).collect(),
            body: first.body,
            tags: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct FirstBucket {
    id: u32,
    created_millis: i64,
    owner: String,
}

impl From<FirstBucket> for BucketRecord {
    fn from(first: FirstBucket) -> Self {
        Self {
            id: first.id,
            created_millis: first.created_millis,
            owner: first.owner,
            versioning: StoredVersioning::Off,
            has_lifecycle: false,
            location: None,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct FirstUpload {
    initiated_millis: i64,
    initiator: String,
    metadata: Vec<(String, String)>,
    checksum: Option<(StoredAlgorithm, bool)>,
}

impl From<FirstUpload> for UploadRecord {
    fn from(first: FirstUpload) -> Self {
        Self {
            initiated_millis: first.initiated_millis,
            initiator: first.initiator,
            metadata: first.metadata,
            checksum: first.checksum,
            tags: Vec::new(),
            replaces: false,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct FirstBlob {
    references: u32,
    size: u64,
}

impl From<FirstBlob> for BlobRecord {
    fn from(first: FirstBlob) -> Self {
        Self { references: first.references, size: first.size, checksum: None }
    }
}
