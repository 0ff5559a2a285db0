//! Objects: what the store does with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use heed::RoTxn;

use crate::clock::Timestamp;
use crate::s3::checksum::Checksum;
use crate::s3::condition::WriteCondition;
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, ObjectKey, PartNumber, UploadId, VersionId};
use crate::s3::tagging::Tags;
use crate::store::Error;
use crate::store::body::{Body, Kept};
use crate::store::intake::{self, CheckedBody, IntakeError};
use crate::store::local::Store;
use crate::store::local::blobs::blob::{NewBlob, NewContent, Received};
use crate::store::local::blobs::segment::Segment;
use crate::store::local::index::record::{
    BucketRecord, Head, ObjectRecord, StoredBody, StoredChecksum, StoredPart, StoredVersioning, inline,
};
use crate::store::local::index::tables::{Index, Transaction, object_key};
use crate::store::local::index::usage_record::UsageRecord;
use crate::store::local::intake::Place;
use crate::store::model::{Copy, Deleted, Deletion, NewObject, Object, ObjectChecksum, ObjectName, Written};
use crate::store::rules;
use crate::store::rules::copy::Source;

impl Store {
    /// An object, its body pinned so that it can be read whatever happens to the object meanwhile.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchKey`], [`Error::NoSuchVersion`], [`Error::DeleteMarker`],
    /// [`Error::Damaged`], and the index's.
    pub fn object(&self, name: &ObjectName) -> Result<Object, Error> {
        let index = &self.engine.index;
        let mut transaction = index.read()?;
        let table_key = object_key(index.bucket(&transaction, &name.bucket)?.id, &name.key);
        loop {
            let value = index.find(&transaction, &table_key, name.version)?;
            let (record, bytes) = ObjectRecord::decode(value)?;
            let body = match &record.body {
                StoredBody::Inline => {
                    let bytes = inline(bytes);
                    Self::check_inline(&record, &bytes)?;
                    Kept::Bytes(bytes)
                }
                StoredBody::Segments(segments) => {
                    index.check_undamaged(&transaction, segments)?;
                    let pinned = self.engine.pins.pin(segments.clone());
                    // Between the look-up and the pin the object may have been replaced and its blobs
                    // removed. If it is still there after the pin, they were not.
                    let seen = value.to_vec();
                    drop(transaction);
                    transaction = index.read()?;
                    if index.find(&transaction, &table_key, name.version)? != seen.as_slice() {
                        continue;
                    }
                    Kept::Blobs(pinned)
                }
            };
            return Ok(object(record, Body(body)));
        }
    }

    /// Whether a body from the index is what was stored. With a CRC that costs next to nothing.
    pub(super) fn check_inline(record: &ObjectRecord, body: &[u8]) -> Result<(), Error> {
        let checksum = record.head.object_checksum().map(|checksum| checksum.value);
        match checksum.filter(|checksum| checksum.algorithm().combines()) {
            Some(stored) if Checksum::of(stored.algorithm(), body) != stored => Err(Error::Damaged),
            _ => Ok(()),
        }
    }

    /// Takes in a body, and stores it as an object if the condition holds of the object that it replaces.
    ///
    /// # Errors
    /// Returns what is wrong with the body, [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::NothingToMatch`] if
    /// an ETag was asked for and there is no object, [`Error::QuotaExceeded`], [`Error::Busy`], [`Error::NoSpace`], and
    /// the file system's and the index's errors.
    pub async fn put_object(
        &self,
        new: NewObject,
        body: CheckedBody<impl intake::Source>,
        now: Timestamp,
    ) -> Result<Written, IntakeError> {
        let _room = self.reserve(&new.bucket, &new.key, None, body.length)?;
        let received = self.receive(body, Place::Any).await?;
        Ok(self.publish_object(new, received, now).await?)
    }

