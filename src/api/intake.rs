//! The body of a request: how it comes in, its framing undone, and documents whole.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::bounds::Document;
use super::call::Call;
use super::error::from_store;
use crate::auth::{BodyCheck, BodyKind, Framer, FramingProof};
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::size;
use crate::store::{CheckedBody, IntakeError, Source};

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
                        self.bytes += size::bytes(data.len());
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
    let mut source = Unframed::new(call, body, check.framer);
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

/// The body of an object or a part, as a store takes it in.
pub(super) fn checked<'b>(
    call: &Call<'_>,
    body: &'b mut Intake,
    check: BodyCheck,
) -> CheckedBody<Unframed<'b>> {
    let source = Unframed::new(call, body, check.framer);
    CheckedBody { source, digester: check.digester, length: check.length }
}

/// Why a body was not taken in, as S3 says it of this request.
pub(super) fn not_taken(error: IntakeError, call: &Call<'_>) -> Error {
    match error {
        IntakeError::Body(error) => error,
        IntakeError::Store(error) => from_store(error, call.request()),
    }
}

/// The body of a request, its framing undone.
pub(super) struct Unframed<'b> {
    body: &'b mut Intake,
    framer: Framer,
    stall: Duration,
}

impl<'b> Unframed<'b> {
    fn new(call: &Call<'_>, body: &'b mut Intake, framer: Framer) -> Self {
        Self { body, framer, stall: call.context.settings.body_stall_max }
    }
}

impl Source for Unframed<'_> {
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
