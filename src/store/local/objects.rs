//! Buckets and objects: what the store does with them.

use std::ops::Bound;

use super::Store;
use super::blob::{NewBlob, NewContent, Received};
use super::index::{Index, ReadTransaction, Row, Table, Transaction, object_key, prefixed};
use super::record::{BucketRecord, Head, ObjectRecord, Segment, StoredBody, decode, encode, inline};
use crate::clock::Timestamp;
use crate::s3::condition::{Conditions, Decision, WriteCondition};
use crate::s3::listing::{Page, Selection, Sorted, page};
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, ObjectKey};
use crate::store::{Bucket, Content, CopiedMetadata, Error, Object, ObjectChecksum, Summary, Written};

impl Store {
    /// Every bucket, by name.
    ///
    /// # Errors
    /// The index's. Blocks.
    pub fn buckets(&self) -> Result<Vec<Bucket>, Error> {
        let index = &self.engine.index;
        let transaction = index.read()?;
        let mut buckets = Vec::new();
        for entry in index.buckets.iter(&transaction)? {
            let (name, value) = entry?;
            let name = std::str::from_utf8(name).ok().and_then(BucketName::parse);
            let name = name.ok_or_else(|| Error::Index("a bucket's name is broken".to_owned()))?;
            buckets.push(bucket(name, decode(value)?));
        }
        Ok(buckets)
    }

