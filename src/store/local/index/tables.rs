//! The index: LMDB, its tables, and what a transaction can do to them.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `buckets` | name | [`BucketRecord`] |
//! | `objects` | bucket id (4 bytes), key | the current version, if it is an object: [`ObjectRecord`] and an inline body |
//! | `versions` | bucket id, key, NUL, position (16 bytes) | every other version: see [`versions`](super::versions) |
//! | `nulls` | bucket id, key | the position of the version `null`, if it is not the current one |
//! | `usage` | bucket id | [`UsageRecord`] |
//! | `settings` | bucket id, name | what is configured of a bucket, as its module writes it |
//! | `uploads` | bucket id, key, NUL, upload id (16 bytes) | `UploadRecord` |
//! | `parts` | upload id, part number (2 bytes) | `PartRecord` |
//! | `completions` | upload id | `CompletionRecord`: uploads that were completed lately |
//! | `blobs` | blob id (16 bytes) | [`BlobRecord`]: every blob that a record refers to |
//! | `garbage` | blob id | nothing: blobs whose files are to be removed |
//! | `damaged` | blob id | nothing: blobs whose bytes are not what was stored |
//! | `counters` | name | a number |
//!
//! Numbers in keys are big-endian, so that byte order is their order.

use std::collections::HashMap;
use std::ops::Bound;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use heed::types::Bytes as Raw;
use heed::{CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, RwTxn, WithTls};

use super::record::{BlobRecord, BucketRecord, Head, ObjectRecord, StoredChecksum, decode, encode};
use super::usage_record::UsageRecord;
use crate::s3::name::{BucketName, ObjectKey, PartNumber, UploadId};
use crate::store::Error;
use crate::store::local::blobs::segment::{BlobId, Segment};

/// Address space for the index; disk space is used as it grows.
const MAP_BYTES: usize = 1 << 40;
/// Most threads that read at once: the workers and the blocking threads of the runtime.
const READERS_MAX: u32 = 2048;

pub(in crate::store::local) type Table = Database<Raw, Raw>;
pub(in crate::store::local) type ReadTransaction<'i> = RoTxn<'i, WithTls>;
/// A key and its value, in the mapped pages.
pub(in crate::store::local) type Row<'t> = (&'t [u8], &'t [u8]);

impl From<heed::Error> for Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what LMDB may say besides is its own")]
    fn from(error: heed::Error) -> Self {
        match error {
            heed::Error::Io(error) => error.into(),
            heed::Error::Mdb(heed::MdbError::MapFull) => Self::NoSpace,
            other => Self::Index(other.to_string()),
        }
    }
}

/// The open index.
#[derive(Clone, Debug)]
pub(in crate::store::local) struct Index {
    environment: Env<WithTls>,
    pub buckets: Table,
    pub objects: Table,
    pub versions: Table,
    pub nulls: Table,
    pub usage: Table,
    pub settings: Table,
    pub uploads: Table,
    pub parts: Table,
    pub completions: Table,
    pub blobs: Table,
    pub garbage: Table,
    pub damaged: Table,
    counters: Table,
}

