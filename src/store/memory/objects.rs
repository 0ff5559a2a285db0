//! Objects and their versions.

use bytes::Bytes;

use super::{Shelf, Store, Tables, Version};
use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::s3::condition::WriteCondition;
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, ObjectKey, VersionId};
use crate::s3::tagging::Tags;
use crate::store::Error;
use crate::store::body::{Body, Kept};
use crate::store::intake::{CheckedBody, IntakeError, Source};
use crate::store::model::{
    Copy, Deleted, Deletion, Expired, NewObject, Object, ObjectChecksum, ObjectName, Revision, Usage,
    Versioning, Written,
};
use crate::store::rules::copy;
use crate::store::rules::usage::marker_bytes;
use crate::store::rules::write::check_condition;

impl Store {
    pub(in crate::store) fn object(&self, name: &ObjectName) -> Result<Object, Error> {
        let tables = self.tables();
        let (_, version) = tables.shelf(&name.bucket)?.find(&name.key, name.version)?;
        version.read(name.version.is_some()).cloned()
    }

    pub(in crate::store) async fn put_object(
        &self,
        new: NewObject,
        body: CheckedBody<impl Source>,
        now: Timestamp,
    ) -> Result<Written, IntakeError> {
        let _room = self.reserve(&new.bucket, body.length, |shelf| shelf.replaced_bytes(&new.key))?;
        let (bytes, proof) = self.receive(body).await?;
        let quota = self.quota(&new.bucket);
        let tables = &mut *self.tables();
        let shelf = tables.shelf(&new.bucket)?;
        check_condition(&new.condition, shelf.current(&new.key).map(|object| object.etag))?;
        let object = new_object(new.metadata, new.tags, bytes, &proof, now);
        shelf.check_object_quota(quota, &new.key, &object)?;
        Ok(tables.write(&new.bucket, &new.key, object)?)
    }

    pub(in crate::store) fn copy_object(&self, copy: Copy, now: Timestamp) -> Result<Written, Error> {
        let (source, target) = (copy.source.clone(), copy.target.clone());
        let quota = self.quota(&target.bucket);
        let tables = &mut *self.tables();
        let from = tables.shelf(&source.bucket)?;
        let shelf = tables.shelf(&target.bucket)?;
        let (_, version) = from.find(&source.key, source.version)?;
        let object = version.read(source.version.is_some())?.clone();
        let source_version = from.has_versions().then_some(version.id);
        let current = shelf.current(&target.key).map(|object| object.etag);
        let copied = copy::copy(source_of(&object), copy, current)?;
        let made = Object {
            etag: copied.etag,
            modified: now,
            archived: copied.metadata.is_archived(),
            metadata: copied.metadata,
            tags: copied.tags,
            checksum: copied.checksum,
            parts: if copied.keeps_parts { object.parts } else { Vec::new() },
            ..object
        };
        shelf.check_object_quota(quota, &target.key, &made)?;
        Ok(Written { source_version, ..tables.write(&target.bucket, &target.key, made)? })
    }

    pub(in crate::store) fn delete_object(
        &self,
        name: &BucketName,
        deletion: &Deletion,
        now: Timestamp,
    ) -> Result<Deleted, Error> {
        let quota = self.quota(name);
        self.tables().delete(name, quota, deletion, now)
    }

    pub(in crate::store) fn delete_objects(
        &self,
        name: &BucketName,
        deletions: &[Deletion],
        now: Timestamp,
    ) -> Result<Vec<Result<Deleted, Error>>, Error> {
        let quota = self.quota(name);
        let mut tables = self.tables();
        tables.shelf(name)?;
        Ok(deletions.iter().map(|deletion| tables.delete(name, quota, deletion, now)).collect())
    }

