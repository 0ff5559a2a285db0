//! Records as versions 3 and 4 of the format had them: see [`record_v1`](super::record_v1).

use serde::Deserialize;

use super::record::{BucketRecord, StoredVersioning};

#[derive(Deserialize)]
pub(in crate::store::local) struct V3Bucket {
    id: u32,
    created_millis: i64,
    owner: String,
    versioning: StoredVersioning,
    has_lifecycle: bool,
    location: Option<String>,
}

impl From<V3Bucket> for BucketRecord {
    fn from(third: V3Bucket) -> Self {
        let V3Bucket { id, created_millis, owner, versioning, has_lifecycle, location } = third;
        Self { id, created_millis, owner, versioning, revision: has_lifecycle.into(), location }
    }
}