    /// Stores a received body as an object.
    ///
    /// # Errors
    /// As [`Store::put_object`], but for those of the body.
    pub(super) async fn publish_object(
        &self,
        new: NewObject,
        body: Received,
        now: Timestamp,
    ) -> Result<Written, Error> {
        let Received { proof, content } = body;
        let NewObject { bucket, key, metadata, tags, condition } = new;
        let size = proof.size();
        let checksum = proof.checksum().copied().map(ObjectChecksum::full);
        let head = Head::new(now, size, ETag::single(*proof.md5()), checksum, &metadata);
        let (blob, inline) = match content {
            NewContent::Inline(body) => (None, body),
            NewContent::Blob(blob) => (Some(blob), Vec::new()),
        };
        let id = blob.as_ref().map(NewBlob::id);
        let quota = self.quota(&bucket);
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&bucket)?;
            let table_key = object_key(bucket.id, &key);
            transaction.check_condition(&table_key, &condition)?;
            let body = match id {
                Some(id) => StoredBody::Segments(vec![Segment::new(id, 0, size)]),
                None => StoredBody::Inline,
            };
            let (metadata, tags) = (metadata.entries().to_vec(), tags.entries().to_vec());
            let record = ObjectRecord { head, metadata, parts: Vec::new(), body, tags };
            // Whatever is refused is refused before anything is changed: other changes share the transaction.
            transaction.check_object_quota(&bucket, quota, &table_key, &record)?;
            if let Some(id) = id {
                let checksum = checksum.map(|checksum| StoredChecksum::of(&checksum.value));
                transaction.publish(id, size, checksum)?;
            }
            let record = transaction.write_version(&bucket, &table_key, record, &inline)?;
            Ok(written(&bucket, &record.head))
        };
        self.committer().commit(blob, change).await
    }

    /// Copies an object within one transaction, if the conditions hold of source and target.
    ///
    /// # Errors
    /// As [`Store::put_object`]; those of [`Store::object`] for the source.
    pub async fn copy_object(&self, copy: Copy, now: Timestamp) -> Result<Written, Error> {
        let quota = self.quota(&copy.target.bucket);
        let change = move |transaction: &mut Transaction<'_>| {
            let source_bucket = transaction.bucket(&copy.source.bucket)?;
            let bucket = transaction.bucket(&copy.target.bucket)?;
            let source_key = object_key(source_bucket.id, &copy.source.key);
            let target_key = object_key(bucket.id, &copy.target.key);
            let value = transaction.index.find(&transaction.raw, &source_key, copy.source.version)?;
            let (mut record, inline) = ObjectRecord::decode(value)?;
            let inline = inline.to_vec();
            let source_version = has_versions(&source_bucket).then(|| record.head.version());
            let current = transaction.index.current_head(&transaction.raw, &target_key)?;
            let copied = rules::copy::copy(source_of(&record), copy, current.as_ref().map(Head::etag))?;
            if !copied.keeps_parts {
                record.parts.clear();
            }
            record.head = Head::new(now, record.head.size, copied.etag, copied.checksum, &copied.metadata);
            record.metadata = copied.metadata.entries().to_vec();
            record.tags = copied.tags.entries().to_vec();
            transaction.check_object_quota(&bucket, quota, &target_key, &record)?;
            // Counted before the target is released, which may be the same object.
            transaction.retain(record.segments())?;
            let record = transaction.write_version(&bucket, &target_key, record, &inline)?;
            Ok(Written { source_version, ..written(&bucket, &record.head) })
        };
        self.committer().commit(None, change).await
    }

    /// Removes an object, if the condition holds of it; one that does not exist counts as removed. Without a version
    /// being named, a bucket with versions keeps what it has, after a delete marker.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::NothingToMatch`] if an ETag was asked for,
    /// [`Error::QuotaExceeded`] for a marker before nothing, and the index's.
    pub async fn delete_object(
        &self,
        name: BucketName,
        deletion: Deletion,
        now: Timestamp,
    ) -> Result<Deleted, Error> {
        let quota = self.quota(&name);
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name)?;
            transaction.delete(&bucket, quota, &deletion, now)
        };
        self.committer().commit(None, change).await
    }

    /// Carries out deletions, each by itself.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's; those of single deletions stand in their places.
    pub async fn delete_objects(
        &self,
        name: BucketName,
        deletions: Vec<Deletion>,
        now: Timestamp,
    ) -> Result<Vec<Result<Deleted, Error>>, Error> {
        let quota = self.quota(&name);
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name)?;
            let mut results = Vec::with_capacity(deletions.len());
            for deletion in &deletions {
                results.push(match transaction.delete(&bucket, quota, deletion, now) {
                    Err(error) if error.is_failure() => return Err(error),
                    result => result,
                });
            }
            Ok(results)
        };
        self.committer().commit(None, change).await
    }

    /// Gives an object other tags, and says which version that was.
    ///
    /// # Errors
    /// As [`Store::object`], and [`Error::QuotaExceeded`].
    pub async fn tag_object(&self, name: ObjectName, tags: Tags) -> Result<Option<VersionId>, Error> {
        let quota = self.quota(&name.bucket);
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name.bucket)?;
            let table_key = object_key(bucket.id, &name.key);
            let tag = |record: &mut ObjectRecord| record.tags = tags.entries().to_vec();
            let check = |transaction: &Transaction<'_>, before: u64, after: u64| match after > before {
                true => transaction.check_quota(bucket.id, quota, || Ok(before), after),
                false => Ok(()),
            };
            let version = transaction.rewrite_version(&table_key, name.version, tag, check)?;
            Ok(has_versions(&bucket).then_some(version))
        };
        self.committer().commit(None, change).await
    }

    pub(super) fn quota(&self, bucket: &BucketName) -> Option<u64> {
        self.engine.settings.quotas.get(bucket).copied()
    }

    /// Room in a bucket's quota for a body that is to come, under way until what this returns goes: for an object of
    /// this key, or for a part of the named upload.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`], [`Error::NoSuchBucket`], and the index's.
    pub(super) fn reserve(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        part: Option<(UploadId, PartNumber)>,
        bytes: u64,
    ) -> Result<Option<UnderWay>, Error> {
        let Some(quota) = self.quota(bucket) else {
            return Ok(None);
        };
        let index = self.index();
        let transaction = index.read()?;
        let record = index.bucket(&transaction, bucket)?;
        let replaced = match part {
            Some((upload, number)) => index.part_bytes(&transaction, &upload, number)?,
            None => index.replaced_bytes(&transaction, &record, &object_key(record.id, key))?,
        };
        let held = index.usage(&transaction, record.id)?.total().saturating_sub(replaced);
        let room = self.engine.coming.reserve(record.id, bytes, quota.saturating_sub(held));
        room.map(Some).ok_or(Error::QuotaExceeded { quota })
    }
}

