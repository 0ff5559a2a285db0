//! The folders of a tree, reached name by name from its root: a symbolic link below the root is never followed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::private;

/// An open folder.
pub(super) type Folder = OwnedFd;

/// How folders are opened.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The root of a tree.
#[derive(Debug)]
pub(super) struct Root {
    pub folder: Folder,
    pub path: PathBuf,
}

impl Root {
    /// Opens a directory, which may itself be named by a symbolic link.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { folder: openat(CWD, path, FOLDER, Mode::empty())?, path: path.to_owned() })
    }

    /// The same, where it is made if it is not there.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        private::directory(path)?;
        Self::open(path)
    }

    /// The folder of this path below the root, which is itself for the empty one.
    pub(super) fn folder(&self, path: &str) -> io::Result<Folder> {
        self.walk(path, |folder, name| openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()))
    }

    /// The same, where folders are made that are not there.
    pub(super) fn make_folder(&self, path: &str) -> io::Result<Folder> {
        self.walk(path, |folder, name| {
            let open = || openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
            match open() {
                Err(Errno::NOENT) => match mkdirat(folder, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => open(),
                    Err(error) => Err(error),
                },
                opened => opened,
            }
        })
    }

    fn walk(
        &self,
        path: &str,
        enter: impl Fn(&Folder, &str) -> rustix::io::Result<Folder>,
    ) -> io::Result<Folder> {
        let mut folder = self.folder.try_clone()?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            folder = match enter(&folder, name) {
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(in_the_way(&folder, name)),
                entered => entered?,
            };
        }
        Ok(folder)
    }

    /// Removes a folder, and those it is in, as far as nothing is in them.
    pub(super) fn remove_empty(&self, mut path: &str) -> io::Result<()> {
        while !path.is_empty() {
            let (parent, name) = super::path::split(path);
            match unlinkat(self.folder(parent)?, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => path = parent,
                Err(_) => break,
            }
        }
        Ok(())
    }
}

/// What there is under a name; `None` if nothing is.
pub(super) fn look(folder: &Folder, name: &str) -> io::Result<Option<Stat>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Opens a file to read it; anything but a regular file is opened without side effects.
pub(super) fn open_file(folder: &Folder, name: &str) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(openat(folder.as_fd(), name, flags, Mode::empty())?.into())
}

/// Makes a file to write to.
pub(super) fn make_file(folder: &Folder, name: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Removes a file; that it is not there is no error.
pub(super) fn remove(folder: &Folder, name: &str) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

/// That there is something else where a folder or a file is to be.
pub(super) fn in_the_way(folder: &Folder, name: &str) -> io::Error {
    let what = match look(folder, name).ok().flatten().as_ref().map(kind) {
        Some(FileType::Symlink) => "a symbolic link",
        Some(FileType::RegularFile) => "a file",
        Some(FileType::Directory) => "a folder",
        _ => "something that is neither file nor folder",
    };
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{what} named {name:?} is in the way"))
}