impl Index {
    /// Opens the index in `folder`, making its tables if it is new.
    pub(in crate::store::local) fn open(folder: &Path) -> Result<Self, heed::Error> {
        let mut options = EnvOpenOptions::new();
        let is_new = !folder.join("data.mdb").exists();
        options.map_size(MAP_BYTES).max_dbs(16).max_readers(READERS_MAX);
        #[expect(unsafe_code, reason = "opening maps the file")]
        // SAFETY: the file is mapped, so no one may change it but LMDB, which coordinates all processes that have it
        // open; a network file system, where it cannot, is excluded by documentation. Nothing else writes below the
        // store. NO_READ_AHEAD is safe in itself: it changes what the kernel reads in advance.
        let environment = unsafe { options.flags(EnvFlags::NO_READ_AHEAD).open(folder)? };
        // Readers of processes that were killed would keep pages from being used again.
        environment.clear_stale_readers()?;
        let mut transaction = environment.write_txn()?;
        let mut table = |name| environment.create_database::<Raw, Raw>(&mut transaction, Some(name));
        let index = Self {
            buckets: table("buckets")?,
            objects: table("objects")?,
            versions: table("versions")?,
            nulls: table("nulls")?,
            usage: table("usage")?,
            settings: table("settings")?,
            uploads: table("uploads")?,
            parts: table("parts")?,
            completions: table("completions")?,
            blobs: table("blobs")?,
            garbage: table("garbage")?,
            damaged: table("damaged")?,
            counters: table("counters")?,
            environment: environment.clone(),
        };
        transaction.commit()?;
        // LMDB makes its data durable, not the name of a new file.
        if is_new {
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok(index)
    }

    /// Copies the index, as it is at one moment, into an empty folder.
    pub(in crate::store::local) fn copy_into(&self, folder: &Path) -> Result<(), Error> {
        let copy = self.environment.copy_to_path(folder.join("data.mdb"), CompactionOption::Enabled)?;
        copy.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        copy.sync_all()?;
        Ok(std::fs::File::open(folder)?.sync_all()?)
    }

    /// Size of its file.
    pub(in crate::store::local) fn bytes(&self) -> Result<u64, Error> {
        Ok(self.environment.real_disk_size()?)
    }

    /// Lets go of the snapshots of processes that were killed.
    pub(in crate::store::local) fn clear_stale_readers(&self) -> Result<(), Error> {
        self.environment.clear_stale_readers()?;
        Ok(())
    }

    /// A snapshot to read from; to be short, and never held across an await.
    pub(in crate::store::local) fn read(&self) -> Result<ReadTransaction<'_>, Error> {
        Ok(self.environment.read_txn()?)
    }

    /// The one transaction that writes.
    pub(in crate::store::local) fn write(&self) -> Result<Transaction<'_>, Error> {
        Ok(Transaction {
            index: self,
            raw: self.environment.write_txn()?,
            published: Vec::new(),
            released: Vec::new(),
            usage: HashMap::new(),
        })
    }

    /// Whether there can be further transactions: not after a commit of which LMDB cannot say whether it counts.
    pub(in crate::store::local) fn is_sound(&self) -> bool {
        self.environment.write_txn().is_ok()
    }

    /// The bucket of this name.
    pub(in crate::store::local) fn bucket(
        &self,
        transaction: &RoTxn<'_>,
        name: &BucketName,
    ) -> Result<BucketRecord, Error> {
        match self.buckets.get(transaction, name.as_str().as_bytes())? {
            Some(value) => decode(value),
            None => Err(Error::NoSuchBucket),
        }
    }

    /// Refuses a body of which it is known that its bytes are no longer what was stored.
    pub(in crate::store::local) fn check_undamaged(
        &self,
        transaction: &RoTxn<'_>,
        segments: &[Segment],
    ) -> Result<(), Error> {
        if self.damaged.is_empty(transaction)? {
            return Ok(());
        }
        for segment in segments {
            if self.damaged.get(transaction, &segment.blob().0)?.is_some() {
                return Err(Error::Damaged);
            }
        }
        Ok(())
    }

    /// The head of the current version under this key of the table, if it is an object.
    pub(in crate::store::local) fn current_head(
        &self,
        transaction: &RoTxn<'_>,
        key: &[u8],
    ) -> Result<Option<Head>, Error> {
        self.objects.get(transaction, key)?.map(ObjectRecord::decode_head).transpose()
    }

    /// What a bucket held when the transaction began.
    pub(in crate::store::local) fn usage(
        &self,
        transaction: &RoTxn<'_>,
        bucket: u32,
    ) -> Result<UsageRecord, Error> {
        self.usage.get(transaction, &bucket.to_be_bytes())?.map_or_else(|| Ok(UsageRecord::default()), decode)
    }
}

/// The key of an object.
pub(in crate::store::local) fn object_key(bucket: u32, key: &ObjectKey) -> Vec<u8> {
    prefixed(bucket, key.as_str().as_bytes())
}

/// A key, or the start of one, in a bucket.
pub(in crate::store::local) fn prefixed(bucket: u32, rest: &[u8]) -> Vec<u8> {
    [&bucket.to_be_bytes()[..], rest].concat()
}

/// The key of an upload.
pub(in crate::store::local) fn upload_key(bucket: u32, key: &ObjectKey, id: &UploadId) -> Vec<u8> {
    [&bucket.to_be_bytes()[..], key.as_str().as_bytes(), b"\0", id.as_bytes()].concat()
}

