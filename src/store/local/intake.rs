//! Takes in a body: digests computed next to writing, memory bounded however slow the client.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::future::{Join, join};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::Store;
use super::blobs::blob::{Received, Writer};
use crate::auth::Digester;
use crate::store::Error;
use crate::store::intake::{CheckedBody, IntakeError, Source};

/// Files that an upload has open: its own, and the same while what came so far is synced.
const UPLOAD_FILES: usize = 2;

/// Fewest bytes worth a hop to another thread.
const BATCH_BYTES_MIN: usize = 128 * 1024;

/// Most bytes gathered while a batch is being processed.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Pieces below this size are copied together.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Where a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Wherever its size belongs.
    Any,
    /// A blob, whatever its size.
    Blob,
}

impl Store {
    /// Takes in the body of an object or a part.
    ///
    /// # Errors
    /// Returns whatever is wrong with the body, and the file system's errors.
    pub(super) async fn receive(
        &self,
        body: CheckedBody<impl Source>,
        place: Place,
    ) -> Result<Received, IntakeError> {
        let CheckedBody { mut source, mut digester, length } = body;
        let inline = if place == Place::Any { self.inline_writer(length) } else { None };
        if let Some(mut writer) = inline {
            let mut data = Vec::new();
            while source.next(&mut data).await? {
                data.iter().for_each(|piece| digester.update(piece));
                writer.write(&data)?;
                data.clear();
            }
            return Ok(writer.finish(digester.finish(source.finish()?)?)?);
        }
        let _files = self.files(UPLOAD_FILES)?;
        let held = self.clone();
        let writer = spawn_blocking(move || held.blob_writer()).await.map_err(panicked)??;
        // Its state is large, and every request is moved about with room for what an upload keeps.
        let (writer, digester) = Box::pin(Pump::Idle(writer, digester).run(&mut source)).await?;
        let proof = digester.finish(source.finish()?)?;
        Ok(spawn_blocking(move || writer.finish(proof)).await.map_err(panicked)??)
    }
}

/// Moves batches through writer and digester on two blocking threads, while the next batch comes in.
///
/// No thread is held while the client is slow: a batch starts when there is something worth starting for.
enum Pump {
    Idle(Writer, Digester),
    /// A batch is under way. Polled by reference, so that giving up a wait loses nothing.
    Running(Join<JoinHandle<Result<Writer, Error>>, JoinHandle<Digester>>),
}

impl Pump {
    /// Takes a body to its end.
    async fn run(mut self, source: &mut impl Source) -> Result<(Writer, Digester), IntakeError> {
        let mut batch = Batch::default();
        let mut flushing = Flushing::default();
        let mut more = true;
        while more {
            self = match self {
                Self::Running(mut running) if batch.bytes < BATCH_BYTES_MAX => tokio::select! {
                    done = &mut running => Self::idle(done)?,
                    read = batch.read(source) => {
                        more = read?;
                        Self::Running(running)
                    }
                },
                Self::Running(running) => Self::idle(running.await)?,
                Self::Idle(mut writer, digester) if batch.bytes >= BATCH_BYTES_MIN => {
                    flushing.advance(&mut writer).await?;
                    Self::start(writer, digester, std::mem::take(&mut batch))
                }
                Self::Idle(writer, digester) => {
                    more = batch.read(source).await?;
                    Self::Idle(writer, digester)
                }
            };
        }
        let (writer, digester) = self.stop().await?;
        let ended = Self::start(writer, digester, batch).stop().await?;
        flushing.end().await?;
        Ok(ended)
    }

    fn start(mut writer: Writer, mut digester: Digester, batch: Batch) -> Self {
        let pieces = batch.into_pieces();
        let copy = pieces.clone();
        let digesting = spawn_blocking(move || {
            copy.iter().for_each(|piece| digester.update(piece));
            digester
        });
        let writing = spawn_blocking(move || writer.write(&pieces).map(|()| writer));
        Self::Running(join(writing, digesting))
    }

    async fn stop(self) -> Result<(Writer, Digester), IntakeError> {
        let idle = match self {
            Self::Running(running) => Self::idle(running.await)?,
            idle @ Self::Idle(..) => idle,
        };
        match idle {
            Self::Idle(writer, digester) => Ok((writer, digester)),
            Self::Running(_) => Err(IntakeError::Store(io::Error::other("the pump runs on").into())),
        }
    }

    fn idle(
        (writer, digester): (Result<Result<Writer, Error>, JoinError>, Result<Digester, JoinError>),
    ) -> Result<Self, IntakeError> {
        Ok(Self::Idle(writer.map_err(panicked)??, digester.map_err(panicked)?))
    }
}

/// The sync of what has been written so far, one at a time.
#[derive(Default)]
struct Flushing(Option<JoinHandle<Result<(), Error>>>);

impl Flushing {
    /// Starts the next one, if there is enough to sync and the last one is done.
    async fn advance(&mut self, writer: &mut Writer) -> Result<(), IntakeError> {
        if self.0.as_ref().is_some_and(|flushing| !flushing.is_finished()) {
            return Ok(());
        }
        self.end().await?;
        let flush = writer.flush().map_err(IntakeError::Store)?;
        self.0 = flush.map(|flush| spawn_blocking(move || flush.wait()));
        Ok(())
    }

    /// Waits for the last one. That it failed must be heard: the next sync would not fail again.
    async fn end(&mut self) -> Result<(), IntakeError> {
        match self.0.take() {
            Some(flushing) => flushing.await.map_err(panicked)?.map_err(IntakeError::Store),
            None => Ok(()),
        }
    }
}

/// What came in and is not processed yet.
#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    /// Small pieces, copied together: each would keep the whole buffer it was read into.
    small: BytesMut,
    bytes: usize,
}

impl Batch {
    /// Reads what comes next; `false` at the end. Giving up the wait loses nothing.
    async fn read(&mut self, source: &mut impl Source) -> Result<bool, IntakeError> {
        let mut arrived = Vec::new();
        let more = source.next(&mut arrived).await.map_err(IntakeError::Body)?;
        for piece in arrived {
            self.bytes += piece.len();
            if piece.len() < COPIED_BYTES_MAX {
                self.small.extend_from_slice(&piece);
            } else {
                self.close_small();
                self.pieces.push(piece);
            }
        }
        Ok(more)
    }

    fn close_small(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(self.small.split().freeze());
        }
    }

    fn into_pieces(mut self) -> Vec<Bytes> {
        self.close_small();
        self.pieces
    }
}

fn panicked(error: JoinError) -> IntakeError {
    IntakeError::Store(io::Error::other(error).into())
}
