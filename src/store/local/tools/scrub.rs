//! Reads every body again and holds it against its checksum, while the store may be served.
//!
//! Blobs are taken in the order of their ids and bodies in the index in the order of their keys, so a place to go on
//! from is an id or a key. A blob that is found damaged is written into the index, and not served from then on; one
//! that is found whole again, because someone put it back, is taken out of it.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::ops::Bound;

use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize};

use super::fsck::{Names, referring};
use super::report::place;
use super::snapshot::{Snapshot, Step};
use crate::s3::checksum::{Checksum, Hasher};
use crate::size;
use crate::store::Error;
use crate::store::local::blobs::layout::Layout;
use crate::store::local::blobs::medium::Disk;
use crate::store::local::blobs::segment::BlobId;
use crate::store::local::index::record::{BlobRecord, ObjectRecord, StoredBody, StoredChecksum, decode};
use crate::store::local::index::tables::{Row, Table};
use crate::store::local::index::versions::{Version, parse_version_key};

/// How many rows are looked at in one snapshot: a long one would keep the index from using its pages again.
const PAGE_ROWS: usize = 256;
/// How much is read at once.
const READ_BYTES: usize = 1024 * 1024;

/// Where a scrub is, and what it has found; it can be kept and gone on with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrub {
    stage: Stage,
    /// The key after which it goes on.
    after: Option<Vec<u8>>,
    /// Bodies that were read.
    pub bodies: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Bodies that have no checksum of their own: blobs that were stored by the first version of the format.
    pub unchecked: u64,
    /// Bodies that are not what was stored.
    pub damaged: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Blobs,
    Objects,
    Versions,
    Done,
}

/// What a scrub found out of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::local) enum Found {
    Whole,
    Damaged,
    Unchecked,
}

/// A key and its value.
type CopiedRow = (Vec<u8>, Vec<u8>);

/// What one page of a scrub brought to light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Damaged objects, versions and parts, by name, each with the file that is to be put back.
    pub damaged: Vec<String>,
    /// Whether every body has been read.
    pub is_done: bool,
}

impl Snapshot {
    /// Goes on with a scrub for one page.
    ///
    /// # Errors
    /// The index's; that a body cannot be read is damage.
    pub fn scrub(&self, scrub: &mut Scrub, step: Step<'_>) -> Result<Scrubbed, Error> {
        let damaged = match scrub.stage {
            Stage::Blobs => self.scrub_blobs(scrub, step)?,
            Stage::Objects => self.scrub_inline(scrub, Stage::Versions, step)?,
            Stage::Versions => self.scrub_inline(scrub, Stage::Done, step)?,
            Stage::Done => Vec::new(),
        };
        scrub.damaged += size::bytes(damaged.len());
        Ok(Scrubbed { damaged, is_done: scrub.stage == Stage::Done })
    }

    /// The next rows of a table, copied.
    fn page(&self, scrub: &Scrub, table: Table) -> Result<Vec<CopiedRow>, Error> {
        let transaction = self.index.read()?;
        let from = scrub.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = table.range(&transaction, &(from, Bound::Unbounded))?.take(PAGE_ROWS);
        let copied =
            |row: Result<Row<'_>, heed::Error>| row.map(|(key, value)| (key.to_vec(), value.to_vec()));
        Ok(rows.map(copied).collect::<Result<_, _>>()?)
    }

    fn scrub_blobs(&self, scrub: &mut Scrub, step: Step<'_>) -> Result<Vec<String>, Error> {
        let rows = self.page(scrub, self.index.blobs)?;
        let Some((last, _)) = rows.last() else {
            (scrub.stage, scrub.after) = (Stage::Objects, None);
            return Ok(Vec::new());
        };
        scrub.after = Some(last.clone());
        let mut damaged = HashSet::new();
        for (key, value) in &rows {
            let (Ok(id), record) = (<[u8; 16]>::try_from(key.as_slice()), decode::<BlobRecord>(value)?)
            else {
                return Err(Error::Index("the id of a blob is broken".to_owned()));
            };
            let blob = BlobId(id);
            scrub.bodies += 1;
            scrub.bytes += record.size;
            let found = read_blob(&self.layout, blob, &record, step)?;
            scrub.unchecked += u64::from(found == Found::Unchecked);
            if self.mark(blob, found)? && found == Found::Damaged {
                damaged.insert(blob);
            }
        }
        let referring = referring(&self.index, &damaged)?.into_iter();
        Ok(referring.map(|(blob, name)| format!("{name}: {}", place(&blob.to_string()))).collect())
    }

