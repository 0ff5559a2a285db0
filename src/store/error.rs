//! Why a store did not do what it was asked: facts, without the sentences that clients are told.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::s3::checksum::{Algorithm, ChecksumType};
use crate::s3::name::{PartNumber, VersionId};

/// Why the store did not do what it was asked.
#[derive(Clone, Debug)]
pub enum Error {
    /// The bucket does not exist.
    NoSuchBucket,
    /// There is no object under the key.
    NoSuchKey,
    /// The object has no such version.
    NoSuchVersion,
    /// The version is a delete marker, which someone named or which is the current one.
    DeleteMarker {
        /// The marker.
        version: VersionId,
        /// When it was written.
        modified: Timestamp,
        /// Whether someone named it.
        named: bool,
    },
    /// The upload does not exist, or has ended.
    NoSuchUpload,
    /// The bucket's quota, in bytes, would be exceeded.
    QuotaExceeded {
        /// The quota.
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
    /// The bucket holds objects, versions or delete markers.
    BucketNotEmpty,
    /// A write had the condition that an object is there, and there is none.
    NothingToMatch,
    /// A condition did not hold; its name as the wire spells it.
    Precondition(&'static str),
    /// The source of a copy changed while it was being read.
    Conflict,
    /// A named part is not there, or its ETag differs.
    InvalidPart {
        /// The number of the part.
        number: PartNumber,
        /// The ETag as the client named it.
        etag: String,
    },
    /// The parts of a completion are not in ascending order.
    InvalidPartOrder,
    /// A part that is not the last has fewer bytes than one may have.
    PartTooSmall {
        /// The number of the part.
        number: PartNumber,
        /// The ETag as the client named it.
        etag: String,
        /// Bytes.
        size: u64,
    },
    /// The completed object would be larger than any may be.
    ObjectTooLarge {
        /// Bytes.
        size: u64,
    },
    /// The size the client named is not that of its parts.
    SizeMismatch {
        /// What the client named.
        named: u64,
        /// What the parts make.
        computed: u64,
    },
    /// A checksum of a completion differs or is of another kind.
    Checksum(ChecksumFault),
    /// Too many files are open.
    Busy,
    /// The file system is full.
    NoSpace,
    /// Reading or writing failed; for the log.
    Io(Arc<io::Error>),
    /// The index failed; for the log.
    Index(String),
}

/// What is wrong with a checksum of a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumFault {
    /// The completion names another type than the upload was started with, which is this.
    Type(Option<ChecksumType>),
    /// The upload's checksum is made of those of its parts, and this part is named without one.
    Missing {
        /// The algorithm of the upload.
        algorithm: Algorithm,
        /// The part.
        part: PartNumber,
    },
    /// The checksum of a part is not of the upload's algorithm.
    OfPart {
        /// The algorithm that is named.
        algorithm: Algorithm,
        /// The part.
        part: PartNumber,
    },
    /// The checksum of the whole is another.
    Whole(Algorithm),
}

impl Error {
    /// Whether the store failed, instead of refusing.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Index(_) | Self::NoSpace)
    }
}

impl fmt::Display for Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest is for the table of the API, and shown as it is spelled"
    )]
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
        match matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            true => Self::NoSpace,
            false => Self::Io(Arc::new(error)),
        }
    }
}
