//! Records as version 2 of the format had them: see [`first`](super::first).

use serde::Deserialize;

use super::record::{
    BucketRecord, Head, ObjectRecord, StoredBody, StoredChecksum, StoredPart, StoredVersioning,
};

#[derive(Deserialize)]
pub(super) struct SecondHead {
    modified_millis: i64,
    size: u64,
    md5: [u8; 16],
    etag_parts: u16,
    checksum: Option<StoredChecksum>,
    composite: bool,
    storage_class: Option<String>,
    version: Option<[u8; 16]>,
}

impl From<SecondHead> for Head {
    fn from(second: SecondHead) -> Self {
        Self {
            modified_millis: second.modified_millis,
            size: second.size,
            md5: second.md5,
            etag_parts: second.etag_parts,
            checksum: second.checksum,
            composite: second.composite,
            storage_class: second.storage_class,
            version: second.version,
            archived: false,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SecondObject {
    head: SecondHead,
    metadata: Vec<(String, String)>,
    parts: Vec<StoredPart>,
    body: StoredBody,
    tags: Vec<(String, String)>,
}

impl From<SecondObject> for ObjectRecord {
    fn from(second: SecondObject) -> Self {
        let SecondObject { head, metadata, parts, body, tags } = second;
        Self { head: head.into(), metadata, parts, body, tags }
    }
}

#[derive(Deserialize)]
pub(super) struct SecondBucket {
    id: u32,
    created_millis: i64,
    owner: String,
    versioning: StoredVersioning,
    has_lifecycle: bool,
}

impl From<SecondBucket> for BucketRecord {
    fn from(second: SecondBucket) -> Self {
        let SecondBucket { id, created_millis, owner, versioning, has_lifecycle } = second;
        Self { id, created_millis, owner, versioning, has_lifecycle, location: None }
    }
}