/// Bytes of bodies that are under way into buckets with a quota, by bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Coming(Arc<Mutex<HashMap<u32, u64>>>);

impl Coming {
    fn reserve(&self, bucket: u32, bytes: u64, room: u64) -> Option<UnderWay> {
        let mut coming = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = coming.get(&bucket).copied().unwrap_or_default();
        coming.insert(bucket, sum.checked_add(bytes).filter(|sum| *sum <= room)?);
        Some(UnderWay { coming: self.clone(), bucket, bytes })
    }
}

/// A body under way, which counts for its bucket's quota until this goes.
#[derive(Debug)]
pub(super) struct UnderWay {
    coming: Coming,
    bucket: u32,
    bytes: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut coming = self.coming.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sum) = coming.get_mut(&self.bucket) {
            *sum -= self.bytes;
            if *sum == 0 {
                coming.remove(&self.bucket);
            }
        }
    }
}

/// Whether versioning was ever switched on.
pub(super) fn has_versions(bucket: &BucketRecord) -> bool {
    bucket.versioning != StoredVersioning::Off
}

impl Index {
    /// What the version takes up that a new object under `key` takes the place of.
    fn replaced_bytes(
        &self,
        transaction: &RoTxn<'_>,
        bucket: &BucketRecord,
        key: &[u8],
    ) -> Result<u64, Error> {
        let version = match bucket.versioning {
            StoredVersioning::Off => None,
            StoredVersioning::Suspended => Some(VersionId::NULL),
            StoredVersioning::Enabled => return Ok(0),
        };
        match self.find(transaction, key, version) {
            Ok(value) => Ok(UsageRecord::of(key, &ObjectRecord::decode(value)?.0).total()),
            Err(error) if error.is_failure() => Err(error),
            Err(_) => Ok(0),
        }
    }
}

