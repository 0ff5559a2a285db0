//! Multipart uploads: parts are blobs, and completing one is a single transaction.

use std::io;

use heed::RoTxn;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::s3::checksum::Checksum;
use crate::s3::condition::WriteCondition;
use crate::s3::name::{BucketName, ETag, ObjectKey, PartNumber, UploadId};
use crate::s3::range::Span;
use crate::store::Error;
use crate::store::body::{Body, Kept, within};
use crate::store::intake::{CheckedBody, IntakeError, Source};
use crate::store::local::Store;
use crate::store::local::blobs::blob::{NewContent, Received};
use crate::store::local::blobs::segment::{Segment, slice};
use crate::store::local::index::record::{
    BucketRecord, Head, ObjectRecord, StoredBody, StoredChecksum, StoredPart, decode, encode,
};
use crate::store::local::index::tables::{
    Index, Transaction, object_key, parse_upload_key, part_key, prefixed, upload_key,
};
use crate::store::local::index::upload_record::{CompletionRecord, PartRecord, UploadRecord};
use crate::store::local::index::usage_record::UsageRecord;
use crate::store::local::intake::Place;
use crate::store::local::objects::{has_versions, made, written};
use crate::store::model::{Completion, Part, Upload, UploadName, Written};
use crate::store::rules::completion::{COMPLETION_MILLIS_MAX, Completed, complete};
use crate::store::rules::write::{check_condition, check_unchanged};

/// Most completions that are forgotten with one new one.
const COMPLETIONS_FORGOTTEN_MAX: usize = 4;

