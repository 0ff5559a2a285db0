//! The committer: one thread that applies all changes, in batches, each batch made durable by one commit.
//!
//! A change is a function of the transaction. Changes are applied one after the other, so that each sees what
//! the one before it did and conditions are decided without locks. All are answered after the commit. A change
//! decides before it writes: one that gives an error has changed nothing.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::metrics::{Counter, Histogram};
use crate::size;
use crate::store::Error;
use crate::store::local::blobs::blob::NewBlob;
use crate::store::local::blobs::layout::Layout;
use crate::store::local::blobs::medium::Medium;
use crate::store::local::blobs::segment::BlobId;
use crate::store::local::index::tables::{Index, Transaction};

/// Most changes in one commit.
const BATCH_CHANGES_MAX: usize = 256;

/// Tells anyone who asked; an error means that the commit failed.
type Answer = Box<dyn FnOnce(Option<Error>) + Send>;
/// Applies a change, unless it is given the reason not to; gives the answer, and the error if the whole batch
/// must not be committed.
type Apply = Box<dyn FnOnce(Result<&mut Transaction<'_>, Error>) -> (Answer, Option<Error>) + Send>;

/// What the reclaimer is told.
#[derive(Debug)]
pub(in crate::store::local) enum Notice {
    /// Blobs that nothing refers to any longer.
    Garbage(Vec<BlobId>),
    /// The store closes.
    Stop,
}

/// What became of a batch.
enum Outcome {
    /// It is durable; these blobs were published, and these released.
    Committed { published: Vec<BlobId>, released: Vec<BlobId> },
    /// It has not happened.
    Abandoned(Error),
    /// It failed when it may already have counted.
    Unknown(Error),
}

/// A change waiting for its turn.
struct Change {
    /// What it brings; linked before and made permanent after the commit.
    blob: Option<NewBlob>,
    apply: Apply,
    /// Why it is not to be applied.
    refused: Option<Error>,
}

/// The way to the committer.
#[derive(Clone, Debug)]
pub(in crate::store::local) struct Committer {
    changes: Sender<Change>,
    pub counts: Arc<Counts>,
}

/// What is counted of commits.
#[derive(Debug, Default)]
pub(in crate::store::local) struct Counts {
    pub changes: Counter,
    pub times: Histogram,
}

impl Committer {
    /// Starts the thread, which ends when the last handle is gone. `reclaim` hears of blobs that are garbage.
    pub(in crate::store::local) fn start(
        index: Index,
        layout: Layout,
        medium: Arc<dyn Medium>,
        reclaim: Sender<Notice>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = channel();
        let counts = Arc::new(Counts::default());
        let worker = Worker { index, layout, medium, reclaim, counts: Arc::clone(&counts), broken: None };
        let thread = std::thread::Builder::new()
            .name("presigned-commit".to_owned())
            .spawn(move || worker.run(&receiver))?;
        Ok((Self { changes: sender, counts }, thread))
    }

    /// Carries out a change; when this returns, it is durable or has not happened.
    pub(in crate::store::local) async fn commit<T: Send + 'static>(
        &self,
        blob: Option<NewBlob>,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.enqueue(blob, change).await.unwrap_or_else(|_| Err(stopped()))
    }

    /// The same from a thread of the store.
    pub(in crate::store::local) fn commit_blocking<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.enqueue(None, change).blocking_recv().unwrap_or_else(|_| Err(stopped()))
    }

    fn enqueue<T: Send + 'static>(
        &self,
        blob: Option<NewBlob>,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Error>> {
        let (answer, receiver) = oneshot::channel();
        let apply: Apply = Box::new(move |transaction| {
            let (result, fatal) = match transaction {
                Ok(transaction) => {
                    let result = change(transaction);
                    let fatal = match &result {
                        Err(error @ (Error::Io(_) | Error::Index(_) | Error::NoSpace)) => Some(error.clone()),
                        _ => None,
                    };
                    (result, fatal)
                }
                Err(refused) => (Err(refused), None),
            };
            let answer: Answer = Box::new(move |failure| {
                // Anyone who asked may be gone: the change stands all the same.
                let _ = answer.send(failure.map_or(result, Err));
            });
            (answer, fatal)
        });
        // A send fails only if the committer has ended: the receiver then hears that no one answers.
        let _ = self.changes.send(Change { blob, apply, refused: None });
        receiver
    }
}

fn stopped() -> Error {
    Error::Index("the committer has ended".to_owned())
}

struct Worker {
    index: Index,
    layout: Layout,
    medium: Arc<dyn Medium>,
    reclaim: Sender<Notice>,
    counts: Arc<Counts>,
    /// Why no change can be taken any more.
    broken: Option<Error>,
}

