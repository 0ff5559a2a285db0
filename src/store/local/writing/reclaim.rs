//! Deletes unreferenced blob files in the background.
//!
//! The index keeps every such blob in `garbage` until its file is durably gone, so a crash at any moment leaves
//! work and never a leak.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::commit::{Committer, Notice};
use crate::store::local::blobs::blob::Pins;
use crate::store::local::blobs::layout::Layout;
use crate::store::local::blobs::medium::Medium;
use crate::store::local::blobs::segment::BlobId;
use crate::store::local::index::tables::Index;

/// Most blobs removed before the index hears of it.
const BATCH_BLOBS_MAX: usize = 1024;
/// How long garbage is gathered, and pinned garbage left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the index lets go of snapshots of processes that were killed: each keeps it from using its pages again.
const CLEAR_INTERVAL: Duration = Duration::from_secs(10);

pub(in crate::store::local) struct Reclaimer {
    pub index: Index,
    pub layout: Layout,
    pub medium: Arc<dyn Medium>,
    pub pins: Pins,
    pub committer: Committer,
}

impl Reclaimer {
    /// Starts the thread, which ends when it is told to.
    pub(in crate::store::local) fn start(self, notices: Receiver<Notice>) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("presigned-reclaim".to_owned()).spawn(move || self.run(&notices))
    }

    fn run(&self, notices: &Receiver<Notice>) {
        let mut waiting: Vec<BlobId> = Vec::new();
        let mut cleared = Instant::now();
        loop {
            let pause = if waiting.is_empty() { CLEAR_INTERVAL } else { PAUSE };
            let mut next = notices.recv_timeout(pause);
            // All that has gathered at once: looking at what waits costs more the more it is.
            loop {
                match next {
                    Ok(Notice::Garbage(blobs)) => waiting.extend(blobs),
                    Err(RecvTimeoutError::Timeout) => break,
                    // What is still pinned stays in the index for the next start.
                    Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                }
                next = notices.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
            if cleared.elapsed() >= CLEAR_INTERVAL {
                cleared = Instant::now();
                if let Err(error) = self.index.clear_stale_readers() {
                    tracing::warn!(%error, "readers that are gone cannot be cleared away");
                }
            }
            if waiting.is_empty() {
                continue;
            }
            let _unheld = match self.layout.unheld() {
                Ok(Some(unheld)) => unheld,
                // Someone reads the store next to us, as a backup does.
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(%error, "blobs cannot be removed yet");
                    continue;
                }
            };
            let (pinned, free): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|blob| self.pins.holds(*blob));
            waiting = pinned;
            for batch in free.chunks(BATCH_BLOBS_MAX) {
                waiting.extend(self.remove(batch));
            }
        }
    }

    /// Removes files, makes that durable, strikes them off; gives back what could not be removed.
    fn remove(&self, blobs: &[BlobId]) -> Vec<BlobId> {
        let mut gone = Vec::with_capacity(blobs.len());
        let mut kept = Vec::new();
        let mut folders = BTreeSet::new();
        for &blob in blobs {
            let removed = self
                .medium
                .remove(&self.layout.blob(blob))
                .and_then(|()| self.medium.remove(&self.layout.incoming_blob(blob)));
            match removed {
                Ok(()) => {
                    folders.insert(self.layout.shard(blob));
                    gone.push(blob);
                }
                Err(error) => {
                    tracing::warn!(%blob, %error, "a blob cannot be removed yet");
                    kept.push(blob);
                }
            }
        }
        for folder in folders {
            if let Err(error) = self.medium.sync_folder(&folder) {
                tracing::warn!(%error, "removed blobs are not durably gone yet");
                kept.extend(gone);
                return kept;
            }
        }
        let forget = gone.clone();
        if let Err(error) = self.committer.commit_blocking(move |transaction| transaction.forget(&forget)) {
            tracing::warn!(%error, "removed blobs stay in the index for now");
            kept.extend(gone);
        }
        kept
    }
}
