//! Where objects live: one face, and the engines below it.
//!
//! [`local`] keeps an index and immutable blobs in one directory. Whatever the engine, a change is durable when it
//! returns, and nothing can be published without the [`BodyProof`](crate::auth::BodyProof) of the body it holds: the store
//! pulls a [`CheckedBody`] to its end by itself. What engines are asked and answer is in [`model`].

mod body;
mod error;
mod expiry;
mod intake;
pub mod local;
pub mod memory;
pub mod model;
mod rules;
#[cfg(test)]
mod suite;

use tokio::task::spawn_blocking;

pub use body::{Body, Pieces, Reader};
pub use error::{ChecksumFault, Error};
pub use expiry::Walk;
pub use intake::{CheckedBody, IntakeError, Source};

use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::metrics::Histogram;
use crate::s3::checksum::Checksum;
use crate::s3::condition::WriteCondition;
use crate::s3::listing::{Page, Selection};
use crate::s3::name::{BucketName, PartNumber, UploadId, VersionId};
use crate::s3::range::Span;
use crate::s3::tagging::Tags;
use model::{
    Bucket, Completion, Copy, Deleted, Deletion, Expired, ListedVersion, NewBucket, NewObject, Object,
    ObjectName, Part, Revision, Setting, State, Summary, Upload, UploadName, Usage, Versioning, Written,
};

/// An open store. Cloning gives another handle to it; it closes with the last.
#[derive(Clone, Debug)]
pub enum Store {
    /// A directory.
    Local(local::Store),
    /// Memory.
    Memory(memory::Store),
}

/// Runs a look at a local store that may have to wait for the disk where that holds up no one.
async fn blocking<T: Send + 'static>(
    store: &local::Store,
    look: impl FnOnce(&local::Store) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let store = store.clone();
    let panicked = |_| Error::Index("reading the index panicked".to_owned());
    spawn_blocking(move || look(&store)).await.map_err(panicked)?
}

/// Buckets and their configuration.
impl Store {
    /// Every bucket, by name.
    ///
    /// # Errors
    /// Returns the index's errors.
    pub async fn buckets(&self) -> Result<Vec<Bucket>, Error> {
        match self {
            Self::Local(local) => blocking(local, local::Store::buckets).await,
            Self::Memory(memory) => Ok(memory.buckets()),
        }
    }

    /// A bucket.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn bucket(&self, name: &BucketName) -> Result<Bucket, Error> {
        match self {
            Self::Local(local) => local.bucket(name),
            Self::Memory(memory) => memory.bucket(name),
        }
    }

    /// Makes a bucket, with its tags if it is given some.
    ///
    /// # Errors
    /// Returns [`Error::BucketExists`], and the index's errors.
    pub async fn create_bucket(&self, new: NewBucket, now: Timestamp) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.create_bucket(new, now).await,
            Self::Memory(memory) => memory.create_bucket(new, now),
        }
    }

    /// Removes a bucket without objects; unfinished uploads go with it.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], [`Error::BucketNotEmpty`], and the index's errors.
    pub async fn delete_bucket(&self, name: BucketName) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.delete_bucket(name).await,
            Self::Memory(memory) => memory.delete_bucket(&name),
        }
    }

    /// Switches versioning on, or suspends it.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn set_versioning(&self, name: BucketName, versioning: Versioning) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.set_versioning(name, versioning).await,
            Self::Memory(memory) => memory.set_versioning(&name, versioning),
        }
    }

    /// The document that configures a bucket, if there is one.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn setting(&self, name: &BucketName, setting: Setting) -> Result<Option<String>, Error> {
        match self {
            Self::Local(local) => local.setting(name, setting),
            Self::Memory(memory) => memory.setting(name, setting),
        }
    }

    /// Puts a document in its place, or removes it.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn set_setting(
        &self,
        name: BucketName,
        setting: Setting,
        document: Option<String>,
    ) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.set_setting(name, setting, document).await,
            Self::Memory(memory) => memory.set_setting(&name, setting, document),
        }
    }
}

/// Objects and their versions.
impl Store {
    /// An object, its body kept so that it can be read whatever happens to the object meanwhile.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], [`Error::NoSuchKey`], [`Error::NoSuchVersion`], [`Error::DeleteMarker`],
    /// [`Error::Damaged`], and the index's errors.
    pub async fn object(&self, name: &ObjectName) -> Result<Object, Error> {
        match self {
            Self::Local(local) => local.object(name),
            Self::Memory(memory) => memory.object(name),
        }
    }

    /// Opens a span of a body to send it: as mappings of its files, if it goes to the kernel `untouched`.
    ///
    /// # Errors
    /// Returns [`Error::Busy`] if too many files are open, and the file system's errors.
    pub async fn send(&self, body: &Body, span: Span, untouched: bool) -> Result<Reader, Error> {
        match self {
            Self::Local(local) => local.send(body, span, untouched).await,
            Self::Memory(_) => Ok(memory::Store::send(body, span)),
        }
    }