    pub(in crate::store) fn tag_object(
        &self,
        name: &ObjectName,
        tags: Tags,
    ) -> Result<Option<VersionId>, Error> {
        let quota = self.quota(&name.bucket);
        let mut tables = self.tables();
        let shelf = tables.shelf(&name.bucket)?;
        let (at, version) = shelf.find(&name.key, name.version)?;
        let (id, object) = (version.id, version.read(name.version.is_some())?);
        let key = name.key.as_str().as_bytes();
        let before = Usage::of_object(key, object);
        let after = Usage::of_object(key, &Object { tags: tags.clone(), ..object.clone() });
        if after.total() > before.total() {
            shelf.check_quota(quota, before.total(), after.total())?;
        }
        let has_versions = shelf.has_versions();
        let shelf = tables.shelf_mut(&name.bucket)?;
        let versions = shelf.objects.get_mut(key);
        if let Some(object) = versions.and_then(|versions| versions.get_mut(at)?.object.as_mut()) {
            object.tags = tags;
            shelf.usage.subtract(before);
            shelf.usage.add(after);
        }
        Ok(has_versions.then_some(id))
    }

    pub(in crate::store) fn remove_expired(
        &self,
        name: &BucketName,
        expired: &[Expired],
        revision: Revision,
        now: Timestamp,
    ) -> Result<Option<usize>, Error> {
        let mut tables = self.tables();
        if tables.shelf(name)?.bucket.revision != revision {
            return Ok(None);
        }
        let mut removed = 0;
        for found in expired {
            let shelf = tables.shelf(name)?;
            if !shelf.is_still(found) {
                continue;
            }
            match found.is_current && shelf.has_versions() {
                true => tables.delete_current(name, &found.key, now)?,
                false => tables.shelf_mut(name)?.delete_version(&found.key, found.version),
            };
            removed += 1;
        }
        Ok(Some(removed))
    }
}

/// An object that came in one go.
pub(super) fn new_object(
    metadata: Metadata,
    tags: Tags,
    bytes: Bytes,
    proof: &BodyProof,
    now: Timestamp,
) -> Object {
    Object {
        size: proof.size(),
        etag: ETag::single(*proof.md5()),
        modified: now,
        archived: metadata.is_archived(),
        metadata,
        tags,
        version: VersionId::NULL,
        checksum: proof.checksum().copied().map(ObjectChecksum::full),
        parts: Vec::new(),
        body: Body(Kept::Bytes(bytes)),
    }
}

/// What a copy of an object depends on.
fn source_of(object: &Object) -> copy::Source {
    copy::Source {
        etag: object.etag,
        modified: object.modified,
        archived: object.archived,
        checksum: object.checksum,
        metadata: object.metadata.clone(),
        tags: object.tags.clone(),
    }
}

impl Version {
    /// The object, unless this is a delete marker, which someone `named` or which is the current version.
    fn read(&self, named: bool) -> Result<&Object, Error> {
        let marker = Error::DeleteMarker { version: self.id, modified: self.modified, named };
        self.object.as_ref().ok_or(marker)
    }
}

impl Tables {
    /// Makes an object the current version of its key.
    pub(super) fn write(
        &mut self,
        name: &BucketName,
        key: &ObjectKey,
        mut object: Object,
    ) -> Result<Written, Error> {
        let (position, id) = self.next_version();
        let shelf = self.shelf_mut(name)?;
        let id = shelf.make_way(key, id);
        object.version = id;
        let written = Written {
            etag: object.etag,
            modified: object.modified,
            checksum: object.checksum,
            size: object.size,
            version: shelf.has_versions().then_some(id),
            source_version: None,
        };
        shelf.push(key, Version { position, id, modified: object.modified, object: Some(object) });
        Ok(written)
    }

    fn delete(
        &mut self,
        name: &BucketName,
        quota: Option<u64>,
        deletion: &Deletion,
        now: Timestamp,
    ) -> Result<Deleted, Error> {
        let shelf = self.shelf_mut(name)?;
        let current = shelf.current(&deletion.key).map(|object| object.etag);
        if deletion.condition != WriteCondition::None {
            check_condition(&deletion.condition, current)?;
        }
        if let Some(version) = deletion.version {
            return Ok(shelf.delete_version(&deletion.key, version));
        }
        // A marker before an object has to fit into a full bucket; those before nothing are as many as anybody likes.
        if shelf.has_versions() && current.is_none() {
            shelf.check_quota(quota, 0, marker_bytes(deletion.key.as_str().len()))?;
        }
        self.delete_current(name, &deletion.key, now)
    }

