//! The engine that keeps everything in memory, for tests and for servers that are to leave nothing behind.
//!
//! It does what the others do, bodies included: those are whole in memory, so that it is for few and small ones. All
//! changes are made under one lock, which no one holds while a body comes in.

mod objects;
mod pages;
mod uploads;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::Error;
use super::body::{Body, Folded, Kept, Pieces, Reader, Sent, within};
use super::intake::{CheckedBody, IntakeError, Source};
use super::model::{
    Bucket, Completion, NewBucket, Object, Part, Revision, Setting, State, Upload, Usage, Versioning, Written,
};
use super::rules::usage::{check_quota, marker_bytes, object_bytes, part_bytes, upload_bytes};
use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::s3::name::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::s3::range::Span;
use crate::size;

/// A store in memory. Cloning gives another handle to it; what it holds goes with the last.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    quotas: BTreeMap<BucketName, u64>,
    tables: Mutex<Tables>,
}

/// Everything there is.
#[derive(Debug, Default)]
struct Tables {
    buckets: BTreeMap<BucketName, Shelf>,
    /// The last number that a bucket, and that a version, was given.
    last_bucket: u32,
    last_version: u64,
    /// Completions that are remembered, by upload.
    completions: HashMap<UploadId, Remembered>,
}

/// A bucket and what is in it.
#[derive(Debug)]
struct Shelf {
    bucket: Bucket,
    settings: HashMap<Setting, String>,
    /// The versions of each key, the newest first; never none.
    objects: BTreeMap<Vec<u8>, Vec<Version>>,
    uploads: BTreeMap<(Vec<u8>, UploadId), UploadShelf>,
    usage: Usage,
    /// Bytes of bodies that are under way.
    coming: u64,
}

/// A version of an object.
#[derive(Clone, Debug)]
struct Version {
    /// Where it stands among the versions of its key: later ones have higher numbers.
    position: u64,
    id: VersionId,
    modified: Timestamp,
    /// `None` for a delete marker.
    object: Option<Object>,
}

/// An upload and its parts.
#[derive(Debug)]
struct UploadShelf {
    upload: Upload,
    /// Whether there was an object under its key when it was started.
    replaces: bool,
    parts: BTreeMap<PartNumber, (Part, Bytes)>,
}

/// An upload that was completed.
#[derive(Debug)]
struct Remembered {
    at: Timestamp,
    bucket: u32,
    key: ObjectKey,
    completion: Completion,
    written: Written,
}

/// Room for a body that is under way, until this goes.
struct Coming<'s> {
    store: &'s Store,
    bucket: BucketName,
    bytes: u64,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if let Some(shelf) = self.store.tables().buckets.get_mut(&self.bucket) {
            shelf.coming = shelf.coming.saturating_sub(self.bytes);
        }
    }
}

impl Store {
    /// An empty store whose buckets may hold so many bytes at most.
    pub fn new(quotas: BTreeMap<BucketName, u64>) -> Self {
        Self(Arc::new(Shared { quotas, tables: Mutex::default() }))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn quota(&self, bucket: &BucketName) -> Option<u64> {
        self.0.quotas.get(bucket).copied()
    }

    pub(super) fn buckets(&self) -> Vec<Bucket> {
        self.tables().buckets.values().map(|shelf| shelf.bucket.clone()).collect()
    }

    pub(super) fn bucket(&self, name: &BucketName) -> Result<Bucket, Error> {
        Ok(self.tables().shelf(name)?.bucket.clone())
    }

    pub(super) fn usage(&self, name: &BucketName) -> Result<Usage, Error> {
        Ok(self.tables().shelf(name)?.usage)
    }

    pub(super) fn state(&self) -> State {
        State::default()
    }

    pub(super) fn create_bucket(&self, new: NewBucket, now: Timestamp) -> Result<(), Error> {
        let tables = &mut *self.tables();
        if let Some(there) = tables.buckets.get(&new.name) {
            return Err(Error::BucketExists(there.bucket.owner.clone()));
        }
        tables.last_bucket += 1;
        let bucket = Bucket {
            name: new.name.clone(),
            created: now,
            owner: new.owner,
            versioning: Versioning::Off,
            revision: Revision { bucket: tables.last_bucket, number: 0 },
            location: new.location,
        };
        let shelf = Shelf {
            bucket,
            settings: new.tagging.map(|document| (Setting::Tagging, document)).into_iter().collect(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            usage: Usage::default(),
            coming: 0,
        };
        tables.buckets.insert(new.name, shelf);
        Ok(())
    }

    pub(super) fn delete_bucket(&self, name: &BucketName) -> Result<(), Error> {
        let mut tables = self.tables();
        if !tables.shelf(name)?.objects.is_empty() {
            return Err(Error::BucketNotEmpty);
        }
        tables.buckets.remove(name);
        Ok(())
    }

    pub(super) fn set_versioning(&self, name: &BucketName, versioning: Versioning) -> Result<(), Error> {
        let mut tables = self.tables();
        let bucket = &mut tables.shelf_mut(name)?.bucket;
        bucket.versioning = versioning;
        bucket.revision.number += 1;
        Ok(())
    }

    pub(super) fn setting(&self, name: &BucketName, setting: Setting) -> Result<Option<String>, Error> {
        Ok(self.tables().shelf(name)?.settings.get(&setting).cloned())
    }

    pub(super) fn set_setting(
        &self,
        name: &BucketName,
        setting: Setting,
        document: Option<String>,
    ) -> Result<(), Error> {
        let mut tables = self.tables();
        let shelf = tables.shelf_mut(name)?;
        shelf.bucket.revision.number += 1;
        match document {
            Some(document) => shelf.settings.insert(setting, document),
            None => shelf.settings.remove(&setting),
        };
        Ok(())
    }

    pub(super) fn send(body: &Body, span: Span) -> Reader {
        Reader(Sent::Bytes(within(bytes_of(body), span)))
    }

    pub(super) fn pieces(body: &Body, span: Span) -> Pieces {
        Pieces(Folded::Bytes(within(bytes_of(body), span)))
    }

    /// Room in a bucket's quota for a body that is to come in the place of what takes up `replaced`.
    fn reserve(
        &self,
        name: &BucketName,
        bytes: u64,
        replaced: impl FnOnce(&Shelf) -> u64,
    ) -> Result<Option<Coming<'_>>, Error> {
        let Some(quota) = self.quota(name) else {
            return Ok(None);
        };
        let mut tables = self.tables();
        let shelf = tables.shelf_mut(name)?;
        let replaced = replaced(shelf);
        let coming = shelf.coming.saturating_add(bytes);
        check_quota(quota, shelf.usage.total(), replaced, coming)?;
        shelf.coming = coming;
        Ok(Some(Coming { store: self, bucket: name.clone(), bytes }))
    }

    /// Takes in a body.
    async fn receive(&self, body: CheckedBody<impl Source>) -> Result<(Bytes, BodyProof), IntakeError> {
        let CheckedBody { mut source, mut digester, .. } = body;
        let (mut all, mut pieces) = (BytesMut::new(), Vec::new());
        while source.next(&mut pieces).await? {
            for piece in pieces.drain(..) {
                digester.update(&piece);
                all.extend_from_slice(&piece);
            }
        }
        let proof = digester.finish(source.finish()?)?;
        if proof.size() != size::bytes(all.len()) {
            let text = format!("{} bytes were proved, {} came", proof.size(), all.len());
            return Err(Error::from(std::io::Error::other(text)).into());
        }
        Ok((all.freeze(), proof))
    }
}

/// The bytes of a body of this engine.
fn bytes_of(body: &Body) -> &Bytes {
    static NONE: Bytes = Bytes::new();
    match &body.0 {
        Kept::Bytes(bytes) => bytes,
        // Bodies of another engine do not come here.
        Kept::Blobs(_) => &NONE,
    }
}

impl Tables {
    fn shelf(&self, name: &BucketName) -> Result<&Shelf, Error> {
        self.buckets.get(name).ok_or(Error::NoSuchBucket)
    }

