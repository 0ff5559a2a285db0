//! Bodies: written once, immutable ever after, read by copying, or through mappings where no one touches the bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use super::layout::Layout;
use super::medium::{Adoption, Medium, NewFile, Syncer};
use super::segment::{BlobId, Segment, slice};
use crate::auth::BodyProof;
use crate::mapped;
use crate::s3::checksum::Checksum;
use crate::size;
use crate::store::Error;

/// Windows up to this size are copied, however they are asked for.
const COPY_BYTES_MAX: u64 = 128 * 1024;
/// Files that a reader of mappings may have open: of the window being sent, of the one after it, and of what was handed on.
const MAPPED_FILES_MAX: usize = 3;
/// How much is written between two syncs of a long body.
const FLUSH_BYTES: u64 = 32 * 1024 * 1024;
/// What [`BlobReader::read`] copies at once: it stays in the cache of a core.
const READ_BYTES: u64 = 1024 * 1024;

/// A body that is written, but that no record refers to yet. Dropped, it vanishes.
#[derive(Debug)]
pub(in crate::store::local) struct NewBlob {
    id: BlobId,
    file: Box<dyn NewFile>,
}

impl NewBlob {
    pub(in crate::store::local) fn create(layout: &Layout, medium: &dyn Medium) -> io::Result<Self> {
        let id = BlobId::random()?;
        let file = medium.create(&layout.incoming(), &id.to_string())?;
        Ok(Self { id, file })
    }

    /// A blob of the bytes of a file, none of which is copied; `None` where that cannot be had.
    pub(in crate::store::local) fn adopt(
        layout: &Layout,
        medium: &dyn Medium,
        source: &File,
        adoption: Adoption,
    ) -> io::Result<Option<Self>> {
        let id = BlobId::random()?;
        let file = medium.adopt(&layout.incoming(), &id.to_string(), source, adoption)?;
        Ok(file.map(|file| Self { id, file }))
    }

    pub(in crate::store::local) fn id(&self) -> BlobId {
        self.id
    }

    pub(in crate::store::local) fn link(&mut self, layout: &Layout) -> io::Result<()> {
        self.file.link(&layout.incoming_blob(self.id))
    }
}

/// Takes in a body on blocking threads.
#[derive(Debug)]
pub(crate) struct Writer {
    content: NewContent,
    written: u64,
    /// How much of it someone was asked to sync.
    flushed: u64,
}

/// Syncs what a writer has written so far, while it goes on: so the last sync has little left to wait for.
#[derive(Debug)]
pub(crate) struct Flush(Box<dyn Syncer>);

impl Flush {
    /// Waits until the data is durable.
    ///
    /// # Errors
    /// As [`Writer::write`]. The kernel tells of a failed sync once: anyone who hears of it here must not finish the
    /// body.
    pub(crate) fn wait(mut self) -> Result<(), Error> {
        Ok(self.0.sync()?)
    }
}

#[derive(Debug)]
pub(in crate::store::local) enum NewContent {
    Inline(Vec<u8>),
    Blob(NewBlob),
}

impl Writer {
    /// A writer of a body that goes into the index.
    pub(in crate::store::local) fn inline(length: usize) -> Self {
        Self { content: NewContent::Inline(Vec::with_capacity(length)), written: 0, flushed: 0 }
    }

    /// A writer of a body that gets a file.
    pub(in crate::store::local) fn blob(blob: NewBlob) -> Self {
        Self { content: NewContent::Blob(blob), written: 0, flushed: 0 }
    }

