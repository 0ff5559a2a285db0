//! Takes in a body: framing undone, digests computed beside writing, memory bounded however slow the client.

use bytes::Bytes;
use futures_util::future::{Join, join};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::error::of_store;
use super::exchange::Call;
use crate::auth::{BodyCheck, BodyKind, Digester, Framer};
use crate::s3::error::{Error, ErrorCode};
use crate::store::{self, Received, Writer};

/// Most bytes of a document in a request: 1,000 keys of 1,024 bytes, each byte written as a reference.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Fewest bytes worth a hop to another thread.
const BATCH_BYTES_MIN: usize = 128 * 1024;
/// Most bytes gathered while a batch is being processed.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

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
    body: &mut Option<Incoming>,
    check: BodyCheck,
    place: Place,
) -> Result<Received, Error> {
    let mut source = Source::new(call, body, check.framer)?;
    let held = call.store().clone();
    let failed = |error| of_store(error, call.request());
    if place == Place::Any && held.is_inline(check.length) {
        let mut writer = held.writer(check.length).map_err(failed)?;
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
    let writer = spawn_blocking(move || held.blob_writer()).await.map_err(panicked)?.map_err(failed)?;
    let pumped = Pump::Idle(writer, check.digester).run(&mut source).await;
    let (writer, digester) = pumped.map_err(|failure| failure.into_s3(call))?;
    let proof = digester.finish(source.finish()?)?;
    spawn_blocking(move || writer.finish(proof)).await.map_err(panicked)?.map_err(failed)
}

/// Takes in a document.
///
/// # Errors
/// Whatever is wrong with the body; `MaxMessageLengthExceeded` beyond [`DOCUMENT_BYTES_MAX`].
pub(super) async fn receive_document(
    call: &Call<'_>,
    body: &mut Option<Incoming>,
    kind: BodyKind,
) -> Result<Vec<u8>, Error> {
    let check = call.permit.verified().check_body(kind)?;
    if check.length > DOCUMENT_BYTES_MAX {
        return Err(ErrorCode::MaxMessageLengthExceeded
            .error()
            .with("MaxMessageLengthBytes", DOCUMENT_BYTES_MAX.to_string()));
    }
    let mut digester = check.digester;
    let mut source = Source::new(call, body, check.framer)?;
    let mut document = Vec::new();
    let mut data = Vec::new();
    while source.next(&mut data).await? {
        for piece in data.drain(..) {
            digester.update(&piece);
            document.extend_from_slice(&piece);
        }
    }
    digester.finish(source.finish()?)?;
    Ok(document)
}

/// The body of a request, its framing undone.
struct Source {
    body: Incoming,
    framer: Framer,
    stall: std::time::Duration,
}

impl Source {
    fn new(call: &Call<'_>, body: &mut Option<Incoming>, framer: Framer) -> Result<Self, Error> {
        let body = body.take().ok_or_else(|| ErrorCode::InternalError.error().at("body taken twice"))?;
        Ok(Self { body, framer, stall: call.context.settings.body_stall_max })
    }

    /// Appends what came next to `out`; `false` at the end.
    async fn next(&mut self, out: &mut Vec<Bytes>) -> Result<bool, Error> {
        match tokio::time::timeout(self.stall, self.body.frame()).await {
            Err(_) => Err(ErrorCode::RequestTimeout.error().at("stall")),
            Ok(None) => Ok(false),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.framer.push(data, out)?;
                }
                Ok(true)
            }
            // The connection is gone or ended early: what is missing is for `finish` to say.
            Ok(Some(Err(_))) => Ok(false),
        }
    }

    fn finish(self) -> Result<crate::auth::FramingProof, Error> {
        self.framer.finish()
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
    async fn run(mut self, source: &mut Source) -> Result<(Writer, Digester), Failure> {
        let mut batch = Batch::default();
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
                Self::Idle(writer, digester) if batch.bytes >= BATCH_BYTES_MIN => {
                    Self::start(writer, digester, std::mem::take(&mut batch))
                }
                Self::Idle(writer, digester) => {
                    more = batch.read(source).await?;
                    Self::Idle(writer, digester)
                }
            };
        }
        let (writer, digester) = self.stop().await?;
        Self::start(writer, digester, batch).stop().await
    }

    fn start(mut writer: Writer, mut digester: Digester, batch: Batch) -> Self {
        let copy = batch.pieces.clone();
        let digesting = spawn_blocking(move || {
            copy.iter().for_each(|piece| digester.update(piece));
            digester
        });
        let writing = spawn_blocking(move || writer.write(&batch.pieces).map(|()| writer));
        Self::Running(join(writing, digesting))
    }

    async fn stop(self) -> Result<(Writer, Digester), Failure> {
        let idle = match self {
            Self::Running(running) => Self::idle(running.await)?,
            idle @ Self::Idle(..) => idle,
        };
        match idle {
            Self::Idle(writer, digester) => Ok((writer, digester)),
            Self::Running(_) => Err(Failure::Body(ErrorCode::InternalError.error().at("pump"))),
        }
    }

    fn idle(
        (writer, digester): (Result<Result<Writer, store::Error>, JoinError>, Result<Digester, JoinError>),
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::Body(panicked(error));
        Ok(Self::Idle(writer.map_err(failed)?.map_err(Failure::Store)?, digester.map_err(failed)?))
    }
}

/// What came in and is not processed yet.
#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    /// Reads what comes next; `false` at the end. Giving up the wait loses nothing.
    async fn read(&mut self, source: &mut Source) -> Result<bool, Failure> {
        let before = self.pieces.len();
        let more = source.next(&mut self.pieces).await.map_err(Failure::Body)?;
        self.bytes += self.pieces.iter().skip(before).map(Bytes::len).sum::<usize>();
        Ok(more)
    }
}

fn panicked(_: JoinError) -> Error {
    ErrorCode::InternalError.error().at("panic")
}
