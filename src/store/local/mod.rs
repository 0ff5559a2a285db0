//! The engine: an LMDB index next to immutable blobs, in one directory.
//!
//! An object is a record in the index: metadata, checksums, and a body that is either inline or a list of
//! segments of blobs. So completing a multipart upload and copying an object of any size are one transaction.
//! All changes pass one [`writing::commit`] thread, which makes them durable in batches. The order of a write is: data
//! durable, name durable in `incoming`, index committed, name moved to its place; a crash between any two
//! leaves the old object or the new one, and [`writing::recover`] clears up what was under way. `format.md` next to this file
//! has the layout and the argument.

pub(super) mod blobs;
mod buckets;
mod expire;
mod index;
mod intake;
mod multipart;
mod objects;
#[cfg(test)]
mod tests;
pub mod tools;
mod writing;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use blobs::layout::OpenError;
pub use blobs::windows::WINDOW_BYTES_MIN;

use blobs::blob::{BlobReader, NewBlob, Pinned, Pins, Writer};
use blobs::layout::Layout;
use blobs::medium::{Adoption, Disk, Medium};
use blobs::windows::Windows;
use index::tables::Index;
use objects::Coming;
use tools::fsck;
use tools::report::Report;
use writing::commit::{Committer, Notice};
use writing::{reclaim, recover};

use super::Error;
use super::body::{Body, Folded, Kept, Pieces, Reader, Sent, within};
use super::model::State;
use crate::metrics::Histogram;
use crate::s3::name::BucketName;
use crate::s3::range::Span;

/// How the engine works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory.
    pub directory: PathBuf,
    /// Bodies up to this size go into the index; 0 gives every body a file.
    pub inline_bytes_max: u64,
    /// Largest window of a download, in bytes; two of them are in memory for each.
    pub window_bytes_max: u64,
    /// Most files that may be open for bodies at once.
    pub files_max: usize,
    /// Most bytes that buckets may hold, with all versions and unfinished uploads; none if not named.
    pub quotas: BTreeMap<BucketName, u64>,
}

impl Settings {
    /// The inline limit where none is set.
    pub const INLINE_BYTES_DEFAULT: u64 = 16 * 1024;

    /// The settings of a store of which only the directory is known.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            inline_bytes_max: Self::INLINE_BYTES_DEFAULT,
            window_bytes_max: u64::MAX,
            files_max: Semaphore::MAX_PERMITS,
            quotas: BTreeMap::new(),
        }
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
    /// How many more files may be opened for bodies.
    files: Arc<Semaphore>,
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
    /// [`OpenError`], whose text is meant for anyone who started the process.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        Self::open_on(settings, Arc::new(Disk))
    }

    fn open_on(settings: Settings, medium: Arc<dyn Medium>) -> Result<Self, OpenError> {
        let (layout, lock) = Layout::open(&settings.directory)?;
        let fail = |error: Error| OpenError::Index(settings.directory.clone(), error.to_string());
        let index = Index::open(&layout.index()).map_err(|error| fail(error.into()))?;
        recover::upgrade(&index, &layout).map_err(fail)?;
        layout.forget_backup().map_err(|error| fail(error.into()))?;
        let garbage = recover::recover(&index, &layout, medium.as_ref()).map_err(fail)?;
        let pins = Pins::default();
        let (reclaim, receiver) = channel();
        // No one listens yet, so this cannot fail.
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
        let files = Arc::new(Semaphore::new(settings.files_max.min(Semaphore::MAX_PERMITS)));
        let engine = Engine {
            files,
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

    /// Checks the store of a directory that no one has open, and mends what is safe to mend if asked to.
    ///
    /// # Errors
    /// [`OpenError`]; what is wrong inside is the report's to say.
    pub fn fsck(settings: &Settings, repair: bool) -> Result<Report, OpenError> {
        let (layout, _lock) = Layout::open_existing(&settings.directory)?;
        let fail = |error: Error| OpenError::Index(settings.directory.clone(), error.to_string());
        let index = Index::open(&layout.index()).map_err(|error| fail(error.into()))?;
        recover::upgrade(&index, &layout).map_err(fail)?;
        let report = fsck::audit(&index, &layout).map_err(fail)?;
        if !repair || report.problems.is_empty() {
            return Ok(report);
        }
        fsck::repair(&index, &layout, &Disk, &report).map_err(fail)?;
        let left = fsck::audit(&index, &layout).map_err(fail)?;
        Ok(Report { mended: report.problems.len().saturating_sub(left.problems.len()), ..left })
    }

    /// A writer of a body that goes into the index; `None` if it is too long for that.
    fn inline_writer(&self, length: u64) -> Option<Writer> {
        let fits = length <= self.engine.settings.inline_bytes_max;
        usize::try_from(length).ok().filter(|_| fits).map(Writer::inline)
    }

    /// A writer of a body that gets a file: all longer ones, and the parts of uploads whatever their length.
    ///
    /// # Errors
    /// The file system's. Blocks briefly.
    fn blob_writer(&self) -> Result<Writer, Error> {
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

    /// Opens a span of a body to send it, as mappings of its files if it goes to the kernel `untouched`.
    ///
    /// # Errors
    /// Returns [`Error::Busy`] if too many files are open, and the file system's errors.
    pub async fn send(&self, body: &Body, span: Span, untouched: bool) -> Result<Reader, Error> {
        let pinned = match &body.0 {
            Kept::Bytes(bytes) => return Ok(Reader(Sent::Bytes(within(bytes, span)))),
            Kept::Blobs(_) if span.length == 0 => return Ok(Reader(Sent::Bytes(Bytes::new()))),
            Kept::Blobs(pinned) => pinned.clone(),
        };
        let reader = self.reader(pinned, span.offset, span.length);
        let reader = if untouched { reader.mapped() } else { reader };
        let files = self.files(reader.files())?;
        let window_bytes_max = self.engine.settings.window_bytes_max;
        let windows = Windows::open(reader, files, span.length, window_bytes_max).await?;
        Ok(Reader(Sent::Windows(Box::new(windows))))
    }

    /// Opens a span of a body to read it to its end.
    ///
    /// # Errors
    /// Returns [`Error::Busy`] if too many files are open.
    pub fn pieces(&self, body: &Body, span: Span) -> Result<Pieces, Error> {
        Ok(Pieces(match &body.0 {
            Kept::Bytes(bytes) => Folded::Bytes(within(bytes, span)),
            Kept::Blobs(pinned) => {
                let reader = self.reader(pinned.clone(), span.offset, span.length);
                let files = self.files(reader.files())?;
                Folded::Blobs(blobs::windows::Pieces::new(reader, files))
            }
        }))
    }

    /// A reader of `length` bytes from `offset` of a body.
    fn reader(&self, body: Pinned, offset: u64, length: u64) -> BlobReader {
        let engine = &self.engine;
        BlobReader::new(engine.layout.clone(), Arc::clone(&engine.medium), body, offset, length)
    }

    /// Room for so many open files.
    fn files(&self, count: usize) -> Result<OwnedSemaphorePermit, Error> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Arc::clone(&self.engine.files).try_acquire_many_owned(count).ok().ok_or(Error::Busy)
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
