//! Files in memory, and the file behind a piece of memory: what lets a socket send a file instead of bytes.
//!
//! A window of a file is known by where it is in memory: for as long as bytes of it are alive nothing else can be there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use memmap2::{Advice, Mmap, MmapOptions};
use rustix::param::page_size;

/// Live mappings by start address. Addresses are per process, hence a global.
static WINDOWS: RwLock<BTreeMap<usize, Shown>> = RwLock::new(BTreeMap::new());

/// A window of a file in memory, all of it read in.
///
/// # Errors
/// Returns the file system's error if it cannot be mapped or read.
pub(crate) fn window(file: &Arc<File>, offset: u64, length: u64) -> io::Result<Bytes> {
    let bytes = usize::try_from(length).ok().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut options = MmapOptions::new();
    options.offset(offset).len(bytes);
    #[expect(unsafe_code, reason = "large bodies are served from mappings, without a copy")]
    // SAFETY: the mapping is shared and read-only. Blobs are immutable: they are linked when complete, and only
    // ever unlinked, which keeps mapped pages alive; the store's lock keeps other instances away. A file outside that
    // an export or an import made another name of a blob is read-only, and anyone who asked for it was told never to
    // change it. The window lies within the file, whose length was checked when it was opened.
    let mapping = unsafe { options.map(file.as_ref())? };
    // Reads the window in here, on a blocking thread, so that no worker waits for the disk and a broken one is
    // an error instead of a trap. What is in memory already is only looked up: most often no one touches it, since
    // the file is sent in its place.
    if !is_resident(&mapping) {
        match mapping.advise(Advice::PopulateRead) {
            // Before Linux 5.14 there is no such advice: pages then come as they are touched.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            other => other?,
        }
    }
    Ok(show(mapping, Arc::clone(file), offset))
}

/// Whether all pages of a mapping are in memory.
fn is_resident(mapping: &Mmap) -> bool {
    let mut pages = vec![0_u8; mapping.len().div_ceil(page_size()) + 1];
    // The system wants the start of a page; a mapping may begin within one.
    let before = mapping.as_ptr().addr() % page_size();
    let start = mapping.as_ptr().wrapping_sub(before).cast_mut().cast();
    #[expect(unsafe_code, reason = "there is no other way to ask for this")]
    // SAFETY: `mincore` reads no memory. It looks at `before + len` bytes from the start of a page, all of which the
    // mapping covers, and writes a byte for each of their pages into `pages`, which has one more than that.
    let asked = unsafe { libc::mincore(start, before + mapping.len(), pages.as_mut_ptr()) };
    let count = (before + mapping.len()).div_ceil(page_size());
    asked == 0 && pages.iter().take(count).all(|page| page & 1 == 1)
}

/// What a window shows.
struct Shown {
    length: usize,
    file: Arc<File>,
    offset: u64,
}

/// A mapping that is known for as long as it is there.
struct Window(Mmap);

impl Window {
    fn start(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl AsRef<[u8]> for Window {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Before the memory is given back, and may become something else.
        WINDOWS.write().unwrap_or_else(PoisonError::into_inner).remove(&self.start());
    }
}

/// The bytes of a mapping of `file` from `offset`.
fn show(mapping: Mmap, file: Arc<File>, offset: u64) -> Bytes {
    let window = Window(mapping);
    let shown = Shown { length: window.0.len(), file, offset };
    WINDOWS.write().unwrap_or_else(PoisonError::into_inner).insert(window.start(), shown);
    Bytes::from_owner(window)
}

/// The file that these bytes are a window of, and where in it they stand.
pub(crate) fn file_behind(bytes: &[u8]) -> Option<(Arc<File>, u64)> {
    let start = bytes.as_ptr().addr();
    let windows = WINDOWS.read().unwrap_or_else(PoisonError::into_inner);
    let (window, shown) = windows.range(..=start).next_back()?;
    let within = start - window;
    let fits = within.checked_add(bytes.len())? <= shown.length;
    let offset = shown.offset.checked_add(u64::try_from(within).ok()?)?;
    fits.then(|| (Arc::clone(&shown.file), offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_known_while_they_are_there() {
        let named = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(named.path(), vec![7; 300_000]).expect("written");
        let file = Arc::new(named.reopen().expect("opened"));
        let bytes = window(&file, 5000, 290_000).expect("read");
        let part = bytes.slice(1000..200_000);
        let (_, offset) = file_behind(&part).expect("known");
        assert_eq!(offset, 6000);
        assert!(file_behind(b"elsewhere").is_none());
        let copy = bytes.to_vec();
        assert!(file_behind(&copy).is_none());
        drop(bytes);
        assert!(file_behind(&part).is_some());
        assert_eq!(Arc::strong_count(&file), 2);
        drop(part);
        assert_eq!(Arc::strong_count(&file), 1);
    }
}