impl Worker {
    fn run(mut self, changes: &Receiver<Change>) {
        while let Ok(first) = changes.recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_CHANGES_MAX
                && let Ok(next) = changes.try_recv()
            {
                batch.push(next);
            }
            // A panic loses this batch, whose askers hear that no one answers, and its transaction.
            if catch_unwind(AssertUnwindSafe(|| self.carry_out(batch))).is_err() {
                tracing::error!("a batch of changes panicked and was not committed");
            }
        }
    }

    /// Links the blobs, applies and commits the batch, moves the blobs into place, answers.
    fn carry_out(&mut self, mut batch: Vec<Change>) {
        let linked = self.link_blobs(&mut batch);
        let mut answers = Vec::with_capacity(batch.len());
        self.counts.changes.add(size::bytes(batch.len()));
        let started = Instant::now();
        let outcome = self.apply(batch, &mut answers);
        self.counts.times.observe(started.elapsed());
        let failure = match outcome {
            Outcome::Committed { published, released } => {
                let published: HashSet<BlobId> = published.into_iter().collect();
                linked.into_iter().for_each(|blob| self.settle(blob, published.contains(&blob)));
                if !released.is_empty() {
                    // If the reclaimer has ended, the next start finds the garbage in the index.
                    let _ = self.reclaim.send(Notice::Garbage(released));
                }
                None
            }
            Outcome::Abandoned(error) => {
                linked.into_iter().for_each(|blob| self.settle(blob, false));
                Some(error)
            }
            // The blobs stay where the next start looks for them, whichever way it went.
            Outcome::Unknown(error) => {
                tracing::error!(%error, "a commit failed half-way; no change is taken until the next start");
                self.broken = Some(error.clone());
                Some(error)
            }
        };
        for answer in answers {
            answer(failure.clone());
        }
    }

    /// Gives every blob of the batch its incoming name, and makes those names durable with one sync.
    fn link_blobs(&self, batch: &mut [Change]) -> Vec<BlobId> {
        let mut linked = Vec::new();
        for change in batch.iter_mut() {
            if let Some(mut blob) = change.blob.take() {
                match blob.link(&self.layout) {
                    Ok(()) => linked.push(blob.id()),
                    Err(error) => change.refused = Some(error.into()),
                }
            }
        }
        if !linked.is_empty()
            && let Err(error) = self.medium.sync_folder(&self.layout.incoming())
        {
            let error = Error::from(error);
            batch.iter_mut().for_each(|change| change.refused = Some(error.clone()));
        }
        linked
    }

    /// Applies the batch in order and commits it.
    fn apply(&self, batch: Vec<Change>, answers: &mut Vec<Answer>) -> Outcome {
        let mut transaction = match &self.broken {
            None => self.index.write(),
            Some(error) => Err(error.clone()),
        };
        let mut failure = None;
        for change in batch {
            let input = match (&mut transaction, &failure, change.refused) {
                (_, _, Some(refused)) => Err(refused),
                (_, Some(failure), None) => Err(Error::clone(failure)),
                (Err(error), None, None) => Err(error.clone()),
                (Ok(transaction), None, None) => Ok(transaction),
            };
            let (answer, fatal) = (change.apply)(input);
            answers.push(answer);
            failure = failure.or(fatal);
        }
        let mut transaction = match (transaction, failure) {
            (Ok(transaction), None) => transaction,
            (Err(error), _) | (Ok(_), Some(error)) => return Outcome::Abandoned(error),
        };
        if let Err(error) = transaction.write_usage() {
            return Outcome::Abandoned(error);
        }
        let Transaction { raw, published, released, .. } = transaction;
        match self.medium.commit(Box::new(|| raw.commit().map_err(Error::from))) {
            Ok(()) => Outcome::Committed { published, released },
            // LMDB writes and syncs the changed pages first, and gives the whole transaction up if that fails.
            Err(error) if self.index.is_sound() => {
                let full = self.medium.is_full(&self.layout.index());
                Outcome::Abandoned(if full { Error::NoSpace } else { error })
            }
            // If writing the page that makes a commit count failed, it takes no more transactions. A sync that
            // failed is never tried again as if it had worked: whether the commit counts is known only to
            // anyone who reads the disk next.
            Err(error) => Outcome::Unknown(error),
        }
    }

    /// A blob that was published goes to its place, any other goes away. If either fails, start-up does it.
    fn settle(&self, blob: BlobId, published: bool) {
        let incoming = self.layout.incoming_blob(blob);
        let done = match published {
            true => self.medium.rename(&incoming, &self.layout.blob(blob)),
            false => self.medium.remove(&incoming),
        };
        if let Err(error) = done {
            tracing::warn!(%blob, %error, "a blob stays in the incoming folder until the next start");
        }
    }
}
