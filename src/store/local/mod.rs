//! The engine: an LMDB index beside immutable blobs, in one directory.
//!
//! An object is a record in the index: metadata, checksums, and a body that is either inline or a list of
//! segments of blobs. So completing a multipart upload and copying an object of any size are one transaction.
//! All changes pass one [`commit`] thread, which makes them durable in batches. The order of a write is: data
//! durable, name durable in `incoming`, index committed, name moved to its place; a crash between any two
//! leaves the old object or the new one, and [`check`] clears up what was under way. `format.md` beside this file
//! has the layout and the argument.

mod audit;
mod backup;
mod blob;
mod buckets;
mod check;
mod commit;
mod completion;
#[cfg(test)]
mod crash;
mod expire;
mod index;
mod layout;
mod list;
mod medium;
mod multipart;
mod objects;
mod reclaim;
mod record;
mod record_v1;
mod record_v2;
mod record_v3;
mod scrub;
mod segment;
#[cfg(test)]
mod tests;
mod tree;
mod versions;
mod visit;
mod window;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

pub use audit::{Problem, Report};
pub use backup::{Backup, BackupError};
pub use blob::{BlobReader, Flush, Pinned, Received, Writer};
pub use buckets::Setting;
pub use expire::Walk;
pub use layout::OpenError;
pub use multipart::{COMPLETED_BYTES_MAX, PART_BYTES_MIN};
pub use scrub::{Scrub, Scrubbed};
pub use tree::{Export, Exported, Imported, Outcome, Refused, Tree, TreeError};
pub use visit::{Step, Visitor};
pub use window::file_behind;

use blob::{NewBlob, Pins};
use commit::{Committer, Notice};
use index::Index;
use layout::Layout;
use medium::{Adoption, Disk, Medium};
use objects::Coming;

use super::{Error, State};
use crate::metrics::Histogram;
use crate::s3::name::BucketName;

/// How the engine works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory.
    pub directory: PathBuf,
    /// Bodies up to this size go into the index; 0 gives every body a file.
    pub inline_bytes_max: u64,
    /// Most bytes that buckets may hold, with all versions and unfinished uploads; none if not named.
    pub quotas: BTreeMap<BucketName, u64>,
}

impl Settings {
    /// The inline limit where none is set.
    pub const INLINE_BYTES_DEFAULT: u64 = 16 * 1024;

    /// The settings of a store of which only the directory is known.
    pub fn of(directory: PathBuf) -> Self {
        Self { directory, inline_bytes_max: Self::INLINE_BYTES_DEFAULT, quotas: BTreeMap::new() }
    }
}

/// An open store. Cloning gives another handle to it; it closes with the last.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Arc<Engine>,
}

#[derive(Debug)]
struct Engine {
    settings: Settings,
    index: Index,
    layout: Layout,
    medium: Arc<dyn Medium>,
    pins: Pins,
    coming: Coming,
    /// Taken when the store closes.
    committer: Option<Committer>,
    reclaim: Sender<Notice>,
    threads: Vec<JoinHandle<()>>,
    /// Held for as long as the store is open.
    _lock: File,
}

