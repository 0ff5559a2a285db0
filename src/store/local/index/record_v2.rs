//! Records as version 2 of the format had them: see [`record_v1`](super::record_v1).

use serde::Deserialize;

use super::record::{
    BucketRecord, Head, ObjectRecord, StoredBody, StoredChecksum, StoredPart, StoredVersioning,
};

#[derive(Deserialize)]
pub(in crate::store::local) struct V2Head {
    modified_millis: i64,
    size: u64,
    md5: [u8; 16],
    etag_parts: u16,
    checksum: Option<StoredChecksum>,
    composite: bool,
    storage_class: Option<String>,
    version: Option<[u8; 16]>,
}

impl From<V2Head> for Head {
    fn from(second: V2Head) -> Self {
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
pub(in crate::store::local) struct V2Object {
    head: V2Head,
    metadata: Vec<(String, String)>,
    parts: Vec<StoredPart>,
    body: StoredBody,
    tags: Vec<(String, String)>,
}

impl From<V2Object> for ObjectRecord {
    fn from(second: V2Object) -> Self {
        let V2Object { head, metadata, parts, body, tags } = second;
        Self { head: head.into(), metadata, parts, body, tags }
    }
}

#[derive(Deserialize)]
pub(in crate::store::local) struct V2Bucket {
    id: u32,
    created_millis: i64,
    owner: String,
    versioning: StoredVersioning,
    has_lifecycle: bool,
}

impl From<V2Bucket> for BucketRecord {
    fn from(second: V2Bucket) -> Self {
        let V2Bucket { id, created_millis, owner, versioning, has_lifecycle } = second;
        Self { id, created_millis, owner, versioning, revision: has_lifecycle.into(), location: None }
    }
}
