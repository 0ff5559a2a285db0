//! Multipart uploads.

use bytes::{Bytes, BytesMut};

use super::{Remembered, Store, Tables, UploadShelf, bytes_of};
use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::s3::checksum::Checksum;
use crate::s3::condition::WriteCondition;
use crate::s3::name::{BucketName, ETag, PartNumber, UploadId, VersionId};
use crate::s3::range::Span;
use crate::store::Error;
use crate::store::body::{Body, Kept, within};
use crate::store::intake::{CheckedBody, IntakeError, Source};
use crate::store::model::{Completion, Object, ObjectPart, Part, Upload, UploadName, Usage, Written};
use crate::store::rules::completion::{self, COMPLETION_MILLIS_MAX};
use crate::store::rules::write::{check_condition, check_unchanged};

impl Store {
    pub(in crate::store) fn create_upload(
        &self,
        name: &BucketName,
        upload: Upload,
    ) -> Result<UploadId, Error> {
        let quota = self.quota(name);
        let mut tables = self.tables();
        let shelf = tables.shelf_mut(name)?;
        let usage = Usage::of_upload(&upload);
        shelf.check_quota(quota, 0, usage.total())?;
        shelf.usage.add(usage);
        let (id, key) = (upload.id, upload.key.as_str().as_bytes().to_vec());
        let replaces = shelf.current(&upload.key).is_some();
        shelf.uploads.insert((key, id), UploadShelf { upload, replaces, parts: Default::default() });
        Ok(id)
    }

    pub(in crate::store) fn upload(&self, name: &UploadName) -> Result<Upload, Error> {
        Ok(self.tables().upload(name)?.upload.clone())
    }

    pub(in crate::store) fn check_upload(&self, name: &UploadName, now: Timestamp) -> Result<(), Error> {
        let tables = self.tables();
        match tables.upload(name) {
            Err(Error::NoSuchUpload) => tables.completion(name, now).map(drop),
            found => found.map(drop),
        }
    }

    pub(in crate::store) async fn put_part(
        &self,
        name: &UploadName,
        number: PartNumber,
        body: CheckedBody<impl Source>,
        now: Timestamp,
    ) -> Result<(Part, Option<Checksum>), IntakeError> {
        let replaced = |part: &(Part, Bytes)| Usage::of_part(part.0.size).total();
        let _room = self.reserve(&name.bucket, body.length, |shelf| {
            let upload = shelf.uploads.get(&(name.key.as_str().as_bytes().to_vec(), name.id));
            upload.and_then(|upload| upload.parts.get(&number)).map_or(0, replaced)
        })?;
        let (bytes, proof) = self.receive(body).await?;
        Ok((self.store_part(name, number, bytes, &proof, now)?, proof.shown_checksum().copied()))
    }

    pub(in crate::store) fn copy_part(
        &self,
        name: &UploadName,
        number: PartNumber,
        (source, span): (&Body, Span),
        proof: &BodyProof,
        now: Timestamp,
    ) -> Result<Part, Error> {
        self.store_part(name, number, within(bytes_of(source), span), proof, now)
    }

    fn store_part(
        &self,
        name: &UploadName,
        number: PartNumber,
        bytes: Bytes,
        proof: &BodyProof,
        now: Timestamp,
    ) -> Result<Part, Error> {
        let part = Part {
            number,
            size: proof.size(),
            etag: ETag::single(*proof.md5()),
            modified: now,
            checksum: proof.checksum().copied(),
        };
        let quota = self.quota(&name.bucket);
        let mut tables = self.tables();
        let old = tables.upload(name)?.parts.get(&number).map(|(old, _)| Usage::of_part(old.size));
        let old = old.unwrap_or_default();
        let usage = Usage::of_part(part.size);
        let shelf = tables.shelf_mut(&name.bucket)?;
        shelf.check_quota(quota, old.total(), usage.total())?;
        shelf.usage.subtract(old);
        shelf.usage.add(usage);
        tables.upload_mut(name)?.parts.insert(number, (part.clone(), bytes));
        Ok(part)
    }