impl Store {
    /// Opens the store of a directory, or makes one, and settles what an interruption left.
    ///
    /// # Errors
    /// [`OpenError`], whose text is meant for whoever started the process.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        Self::open_on(settings, Arc::new(Disk))
    }

    fn open_on(settings: Settings, medium: Arc<dyn Medium>) -> Result<Self, OpenError> {
        let (layout, lock) = Layout::open(&settings.directory)?;
        let fail = |error: Error| OpenError::Index(settings.directory.clone(), error.to_string());
        let index = Index::open(&layout.index()).map_err(|error| fail(error.into()))?;
        check::upgrade(&index, &layout).map_err(fail)?;
        layout.forget_backup().map_err(|error| fail(error.into()))?;
        let garbage = check::recover(&index, &layout, medium.as_ref()).map_err(fail)?;
        let pins = Pins::default();
        let (reclaim, receiver) = channel();
        // Nobody listens yet, so this cannot fail.
        let _ = reclaim.send(Notice::Garbage(garbage));
        let threads = |error: std::io::Error| OpenError::Directory(settings.directory.clone(), error);
        let (committer, commit_thread) =
            Committer::start(index.clone(), layout.clone(), Arc::clone(&medium), reclaim.clone())
                .map_err(threads)?;
        let reclaimer = reclaim::Reclaimer {
            index: index.clone(),
            layout: layout.clone(),
            medium: Arc::clone(&medium),
            pins: pins.clone(),
            committer: committer.clone(),
        };
        let reclaim_thread = reclaimer.start(receiver).map_err(threads)?;
        let engine = Engine {
            settings,
            index,
            layout,
            medium,
            coming: Coming::default(),
            pins,
            committer: Some(committer),
            reclaim,
            threads: vec![commit_thread, reclaim_thread],
            _lock: lock,
        };
        Ok(Self { engine: Arc::new(engine) })
    }

    /// Checks the store of a directory that nobody has open, and mends what is safe to mend if asked to.
    ///
    /// # Errors
    /// [`OpenError`]; what is wrong inside is the report's to say.
    pub fn check(settings: &Settings, repair: bool) -> Result<Report, OpenError> {
        let (layout, _lock) = Layout::open_existing(&settings.directory)?;
        let fail = |error: Error| OpenError::Index(settings.directory.clone(), error.to_string());
        let index = Index::open(&layout.index()).map_err(|error| fail(error.into()))?;
        check::upgrade(&index, &layout).map_err(fail)?;
        let report = audit::audit(&index, &layout).map_err(fail)?;
        if !repair || report.problems.is_empty() {
            return Ok(report);
        }
        audit::repair(&index, &layout, &Disk, &report).map_err(fail)?;
        let left = audit::audit(&index, &layout).map_err(fail)?;
        Ok(Report { mended: report.problems.len().saturating_sub(left.problems.len()), ..left })
    }

    /// A writer of a body that goes into the index; `None` if it is too long for that.
    pub fn inline_writer(&self, length: u64) -> Option<Writer> {
        let fits = length <= self.engine.settings.inline_bytes_max;
        usize::try_from(length).ok().filter(|_| fits).map(Writer::inline)
    }

    /// A writer of a body that gets a file: all longer ones, and the parts of uploads whatever their length.
    ///
    /// # Errors
    /// The file system's. Blocks briefly.
    pub fn blob_writer(&self) -> Result<Writer, Error> {
        let blob = NewBlob::create(&self.engine.layout, self.engine.medium.as_ref())?;
        Ok(Writer::blob(blob))
    }

    /// A writer of a body that is a whole file of `length` bytes and is not copied: it shares the file's blocks, or is
    /// the file itself, as `adoption` has it. `None` where that cannot be had.
    fn adopting_writer(
        &self,
        source: &File,
        length: u64,
        adoption: Adoption,
    ) -> Result<Option<Writer>, Error> {
        let blob = NewBlob::adopt(&self.engine.layout, self.engine.medium.as_ref(), source, adoption)?;
        Ok(blob.map(|blob| Writer::adopted(blob, length)))
    }

    /// A reader of `length` bytes from `offset` of a body.
    pub fn reader(&self, body: Pinned, offset: u64, length: u64) -> BlobReader {
        let engine = &self.engine;
        BlobReader::new(engine.layout.clone(), Arc::clone(&engine.medium), body, offset, length)
    }

    /// What is counted of the store.
    ///
    /// # Errors
    /// The index's. Blocks.
    pub fn state(&self) -> Result<State, Error> {
        let index = self.index();
        let transaction = index.read()?;
        let counts = &self.committer().counts;
        Ok(State {
            commits: counts.times.count(),
            changes: counts.changes.value(),
            damaged: index.damaged.len(&transaction)?,
            garbage: index.garbage.len(&transaction)?,
            index_bytes: index.bytes()?,
        })
    }

    /// How long commits took.
    pub fn commit_times(&self) -> &Histogram {
        &self.committer().counts.times
    }

    fn index(&self) -> &Index {
        &self.engine.index
    }

    fn committer(&self) -> &Committer {
        self.engine.committer.as_ref().expect("the committer is there until the store closes")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The reclaimer ends first, since it holds a way to the committer, which ends with the last of those.
        let _ = self.reclaim.send(Notice::Stop);
        drop(self.committer.take());
        for thread in self.threads.drain(..).rev() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}