    /// A bucket.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub fn bucket(&self, name: &BucketName) -> Result<Bucket, Error> {
        let index = &self.engine.index;
        let transaction = index.read()?;
        Ok(bucket(name.clone(), index.bucket(&transaction, name)?))
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// [`Error::BucketExists`], and the index's.
    pub async fn create_bucket(&self, name: BucketName, owner: String, now: Timestamp) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            match transaction.bucket(&name) {
                Ok(existing) => return Err(Error::BucketExists(existing.owner)),
                Err(Error::NoSuchBucket) => {}
                Err(error) => return Err(error),
            }
            let id = transaction.next("bucket")?;
            let value = encode(&BucketRecord { id, created_millis: now.unix_millis(), owner })?;
            Ok(transaction.index.buckets.put(&mut transaction.raw, name.as_str().as_bytes(), &value)?)
        };
        self.committer().commit(None, change).await
    }

    /// Removes a bucket without objects; unfinished uploads go with it.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::BucketNotEmpty`], and the index's.
    pub async fn delete_bucket(&self, name: BucketName) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name)?;
            let prefix = prefixed(bucket.id, b"");
            let first = transaction.first(transaction.index.objects, &prefix)?;
            if first.is_some_and(|(key, _)| key.starts_with(&prefix)) {
                return Err(Error::BucketNotEmpty);
            }
            transaction.remove_uploads(bucket.id)?;
            transaction.index.buckets.delete(&mut transaction.raw, name.as_str().as_bytes())?;
            Ok(())
        };
        self.committer().commit(None, change).await
    }

    /// An object, its body pinned so that it can be read whatever happens to the object meanwhile.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchKey`], and the index's.
    pub fn object(&self, name: &BucketName, key: &ObjectKey) -> Result<Object, Error> {
        let index = &self.engine.index;
        let mut transaction = index.read()?;
        let table_key = object_key(index.bucket(&transaction, name)?.id, key);
        loop {
            let value = index.objects.get(&transaction, &table_key)?.ok_or(Error::NoSuchKey)?;
            let (record, body) = ObjectRecord::decode(value)?;
            let content = match &record.body {
                StoredBody::Inline => Content::Inline(inline(body)),
                StoredBody::Segments(segments) => {
                    let pinned = self.engine.pins.pin(segments.clone());
                    // Between the look-up and the pin the object may have been replaced and its blobs
                    // removed. If it is still there after the pin, they were not.
                    let seen = value.to_vec();
                    drop(transaction);
                    transaction = index.read()?;
                    if index.objects.get(&transaction, &table_key)? != Some(seen.as_slice()) {
                        continue;
                    }
                    Content::Blobs(pinned)
                }
            };
            return Ok(object(record, content));
        }
    }

    /// Stores a received body as an object, if the condition holds of the object that it replaces.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::NoSuchKey`] if a tag was asked for and there is
    /// no object, [`Error::NoSpace`], and the file system's and the index's.
    pub async fn put_object(
        &self,
        name: BucketName,
        key: ObjectKey,
        body: Received,
        metadata: Metadata,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Written, Error> {
        let Received { proof, content } = body;
        let size = proof.size();
        let checksum = proof.checksum().copied().map(ObjectChecksum::full);
        let head = Head::new(now, size, ETag::single(*proof.md5()), checksum, &metadata);
        let (blob, inline) = match content {
            NewContent::Inline(body) => (None, body),
            NewContent::Blob(blob) => (Some(blob), Vec::new()),
        };
        let id = blob.as_ref().map(NewBlob::id);
        let change = move |transaction: &mut Transaction<'_>| {
            let table_key = object_key(transaction.bucket(&name)?.id, &key);
            transaction.check_condition(&table_key, &condition)?;
            let body = match id {
                Some(id) => {
                    transaction.publish(id, size)?;
                    StoredBody::Segments(vec![Segment::new(id, 0, size)])
                }
                None => StoredBody::Inline,
            };
            let written = written(&head);
            let metadata = metadata.entries().to_vec();
            let record = ObjectRecord { head, metadata, part_sizes: Vec::new(), body };
            transaction.replace_object(&table_key, &record, &inline)?;
            Ok(written)
        };
        self.committer().commit(blob, change).await
    }

    /// Copies an object within one transaction, if the conditions hold of source and target.
    ///
    /// # Errors
    /// As [`Store::put_object`]; [`Error::NoSuchKey`] if there is no source.
    pub async fn copy_object(
        &self,
        source: (BucketName, ObjectKey),
        target: (BucketName, ObjectKey),
        metadata: CopiedMetadata,
        source_conditions: Conditions,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Written, Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let source_key = object_key(transaction.bucket(&source.0)?.id, &source.1);
            let target_key = object_key(transaction.bucket(&target.0)?.id, &target.1);
            let (mut record, inline) = transaction.object(&source_key)?.ok_or(Error::NoSuchKey)?;
            match source_conditions.for_copy_source(&record.head.etag(), record.head.modified()) {
                Decision::Failed(condition) => return Err(Error::Precondition(condition)),
                Decision::Proceed | Decision::NotModified => {}
            }
            transaction.check_condition(&target_key, &condition)?;
            let metadata = match metadata {
                CopiedMetadata::Replace(metadata) => metadata,
                CopiedMetadata::Keep { storage_class } => {
                    Metadata::from_entries(record.metadata.clone()).with_storage_class(storage_class)
                }
            };
            record.head = record.head.copied(now, &metadata);
            record.metadata = metadata.entries().to_vec();
            // Counted before the target is released, which may be the same object.
            transaction.retain(record.segments())?;
            transaction.replace_object(&target_key, &record, &inline)?;
            Ok(written(&record.head))
        };
        self.committer().commit(None, change).await
    }

    /// Removes an object, if the condition holds of it; one that does not exist counts as removed.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::NoSuchKey`] if a tag was asked for, and the
    /// index's.
    pub async fn delete_object(
        &self,
        name: BucketName,
        key: ObjectKey,
        condition: WriteCondition,
    ) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let table_key = object_key(transaction.bucket(&name)?.id, &key);
            transaction.check_condition(&table_key, &condition)?;
            transaction.remove_object(&table_key)?;
            Ok(())
        };
        self.committer().commit(None, change).await
    }

    /// Removes objects; those that do not exist count as removed.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub async fn delete_objects(&self, name: BucketName, keys: Vec<ObjectKey>) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name)?.id;
            for key in &keys {
                transaction.remove_object(&object_key(bucket, key))?;
            }
            Ok(())
        };
        self.committer().commit(None, change).await
    }

    /// A page of a bucket's objects.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's. Blocks.
    pub fn list(&self, name: &BucketName, selection: &Selection) -> Result<Page<Summary>, Error> {
        let index = &self.engine.index;
        let transaction = index.read()?;
        let bucket = index.bucket(&transaction, name)?.id;
        page(&mut Objects { rows: Rows::new(&transaction, index.objects, bucket) }, selection)
    }

    pub(super) fn index(&self) -> &Index {
        &self.engine.index
    }
}