    /// Opens a span of a body to read it to its end.
    ///
    /// # Errors
    /// Returns [`Error::Busy`] if too many files are open.
    pub fn pieces(&self, body: &Body, span: Span) -> Result<Pieces, Error> {
        match self {
            Self::Local(local) => local.pieces(body, span),
            Self::Memory(_) => Ok(memory::Store::pieces(body, span)),
        }
    }

    /// Takes in a body, and stores it as an object if the condition holds of the object that it replaces.
    ///
    /// # Errors
    /// Returns what is wrong with the body, [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::NothingToMatch`] if
    /// an ETag was asked for and there is no object, [`Error::QuotaExceeded`], [`Error::Busy`], [`Error::NoSpace`], and
    /// the engine's errors.
    pub async fn put_object(
        &self,
        new: NewObject,
        body: CheckedBody<impl Source>,
        now: Timestamp,
    ) -> Result<Written, IntakeError> {
        match self {
            Self::Local(local) => local.put_object(new, body, now).await,
            Self::Memory(memory) => memory.put_object(new, body, now).await,
        }
    }

    /// Copies an object in one step, if the conditions hold of source and target.
    ///
    /// # Errors
    /// As [`Store::put_object`], and those of [`Store::object`] for the source.
    pub async fn copy_object(&self, copy: Copy, now: Timestamp) -> Result<Written, Error> {
        match self {
            Self::Local(local) => local.copy_object(copy, now).await,
            Self::Memory(memory) => memory.copy_object(copy, now),
        }
    }

    /// Removes an object, if the condition holds of it; one that does not exist counts as removed. Without a version
    /// being named, a bucket with versions keeps what it has, after a delete marker.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::NothingToMatch`] if an ETag was asked for,
    /// [`Error::QuotaExceeded`] for a marker before nothing, and the index's errors.
    pub async fn delete_object(
        &self,
        name: BucketName,
        deletion: Deletion,
        now: Timestamp,
    ) -> Result<Deleted, Error> {
        match self {
            Self::Local(local) => local.delete_object(name, deletion, now).await,
            Self::Memory(memory) => memory.delete_object(&name, &deletion, now),
        }
    }

    /// Carries out deletions, each by itself.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors; those of single deletions stand in their places.
    pub async fn delete_objects(
        &self,
        name: BucketName,
        deletions: Vec<Deletion>,
        now: Timestamp,
    ) -> Result<Vec<Result<Deleted, Error>>, Error> {
        match self {
            Self::Local(local) => local.delete_objects(name, deletions, now).await,
            Self::Memory(memory) => memory.delete_objects(&name, &deletions, now),
        }
    }

    /// Gives an object other tags, and says which version that was.
    ///
    /// # Errors
    /// As [`Store::object`], and [`Error::QuotaExceeded`].
    pub async fn tag_object(&self, name: ObjectName, tags: Tags) -> Result<Option<VersionId>, Error> {
        match self {
            Self::Local(local) => local.tag_object(name, tags).await,
            Self::Memory(memory) => memory.tag_object(&name, tags),
        }
    }

    /// Removes what is still as it was found, if the bucket's configuration still is of the `revision` that said so, and
    /// says how much that was; `None` if it is another.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn remove_expired(
        &self,
        name: BucketName,
        expired: Vec<Expired>,
        revision: Revision,
        now: Timestamp,
    ) -> Result<Option<usize>, Error> {
        match self {
            Self::Local(local) => local.remove_expired(name, expired, revision, now).await,
            Self::Memory(memory) => memory.remove_expired(&name, &expired, revision, now),
        }
    }

    /// A page of a bucket's objects.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn list(&self, name: &BucketName, selection: Selection) -> Result<Page<Summary>, Error> {
        match self {
            Self::Local(local) => {
                let name = name.clone();
                blocking(local, move |local| local.list(&name, &selection)).await
            }
            Self::Memory(memory) => memory.list(name, &selection),
        }
    }

    /// A page of all versions and delete markers, by key, the newest first; `after` names the last version of the
    /// page before, together with the key of the selection.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn versions(
        &self,
        name: &BucketName,
        selection: Selection,
        after: Option<VersionId>,
    ) -> Result<Page<ListedVersion>, Error> {
        match self {
            Self::Local(local) => {
                let name = name.clone();
                blocking(local, move |local| local.versions(&name, &selection, after)).await
            }
            Self::Memory(memory) => memory.versions(name, &selection, after),
        }
    }
}