    /// Deletes the current version, by a marker where versions are kept.
    fn delete_current(
        &mut self,
        name: &BucketName,
        key: &ObjectKey,
        now: Timestamp,
    ) -> Result<Deleted, Error> {
        let (position, id) = self.next_version();
        let shelf = self.shelf_mut(name)?;
        let has_versions = shelf.has_versions();
        let id = shelf.make_way(key, id);
        if !has_versions {
            return Ok(Deleted { version: None, marker: false });
        }
        shelf.push(key, Version { position, id, modified: now, object: None });
        Ok(Deleted { version: Some(id), marker: true })
    }
}

impl Shelf {
    /// A version, and where it stands: the current one, or the one that is named.
    fn find(&self, key: &ObjectKey, version: Option<VersionId>) -> Result<(usize, &Version), Error> {
        let versions = self.objects.get(key.as_str().as_bytes());
        match version {
            None => versions.and_then(|versions| Some((0, versions.first()?))).ok_or(Error::NoSuchKey),
            Some(id) => {
                let mut versions = versions.into_iter().flatten().enumerate();
                versions.find(|(_, version)| version.id == id).ok_or(Error::NoSuchVersion)
            }
        }
    }

    /// Makes room for a new current version, and gives the id it is to have. What it replaces is kept, unless both are
    /// the version `null`.
    fn make_way(&mut self, key: &ObjectKey, id: VersionId) -> VersionId {
        if self.bucket.versioning == Versioning::Enabled {
            return id;
        }
        self.remove(key, |version| version.id == VersionId::NULL);
        VersionId::NULL
    }

    fn push(&mut self, key: &ObjectKey, version: Version) {
        let key = key.as_str().as_bytes();
        self.usage.add(Usage::of_version(key, &version));
        self.objects.entry(key.to_vec()).or_default().insert(0, version);
    }

    /// Removes a version for good; one that does not exist counts as removed.
    fn delete_version(&mut self, key: &ObjectKey, id: VersionId) -> Deleted {
        let removed = self.remove(key, |version| version.id == id);
        let marker = removed.is_some_and(|removed| removed.object.is_none());
        Deleted { version: Some(id), marker }
    }

    fn remove(&mut self, key: &ObjectKey, is_meant: impl Fn(&Version) -> bool) -> Option<Version> {
        let key = key.as_str().as_bytes();
        let versions = self.objects.get_mut(key)?;
        let removed = versions.remove(versions.iter().position(is_meant)?);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        self.usage.subtract(Usage::of_version(key, &removed));
        Some(removed)
    }

    /// What the version takes up that a new object under `key` takes the place of.
    pub(super) fn replaced_bytes(&self, key: &ObjectKey) -> u64 {
        if self.bucket.versioning == Versioning::Enabled {
            return 0;
        }
        let replaced = self.find(key, Some(VersionId::NULL)).ok();
        let object = replaced.and_then(|(_, version)| version.object.as_ref());
        object.map_or(0, |object| Usage::of_object(key.as_str().as_bytes(), object).total())
    }

    pub(super) fn check_object_quota(
        &self,
        quota: Option<u64>,
        key: &ObjectKey,
        object: &Object,
    ) -> Result<(), Error> {
        let bytes = Usage::of_object(key.as_str().as_bytes(), object).total();
        self.check_quota(quota, self.replaced_bytes(key), bytes)
    }

    /// Whether a version is still there, unchanged, and still current if and only if it was.
    fn is_still(&self, found: &Expired) -> bool {
        let current = self.find(&found.key, None).ok().filter(|(_, version)| version.object.is_some());
        if current.is_some_and(|(_, version)| version.id == found.version) != found.is_current {
            return false;
        }
        self.find(&found.key, Some(found.version)).is_ok_and(|(_, version)| {
            let tags = version.object.as_ref().map(|object| &object.tags);
            version.modified == found.modified && (found.tags.is_none() || found.tags.as_ref() == tags)
        })
    }
}