    /// A writer of a body that is in its file already.
    pub(in crate::store::local) fn adopted(blob: NewBlob, length: u64) -> Self {
        Self { content: NewContent::Blob(blob), written: length, flushed: 0 }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::Io`].
    pub(crate) fn write(&mut self, data: &[Bytes]) -> Result<(), Error> {
        self.written += data.iter().map(|piece| size::bytes(piece.len())).sum::<u64>();
        match &mut self.content {
            NewContent::Inline(body) => data.iter().for_each(|piece| body.extend_from_slice(piece)),
            NewContent::Blob(blob) => blob.file.append(data)?,
        }
        Ok(())
    }

    /// What is worth syncing already, if there is enough of it.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub(crate) fn flush(&mut self) -> Result<Option<Flush>, Error> {
        match &self.content {
            NewContent::Blob(blob) if self.written - self.flushed >= FLUSH_BYTES => {
                self.flushed = self.written;
                Ok(Some(Flush(blob.file.syncer()?)))
            }
            NewContent::Blob(_) | NewContent::Inline(_) => Ok(None),
        }
    }

    /// Ends the body and makes it durable. The proof must be of as many bytes as were written.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub(crate) fn finish(mut self, proof: BodyProof) -> Result<Received, Error> {
        if proof.size() != self.written {
            let text = format!("{} bytes were proved, {} written", proof.size(), self.written);
            return Err(io::Error::other(text).into());
        }
        if let NewContent::Blob(blob) = &mut self.content {
            blob.file.sync()?;
        }
        Ok(Received { proof, content: self.content })
    }
}

/// A body that arrived whole and is durable, with its proof: what alone can be published.
#[derive(Debug)]
pub(crate) struct Received {
    pub(in crate::store::local) proof: BodyProof,
    pub(in crate::store::local) content: NewContent,
}

impl Received {
    /// The checksum that the client is shown.
    pub(crate) fn shown_checksum(&self) -> Option<Checksum> {
        self.proof.shown_checksum().copied()
    }
}

/// Blobs that are being read and must stay.
#[derive(Clone, Debug, Default)]
pub(in crate::store::local) struct Pins(Arc<Mutex<HashMap<BlobId, usize>>>);

impl Pins {
    /// Keeps the blobs of these segments until the guard goes.
    pub(in crate::store::local) fn pin(&self, segments: Vec<Segment>) -> Pinned {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for segment in &segments {
            *pins.entry(segment.blob()).or_insert(0) += 1;
        }
        Pinned { guard: Arc::new(Guard { segments, pins: self.clone() }) }
    }

    /// Whether someone reads this blob.
    pub(in crate::store::local) fn holds(&self, blob: BlobId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&blob)
    }
}

/// The blobs of a body, kept for as long as this lives.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    guard: Arc<Guard>,
}

#[derive(Debug)]
struct Guard {
    segments: Vec<Segment>,
    pins: Pins,
}

impl Pinned {
    pub(in crate::store::local) fn segments(&self) -> &[Segment] {
        &self.guard.segments
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut pins = self.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
        for segment in &self.segments {
            if let Some(count) = pins.get_mut(&segment.blob()) {
                *count -= 1;
                if *count == 0 {
                    pins.remove(&segment.blob());
                }
            }
        }
    }
}

/// Reads a body, or a run of it, window by window; every call blocks.
#[derive(Debug)]
pub(crate) struct BlobReader {
    layout: Layout,
    medium: Arc<dyn Medium>,
    /// Keeps the files in place until the last one is open.
    _pinned: Pinned,
    segments: std::vec::IntoIter<Segment>,
    /// The segment being read: its file, when that was written, and what is left of it.
    current: Option<(Arc<File>, SystemTime, Segment)>,
    mapped: bool,
}

impl BlobReader {
    pub(in crate::store::local) fn new(
        layout: Layout,
        medium: Arc<dyn Medium>,
        pinned: Pinned,
        offset: u64,
        length: u64,
    ) -> Self {
        let segments = slice(pinned.segments(), offset, length).into_iter();
        Self { layout, medium, _pinned: pinned, segments, current: None, mapped: false }
    }

    /// Gives large windows as mappings, for one who hands them to the kernel and never touches the bytes: to read from a
    /// mapping of a file that someone has cut short ends the process.
    pub(crate) fn mapped(self) -> Self {
        Self { mapped: true, ..self }
    }

    /// Whether large windows are mappings.
    pub(crate) fn is_mapped(&self) -> bool {
        self.mapped
    }

    /// How many files it may keep open at once, windows that are being sent included.
    pub(crate) fn files(&self) -> usize {
        let files = if self.mapped { MAPPED_FILES_MAX } else { 1 };
        self.segments.len().clamp(1, files)
    }

    /// The next window, of this many bytes at most; `None` at the end.
    ///
    /// # Errors
    /// The file system's; a file shorter than recorded is `UnexpectedEof`.
    pub(crate) fn next_window_of(&mut self, bytes_max: u64) -> io::Result<Option<Bytes>> {
        let Some((file, segment)) = self.next_run(bytes_max)? else {
            return Ok(None);
        };
        if self.mapped && segment.length > COPY_BYTES_MAX {
            return mapped::window(&file, segment.offset, segment.length).map(Some);
        }
        let mut buffer = vec![0; length_in_memory(segment.length)?];
        file.read_exact_at(&mut buffer, segment.offset)?;
        Ok(Some(buffer.into()))
    }

    /// Reads what comes next into a buffer, in the place of what is in it; `false` at the end.
    ///
    /// # Errors
    /// As [`BlobReader::next_window_of`].
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let Some((file, segment)) = self.next_run(READ_BYTES)? else {
            return Ok(false);
        };
        buffer.resize(length_in_memory(segment.length)?, 0);
        file.read_exact_at(buffer, segment.offset)?;
        Ok(true)
    }

    /// The run of a file that comes next, of this many bytes at most. A file that someone has written to meanwhile is
    /// not what its first run was of.
    fn next_run(&mut self, bytes_max: u64) -> io::Result<Option<(Arc<File>, Segment)>> {
        let (file, written, segment) = match self.current.take() {
            Some((file, written, segment)) => {
                if file.metadata()?.modified()? != written {
                    return Err(io::Error::other(format!("blob {} was changed", segment.blob())));
                }
                (file, Some(written), segment)
            }
            None => match self.segments.next() {
                Some(segment) => {
                    (Arc::new(self.layout.open_segment(self.medium.as_ref(), &segment)?), None, segment)
                }
                None => return Ok(None),
            },
        };
        let length = segment.length.min(bytes_max);
        if segment.length > length {
            let rest = Segment::new(segment.blob(), segment.offset + length, segment.length - length);
            let written = written.map_or_else(|| file.metadata()?.modified(), Ok)?;
            self.current = Some((Arc::clone(&file), written, rest));
        }
        Ok(Some((file, Segment::new(segment.blob(), segment.offset, length))))
    }
}

fn length_in_memory(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).ok().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