impl Store {
    /// Starts an upload.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::QuotaExceeded`], and the index's.
    pub async fn create_upload(&self, name: BucketName, upload: Upload) -> Result<UploadId, Error> {
        let quota = self.quota(&name);
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name)?.id;
            let key = upload_key(bucket, &upload.key, &upload.id);
            let replaced = object_key(bucket, &upload.key);
            let replaces = transaction.index.current_head(&transaction.raw, &replaced)?.is_some();
            let record = UploadRecord::new(&upload, replaces);
            let held = UsageRecord::of_upload(&key, &record);
            transaction.check_quota(bucket, quota, || Ok(0), held.total())?;
            transaction.count(&key, held);
            transaction.index.uploads.put(&mut transaction.raw, &key, &encode(&record)?)?;
            Ok(upload.id)
        };
        self.committer().commit(None, change).await
    }

    /// An unfinished upload.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], and the index's.
    pub fn upload(&self, name: UploadName) -> Result<Upload, Error> {
        let index = self.index();
        let transaction = index.read()?;
        let bucket = index.bucket(&transaction, &name.bucket)?.id;
        let value = index.uploads.get(&transaction, &upload_key(bucket, &name.key, &name.id))?;
        let record: UploadRecord = decode(value.ok_or(Error::NoSuchUpload)?)?;
        Ok(record.upload(name.key, name.id))
    }

    /// Checks that there is such an upload, or that it was completed lately.
    ///
    /// # Errors
    /// As [`Store::upload`].
    pub fn check_upload(&self, name: UploadName, now: Timestamp) -> Result<(), Error> {
        match self.upload(name.clone()) {
            Err(Error::NoSuchUpload) => {
                let index = self.index();
                let transaction = index.read()?;
                index.completion(&transaction, &name, now).map(drop)
            }
            found => found.map(drop),
        }
    }

    /// Takes in a body, and stores it as a part; one of the same number is replaced. Gives also the checksum that the
    /// client is shown.
    ///
    /// # Errors
    /// Returns what is wrong with the body, [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], [`Error::QuotaExceeded`],
    /// [`Error::Busy`], [`Error::NoSpace`], and the file system's and the index's errors.
    pub async fn put_part(
        &self,
        upload: UploadName,
        number: PartNumber,
        body: CheckedBody<impl Source>,
        now: Timestamp,
    ) -> Result<(Part, Option<Checksum>), IntakeError> {
        let _room = self.reserve(&upload.bucket, &upload.key, Some((upload.id, number)), body.length)?;
        let received = self.receive(body, Place::Blob).await?;
        let shown = received.shown_checksum();
        Ok((self.publish_part(upload, number, received, now).await?, shown))
    }

    /// Stores a received body, which must have a blob, as a part.
    ///
    /// # Errors
    /// As [`Store::put_part`], but for those of the body.
    pub(super) async fn publish_part(
        &self,
        upload: UploadName,
        number: PartNumber,
        body: Received,
        now: Timestamp,
    ) -> Result<Part, Error> {
        let Received { proof, content } = body;
        let part = new_part(number, &proof, now);
        let NewContent::Blob(blob) = content else {
            return Err(Error::Index("a part was taken in without a blob".to_owned()));
        };
        let blob_id = blob.id();
        let quota = self.quota(&upload.bucket);
        let change = move |transaction: &mut Transaction<'_>| {
            let (upload_key, _) = transaction.upload(&upload)?;
            let bucket = transaction.bucket(&upload.bucket)?;
            let replaced = || transaction.index.part_bytes(&transaction.raw, &upload.id, number);
            transaction.check_quota(bucket.id, quota, replaced, UsageRecord::of_part(part.size).total())?;
            transaction.publish(blob_id, part.size, part.checksum.as_ref().map(StoredChecksum::of))?;
            let segments = vec![Segment::new(blob_id, 0, part.size)];
            transaction.replace_part(&upload_key, &upload.id, &part, segments)?;
            Ok(part)
        };
        self.committer().commit(Some(blob), change).await
    }

    /// Makes a run of an existing body a part without copying it; `proof` is of exactly these bytes.
    ///
    /// # Errors
    /// As [`Store::put_part`].
    pub async fn copy_part(
        &self,
        upload: UploadName,
        number: PartNumber,
        (source, span): (&Body, Span),
        proof: BodyProof,
        now: Timestamp,
    ) -> Result<Part, Error> {
        let source = match &source.0 {
            Kept::Bytes(bytes) => {
                let (store, bytes) = (self.clone(), within(bytes, span));
                let received = spawn_blocking(move || {
                    let mut writer = store.blob_writer()?;
                    writer.write(&[bytes])?;
                    writer.finish(proof)
                });
                let received = received.await.map_err(io::Error::other)??;
                return self.publish_part(upload, number, received, now).await;
            }
            Kept::Blobs(source) => source.clone(),
        };
        let part = new_part(number, &proof, now);
        let quota = self.quota(&upload.bucket);
        let change = move |transaction: &mut Transaction<'_>| {
            let (upload_key, _) = transaction.upload(&upload)?;
            let bucket = transaction.bucket(&upload.bucket)?;
            let replaced = || transaction.index.part_bytes(&transaction.raw, &upload.id, number);
            transaction.check_quota(bucket.id, quota, replaced, UsageRecord::of_part(part.size).total())?;
            let segments = slice(source.segments(), span.offset, part.size);
            if !transaction.holds(&segments)? {
                return Err(Error::Conflict);
            }
            transaction.retain(&segments)?;
            transaction.replace_part(&upload_key, &upload.id, &part, segments)?;
            Ok(part)
        };
        self.committer().commit(None, change).await
    }

    /// Makes an object of the named parts; the others go away. A repetition of what was completed lately gives the
    /// same answer, whatever has become of the object: a client that did not hear the first one asks again.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], the errors of parts and checksums,
    /// [`Error::Precondition`], and the index's.
    pub async fn complete_upload(
        &self,
        upload: UploadName,
        completion: Completion,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Written, Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let (upload_key, record) = match transaction.upload(&upload) {
                Err(Error::NoSuchUpload) => return transaction.repeated(&upload, &completion, now),
                found => found?,
            };
            let UploadName { bucket, key, id } = upload;
            let replaces = record.replaces;
            let held = UsageRecord::of_upload(&upload_key, &record);
            let upload = record.upload(key.clone(), id);
            let mut named = Vec::with_capacity(completion.parts.len());
            let completed = complete(&upload, &completion, |number| {
                let value = transaction.index.parts.get(&transaction.raw, &part_key(&id, number))?;
                let record: Option<PartRecord> = value.map(decode).transpose()?;
                let part = record.as_ref().map(|record| record.part(number));
                named.extend(record.map(|record| (number, record)));
                Ok(part)
            })?;
            let bucket = transaction.bucket(&bucket)?;
            let table_key = object_key(bucket.id, &key);
            let current = transaction.index.current_head(&transaction.raw, &table_key)?;
            check_condition(&condition, current.as_ref().map(Head::etag))?;
            check_unchanged(&condition, current.map(|head| head.modified()), replaces, upload.initiated)?;
            let is_named = |number| named.binary_search_by_key(&number, |(named, _)| *named).is_ok();
            // The references of the named parts pass to the object; the rest is released.
            for (number, part) in transaction.parts(&id)? {
                if !is_named(number) {
                    transaction.release(&part.segments)?;
                }
                transaction.discount(&upload_key, UsageRecord::of_part(part.size));
                transaction.index.parts.delete(&mut transaction.raw, &part_key(&id, number))?;
            }
            transaction.discount(&upload_key, held);
            transaction.index.uploads.delete(&mut transaction.raw, &upload_key)?;
            let record = completed_record(&upload, &completed, named, now);
            let record = transaction.write_version(&bucket, &table_key, record, &[])?;
            transaction.remember(&bucket, &key, &id, &completion, &record.head)?;
            Ok(written(&bucket, &record.head))
        };
        self.committer().commit(None, change).await
    }

    /// Ends an upload and removes its parts. One that was completed lately has ended already, and its object stays.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], and the index's.
    pub async fn abort_upload(&self, upload: UploadName, now: Timestamp) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let (upload_key, _) = match transaction.upload(&upload) {
                Err(Error::NoSuchUpload) => {
                    return transaction.index.completion(&transaction.raw, &upload, now).map(drop);
                }
                found => found?,
            };
            transaction.remove_upload(&upload_key, &upload.id)
        };
        self.committer().commit(None, change).await
    }

    /// The parts after `after`, at most `limit`, and whether there are more.
    ///
    /// # Errors
    /// The index's. Blocks.
    pub fn parts(&self, id: UploadId, after: u16, limit: usize) -> Result<(Vec<Part>, bool), Error> {
        let index = self.index();
        let transaction = index.read()?;
        let mut parts = Vec::new();
        if limit == 0 {
            return Ok((parts, false));
        }
        for entry in index.parts.prefix_iter(&transaction, id.as_bytes())? {
            let (key, value) = entry?;
            let number = part_number(key)?;
            if number.value() <= after {
                continue;
            }
            if parts.len() >= limit {
                return Ok((parts, true));
            }
            parts.push(decode::<PartRecord>(value)?.part(number));
        }
        Ok((parts, false))
    }
}