    pub(in crate::store) fn complete_upload(
        &self,
        name: &UploadName,
        completion: Completion,
        condition: &WriteCondition,
        now: Timestamp,
    ) -> Result<Written, Error> {
        let tables = &mut *self.tables();
        let UploadShelf { upload, replaces, parts } = match tables.upload(name) {
            Err(Error::NoSuchUpload) => {
                let remembered = tables.completion(name, now)?;
                return match named(&remembered.completion).eq(named(&completion)) {
                    true => Ok(Written { source_version: None, ..remembered.written.clone() }),
                    false => Err(Error::NoSuchUpload),
                };
            }
            found => found?,
        };
        let completed = completion::complete(upload, &completion, |number| {
            Ok(parts.get(&number).map(|(part, _)| part.clone()))
        })?;
        let shelf = tables.shelf(&name.bucket)?;
        let current = shelf.current(&name.key);
        check_condition(condition, current.map(|object| object.etag))?;
        check_unchanged(condition, current.map(|object| object.modified), *replaces, upload.initiated)?;
        let named_parts: Vec<_> =
            completion.parts.iter().filter_map(|named| parts.get(&named.number)).collect();
        let mut bytes = BytesMut::new();
        named_parts.iter().for_each(|(_, part)| bytes.extend_from_slice(part));
        let object = Object {
            size: completed.size,
            etag: completed.etag,
            modified: now,
            archived: upload.metadata.is_archived(),
            metadata: upload.metadata.clone(),
            tags: upload.tags.clone(),
            version: VersionId::NULL,
            checksum: completed.checksum,
            parts: named_parts
                .iter()
                .map(|(part, _)| ObjectPart { size: part.size, checksum: part.checksum })
                .collect(),
            body: Body(Kept::Bytes(bytes.freeze())),
        };
        let bucket = shelf.bucket.revision.bucket;
        tables.remove_upload(name)?;
        let written = tables.write(&name.bucket, &name.key, object)?;
        let remembered =
            Remembered { at: now, bucket, key: name.key.clone(), completion, written: written.clone() };
        tables.completions.retain(|_, remembered| !remembered.is_forgotten(now));
        tables.completions.insert(name.id, remembered);
        Ok(written)
    }

    pub(in crate::store) fn abort_upload(&self, name: &UploadName, now: Timestamp) -> Result<(), Error> {
        let mut tables = self.tables();
        match tables.upload(name) {
            Err(Error::NoSuchUpload) => tables.completion(name, now).map(drop),
            found => {
                found?;
                tables.remove_upload(name)
            }
        }
    }

    pub(in crate::store) fn parts(&self, id: UploadId, after: u16, limit: usize) -> (Vec<Part>, bool) {
        let tables = self.tables();
        let uploads = tables.buckets.values().flat_map(|shelf| &shelf.uploads);
        let upload = uploads.into_iter().find(|((_, of), _)| *of == id).map(|(_, upload)| upload);
        let mut parts = upload.into_iter().flat_map(|upload| upload.parts.values());
        let mut parts = parts.by_ref().map(|(part, _)| part).filter(|part| part.number.value() > after);
        let page: Vec<Part> = parts.by_ref().take(limit).cloned().collect();
        let more = limit > 0 && parts.next().is_some();
        (page, more)
    }
}

/// What a repetition of a completion must have in common with the first.
fn named(completion: &Completion) -> impl Iterator<Item = (PartNumber, Option<ETag>)> {
    completion.parts.iter().map(|part| (part.number, part.etag))
}

impl Remembered {
    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.unix_millis().saturating_sub(self.at.unix_millis()) > COMPLETION_MILLIS_MAX
    }
}

impl Tables {
    fn upload(&self, name: &UploadName) -> Result<&UploadShelf, Error> {
        let key = (name.key.as_str().as_bytes().to_vec(), name.id);
        self.shelf(&name.bucket)?.uploads.get(&key).ok_or(Error::NoSuchUpload)
    }

    fn upload_mut(&mut self, name: &UploadName) -> Result<&mut UploadShelf, Error> {
        let key = (name.key.as_str().as_bytes().to_vec(), name.id);
        self.shelf_mut(&name.bucket)?.uploads.get_mut(&key).ok_or(Error::NoSuchUpload)
    }

    fn remove_upload(&mut self, name: &UploadName) -> Result<(), Error> {
        let key = (name.key.as_str().as_bytes().to_vec(), name.id);
        let shelf = self.shelf_mut(&name.bucket)?;
        if let Some(upload) = shelf.uploads.remove(&key) {
            shelf.usage.subtract(Usage::of_upload(&upload.upload));
            for (part, _) in upload.parts.values() {
                shelf.usage.subtract(Usage::of_part(part.size));
            }
        }
        Ok(())
    }

    /// The completion of an upload that is remembered.
    fn completion(&self, name: &UploadName, now: Timestamp) -> Result<&Remembered, Error> {
        let bucket = self.shelf(&name.bucket)?.bucket.revision.bucket;
        let remembered = self.completions.get(&name.id).filter(|remembered| {
            remembered.bucket == bucket && remembered.key == name.key && !remembered.is_forgotten(now)
        });
        remembered.ok_or(Error::NoSuchUpload)
    }
}
