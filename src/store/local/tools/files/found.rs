//! Objects as an export finds them in the index.

use rustix::fs::Stat;

use super::manifest::{Pairs, Row};
use super::{TreeError, modified, size};
use crate::clock::Timestamp;
use crate::s3::name::BucketName;
use crate::store::Error;
use crate::store::local::Store;
use crate::store::local::blobs::segment::Segment;
use crate::store::local::index::record::{BlobRecord, ObjectRecord, StoredBody, decode};
use crate::store::local::index::tables::ReadTransaction;
use crate::store::local::tools::snapshot::Snapshot;

/// An object as a page has it.
pub(super) struct Found {
    pub key: String,
    pub record: ObjectRecord,
    pub inline: Vec<u8>,
    /// Whether other keys are below it.
    pub is_folder: bool,
    pub is_damaged: bool,
    pub blob: Whole,
}

/// Whether the body of an object is a whole blob.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    No,
    Yes,
    /// And nothing else refers to that: its time can be the object's.
    Alone,
}

impl Snapshot {
    /// How many bytes the current objects of a bucket have. Looks at every one.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn object_bytes(&self, bucket: &BucketName) -> Result<u64, TreeError> {
        let prefix = self.bucket_id(bucket)?.to_be_bytes();
        let transaction = self.index.read()?;
        let mut bytes: u64 = 0;
        for row in self.index.objects.prefix_iter(&transaction, &prefix)? {
            bytes = bytes.saturating_add(ObjectRecord::decode_head(row?.1)?.size);
        }
        Ok(bytes)
    }

    pub(super) fn bucket_id(&self, name: &BucketName) -> Result<u32, TreeError> {
        let transaction = self.index.read()?;
        match self.index.bucket(&transaction, name) {
            Err(Error::NoSuchBucket) => Err(TreeError::NoSuchBucket(name.clone())),
            found => Ok(found?.id),
        }
    }

    /// Whether there are keys below this one, as below a folder.
    pub(super) fn is_folder(&self, transaction: &ReadTransaction<'_>, key: &[u8]) -> Result<bool, Error> {
        let below = [key, b"/"].concat();
        Ok(self.index.objects.prefix_iter(transaction, &below)?.next().transpose()?.is_some())
    }

    pub(super) fn found(
        &self,
        transaction: &ReadTransaction<'_>,
        key: &[u8],
        value: &[u8],
    ) -> Result<Found, Error> {
        let (record, inline) = ObjectRecord::decode(value)?;
        let text = key.get(4..).and_then(|key| std::str::from_utf8(key).ok());
        let damaged = match &record.body {
            StoredBody::Inline => Store::check_inline(&record, inline),
            StoredBody::Segments(segments) => self.index.check_undamaged(transaction, segments),
        };
        let is_damaged = match damaged {
            Err(Error::Damaged) => true,
            other => other.map(|()| false)?,
        };
        Ok(Found {
            key: text.ok_or_else(|| Error::Index("a key is not text".to_owned()))?.to_owned(),
            is_folder: self.is_folder(transaction, key)?,
            is_damaged,
            blob: self.whole(transaction, record.segments())?,
            inline: inline.to_vec(),
            record,
        })
    }

    fn whole(&self, transaction: &ReadTransaction<'_>, segments: &[Segment]) -> Result<Whole, Error> {
        let [segment] = segments else {
            return Ok(Whole::No);
        };
        let blob =
            self.index.blobs.get(transaction, &segment.blob().0)?.map(decode::<BlobRecord>).transpose()?;
        Ok(match blob {
            Some(blob) if segment.offset == 0 && segment.length == blob.size => match blob.references {
                1 => Whole::Alone,
                _ => Whole::Yes,
            },
            _ => Whole::No,
        })
    }
}

impl Found {
    pub(super) fn modified(&self) -> Timestamp {
        self.record.head.modified()
    }

    /// Whether a file is that of this object, as far as can be seen without reading it.
    pub(super) fn is_file(&self, there: &Stat) -> bool {
        size(there) == self.record.head.size && modified(there) == self.modified()
    }

    pub(super) fn row(self, path: Option<String>) -> Row {
        let head = &self.record.head;
        Row {
            path,
            size: head.size,
            etag: head.etag().to_string(),
            last_modified: head.modified().iso_millis(),
            version: head.version().to_string(),
            key: self.key,
            metadata: Pairs(self.record.metadata),
            tags: Pairs(self.record.tags),
        }
    }
}