impl Index {
    /// What a part takes up, 0 if it is not there.
    pub(super) fn part_bytes(
        &self,
        transaction: &RoTxn<'_>,
        id: &UploadId,
        number: PartNumber,
    ) -> Result<u64, Error> {
        let value = self.parts.get(transaction, &part_key(id, number))?;
        let part = value.map(decode::<PartRecord>).transpose()?;
        Ok(part.map_or(0, |part| UsageRecord::of_part(part.size).total()))
    }

    /// The completion of an upload that is remembered.
    fn completion(
        &self,
        transaction: &RoTxn<'_>,
        upload: &UploadName,
        now: Timestamp,
    ) -> Result<CompletionRecord, Error> {
        let value = self.completions.get(transaction, upload.id.as_bytes())?;
        let record: CompletionRecord = decode(value.ok_or(Error::NoSuchUpload)?)?;
        let bucket = self.bucket(transaction, &upload.bucket)?.id;
        let is_meant = record.bucket == bucket && record.key == upload.key.as_str();
        match is_meant && !record.is_forgotten(now) {
            true => Ok(record),
            false => Err(Error::NoSuchUpload),
        }
    }
}

impl Transaction<'_> {
    /// An upload: its key in the table, and its record.
    fn upload(&self, name: &UploadName) -> Result<(Vec<u8>, UploadRecord), Error> {
        let table_key = upload_key(self.bucket(&name.bucket)?.id, &name.key, &name.id);
        let value = self.index.uploads.get(&self.raw, &table_key)?.ok_or(Error::NoSuchUpload)?;
        let record = decode(value)?;
        Ok((table_key, record))
    }

    /// The answer to a completion that was carried out before.
    fn repeated(
        &self,
        upload: &UploadName,
        completion: &Completion,
        now: Timestamp,
    ) -> Result<Written, Error> {
        let record = self.index.completion(&self.raw, upload, now)?;
        match record.parts == digest(completion) {
            true => {
                Ok(Written { version: record.versioned.then(|| record.made.version()), ..made(&record.made) })
            }
            false => Err(Error::NoSuchUpload),
        }
    }

    /// Remembers a completion, and forgets some whose time is over, so that there are never many.
    fn remember(
        &mut self,
        bucket: &BucketRecord,
        key: &ObjectKey,
        id: &UploadId,
        completion: &Completion,
        made: &Head,
    ) -> Result<(), Error> {
        let record = CompletionRecord {
            completed_millis: made.modified_millis,
            bucket: bucket.id,
            key: key.as_str().to_owned(),
            parts: digest(completion),
            made: made.clone(),
            versioned: has_versions(bucket),
        };
        // Ids begin with the time of the start, so that those that were started first stand first.
        let mut forgotten = Vec::new();
        for entry in self.index.completions.iter(&self.raw)?.take(COMPLETIONS_FORGOTTEN_MAX) {
            let (key, value) = entry?;
            match decode::<CompletionRecord>(value)?.is_forgotten(made.modified()) {
                true => forgotten.push(key.to_vec()),
                false => break,
            }
        }
        for key in forgotten {
            self.index.completions.delete(&mut self.raw, &key)?;
        }
        Ok(self.index.completions.put(&mut self.raw, id.as_bytes(), &encode(&record)?)?)
    }

    fn parts(&self, id: &UploadId) -> Result<Vec<(PartNumber, PartRecord)>, Error> {
        let mut parts = Vec::new();
        for entry in self.index.parts.prefix_iter(&self.raw, id.as_bytes())? {
            let (key, value) = entry?;
            parts.push((part_number(key)?, decode(value)?));
        }
        Ok(parts)
    }

    fn replace_part(
        &mut self,
        upload_key: &[u8],
        id: &UploadId,
        part: &Part,
        segments: Vec<Segment>,
    ) -> Result<(), Error> {
        let key = part_key(id, part.number);
        let old: Option<PartRecord> = self.index.parts.get(&self.raw, &key)?.map(decode).transpose()?;
        if let Some(old) = old {
            self.discount(upload_key, UsageRecord::of_part(old.size));
            self.release(&old.segments)?;
        }
        self.count(upload_key, UsageRecord::of_part(part.size));
        let value = encode(&PartRecord::new(part, segments))?;
        Ok(self.index.parts.put(&mut self.raw, &key, &value)?)
    }

    /// Removes every upload of a bucket.
    pub(super) fn remove_uploads(&mut self, bucket: u32) -> Result<(), Error> {
        let prefix = prefixed(bucket, b"");
        let mut uploads = Vec::new();
        for entry in self.index.uploads.prefix_iter(&self.raw, &prefix)? {
            let (key, _) = entry?;
            let (_, id) = parse_upload_key(key.strip_prefix(prefix.as_slice()).unwrap_or_default())?;
            uploads.push((key.to_vec(), id));
        }
        uploads.iter().try_for_each(|(key, id)| self.remove_upload(key, id))
    }

    fn remove_upload(&mut self, table_key: &[u8], id: &UploadId) -> Result<(), Error> {
        for (number, part) in self.parts(id)? {
            self.release(&part.segments)?;
            self.discount(table_key, UsageRecord::of_part(part.size));
            self.index.parts.delete(&mut self.raw, &part_key(id, number))?;
        }
        if let Some(value) = self.index.uploads.get(&self.raw, table_key)? {
            let held = UsageRecord::of_upload(table_key, &decode(value)?);
            self.discount(table_key, held);
        }
        self.index.uploads.delete(&mut self.raw, table_key)?;
        Ok(())
    }
}

