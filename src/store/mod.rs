//! Where objects live. The engine is [`local`]: an index and immutable blobs in one directory.
//!
//! Reads are short and synchronous; changes are asynchronous and durable when they return. Nothing can be
//! published without the [`BodyProof`](crate::auth::BodyProof) of the body it holds.

mod local;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use local::{
    Backup, BackupError, BlobReader, COMPLETED_BYTES_MAX, Export, Exported, Flush, Imported, OpenError,
    Outcome, PART_BYTES_MIN, Pinned, Problem, Received, Refused, Report, Scrub, Scrubbed, Setting, Settings,
    Step, Store, Tree, TreeError, Visitor, Walk, Writer, file_behind,
};

use crate::clock::Timestamp;
use crate::s3::checksum::{Algorithm, Checksum, ChecksumType};
use crate::s3::condition::{Conditions, WriteCondition};
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, ObjectKey, PartNumber, UploadId, VersionId};
use crate::s3::tagging::Tags;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: BucketName,
    pub created: Timestamp,
    /// Canonical id of the user who made it.
    pub owner: String,
    pub versioning: Versioning,
    /// Which state of its configuration this is.
    pub revision: Revision,
    /// The region that it was asked to be in, where every region is accepted.
    pub location: Option<String>,
}

/// A state of the configuration of a bucket: what was made of a document under one holds for as long as the bucket has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    bucket: u32,
    number: u64,
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
    pub name: BucketName,
    /// Canonical id of the user who makes it.
    pub owner: String,
    pub location: Option<String>,
    /// The document of its tags.
    pub tagging: Option<String>,
}

impl NewBucket {
    /// A bucket of which nothing else is said.
    pub fn of(name: BucketName, owner: String) -> Self {
        Self { name, owner, location: None, tagging: None }
    }
}

/// Whether a bucket keeps what is replaced and deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It never did.
    Off,
    Enabled,
    /// It keeps what it has; new objects are of the version `null`, of which there is one.
    Suspended,
}

/// What names an object: its current version, unless another is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub version: Option<VersionId>,
}

/// What a write says of the object it makes.
#[derive(Clone, Debug)]
pub struct NewObject {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub metadata: Metadata,
    pub tags: Tags,
    /// What must hold of the object that it replaces.
    pub condition: WriteCondition,
}

/// What a listing shows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub size: u64,
    pub etag: ETag,
    pub modified: Timestamp,
    pub checksum: Option<(Algorithm, ChecksumType)>,
    pub storage_class: String,
}

/// An object without its body.
#[derive(Clone, Debug)]
pub struct Object {
    pub size: u64,
    pub etag: ETag,
    pub modified: Timestamp,
    pub metadata: Metadata,
    pub tags: Tags,
    pub version: VersionId,
    pub checksum: Option<ObjectChecksum>,
    /// Whether its storage class keeps it from being read.
    pub archived: bool,
    /// The parts it was uploaded in; empty if it came in one go.
    pub parts: Vec<ObjectPart>,
    pub content: Content,
}

/// A part that an object was uploaded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    pub size: u64,
    pub checksum: Option<Checksum>,
}

/// An entry of a listing of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    pub version: VersionId,
    pub is_latest: bool,
    /// When it was written.
    pub modified: Timestamp,
    /// `None` for a delete marker.
    pub object: Option<Summary>,
}

/// What is counted of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Commits since the start, and the changes they carried.
    pub commits: u64,
    pub changes: u64,
    /// Blobs found damaged, and blobs whose files are to be removed.
    pub damaged: u64,
    pub garbage: u64,
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
    pub key: ObjectKey,
    pub version: Option<VersionId>,
    pub condition: WriteCondition,
}

/// A version whose time has come, as it was when that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    pub key: ObjectKey,
    pub version: VersionId,
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
    pub value: Checksum,
    pub kind: ChecksumType,
    /// Number of parts, shown behind a composite checksum.
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

/// The bytes of an object: at hand, or in blobs to be read with [`Store::reader`].
#[derive(Clone, Debug)]
pub enum Content {
    Inline(bytes::Bytes),
    Blobs(Pinned),
}

