//! The ready file: there while a server takes requests, and only then.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::Failure;
use crate::private;

/// Removes what an earlier start left, which is not true of this one.
///
/// # Errors
/// That it belongs to a server that runs, or is something else than a file.
pub(super) fn clear(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("cannot use {shown} as ready file: {error}").into()),
        Ok(found) if !found.is_file() => {
            return Err(format!("cannot use {shown} as ready file: it is there, and is not a file").into());
        }
        Ok(_) => {}
    }
    if let Ok(file) = File::open(path)
        && flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK)
    {
        return Err(format!("the ready file {shown} is that of a server which is running").into());
    }
    fs::remove_file(path).map_err(|error| format!("cannot remove {shown}: {error}").into())
}

/// A ready file that was written, and goes when this goes.
pub(super) struct ReadyFile {
    path: PathBuf,
    /// Says to others that its server is running.
    _lock: File,
}

impl ReadyFile {
    /// Writes it, one URL a line. Anyone who waits for it may be another user.
    ///
    /// # Errors
    /// That it cannot be written.
    pub(super) fn write(path: &Path, urls: &[String]) -> Result<Self, Failure> {
        let text = format!("{}\n", urls.join("\n"));
        let written = private::replace_readable(path, text.as_bytes()).and_then(|()| File::open(path));
        let lock = written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        // A file system without locks has none to respect either.
        let _ = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Self { path: path.to_owned(), _lock: lock })
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // No one is there any more to be ready.
        let _ = fs::remove_file(&self.path);
    }
}
