//! The file system where crashes matter, narrow enough for a test to lie about: how bodies get their files, and how those
//! are named, moved and removed. The folders and the format of a store, the tools of operators, and the files of LMDB use
//! the file system directly: nothing of a request is under way there, or LMDB answers for itself.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::store::Error;
use bytes::{Buf as _, Bytes};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fchmod, fstat, ioctl_ficlone, linkat, openat};
use rustix::io::Errno;

/// What the store asks of a file system.
pub(in crate::store::local) trait Medium: Debug + Send + Sync {
    /// A new file in `folder` that has no name yet; `spare` names it where the file system cannot do that.
    fn create(&self, folder: &Path, spare: &str) -> io::Result<Box<dyn NewFile>>;
    /// A new file in `folder` with the bytes of `source`, none of which is copied; `None` where that cannot be had.
    fn adopt(
        &self,
        folder: &Path,
        spare: &str,
        source: &File,
        adoption: Adoption,
    ) -> io::Result<Option<Box<dyn NewFile>>>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<File>;
    /// Renames within the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; that it is not there is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// The names in a folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Whether the file system of a folder is full. A write that was cut short for that reason does not say so.
    fn is_full(&self, folder: &Path) -> bool;
    /// Carries out a commit of the index, which does its own input and output: to the store it is one step, which
    /// happens, fails, or is cut off.
    fn commit(&self, commit: Box<dyn FnOnce() -> Result<(), Error> + '_>) -> Result<(), Error>;
}

/// How a file comes to the bytes of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::local) enum Adoption {
    /// It shares their blocks: who changes one of the two leaves the other as it is.
    Clone,
    /// It is the same file under another name, and from then on no one may write to it.
    Link,
}

/// A file being written, which vanishes unless it is linked.
pub(in crate::store::local) trait NewFile: Debug + Send {
    /// Appends all of `data`.
    fn append(&mut self, data: &[Bytes]) -> io::Result<()>;
    /// Makes the data durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Another handle to the file, to sync what has been written so far while more is written.
    fn syncer(&self) -> io::Result<Box<dyn Syncer>>;
    /// Gives the file its name; durable only once the folder is synced.
    fn link(&mut self, path: &Path) -> io::Result<()>;
}

/// Makes durable what a file held when it was asked.
pub(in crate::store::local) trait Syncer: Debug + Send {
    /// As [`NewFile::sync`].
    fn sync(&mut self) -> io::Result<()>;
}

impl Syncer for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The real file system.
#[derive(Debug)]
pub(in crate::store::local) struct Disk;

impl Medium for Disk {
    fn create(&self, folder: &Path, spare: &str) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(DiskFile::create(folder, spare)?))
    }

    fn adopt(
        &self,
        folder: &Path,
        spare: &str,
        source: &File,
        adoption: Adoption,
    ) -> io::Result<Option<Box<dyn NewFile>>> {
        let adopted = match adoption {
            Adoption::Clone => {
                let file = DiskFile::create(folder, spare)?;
                ioctl_ficlone(&file.file, source).map(|()| file)
            }
            Adoption::Link => DiskFile::link_to(folder, spare, source),
        };
        match adopted {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO)) => Err(error.into()),
            // Another file system, one that cannot do this, or someone else's file.
            Err(_) => Ok(None),
        }
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn is_full(&self, folder: &Path) -> bool {
        rustix::fs::statvfs(folder)
            .is_ok_and(|state| state.f_bavail.saturating_mul(state.f_frsize) < FULL_BYTES)
    }

    fn commit(&self, commit: Box<dyn FnOnce() -> Result<(), Error> + '_>) -> Result<(), Error> {
        commit()
    }
}

#[derive(Debug)]
struct DiskFile {
    file: File,
    /// The name it has where unnamed files do not exist.
    spare: Option<PathBuf>,
}

/// With less than this left, a file system counts as full.
const FULL_BYTES: u64 = 1024 * 1024;
/// Most buffers of one vectored write.
const SLICES_MAX: usize = 64;

impl DiskFile {
    /// Once it is written no one writes to it again, so anyone who opens it later cannot.
    fn create(folder: &Path, spare: &str) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match openat(CWD, folder, flags, Mode::RUSR) {
            Ok(fd) => Ok(Self { file: File::from(fd), spare: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT) => {
                let path = folder.join(format!("{spare}.tmp"));
                let file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path)?;
                Ok(Self { file, spare: Some(path) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// It gets its first name here at once, so that whether it can be linked is known before it is read.
    fn link_to(folder: &Path, spare: &str, source: &File) -> rustix::io::Result<Self> {
        let path = folder.join(format!("{spare}.tmp"));
        let file = source.try_clone().ok().ok_or(Errno::MFILE)?;
        linkat(CWD, descriptor(source).as_str(), CWD, &path, AtFlags::SYMLINK_FOLLOW)?;
        let linked = Self { file, spare: Some(path) };
        let mode = Mode::from_raw_mode(fstat(source)?.st_mode);
        fchmod(source, mode - (Mode::WUSR | Mode::WGRP | Mode::WOTH))?;
        Ok(linked)
    }
}

/// The name under which the system has an open file.
pub(in crate::store::local) fn descriptor(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

impl NewFile for DiskFile {
    fn append(&mut self, data: &[Bytes]) -> io::Result<()> {
        let mut rest: Vec<Bytes> = data.iter().filter(|piece| !piece.is_empty()).cloned().collect();
        let mut first = 0;
        while first < rest.len() {
            let slices: Vec<IoSlice<'_>> =
                rest.iter().skip(first).take(SLICES_MAX).map(|piece| IoSlice::new(piece)).collect();
            let mut written = self.file.write_vectored(&slices)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            while let Some(piece) = rest.get_mut(first).filter(|_| written > 0) {
                let bytes = written.min(piece.len());
                piece.advance(bytes);
                written -= bytes;
                if piece.is_empty() {
                    first += 1;
                }
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn syncer(&self) -> io::Result<Box<dyn Syncer>> {
        Ok(Box::new(self.file.try_clone()?))
    }

    fn link(&mut self, path: &Path) -> io::Result<()> {
        match self.spare.take() {
            Some(spare) => fs::rename(spare, path),
            None => Ok(linkat(CWD, descriptor(&self.file).as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW)?),
        }
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        // An unlinked file must leave nothing; start-up removes what is left if this fails.
        if let Some(spare) = self.spare.take() {
            let _ = fs::remove_file(spare);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_link_and_vanish() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path();
        let pieces: Vec<Bytes> = (0..200_u8).map(|byte| Bytes::from(vec![byte; usize::from(byte)])).collect();
        let mut file = Disk.create(folder, "spare").expect("a file");
        file.append(&pieces).expect("written");
        file.sync().expect("synced");
        file.link(&folder.join("named")).expect("linked");
        assert_eq!(fs::read(folder.join("named")).expect("readable"), pieces.concat());
        drop(Disk.create(folder, "other").expect("a file"));
        let source = File::open(folder.join("named")).expect("readable");
        drop(Disk.adopt(folder, "other", &source, Adoption::Link).expect("linked").expect("possible"));
        drop(Disk.adopt(folder, "other", &source, Adoption::Clone).expect("cloned or not"));
        assert_eq!(Disk.names(folder).expect("names"), ["named"]);
    }
}
