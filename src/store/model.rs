//! What stores are asked for and answer: buckets, objects, uploads, in the words of S3 and without an engine's.

use super::Error;
use super::body::Body;
use crate::clock::Timestamp;
use crate::s3::checksum::{Algorithm, Checksum, ChecksumType};
use crate::s3::condition::{Conditions, WriteCondition};
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, ObjectKey, PartNumber, UploadId, VersionId};
use crate::s3::tagging::Tags;

/// Smallest part that is not the last.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Largest object that parts may make: 50 TiB.
pub const COMPLETED_BYTES_MAX: u64 = 50 * 1024 * 1024 * 1024 * 1024;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// When it was made.
    pub created: Timestamp,
    /// Canonical id of the user who made it.
    pub owner: String,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Which state of its configuration this is.
    pub revision: Revision,
    /// The region that it was asked to be in, where every region is accepted.
    pub location: Option<String>,
}

impl Bucket {
    /// Whether versioning was ever switched on.
    pub fn has_versions(&self) -> bool {
        self.versioning != Versioning::Off
    }
}

/// A state of the configuration of a bucket: what was made of a document under one holds for as long as the bucket has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    pub(super) bucket: u32,
    pub(super) number: u64,
}

impl Revision {
    /// Whether nothing was configured yet that matters to the requests of objects.
    pub fn is_first(self) -> bool {
        self.number == 0
    }
}

/// A bucket to be made.
#[derive(Clone, Debug)]
pub struct NewBucket {
    /// Its name.
    pub name: BucketName,
    /// Canonical id of the user who makes it.
    pub owner: String,
    /// The region that it is asked to be in.
    pub location: Option<String>,
    /// The document of its tags.
    pub tagging: Option<String>,
}

impl NewBucket {
    /// A bucket of which nothing else is said.
    pub fn new(name: BucketName, owner: String) -> Self {
        Self { name, owner, location: None, tagging: None }
    }
}

/// Whether a bucket keeps what is replaced and deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It never did.
    Off,
    /// It keeps everything.
    Enabled,
    /// It keeps what it has; new objects are of the version `null`, of which there is one.
    Suspended,
}

/// What names an object: its current version, unless another is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: ObjectKey,
    /// The version that is meant, unless it is the current one.
    pub version: Option<VersionId>,
}

/// What a write says of the object it makes.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: ObjectKey,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// What must hold of the object that it replaces.
    pub condition: WriteCondition,
}

/// What a listing shows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// When it was written.
    pub modified: Timestamp,
    /// How its checksum was computed, if it has one.
    pub checksum: Option<(Algorithm, ChecksumType)>,
    /// Its storage class.
    pub storage_class: String,
}

/// An object without its body.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// When it was written.
    pub modified: Timestamp,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// Its version.
    pub version: VersionId,
    /// Its checksum, if it has one.
    pub checksum: Option<ObjectChecksum>,
    /// Whether its storage class keeps it from being read.
    pub archived: bool,
    /// The parts it was uploaded in; empty if it came in one go.
    pub parts: Vec<ObjectPart>,
    /// Its bytes.
    pub body: Body,
}

impl Object {
    /// Checks that its storage class lets it be read.
    ///
    /// # Errors
    /// Returns [`Error::Archived`] if it does not.
    pub fn check_readable(&self) -> Result<(), Error> {
        match self.archived {
            true => Err(Error::Archived(self.metadata.storage_class().to_owned())),
            false => Ok(()),
        }
    }
}

/// A part that an object was uploaded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    /// Its size in bytes.
    pub size: u64,
    /// Its checksum, if it has one.
    pub checksum: Option<Checksum>,
}

/// An entry of a listing of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// Its version.
    pub version: VersionId,
    /// Whether it is the current one of its key.
    pub is_latest: bool,
    /// When it was written.
    pub modified: Timestamp,
    /// `None` for a delete marker.
    pub object: Option<Summary>,
}

/// What is counted of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Commits since the start.
    pub commits: u64,
    /// Changes that they carried.
    pub changes: u64,
    /// Blobs found damaged.
    pub damaged: u64,
    /// Blobs whose files are to be removed.
    pub garbage: u64,
    /// Size of the index.
    pub index_bytes: u64,
}

/// What a deletion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The version that was removed, or the marker that was made.
    pub version: Option<VersionId>,
    /// Whether that is a delete marker.
    pub marker: bool,
}

/// One deletion of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its key.
    pub key: ObjectKey,
    /// The version that is meant, unless it is the current one.
    pub version: Option<VersionId>,
    /// What must hold of the object.
    pub condition: WriteCondition,
}