    /// Writes down what was found of a blob, if it is still there and that is news; `false` if it is gone.
    fn mark(&self, blob: BlobId, found: Found) -> Result<bool, Error> {
        let damaged = found == Found::Damaged;
        {
            let transaction = self.index.read()?;
            if self.index.blobs.get(&transaction, &blob.0)?.is_none() {
                return Ok(false);
            }
            if self.index.damaged.get(&transaction, &blob.0)?.is_some() == damaged {
                return Ok(true);
            }
        }
        let mut transaction = self.index.write()?;
        if self.index.blobs.get(&transaction.raw, &blob.0)?.is_none() {
            return Ok(false);
        }
        match damaged {
            true => self.index.damaged.put(&mut transaction.raw, &blob.0, &[])?,
            false => {
                self.index.damaged.delete(&mut transaction.raw, &blob.0)?;
            }
        }
        transaction.raw.commit()?;
        Ok(true)
    }

    /// Bodies in the index. They are checked whenever they are served, so there is nothing to write down.
    fn scrub_inline(&self, scrub: &mut Scrub, next: Stage, step: Step<'_>) -> Result<Vec<String>, Error> {
        let are_versions = scrub.stage == Stage::Versions;
        let table = if are_versions { self.index.versions } else { self.index.objects };
        let rows = self.page(scrub, table)?;
        let Some((last, _)) = rows.last() else {
            (scrub.stage, scrub.after) = (next, None);
            return Ok(Vec::new());
        };
        scrub.after = Some(last.clone());
        let mut damaged = Vec::new();
        for (key, value) in &rows {
            let (key, value) = match are_versions {
                false => (key.as_slice(), value.as_slice()),
                true => match Version::read(value)? {
                    Version::Object(value) => (parse_version_key(key)?.0, value),
                    Version::Marker(_) => continue,
                },
            };
            let (record, body) = ObjectRecord::decode(value)?;
            if record.body != StoredBody::Inline {
                continue;
            }
            scrub.bodies += 1;
            scrub.bytes += size::bytes(body.len());
            step(size::bytes(body.len()));
            if !record.is_of(body) {
                let transaction = self.index.read()?;
                let names = Names::of(&self.index, &transaction)?;
                damaged.push(format!("{}: in the index", names.version(key, &record.head)));
            }
        }
        Ok(damaged)
    }
}

/// Reads a blob, and compares it with what was stored.
pub(in crate::store::local) fn read_blob(
    layout: &Layout,
    blob: BlobId,
    record: &BlobRecord,
    step: Step<'_>,
) -> Result<Found, Error> {
    let expected = record.checksum.as_ref().and_then(StoredChecksum::value);
    let read = layout.open_blob(&Disk, blob).and_then(|file| digest(file, expected, step));
    match (read, expected) {
        (Ok((size, _)), _) if size != record.size => Ok(Found::Damaged),
        (Ok((_, computed)), Some(_)) if computed != expected => Ok(Found::Damaged),
        (Ok(_), Some(_)) => Ok(Found::Whole),
        (Ok(_), None) => Ok(Found::Unchecked),
        (Err(error), _) if is_damage(&error) => {
            tracing::warn!(%blob, %error, "a blob cannot be read");
            Ok(Found::Damaged)
        }
        // That this process may not read it, or has too many files open, says nothing of the blob.
        (Err(error), _) => Err(error.into()),
    }
}

/// Whether an error is the file's, or the disk's that it is on.
pub(in crate::store::local) fn is_damage(error: &std::io::Error) -> bool {
    let io = rustix::io::Errno::IO.raw_os_error();
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(io)
}

/// Size of a file, and its checksum of the kind that is expected.
///
/// The file is read from the disk: what is in memory says nothing about what is there.
fn digest(
    mut file: File,
    expected: Option<Checksum>,
    step: Step<'_>,
) -> std::io::Result<(u64, Option<Checksum>)> {
    let mut hasher = expected.map(|expected| Hasher::new(expected.algorithm()));
    let mut buffer = vec![0; READ_BYTES];
    let mut size = 0;
    // A file system that does not know this advice answers from memory.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            let _ = fadvise(&file, 0, None, Advice::DontNeed);
            return Ok((size, hasher.map(Hasher::finish)));
        }
        size += size::bytes(read);
        if let Some(hasher) = &mut hasher {
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
        step(size::bytes(read));
    }
}
