//! Takes in a body: framing undone, digests computed beside writing, memory bounded however slow the client.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::{JoinHandle, spawn_blocking};

use super::error::of_store;
use super::exchange::Call;
use crate::auth::{BodyCheck, BodyKind, Digester, Framer};
use crate::s3::error::{Error, ErrorCode};
use crate::store::{Received, Writer};

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
    let store = call.store().clone();
    let failed = |error| of_store(error, call.request());
    if place == Place::Any && store.is_inline(check.length) {
        let mut writer = store.writer(check.length).map_err(failed)?;
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
    let writer = spawn_blocking(move || store.blob_writer()).await.map_err(panicked)?.map_err(failed)?;
    let mut pump = Pump { idle: Some((writer, check.digester)), running: None };
    pump.run(&mut source).await.map_err(|error| error.into_s3(call))?;
    let (writer, digester) = pump.stop().await.map_err(|error| error.into_s3(call))?;
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
    Store(crate::store::Error),
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
struct Pump {
    idle: Option<(Writer, Digester)>,
    running: Option<Running>,
}

struct Running {
    writing: JoinHandle<Result<Writer, crate::store::Error>>,
    digesting: JoinHandle<Digester>,
}

impl Running {
    async fn done(&mut self) -> Result<(Writer, Digester), Failure> {
        let (writer, digester) = tokio::join!(&mut self.writing, &mut self.digesting);
        let writer = writer.map_err(|error| Failure::Body(panicked(error)))?.map_err(Failure::Store)?;
        Ok((writer, digester.map_err(|error| Failure::Body(panicked(error)))?))
    }
}

impl Pump {
    async fn run(&mut self, source: &mut Source) -> Result<(), Failure> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        loop {
            let more = match &mut self.running {
                Some(running) if bytes >= BATCH_BYTES_MAX => {
                    self.idle = Some(running.done().await?);
                    self.running = None;
                    true
                }
                Some(running) => {
                    let before = batch.len();
                    tokio::select! {
                        done = running.done() => {
                            self.idle = Some(done?);
                            self.running = None;
                            true
                        }
                        more = source.next(&mut batch) => {
                            bytes += batch.iter().skip(before).map(Bytes::len).sum::<usize>();
                            more.map_err(Failure::Body)?
                        }
                    }
                }
                None => {
                    let before = batch.len();
                    let more = source.next(&mut batch).await.map_err(Failure::Body)?;
                    bytes += batch.iter().skip(before).map(Bytes::len).sum::<usize>();
                    more
                }
            };
            if (bytes >= BATCH_BYTES_MIN || !more) && self.running.is_none() {
                self.start(std::mem::take(&mut batch));
                bytes = 0;
            }
            if !more {
                if !batch.is_empty() {
                    self.idle = Some(self.stop_running().await?);
                    self.start(batch);
                }
                return Ok(());
            }
        }
    }

    fn start(&mut self, batch: Vec<Bytes>) {
        if let Some((mut writer, mut digester)) = self.idle.take() {
            let copy = batch.clone();
            let digesting = spawn_blocking(move || {
                copy.iter().for_each(|piece| digester.update(piece));
                digester
            });
            let writing = spawn_blocking(move || writer.write(&batch).map(|()| writer));
            self.running = Some(Running { writing, digesting });
        }
    }

    async fn stop_running(&mut self) -> Result<(Writer, Digester), Failure> {
        match (self.running.take(), self.idle.take()) {
            (Some(mut running), _) => running.done().await,
            (None, Some(idle)) => Ok(idle),
            (None, None) => Err(Failure::Body(ErrorCode::InternalError.error().at("pump"))),
        }
    }

    async fn stop(mut self) -> Result<(Writer, Digester), Failure> {
        self.stop_running().await
    }
}

fn panicked(_: tokio::task::JoinError) -> Error {
    ErrorCode::InternalError.error().at("panic")
}
