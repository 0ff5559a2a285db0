//! What an examination of a store finds.

use std::fmt;
use std::path::PathBuf;

use crate::store::model::Usage;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A record cannot be read; table and key.
    Record {
        /// The table.
        table: &'static str,
        /// The key, as text.
        key: String,
        /// What is wrong with it.
        error: String,
    },
    /// A record belongs to a bucket or an upload that is not there; table and key.
    Stray {
        /// The table.
        table: &'static str,
        /// The key, as text.
        key: String,
    },
    /// The file of a blob is not there: objects are damaged.
    Missing {
        /// The id of the blob.
        blob: String,
        /// The objects whose bodies it holds.
        objects: Vec<String>,
    },
    /// The file of a blob has another size: objects are damaged.
    Size {
        /// The id of the blob.
        blob: String,
        /// Its size as recorded.
        recorded: u64,
        /// What was found.
        found: u64,
        /// The objects whose bodies it holds.
        objects: Vec<String>,
    },
    /// The bytes of a blob were found not to be what was stored: objects are damaged, and not served.
    Damaged {
        /// The id of the blob.
        blob: String,
        /// The objects whose bodies it holds.
        objects: Vec<String>,
    },
    /// A body in the index is not what was stored, and is not served.
    Body {
        /// The object.
        object: String,
    },
    /// References are counted wrongly.
    Count {
        /// The id of the blob.
        blob: String,
        /// What was counted.
        counted: u32,
        /// What was found.
        found: u32,
    },
    /// What a bucket holds is counted wrongly.
    Usage {
        /// The bucket.
        bucket: String,
        /// What was counted.
        counted: Usage,
        /// What was found.
        found: Usage,
    },
    /// The current version of a key is not where it belongs, or the version `null` is not found.
    Order {
        /// The key, as text.
        key: String,
    },
    /// A file to which nothing refers.
    Orphan {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { table, key, error } => write!(f, "damaged record in {table}, {key}: {error}"),
            Self::Stray { table, key } => write!(f, "record without an owner in {table}, {key}"),
            Self::Missing { blob, objects } => {
                write!(f, "{} is not there; damaged: {}", place(blob), objects.join(", "))
            }
            Self::Damaged { blob, objects } => {
                let damaged = objects.join(", ");
                write!(f, "{} does not hold what was stored; damaged: {damaged}", place(blob))
            }
            Self::Body { object } => {
                write!(f, "the index does not hold what was stored; damaged: {object}")
            }
            Self::Size { blob, recorded, found, objects } => {
                let damaged = objects.join(", ");
                let place = place(blob);
                write!(f, "{place} has {found} bytes instead of {recorded}; damaged: {damaged}")
            }
            Self::Count { blob, counted, found } => {
                write!(f, "blob {blob} is counted {counted} times and referred to {found} times")
            }
            Self::Usage { bucket, counted, found } => write!(
                f,
                "bucket {bucket} is said to hold {} versions, {} bytes and {} of records, and holds {}, {} and {}",
                counted.versions,
                counted.bytes,
                counted.record_bytes,
                found.versions,
                found.bytes,
                found.record_bytes
            ),
            Self::Order { key } => write!(f, "the versions of {key} are out of order"),
            Self::Orphan { path } => write!(f, "nothing refers to {}", path.display()),
        }
    }
}

/// The file of a blob, below the directory of the store: what is to be put back.
pub(in crate::store::local) fn place(blob: &str) -> String {
    format!("blobs/{}/{blob}", blob.get(..2).unwrap_or_default())
}

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Buckets that were examined.
    pub buckets: u64,
    /// Current objects, and other versions and delete markers.
    pub objects: u64,
    /// Versions that are not current, delete markers included.
    pub versions: u64,
    /// Unfinished uploads.
    pub uploads: u64,
    /// Parts of those.
    pub parts: u64,
    /// Blobs that records refer to.
    pub blobs: u64,
    /// Bytes of those.
    pub blob_bytes: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// How many further problems were mended.
    pub mended: usize,
}
