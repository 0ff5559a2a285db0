//! The body of an answer: at hand, or read from the store while it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::journal::Entry;
use crate::peer::Reserved;
use crate::size;
use crate::store::Reader;

/// The body of an answer.
#[derive(Debug)]
pub struct Body {
    source: Source,
    /// Goes when the body goes, sent or not, and writes its line then.
    entry: Option<Box<Entry>>,
}

#[derive(Debug)]
enum Source {
    Full(Bytes),
    /// A refusal, with its room on the connection.
    Reserved(Bytes, Reserved),
    /// From the store.
    Stored(Reader),
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self { source: Source::Full(bytes.into()), entry: None }
    }

    /// A refusal.
    pub(super) fn reserved(document: String, reserved: Reserved) -> Self {
        Self { source: Source::Reserved(document.into(), reserved), entry: None }
    }

    /// Lets the log wait for the end of this body.
    pub(super) fn journal(&mut self, entry: Box<Entry>) {
        self.entry = Some(entry);
    }

    /// What is read from the store.
    pub(super) fn stored(reader: Reader) -> Self {
        Self { source: Source::Stored(reader), entry: None }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.as_mut().filter(|_| !self.source.is_empty()) {
            entry.cut();
        }
    }
}

impl Source {
    /// Whether all of it was handed on.
    fn is_empty(&self) -> bool {
        match self {
            Self::Full(bytes) | Self::Reserved(bytes, _) => bytes.is_empty(),
            Self::Stored(reader) => reader.left() == 0,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = match &mut self.source {
            Source::Full(bytes) if bytes.is_empty() => None,
            Source::Full(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Reserved(bytes, _) if bytes.is_empty() => None,
            Source::Reserved(bytes, reserved) => {
                reserved.handed_on(bytes.len());
                Some(Ok(std::mem::take(bytes)))
            }
            Source::Stored(reader) => ready!(reader.poll_next(task)),
        };
        match (&polled, &mut self.entry) {
            (Some(Ok(bytes)), Some(entry)) => entry.sent(bytes.len()),
            (Some(Err(error)), Some(entry)) => entry.broke_off(error),
            _ => {}
        }
        Poll::Ready(polled.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.source {
            Source::Full(bytes) | Source::Reserved(bytes, _) => size::bytes(bytes.len()),
            Source::Stored(reader) => reader.left(),
        })
    }
}
