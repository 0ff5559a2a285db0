//! Records as version 1 of the format had them. They are read for as long as stores may hold them, and written
//! anew in today's form whenever they change.

use serde::Deserialize;

use super::record::{
    BlobRecord, BucketRecord, Head, ObjectRecord, Record, StoredAlgorithm, StoredBody, StoredChecksum,
    StoredPart, StoredVersioning,
};
use super::record_v2::{V2Bucket, V2Head, V2Object};
use super::record_v3::V3Bucket;
use super::upload_record::UploadRecord;

impl Record<'_> for Head {
    type V1 = V1Head;
    type V2 = V2Head;
    type V3 = Self;
}

impl Record<'_> for ObjectRecord {
    type V1 = V1Object;
    type V2 = V2Object;
    type V3 = Self;
}

impl Record<'_> for BucketRecord {
    type V1 = V1Bucket;
    type V2 = V2Bucket;
    type V3 = V3Bucket;
}

impl Record<'_> for UploadRecord {
    type V1 = V1Upload;
    type V2 = Self;
    type V3 = Self;
}

impl Record<'_> for BlobRecord {
    type V1 = V1Blob;
    type V2 = Self;
    type V3 = Self;
}

#[derive(Deserialize)]
pub(in crate::store::local) struct V1Head {
    modified_millis: i64,
    size: u64,
    md5: [u8; 16],
    etag_parts: u16,
    checksum: Option<StoredChecksum>,
    composite: bool,
    storage_class: Option<String>,
}

impl From<V1Head> for Head {
    fn from(first: V1Head) -> Self {
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
pub(in crate::store::local) struct V1Object {
    head: V1Head,
    metadata: Vec<(String, String)>,
    part_sizes: Vec<u64>,
    body: StoredBody,
}

impl From<V1Object> for ObjectRecord {
    fn from(first: V1Object) -> Self {
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
pub(in crate::store::local) struct V1Bucket {
    id: u32,
    created_millis: i64,
    owner: String,
}

impl From<V1Bucket> for BucketRecord {
    fn from(first: V1Bucket) -> Self {
        Self {
            id: first.id,
            created_millis: first.created_millis,
            owner: first.owner,
            versioning: StoredVersioning::Off,
            revision: 0,
            location: None,
        }
    }
}

#[derive(Deserialize)]
pub(in crate::store::local) struct V1Upload {
    initiated_millis: i64,
    initiator: String,
    metadata: Vec<(String, String)>,
    checksum: Option<(StoredAlgorithm, bool)>,
}

impl From<V1Upload> for UploadRecord {
    fn from(first: V1Upload) -> Self {
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
pub(in crate::store::local) struct V1Blob {
    references: u32,
    size: u64,
}

impl From<V1Blob> for BlobRecord {
    fn from(first: V1Blob) -> Self {
        Self { references: first.references, size: first.size, checksum: None }
    }
}
