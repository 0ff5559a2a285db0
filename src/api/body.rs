//! The body of an answer: at hand, or in windows that are read ahead while they are sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::bounds::Taken;
use super::journal::Entry;
use super::unsent::Reserved;
use crate::s3::range::Span;
use crate::store::{self, BlobReader};

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
    Blobs(Box<Windows>),
}

impl Body {
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

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

    /// `length` bytes that come from a reader, on blocking threads; the first of them are read at once, so that a
    /// body that cannot be read is refused instead of broken off.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn blobs(
        mut reader: BlobReader,
        files: Taken,
        length: u64,
        window_bytes_max: u64,
    ) -> Result<Self, store::Error> {
        let sizes = if reader.is_mapped() { &MAPPED } else { &COPIED };
        let window_bytes_max = window_bytes_max.min(sizes.max);
        let first = sizes.first.min(window_bytes_max);
        let read = tokio::task::spawn_blocking(move || {
            let window = reader.next_window_of(first);
            (reader, window)
        });
        let (reader, window) = read.await.map_err(io::Error::other)?;
        let window = window?.ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
        let windows = Windows {
            next: Next::Idle(Some(reader)),
            window,
            left: length,
            bytes: first,
            bytes_min: sizes.min,
            bytes_max: window_bytes_max,
            since: Instant::now(),
            _files: files,
        };
        Ok(Self { source: Source::Blobs(Box::new(windows)), entry: None })
    }
}

/// Most bytes handed to the connection at once.
const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// The smallest window of a download that may be asked for.
pub const WINDOW_BYTES_MIN: u64 = 256 * 1024;

/// Sizes of windows, in bytes; two of them are in memory for each download.
struct Sizes {
    /// Small enough that the first byte leaves soon.
    first: u64,
    min: u64,
    max: u64,
}

/// Of windows that are pages of the file, which the system has in memory anyway.
const MAPPED: Sizes = Sizes { first: 1024 * 1024, min: WINDOW_BYTES_MIN, max: u64::MAX };

/// Of windows that are copies.
const COPIED: Sizes = Sizes { first: 256 * 1024, min: 64 * 1024, max: 1024 * 1024 };

/// A window that is sent sooner than this is followed by a larger one, so that the hops to other threads cost
/// nothing; one that takes four times as long by a smaller one, so that slow downloads hold little memory.
const WINDOW_TIME: Duration = Duration::from_millis(20);

/// Windows of a body, the next one being read while this one is sent.
#[derive(Debug)]
struct Windows {
    next: Next,
    window: Bytes,
    left: u64,
    /// Size of the next window, of the smallest and of the largest; when the present one came.
    bytes: u64,
    bytes_min: u64,
    bytes_max: u64,
    since: Instant,
    _files: Taken,
}

type WindowRead = (BlobReader, io::Result<Option<Bytes>>);

#[derive(Debug)]
enum Next {
    Idle(Option<BlobReader>),
    Reading(JoinHandle<WindowRead>),
}

impl Windows {
    /// Starts reading the next window, unless that is under way or everything has been read.
    fn read_ahead(&mut self) {
        if self.left > self.window.len() as u64
            && let Next::Idle(reader) = &mut self.next
            && let Some(mut reader) = reader.take()
        {
            let bytes = self.bytes;
            self.next = Next::Reading(tokio::task::spawn_blocking(move || {
                let window = reader.next_window_of(bytes);
                (reader, window)
            }));
        }
    }

    /// Sizes the next window by how long the last one took.
    fn adapt(&mut self) {
        let now = Instant::now();
        let took = now.duration_since(self.since);
        self.since = now;
        self.bytes = match took {
            took if took < WINDOW_TIME => (self.bytes * 2).min(self.bytes_max),
            took if took > WINDOW_TIME * 4 => (self.bytes / 2).max(self.bytes_min),
            _ => self.bytes,
        };
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.read_ahead();
        if self.window.is_empty() {
            let Next::Reading(reading) = &mut self.next else {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            };
            let (reader, window) = ready!(Pin::new(reading).poll(task)).map_err(io::Error::other)?;
            self.next = Next::Idle(Some(reader));
            self.window = window?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.adapt();
            self.read_ahead();
        }
        let frame = self.window.split_to(self.window.len().min(FRAME_BYTES_MAX));
        self.left -= frame.len() as u64;
        Poll::Ready(Some(Ok(frame)))
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
            Self::Blobs(windows) => windows.left == 0,
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
            Source::Blobs(windows) => ready!(windows.poll(task)),
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
            Source::Full(bytes) | Source::Reserved(bytes, _) => bytes.len() as u64,
            Source::Blobs(windows) => windows.left,
        })
    }
}

/// The bytes of a span of a body that is at hand.
pub(super) fn within(bytes: &bytes::Bytes, span: Span) -> bytes::Bytes {
    let end = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(end(span.offset)..end(span.offset + span.length))
}
