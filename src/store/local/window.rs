//! Windows of blobs in memory, and the files behind them.
//!
//! Whoever sends a window can send the file instead, and the bytes need not be touched. A window is known by where it is
//! in memory: for as long as bytes of it are alive nothing else can be there.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use memmap2::Mmap;

/// Where windows begin, and what they show. Of one process there is one memory, so there is one of these.
static WINDOWS: RwLock<BTreeMap<usize, Shown>> = RwLock::new(BTreeMap::new());

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
pub(super) fn show(mapping: Mmap, file: Arc<File>, offset: u64) -> Bytes {
    let window = Window(mapping);
    let shown = Shown { length: window.0.len(), file, offset };
    WINDOWS.write().unwrap_or_else(PoisonError::into_inner).insert(window.start(), shown);
    Bytes::from_owner(window)
}

/// The file that these bytes are a window of, and where in it they stand.
pub fn file_behind(bytes: &[u8]) -> Option<(Arc<File>, u64)> {
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
        let path = std::env::temp_dir().join(format!("presigned-window-{}", std::process::id()));
        std::fs::write(&path, vec![7; 300_000]).expect("written");
        let file = Arc::new(File::open(&path).expect("opened"));
        let bytes = super::super::blob::map_window(&file, 5000, 290_000).expect("read");
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
        std::fs::remove_file(path).expect("removed");
    }
}