    fn shelf_mut(&mut self, name: &BucketName) -> Result<&mut Shelf, Error> {
        self.buckets.get_mut(name).ok_or(Error::NoSuchBucket)
    }

    /// The place of a new version, and the id that it has if it is not the version `null`.
    fn next_version(&mut self) -> (u64, VersionId) {
        self.last_version += 1;
        let mut id = [0; 16];
        // As ids of others: those of later versions come first.
        let (order, _) = id.split_at_mut(8);
        order.copy_from_slice(&(u64::MAX - self.last_version).to_be_bytes());
        (self.last_version, VersionId::from_bytes(Some(id)))
    }
}

impl Shelf {
    /// Whether versioning was ever switched on.
    fn has_versions(&self) -> bool {
        self.bucket.versioning != Versioning::Off
    }

    /// The current object of a key.
    fn current(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key.as_str().as_bytes())?.first()?.object.as_ref()
    }

    /// Checks that a quota has room for `bytes` in the place of `replaced` ones.
    fn check_quota(&self, quota: Option<u64>, replaced: u64, bytes: u64) -> Result<(), Error> {
        quota.map_or(Ok(()), |quota| check_quota(quota, self.usage.total(), replaced, bytes))
    }
}

impl Usage {
    /// Everything, in bytes.
    fn total(&self) -> u64 {
        self.bytes.saturating_add(self.record_bytes)
    }

    fn add(&mut self, more: Self) {
        self.versions += more.versions;
        self.bytes += more.bytes;
        self.record_bytes += more.record_bytes;
    }

    fn subtract(&mut self, less: Self) {
        self.versions = self.versions.saturating_sub(less.versions);
        self.bytes = self.bytes.saturating_sub(less.bytes);
        self.record_bytes = self.record_bytes.saturating_sub(less.record_bytes);
    }

    fn of_version(key: &[u8], version: &Version) -> Self {
        match &version.object {
            Some(object) => Self::of_object(key, object),
            None => Self { versions: 0, bytes: 0, record_bytes: marker_bytes(key.len()) },
        }
    }

    fn of_object(key: &[u8], object: &Object) -> Self {
        let (metadata, tags) = (object.metadata.entries(), object.tags.entries());
        let record_bytes = object_bytes(key.len(), metadata, tags, object.parts.len());
        Self { versions: 1, bytes: object.size, record_bytes }
    }

    fn of_upload(upload: &Upload) -> Self {
        let (metadata, tags) = (upload.metadata.entries(), upload.tags.entries());
        let record_bytes = upload_bytes(upload.key.as_str().len(), metadata, tags);
        Self { versions: 0, bytes: 0, record_bytes }
    }

    fn of_part(size: u64) -> Self {
        Self { versions: 0, bytes: size, record_bytes: part_bytes() }
    }
}