/// A version whose time has come, as it was when that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Its key.
    pub key: ObjectKey,
    /// Its version.
    pub version: VersionId,
    /// When it was written.
    pub modified: Timestamp,
    /// Whether it is an object that was the current version: where versions are kept, a marker takes its place.
    pub is_current: bool,
    /// Its tags, if rules asked for them.
    pub tags: Option<Tags>,
}

/// How much a bucket holds: every version of its objects, and the parts of its uploads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Without delete markers.
    pub versions: u64,
    /// Of bodies.
    pub bytes: u64,
    /// What keys, metadata and all else that is recorded is reckoned to take up.
    pub record_bytes: u64,
}

/// The checksum of an object as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectChecksum {
    /// The value.
    pub value: Checksum,
    /// What it was computed over.
    pub kind: ChecksumType,
    /// Number of parts, shown after a composite checksum.
    pub parts: Option<u16>,
}

impl ObjectChecksum {
    /// A checksum over the whole body.
    pub fn full(value: Checksum) -> Self {
        Self { value, kind: ChecksumType::FullObject, parts: None }
    }

    /// The value on the wire: base64, with `-N` if it is composite.
    pub fn text(&self) -> String {
        match self.parts.filter(|_| self.kind == ChecksumType::Composite) {
            Some(parts) => format!("{}-{parts}", self.value.base64()),
            None => self.value.base64(),
        }
    }
}

/// What a write made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its ETag.
    pub etag: ETag,
    /// When it was written.
    pub modified: Timestamp,
    /// Its checksum, if it has one.
    pub checksum: Option<ObjectChecksum>,
    /// Its size in bytes.
    pub size: u64,
    /// `None` where versioning was never switched on.
    pub version: Option<VersionId>,
    /// The version that was copied, if its bucket has versions.
    pub source_version: Option<VersionId>,
}

/// What a copy makes, and of what.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What is copied.
    pub source: ObjectName,
    /// What must hold of that.
    pub source_conditions: Conditions,
    /// Its metadata and tags count where the source's are not kept.
    pub target: NewObject,
    /// Keep the source's metadata, but for the storage class, which is never copied.
    pub keep_metadata: bool,
    /// Keep the source's tags.
    pub keep_tags: bool,
    /// Whether that was decided of a source with tags. One that has been given some since must not pass.
    pub tags_permitted: bool,
    /// ETag and date of the object that it was decided of, if its facts mattered.
    pub judged: Option<(ETag, Timestamp)>,
    /// What was computed over the body of the source, if it cannot keep its own.
    pub digests: Option<ReadDigests>,
}

/// ETag and checksum of a body that was read, and which body that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDigests {
    /// Its ETag.
    pub etag: ETag,
    /// Its checksum.
    pub checksum: Checksum,
    /// ETag and date of what was read.
    pub source: (ETag, Timestamp),
}

/// A multipart upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its key.
    pub key: ObjectKey,
    /// Its id.
    pub id: UploadId,
    /// When it was started.
    pub initiated: Timestamp,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// What the client asked for; without it parts are checked by CRC64NVME.
    pub checksum: Option<(Algorithm, ChecksumType)>,
    /// Canonical id of the user who started it.
    pub initiator: String,
}

/// What names an upload: all three must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadName {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: ObjectKey,
    /// Its id.
    pub id: UploadId,
}

/// A part of an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub number: PartNumber,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// When it was written.
    pub modified: Timestamp,
    /// Its checksum, if it has one.
    pub checksum: Option<Checksum>,
}

/// A part as a completion names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPart {
    /// Its number.
    pub number: PartNumber,
    /// `None` if the text cannot be an ETag of ours.
    pub etag: Option<ETag>,
    /// Its ETag as the client wrote it.
    pub etag_text: String,
    /// The checksums that are named, with their text.
    pub checksums: Vec<(Algorithm, String)>,
}

/// What the client says of a completed object besides its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The parts, in order.
    pub parts: Vec<NamedPart>,
    /// `x-amz-mp-object-size`.
    pub size: Option<u64>,
    /// `x-amz-checksum-*` with its text, which may end in `-N`.
    pub checksum: Option<(Algorithm, String)>,
    /// `x-amz-checksum-type`.
    pub checksum_type: Option<ChecksumType>,
}

/// What is configured of a bucket besides its versioning, by the name that S3 has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// The tags of the bucket.
    Tagging,
    /// When its objects expire.
    Lifecycle,
    /// The smallest size of objects that transitions are for, where it is not S3's default.
    TransitionSize,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Self; 3] = [Self::Tagging, Self::Lifecycle, Self::TransitionSize];

    /// The name under which it is kept.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Tagging => b"tagging",
            Self::Lifecycle => b"lifecycle",
            Self::TransitionSize => b"transition-size",
        }
    }
}