impl Transaction<'_> {
    /// Checks the condition of a write against what is there now.
    pub(super) fn check_condition(&self, key: &[u8], condition: &WriteCondition) -> Result<(), Error> {
        if *condition == WriteCondition::None {
            return Ok(());
        }
        let existing = self.index.objects.get(&self.raw, key)?.map(ObjectRecord::decode_head).transpose()?;
        match (condition, existing) {
            (WriteCondition::Absent | WriteCondition::Unsupported, Some(_)) => {
                Err(Error::Precondition("If-None-Match"))
            }
            (WriteCondition::Present | WriteCondition::Tagged(_), None) => Err(Error::NoSuchKey),
            (WriteCondition::Tagged(tags), Some(head)) if !tags.contains(&head.etag()) => {
                Err(Error::Precondition("If-Match"))
            }
            _ => Ok(()),
        }
    }
}

fn bucket(name: BucketName, record: BucketRecord) -> Bucket {
    let created = Timestamp::from_unix_millis(record.created_millis);
    Bucket { name, created, owner: record.owner }
}

fn object(record: ObjectRecord, content: Content) -> Object {
    Object {
        size: record.head.size,
        etag: record.head.etag(),
        modified: record.head.modified(),
        checksum: record.head.object_checksum(),
        metadata: Metadata::from_entries(record.metadata),
        part_sizes: record.part_sizes,
        content,
    }
}

pub(super) fn written(head: &Head) -> Written {
    Written {
        etag: head.etag(),
        modified: head.modified(),
        checksum: head.object_checksum(),
        size: head.size,
    }
}

/// The rows of one bucket in a table, entered anywhere.
pub(super) struct Rows<'t> {
    transaction: &'t ReadTransaction<'t>,
    table: Table,
    bucket: u32,
    range: Option<heed::RoRange<'t, heed::types::Bytes, heed::types::Bytes>>,
}

impl<'t> Rows<'t> {
    pub(super) fn new(transaction: &'t ReadTransaction<'t>, table: Table, bucket: u32) -> Self {
        Self { transaction, table, bucket, range: None }
    }

    /// The first row at or behind `from`, which is without the bucket, as the returned key is.
    pub(super) fn seek(&mut self, from: &[u8]) -> Result<Option<Row<'t>>, Error> {
        let from = prefixed(self.bucket, from);
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Included(&from), Bound::Unbounded);
        self.range = Some(self.table.range(self.transaction, &bounds)?);
        self.next()
    }

    /// The row behind the last one.
    pub(super) fn next(&mut self) -> Result<Option<Row<'t>>, Error> {
        let row = self.range.as_mut().and_then(Iterator::next).transpose()?;
        let prefix = self.bucket.to_be_bytes();
        Ok(row.and_then(|(key, value)| key.strip_prefix(&prefix).map(|key| (key, value))))
    }
}

struct Objects<'t> {
    rows: Rows<'t>,
}

impl Objects<'_> {
    fn entry(row: Option<Row<'_>>) -> Result<Option<(String, Summary)>, Error> {
        let Some((key, value)) = row else {
            return Ok(None);
        };
        let key = std::str::from_utf8(key).map_err(|_| Error::Index("a key is not text".to_owned()))?;
        Ok(Some((key.to_owned(), ObjectRecord::decode_head(value)?.summary())))
    }
}

impl Sorted for Objects<'_> {
    type Item = Summary;
    type Error = Error;

    fn seek(&mut self, from: &[u8]) -> Result<Option<(String, Summary)>, Error> {
        Self::entry(self.rows.seek(from)?)
    }

    fn next(&mut self) -> Result<Option<(String, Summary)>, Error> {
        Self::entry(self.rows.next()?)
    }
}