/// What a write made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub etag: ETag,
    pub modified: Timestamp,
    pub checksum: Option<ObjectChecksum>,
    pub size: u64,
    /// `None` where versioning was never switched on.
    pub version: Option<VersionId>,
    /// The version that was copied, if its bucket has versions.
    pub source_version: Option<VersionId>,
}

/// What a copy makes, and of what.
#[derive(Clone, Debug)]
pub struct Copy {
    pub source: ObjectName,
    pub source_conditions: Conditions,
    /// Its metadata and tags count where the source's are not kept.
    pub target: NewObject,
    /// Keep the source's metadata, but for the storage class, which is never copied.
    pub keep_metadata: bool,
    pub keep_tags: bool,
    /// What was computed over the body of the source, if it cannot keep its own.
    pub digests: Option<ReadDigests>,
}

/// Tag and checksum of a body that was read, and which body that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDigests {
    pub etag: ETag,
    pub checksum: Checksum,
    /// Tag and date of what was read.
    pub source: (ETag, Timestamp),
}

/// A multipart upload.
#[derive(Clone, Debug)]
pub struct Upload {
    pub key: ObjectKey,
    pub id: UploadId,
    pub initiated: Timestamp,
    pub metadata: Metadata,
    pub tags: Tags,
    /// What the client asked for; without it parts are checked by CRC64NVME.
    pub checksum: Option<(Algorithm, ChecksumType)>,
    /// Canonical id of the user who started it.
    pub initiator: String,
}

/// What names an upload: all three must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadName {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub id: UploadId,
}

/// A part of an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub number: PartNumber,
    pub size: u64,
    pub etag: ETag,
    pub modified: Timestamp,
    pub checksum: Option<Checksum>,
}

/// A part as a completion names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPart {
    pub number: PartNumber,
    /// `None` if the text cannot be a tag of ours.
    pub etag: Option<ETag>,
    pub etag_text: String,
    pub checksums: Vec<(Algorithm, String)>,
}

/// What the client says of a completed object beside its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    pub parts: Vec<NamedPart>,
    /// `x-amz-mp-object-size`.
    pub size: Option<u64>,
    /// `x-amz-checksum-*` with its text, which may end in `-N`.
    pub checksum: Option<(Algorithm, String)>,
    pub checksum_type: Option<ChecksumType>,
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug)]
pub enum Error {
    NoSuchBucket,
    NoSuchKey,
    NoSuchVersion,
    /// The version is a delete marker, which somebody named or which is the current one.
    DeleteMarker {
        version: VersionId,
        modified: Timestamp,
        named: bool,
    },
    NoSuchUpload,
    /// The bucket's quota, in bytes, would be exceeded.
    QuotaExceeded {
        quota: u64,
    },
    /// The object changed between start and completion of an upload, so that the named condition of the completion
    /// cannot be decided.
    ConditionConflict(&'static str),
    /// The body is not what was stored.
    Damaged,
    /// The storage class, which is this, keeps the object from being read.
    Archived(String),
    /// It exists; holds the owner's canonical id.
    BucketExists(String),
    BucketNotEmpty,
    /// A write had the condition that an object is there, and there is none.
    NothingToMatch,
    /// A condition did not hold; its name as the wire spells it.
    Precondition(&'static str),
    /// The source of a copy changed while it was being read.
    Conflict,
    /// A named part is not there, or its tag differs.
    InvalidPart {
        number: PartNumber,
        etag: String,
    },
    InvalidPartOrder,
    PartTooSmall {
        number: PartNumber,
        etag: String,
        size: u64,
    },
    /// The completed object would be larger than any may be.
    ObjectTooLarge {
        size: u64,
    },
    /// The size the client named is not that of its parts.
    SizeMismatch {
        named: u64,
        computed: u64,
    },
    /// A checksum of a completion differs or is of another kind; the message for the client.
    Checksum {
        bad_digest: bool,
        message: String,
    },
    /// The file system is full.
    NoSpace,
    /// Reading or writing failed; for the log.
    Io(Arc<io::Error>),
    /// The index failed; for the log.
    Index(String),
}

impl Error {
    /// Whether the store failed, instead of refusing.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Index(_) | Self::NoSpace)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "input or output failed: {error}"),
            Self::Index(error) => write!(f, "the index failed: {error}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(Arc::new(error)),
        }
    }
}