impl Transaction<'_> {
    fn delete(
        &mut self,
        bucket: &BucketRecord,
        quota: Option<u64>,
        deletion: &Deletion,
        now: Timestamp,
    ) -> Result<Deleted, Error> {
        let table_key = object_key(bucket.id, &deletion.key);
        self.check_condition(&table_key, &deletion.condition)?;
        if let Some(version) = deletion.version {
            return self.delete_version(&table_key, version);
        }
        // A marker before an object has to fit into a full bucket; those before nothing are as many as anybody likes.
        if quota.is_some()
            && has_versions(bucket)
            && self.index.current_head(&self.raw, &table_key)?.is_none()
        {
            self.check_quota(bucket.id, quota, || Ok(0), UsageRecord::of_marker(&table_key).total())?;
        }
        self.delete_current(bucket, &table_key, now)
    }

    /// Checks that a quota has room for `bytes` in the place of `replaced` ones.
    pub(super) fn check_quota(
        &self,
        bucket: u32,
        quota: Option<u64>,
        replaced: impl FnOnce() -> Result<u64, Error>,
        bytes: u64,
    ) -> Result<(), Error> {
        let Some(quota) = quota else {
            return Ok(());
        };
        rules::usage::check_quota(quota, self.usage(bucket)?.total(), replaced()?, bytes)
    }

    /// The same for an object that is to have this key.
    fn check_object_quota(
        &self,
        bucket: &BucketRecord,
        quota: Option<u64>,
        key: &[u8],
        record: &ObjectRecord,
    ) -> Result<(), Error> {
        let replaced = || self.index.replaced_bytes(&self.raw, bucket, key);
        self.check_quota(bucket.id, quota, replaced, UsageRecord::of(key, record).total())
    }

    /// Checks the condition of a write against what is there now.
    pub(super) fn check_condition(&self, key: &[u8], condition: &WriteCondition) -> Result<(), Error> {
        if *condition == WriteCondition::None {
            return Ok(());
        }
        let current = self.index.current_head(&self.raw, key)?;
        rules::write::check_condition(condition, current.as_ref().map(Head::etag))
    }
}

/// What a copy of an object depends on.
fn source_of(record: &ObjectRecord) -> Source {
    Source {
        etag: record.head.etag(),
        modified: record.head.modified(),
        archived: record.head.archived,
        checksum: record.head.object_checksum(),
        metadata: Metadata::from_stored(record.metadata.clone()),
        tags: Tags::from_stored(record.tags.clone()),
    }
}

fn object(record: ObjectRecord, body: Body) -> Object {
    Object {
        size: record.head.size,
        etag: record.head.etag(),
        modified: record.head.modified(),
        checksum: record.head.object_checksum(),
        version: record.head.version(),
        archived: record.head.archived,
        metadata: Metadata::from_stored(record.metadata),
        tags: Tags::from_stored(record.tags),
        parts: record.parts.iter().map(StoredPart::part).collect(),
        body,
    }
}

pub(super) fn written(bucket: &BucketRecord, head: &Head) -> Written {
    Written { version: has_versions(bucket).then(|| head.version()), ..made(head) }
}

/// The same without its version.
pub(super) fn made(head: &Head) -> Written {
    Written {
        etag: head.etag(),
        modified: head.modified(),
        checksum: head.object_checksum(),
        size: head.size,
        version: None,
        source_version: None,
    }
}
