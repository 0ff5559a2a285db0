//! The body of a request: how it comes in, its framing undone, and documents whole.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{Join, join};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::bounds::Document;
use super::call::Call;
use super::error::of_store;
use crate::auth::{BodyCheck, BodyKind, Digester, Framer, FramingProof};
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::store::{self, Received, Writer};

/// The body of a request, and what has become of it.
pub(super) struct Intake {
    pub body: Incoming,
    /// Whether it has been asked for: hyper then tells a waiting client to go on.
    pub polled: bool,
    pub ended: bool,
    /// Whether the connection failed before the end.
    pub broken: bool,
    /// Bytes received.
    pub bytes: u64,
}

impl Intake {
    pub(super) fn new(body: Incoming) -> Self {
        let ended = body.is_end_stream();
        Self { body, polled: false, ended, broken: false, bytes: 0 }
    }

    /// The next bytes; `None` at the end, and when the connection broke.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.polled = true;
        while !self.ended {
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.bytes += data.len() as u64;
                        return Some(data);
                    }
                }
                Some(Err(_)) => (self.ended, self.broken) = (true, true),
                None => self.ended = true,
            }
        }
        None
    }
}

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

/// Takes in the body of an object or a part.
///
/// # Errors
/// Whatever is wrong with the body, and the store's.
pub(super) async fn receive(
    call: &Call<'_>,
    body: &mut Intake,
    check: BodyCheck,
    place: Place,
) -> Result<Received, Error> {
    let mut source = Source::new(call, body, check.framer);
    let held = call.store().clone();
    let failed = |error| of_store(error, call.request());
    let inline = if place == Place::Any { held.inline_writer(check.length) } else { None };
    if let Some(mut writer) = inline {
        let mut digester = check.digester;
        let mut data = Vec::new();
        while source.next(&mut data).await? {
            data.iter().for_each(|piece| digester.update(piece));
            writer.write(&data).map_err(failed)?;
            data.clear();
        }
        let proof = digester.finish(source.finish()?)?;
        return writer.finish(proof).map_err(failed);
    }
    let _files = call.context.bounds.files(UPLOAD_FILES)?;
    let writer = spawn_blocking(move || held.blob_writer()).await.map_err(panicked)?.map_err(failed)?;
    // Its state is large, and every request is moved about with room for what an upload keeps.
    let pumped = Box::pin(Pump::Idle(writer, check.digester).run(&mut source)).await;
    let (writer, digester) = pumped.map_err(|failure| failure.into_s3(call))?;
    let proof = digester.finish(source.finish()?)?;
    spawn_blocking(move || writer.finish(proof)).await.map_err(panicked)?.map_err(failed)
}

/// Takes in a document of so many bytes at most.
///
/// # Errors
/// Whatever is wrong with the body; `MaxMessageLengthExceeded`; `SlowDown` if there are too many of them.
pub(super) async fn receive_document(
    call: &Call<'_>,
    body: &mut Intake,
    kind: BodyKind,
    bytes_max: u64,
) -> Result<Document, Error> {
    let check = call.verified().check_body(kind)?;
    if check.length > bytes_max {
        return Err(ErrorCode::MaxMessageLengthExceeded
            .error()
            .with("MaxMessageLengthBytes", bytes_max.to_string()));
    }
    let mut document = call.context.bounds.document(check.length)?;
    let mut digester = check.digester;
    let mut source = Source::new(call, body, check.framer);
    let mut data = Vec::new();
    while source.next(&mut data).await? {
        for piece in data.drain(..) {
            digester.update(&piece);
            document.append(&piece);
        }
    }
    digester.finish(source.finish()?)?;
    Ok(document)
}

/// The body of a request, its framing undone.
struct Source<'b> {
    body: &'b mut Intake,
    framer: Framer,
    stall: Duration,
}

impl<'b> Source<'b> {
    fn new(call: &Call<'_>, body: &'b mut Intake, framer: Framer) -> Self {
        Self { body, framer, stall: call.context.settings.body_stall_max }
    }

    /// Appends what came next to `out`; `false` at the end. Giving up the wait loses nothing.
    async fn next(&mut self, out: &mut Vec<Bytes>) -> Result<bool, Error> {
        match tokio::time::timeout(self.stall, self.body.next()).await {
            Err(_) => Err(ErrorCode::RequestTimeout.error().check(Check::Stall)),
            // If the connection ended early, `finish` says what is missing.
            Ok(None) => Ok(false),
            Ok(Some(data)) => self.framer.push(data, out).map(|()| true),
        }
    }

    fn finish(self) -> Result<FramingProof, Error> {
        let proof = self.framer.finish()?;
        // The frames may be complete, and yet not all that was announced.
        match self.body.broken {
            true => Err(ErrorCode::IncompleteBody.error().check(Check::Connection)),
            false => Ok(proof),
        }
    }
}

/// Why taking in a body ended.
enum Failure {
    Body(Error),
    Store(store::Error),
}

impl Failure {
    fn into_s3(self, call: &Call<'_>) -> Error {
        match self {
            Self::Body(error) => error,
            Self::Store(error) => of_store(error, call.request()),
        }
    }
}

/// Moves batches through writer and digester on two blocking threads, while the next batch comes in.
///
/// No thread is held while the client is slow: a batch starts when there is something worth starting for.
enum Pump {
    Idle(Writer, Digester),
    /// A batch is under way. Polled by reference, so that giving up a wait loses nothing.
    Running(Join<JoinHandle<Result<Writer, store::Error>>, JoinHandle<Digester>>),
}

impl Pump {
    /// Takes a body to its end.
    async fn run(mut self, source: &mut Source<'_>) -> Result<(Writer, Digester), Failure> {
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

    async fn stop(self) -> Result<(Writer, Digester), Failure> {
        let idle = match self {
            Self::Running(running) => Self::idle(running.await)?,
            idle @ Self::Idle(..) => idle,
        };
        match idle {
            Self::Idle(writer, digester) => Ok((writer, digester)),
            Self::Running(_) => Err(Failure::Body(ErrorCode::InternalError.error().check(Check::Panic))),
        }
    }

    fn idle(
        (writer, digester): (Result<Result<Writer, store::Error>, JoinError>, Result<Digester, JoinError>),
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::Body(panicked(error));
        Ok(Self::Idle(writer.map_err(failed)?.map_err(Failure::Store)?, digester.map_err(failed)?))
    }
}

/// The sync of what has been written so far, one at a time.
#[derive(Default)]
struct Flushing(Option<JoinHandle<Result<(), store::Error>>>);

impl Flushing {
    /// Starts the next one, if there is enough to sync and the last one is done.
    async fn advance(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        if self.0.as_ref().is_some_and(|flushing| !flushing.is_finished()) {
            return Ok(());
        }
        self.end().await?;
        let flush = writer.flush().map_err(Failure::Store)?;
        self.0 = flush.map(|flush| spawn_blocking(move || flush.wait()));
        Ok(())
    }

    /// Waits for the last one. That it failed must be heard: the next sync would not fail again.
    async fn end(&mut self) -> Result<(), Failure> {
        match self.0.take() {
            Some(flushing) => {
                flushing.await.map_err(|error| Failure::Body(panicked(error)))?.map_err(Failure::Store)
            }
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
    async fn read(&mut self, source: &mut Source<'_>) -> Result<bool, Failure> {
        let mut arrived = Vec::new();
        let more = source.next(&mut arrived).await.map_err(Failure::Body)?;
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

fn panicked(_: JoinError) -> Error {
    ErrorCode::InternalError.error().check(Check::Panic)
}
