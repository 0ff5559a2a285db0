//! Bodies on their way out: what a store keeps of them, and how they are read.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::Error;
use super::local::blobs::blob::Pinned;
use super::local::blobs::windows::{Pieces as BlobPieces, Windows};
use crate::s3::range::Span;
use crate::size;

/// The bytes of an object, kept for as long as this lives, whatever becomes of the object.
#[derive(Clone, Debug)]
pub struct Body(pub(super) Kept);

/// How an engine keeps them.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// At hand.
    Bytes(Bytes),
    /// In files.
    Blobs(Pinned),
}

/// The bytes of a span.
pub(super) fn within(bytes: &Bytes, span: Span) -> Bytes {
    let end = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(end(span.offset)..end(span.offset + span.length))
}

/// A body that is being sent, or a span of one.
#[derive(Debug)]
pub struct Reader(pub(super) Sent);

#[derive(Debug)]
pub(super) enum Sent {
    Bytes(Bytes),
    Windows(Box<Windows>),
}

impl Reader {
    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        match &self.0 {
            Sent::Bytes(bytes) => size::bytes(bytes.len()),
            Sent::Windows(windows) => windows.left(),
        }
    }

    /// What comes next; `None` at the end.
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match &mut self.0 {
            Sent::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Sent::Bytes(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Sent::Windows(windows) => windows.poll(task),
        }
    }
}

/// A body that is read to its end, for what is computed of it.
#[derive(Debug)]
pub struct Pieces(pub(super) Folded);

#[derive(Debug)]
pub(super) enum Folded {
    Bytes(Bytes),
    Blobs(BlobPieces),
}

impl Pieces {
    /// Takes the next pieces in, a few megabytes at most; `false` at the end.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if they cannot be read.
    pub async fn fold<T: Send + 'static>(
        &mut self,
        mut state: T,
        take: fn(&mut T, &[u8]),
    ) -> Result<(T, bool), Error> {
        match &mut self.0 {
            Folded::Bytes(bytes) => {
                take(&mut state, &std::mem::take(bytes));
                Ok((state, false))
            }
            Folded::Blobs(pieces) => Ok(pieces.fold(state, take).await?),
        }
    }
}