/// The record of the object that the named parts of an upload make.
fn completed_record(
    upload: &Upload,
    completed: &Completed,
    parts: Vec<(PartNumber, PartRecord)>,
    now: Timestamp,
) -> ObjectRecord {
    let stored =
        |(_, part): &(_, PartRecord)| StoredPart { size: part.size, checksum: part.checksum.clone() };
    ObjectRecord {
        head: Head::new(now, completed.size, completed.etag, completed.checksum, &upload.metadata),
        metadata: upload.metadata.entries().to_vec(),
        parts: parts.iter().map(stored).collect(),
        tags: upload.tags.entries().to_vec(),
        body: StoredBody::Segments(parts.into_iter().flat_map(|(_, part)| part.segments).collect()),
    }
}

impl CompletionRecord {
    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.unix_millis().saturating_sub(self.completed_millis) > COMPLETION_MILLIS_MAX
    }
}

/// SHA-256 over numbers and ETags of the parts that a completion names.
fn digest(completion: &Completion) -> [u8; 32] {
    let mut sha256 = Sha256::new();
    for part in &completion.parts {
        sha256.update(part.number.value().to_be_bytes());
        // A part that was completed had an ETag of ours.
        sha256.update(part.etag.map_or([0; 16], |etag| *etag.md5()));
    }
    sha256.finalize().into()
}

fn new_part(number: PartNumber, proof: &BodyProof, now: Timestamp) -> Part {
    Part {
        number,
        size: proof.size(),
        etag: ETag::single(*proof.md5()),
        modified: now,
        checksum: proof.checksum().copied(),
    }
}

fn part_number(key: &[u8]) -> Result<PartNumber, Error> {
    let number = key.last_chunk::<2>().copied().map(u16::from_be_bytes).and_then(PartNumber::new);
    number.ok_or_else(|| Error::Index("a part's key is broken".to_owned()))
}