/// Key and id of an upload, from its key in the table without the bucket.
pub(in crate::store::local) fn parse_upload_key(rest: &[u8]) -> Result<(ObjectKey, UploadId), Error> {
    let broken = || Error::Index("an upload's key is broken".to_owned());
    let (key, id) = rest.split_last_chunk::<16>().ok_or_else(broken)?;
    let key = key.strip_suffix(b"\0").and_then(|key| std::str::from_utf8(key).ok()).ok_or_else(broken)?;
    Ok((ObjectKey::parse(key).ok().ok_or_else(broken)?, UploadId::from_bytes(*id)))
}

/// The key of a part.
pub(in crate::store::local) fn part_key(id: &UploadId, number: PartNumber) -> [u8; 18] {
    let mut key = [0; 18];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(id.as_bytes());
    right.copy_from_slice(&number.value().to_be_bytes());
    key
}

/// By how much what a bucket holds has changed.
#[derive(Clone, Copy, Default)]
struct Change {
    versions: i64,
    bytes: i64,
    record_bytes: i64,
}

/// A change to the index that becomes real as a whole, or not at all.
pub(in crate::store::local) struct Transaction<'i> {
    pub index: &'i Index,
    pub raw: RwTxn<'i>,
    /// Blobs that records now refer to for the first time.
    pub published: Vec<BlobId>,
    /// Blobs to which no record refers any longer.
    pub released: Vec<BlobId>,
    /// By how much the versions and the bytes of buckets have changed; written at the end, once for all changes.
    usage: HashMap<u32, Change>,
}

