//! What all requests together may take of the server: turns at reading whole bodies, memory for documents.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};

/// Whole bodies that are read at once, for each core.
const READS_PER_CORE: usize = 2;
/// Most requests that wait for their turn to read a whole body.
const READS_WAITING_MAX: usize = 1024;
/// Documents up to this size have a share of their own, which larger ones cannot take up.
const SMALL_DOCUMENT_BYTES_MAX: u64 = 64 * 1024;
/// Most bytes of small documents, and of larger ones, that are in memory at once.
const SMALL_DOCUMENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
const LARGE_DOCUMENTS_BYTES_MAX: usize = 48 * 1024 * 1024;

/// What is left of it. Beyond a bound the answer is `SlowDown`.
#[derive(Debug)]
pub struct Bounds {
    reads: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    small_documents: Arc<Semaphore>,
    large_documents: Arc<Semaphore>,
}

/// A part of a bound that is taken until this goes.
#[derive(Debug)]
pub(super) struct Taken(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Default for Bounds {
    /// The bounds of a machine with so many cores as this one.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let of = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            reads: of(cores * READS_PER_CORE),
            waiting: of(READS_WAITING_MAX),
            small_documents: of(SMALL_DOCUMENTS_BYTES_MAX),
            large_documents: of(LARGE_DOCUMENTS_BYTES_MAX),
        }
    }
}

impl Bounds {
    /// An empty document that has room for so many bytes.
    ///
    /// # Errors
    /// `SlowDown`.
    pub(super) fn document(&self, bytes: u64) -> Result<Document, Error> {
        let share =
            if bytes <= SMALL_DOCUMENT_BYTES_MAX { &self.small_documents } else { &self.large_documents };
        let capacity = usize::try_from(bytes).unwrap_or(usize::MAX);
        let room = take(share, capacity, Check::Documents)?;
        Ok(Document { bytes: Vec::with_capacity(capacity), _room: Some(room) })
    }

    /// A turn to read a whole body; waits for it.
    ///
    /// # Errors
    /// `SlowDown` if too many wait already.
    pub(super) async fn turn_to_read(&self) -> Result<Taken, Error> {
        let _waiting = take(&self.waiting, 1, Check::Reads)?;
        let turn = Arc::clone(&self.reads).acquire_owned().await;
        turn.map(Taken).ok().ok_or_else(|| slow_down(Check::Reads))
    }
}

fn take(share: &Arc<Semaphore>, count: usize, check: Check) -> Result<Taken, Error> {
    let count = u32::try_from(count).ok().ok_or_else(|| slow_down(check))?;
    Arc::clone(share).try_acquire_many_owned(count).map(Taken).ok().ok_or_else(|| slow_down(check))
}

fn slow_down(check: Check) -> Error {
    ErrorCode::SlowDown.error().check(check)
}

/// A document in memory, with its room there.
#[derive(Debug)]
pub(super) struct Document {
    bytes: Vec<u8>,
    _room: Option<Taken>,
}

impl Document {
    /// One without bytes, which needs no room.
    pub(super) fn empty() -> Self {
        Self { bytes: Vec::new(), _room: None }
    }

    pub(super) fn append(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }
}

impl Deref for Document {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