/// Uploads in parts.
impl Store {
    /// Starts an upload.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], [`Error::QuotaExceeded`], and the index's errors.
    pub async fn create_upload(&self, name: BucketName, upload: Upload) -> Result<UploadId, Error> {
        match self {
            Self::Local(local) => local.create_upload(name, upload).await,
            Self::Memory(memory) => memory.create_upload(&name, upload),
        }
    }

    /// An unfinished upload.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], and the index's errors.
    pub async fn upload(&self, name: UploadName) -> Result<Upload, Error> {
        match self {
            Self::Local(local) => local.upload(name),
            Self::Memory(memory) => memory.upload(&name),
        }
    }

    /// Checks that there is such an upload, or that it was completed lately.
    ///
    /// # Errors
    /// As [`Store::upload`].
    pub async fn check_upload(&self, name: UploadName, now: Timestamp) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.check_upload(name, now),
            Self::Memory(memory) => memory.check_upload(&name, now),
        }
    }

    /// Takes in a body, and stores it as a part; one of the same number is replaced. Gives also the checksum that the
    /// client is shown.
    ///
    /// # Errors
    /// Returns what is wrong with the body, [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], [`Error::QuotaExceeded`],
    /// [`Error::Busy`], [`Error::NoSpace`], and the engine's errors.
    pub async fn put_part(
        &self,
        upload: UploadName,
        number: PartNumber,
        body: CheckedBody<impl Source>,
        now: Timestamp,
    ) -> Result<(Part, Option<Checksum>), IntakeError> {
        match self {
            Self::Local(local) => local.put_part(upload, number, body, now).await,
            Self::Memory(memory) => memory.put_part(&upload, number, body, now).await,
        }
    }

    /// Makes a span of an existing body a part; `proof` is of exactly these bytes.
    ///
    /// # Errors
    /// As [`Store::put_part`], and [`Error::Conflict`] if the body is gone.
    pub async fn copy_part(
        &self,
        upload: UploadName,
        number: PartNumber,
        source: (&Body, Span),
        proof: BodyProof,
        now: Timestamp,
    ) -> Result<Part, Error> {
        match self {
            Self::Local(local) => local.copy_part(upload, number, source, proof, now).await,
            Self::Memory(memory) => memory.copy_part(&upload, number, source, &proof, now),
        }
    }

    /// Makes an object of the named parts; the others go away. A repetition of what was completed lately gives the
    /// same answer, whatever has become of the object: a client that did not hear the first one asks again.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], the errors of parts and checksums,
    /// [`Error::Precondition`], and the index's errors.
    pub async fn complete_upload(
        &self,
        upload: UploadName,
        completion: Completion,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Written, Error> {
        match self {
            Self::Local(local) => local.complete_upload(upload, completion, condition, now).await,
            Self::Memory(memory) => memory.complete_upload(&upload, completion, &condition, now),
        }
    }

    /// Ends an upload and removes its parts. One that was completed lately has ended already, and its object stays.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], [`Error::NoSuchUpload`], and the index's errors.
    pub async fn abort_upload(&self, upload: UploadName, now: Timestamp) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.abort_upload(upload, now).await,
            Self::Memory(memory) => memory.abort_upload(&upload, now),
        }
    }

    /// The parts after the number `after`, at most `limit`, and whether there are more.
    ///
    /// # Errors
    /// Returns the index's errors.
    pub async fn parts(&self, id: UploadId, after: u16, limit: usize) -> Result<(Vec<Part>, bool), Error> {
        match self {
            Self::Local(local) => blocking(local, move |local| local.parts(id, after, limit)).await,
            Self::Memory(memory) => Ok(memory.parts(id, after, limit)),
        }
    }

    /// A page of unfinished uploads, by key and then by start; `after` names the last upload of the page before.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn uploads(
        &self,
        name: &BucketName,
        selection: Selection,
        after: Option<UploadId>,
    ) -> Result<Page<Upload>, Error> {
        match self {
            Self::Local(local) => {
                let name = name.clone();
                blocking(local, move |local| local.uploads(&name, &selection, after)).await
            }
            Self::Memory(memory) => memory.uploads(name, &selection, after),
        }
    }
}

/// What is counted.
impl Store {
    /// How much a bucket holds.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn usage(&self, name: &BucketName) -> Result<Usage, Error> {
        match self {
            Self::Local(local) => local.usage(name),
            Self::Memory(memory) => memory.usage(name),
        }
    }

    /// What is counted of the whole store.
    ///
    /// # Errors
    /// Returns the index's errors.
    pub async fn state(&self) -> Result<State, Error> {
        match self {
            Self::Local(local) => blocking(local, local::Store::state).await,
            Self::Memory(memory) => Ok(memory.state()),
        }
    }

    /// How long commits took, where there are any.
    pub fn commit_times(&self) -> Option<&Histogram> {
        match self {
            Self::Local(local) => Some(local.commit_times()),
            Self::Memory(_) => None,
        }
    }
}
