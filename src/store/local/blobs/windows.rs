//! A body on its way out, in windows that are read ahead while others are sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, spawn_blocking};

use super::blob::BlobReader;
use crate::size;

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
pub(in crate::store) struct Windows {
    next: Next,
    window: Bytes,
    left: u64,
    /// Size of the next window, of the smallest and of the largest; when the present one came.
    bytes: u64,
    bytes_min: u64,
    bytes_max: u64,
    since: Instant,
    _files: OwnedSemaphorePermit,
}

type WindowRead = (BlobReader, io::Result<Option<Bytes>>);

#[derive(Debug)]
enum Next {
    Idle(Option<BlobReader>),
    Reading(JoinHandle<WindowRead>),
}

impl Windows {
    /// `length` bytes that come from a reader, on blocking threads; the first of them are read at once, so that a
    /// body that cannot be read is refused instead of broken off.
    ///
    /// # Errors
    /// Returns the file system's errors.
    pub(in crate::store::local) async fn open(
        mut reader: BlobReader,
        files: OwnedSemaphorePermit,
        length: u64,
        window_bytes_max: u64,
    ) -> io::Result<Self> {
        let sizes = if reader.is_mapped() { &MAPPED } else { &COPIED };
        let window_bytes_max = window_bytes_max.min(sizes.max);
        let first = sizes.first.min(window_bytes_max);
        let read = spawn_blocking(move || {
            let window = reader.next_window_of(first);
            (reader, window)
        });
        let (reader, window) = read.await.map_err(io::Error::other)?;
        let window = window?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Self {
            next: Next::Idle(Some(reader)),
            window,
            left: length,
            bytes: first,
            bytes_min: sizes.min,
            bytes_max: window_bytes_max,
            since: Instant::now(),
            _files: files,
        })
    }

    /// How many bytes are still to come.
    pub(in crate::store) fn left(&self) -> u64 {
        self.left
    }

    /// Starts reading the next window, unless that is under way or everything has been read.
    fn read_ahead(&mut self) {
        if self.left > size::bytes(self.window.len())
            && let Next::Idle(reader) = &mut self.next
            && let Some(mut reader) = reader.take()
        {
            let bytes = self.bytes;
            self.next = Next::Reading(spawn_blocking(move || {
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

    /// What comes next; `None` at the end.
    pub(in crate::store) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
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
        self.left -= size::bytes(frame.len());
        Poll::Ready(Some(Ok(frame)))
    }
}

/// Reads of a body between two looks at whether anybody waits for what comes of it: a megabyte each.
const READS_AT_ONCE: usize = 8;

/// A body that is read to its end, for what is computed of it.
#[derive(Debug)]
pub(in crate::store) struct Pieces {
    /// Reader and buffer; `None` once reading failed.
    reading: Option<(BlobReader, Vec<u8>)>,
    _files: OwnedSemaphorePermit,
}

impl Pieces {
    pub(in crate::store::local) fn new(reader: BlobReader, files: OwnedSemaphorePermit) -> Self {
        Self { reading: Some((reader, Vec::new())), _files: files }
    }

    /// Takes the next pieces in; `false` at the end.
    pub(in crate::store) async fn fold<T: Send + 'static>(
        &mut self,
        mut state: T,
        take: fn(&mut T, &[u8]),
    ) -> io::Result<(T, bool)> {
        let Some((mut reader, mut buffer)) = self.reading.take() else {
            return Ok((state, false));
        };
        let read = spawn_blocking(move || {
            let mut more = Ok(true);
            for _ in 0..READS_AT_ONCE {
                more = reader.read(&mut buffer);
                if !matches!(more, Ok(true)) {
                    break;
                }
                take(&mut state, &buffer);
            }
            more.map(|more| (more, reader, state, buffer))
        });
        let (more, reader, state, buffer) = read.await.map_err(io::Error::other)??;
        self.reading = Some((reader, buffer));
        Ok((state, more))
    }
}