impl Transaction<'_> {
    /// The bucket of this name.
    pub(in crate::store::local) fn bucket(&self, name: &BucketName) -> Result<BucketRecord, Error> {
        self.index.bucket(&self.raw, name)
    }

    /// The next value of a counter, from 1.
    pub(in crate::store::local) fn next(&mut self, counter: &str) -> Result<u64, Error> {
        let last = self.index.counters.get(&self.raw, counter.as_bytes())?;
        // Version 1 of the format had 4 bytes here.
        let last =
            last.map_or(0, |value| value.iter().fold(0_u64, |all, byte| (all << 8) | u64::from(*byte)));
        let next = last + 1;
        self.index.counters.put(&mut self.raw, counter.as_bytes(), &next.to_be_bytes())?;
        Ok(next)
    }

    /// Puts an object in the place of whatever is there; its blobs must be counted already.
    pub(in crate::store::local) fn replace_object(
        &mut self,
        key: &[u8],
        record: &ObjectRecord,
        inline: &[u8],
    ) -> Result<(), Error> {
        self.release_object(key)?;
        self.count(key, UsageRecord::of(key, record));
        let value = record.encode(inline)?;
        Ok(self.index.objects.put(&mut self.raw, key, &value)?)
    }

    /// Removes the current version, if there is one.
    pub(in crate::store::local) fn remove_object(&mut self, key: &[u8]) -> Result<(), Error> {
        self.release_object(key)?;
        self.index.objects.delete(&mut self.raw, key)?;
        Ok(())
    }

    fn release_object(&mut self, key: &[u8]) -> Result<(), Error> {
        let Some(value) = self.index.objects.get(&self.raw, key)? else {
            return Ok(());
        };
        let (record, _) = ObjectRecord::decode(value)?;
        self.discount(key, UsageRecord::of(key, &record));
        self.release(record.segments())
    }

    /// Adds to what the bucket holds whose id `key` begins with.
    pub(in crate::store::local) fn count(&mut self, key: &[u8], more: UsageRecord) {
        if let Some((bucket, _)) = key.split_first_chunk() {
            let change = self.usage.entry(u32::from_be_bytes(*bucket)).or_default();
            change.versions = change.versions.wrapping_add_unsigned(more.versions);
            change.bytes = change.bytes.wrapping_add_unsigned(more.bytes);
            change.record_bytes = change.record_bytes.wrapping_add_unsigned(more.record_bytes);
        }
    }

    /// Takes from it.
    pub(in crate::store::local) fn discount(&mut self, key: &[u8], less: UsageRecord) {
        if let Some((bucket, _)) = key.split_first_chunk() {
            let change = self.usage.entry(u32::from_be_bytes(*bucket)).or_default();
            change.versions = change.versions.wrapping_sub_unsigned(less.versions);
            change.bytes = change.bytes.wrapping_sub_unsigned(less.bytes);
            change.record_bytes = change.record_bytes.wrapping_sub_unsigned(less.record_bytes);
        }
    }

    /// What a bucket holds by now.
    pub(in crate::store::local) fn usage(&self, bucket: u32) -> Result<UsageRecord, Error> {
        let stored = self.index.usage(&self.raw, bucket)?;
        let change = self.usage.get(&bucket).copied().unwrap_or_default();
        Ok(UsageRecord {
            versions: stored.versions.saturating_add_signed(change.versions),
            bytes: stored.bytes.saturating_add_signed(change.bytes),
            record_bytes: stored.record_bytes.saturating_add_signed(change.record_bytes),
        })
    }

    /// Forgets what was counted of a bucket that goes.
    pub(in crate::store::local) fn forget_usage(&mut self, bucket: u32) -> Result<(), Error> {
        self.usage.remove(&bucket);
        self.index.usage.delete(&mut self.raw, &bucket.to_be_bytes())?;
        Ok(())
    }

    /// Writes what was counted. The last step before the commit.
    pub(in crate::store::local) fn write_usage(&mut self) -> Result<(), Error> {
        let changed: Vec<u32> = self.usage.keys().copied().collect();
        for bucket in changed {
            let value = encode(&self.usage(bucket)?)?;
            self.index.usage.put(&mut self.raw, &bucket.to_be_bytes(), &value)?;
        }
        self.usage.clear();
        Ok(())
    }

    /// Counts a new blob, with one reference.
    pub(in crate::store::local) fn publish(
        &mut self,
        blob: BlobId,
        size: u64,
        checksum: Option<StoredChecksum>,
    ) -> Result<(), Error> {
        self.put_blob(blob, &BlobRecord { references: 1, size, checksum })?;
        self.published.push(blob);
        Ok(())
    }

    /// Counts one more reference to each of these segments.
    pub(in crate::store::local) fn retain(&mut self, segments: &[Segment]) -> Result<(), Error> {
        for segment in segments {
            let mut record = self.blob(segment.blob())?.ok_or_else(|| {
                Error::Index(format!("blob {} is referred to but not counted", segment.blob()))
            })?;
            record.references += 1;
            self.put_blob(segment.blob(), &record)?;
        }
        Ok(())
    }

    /// Counts one reference less; blobs without any become garbage.
    pub(in crate::store::local) fn release(&mut self, segments: &[Segment]) -> Result<(), Error> {
        for segment in segments {
            let blob = segment.blob();
            let Some(mut record) = self.blob(blob)? else {
                // Damage, but none that letting go would make worse, and others wait for this commit.
                tracing::error!(%blob, "a blob was referred to but not counted");
                continue;
            };
            record.references = record.references.saturating_sub(1);
            if record.references > 0 {
                self.put_blob(blob, &record)?;
                continue;
            }
            self.index.blobs.delete(&mut self.raw, &blob.0)?;
            self.index.damaged.delete(&mut self.raw, &blob.0)?;
            self.index.garbage.put(&mut self.raw, &blob.0, &[])?;
            self.released.push(blob);
        }
        Ok(())
    }

    /// Whether all blobs of these segments are still there.
    pub(in crate::store::local) fn holds(&self, segments: &[Segment]) -> Result<bool, Error> {
        for segment in segments {
            if self.blob(segment.blob())?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Strikes garbage off whose files are gone.
    pub(in crate::store::local) fn forget(&mut self, blobs: &[BlobId]) -> Result<(), Error> {
        for blob in blobs {
            self.index.garbage.delete(&mut self.raw, &blob.0)?;
        }
        Ok(())
    }

    /// The first entry of a table at or after `from`.
    pub(in crate::store::local) fn first(&self, table: Table, from: &[u8]) -> Result<Option<Row<'_>>, Error> {
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Included(from), Bound::Unbounded);
        Ok(table.range(&self.raw, &bounds)?.next().transpose()?)
    }

    fn blob(&self, blob: BlobId) -> Result<Option<BlobRecord>, Error> {
        self.index.blobs.get(&self.raw, &blob.0)?.map(decode).transpose()
    }

    fn put_blob(&mut self, blob: BlobId, record: &BlobRecord) -> Result<(), Error> {
        let value = encode(record)?;
        Ok(self.index.blobs.put(&mut self.raw, &blob.0, &value)?)
    }
}
