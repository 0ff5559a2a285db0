//! The directory of a store: its files, its format, its lock.
//!
//! ```text
//! DIR/
//!   format         version of this layout
//!   lock           flock: one process owns a store
//!   hold           flock: shared by processes that read next to it, and for whose sake no blob is removed
//!   index/         LMDB
//!   incoming/      blobs whose commit is under way
//!   blobs/ab/<id>  bodies, immutable, named by the id whose first two digits name the folder
//! ```

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::medium::Medium;
use super::segment::{BlobId, Segment};
use crate::private;
use crate::s3::name::hex_encode;

/// The text of `format` that this version writes.
const FORMAT: &str = "presigned store 5\n";
/// The version of that format.
pub(in crate::store::local) const VERSION: u8 = 5;
/// The texts of the formats before it, which a start brings up to date.
const FOURTH_FORMAT: &str = "presigned store 4\n";
const THIRD_FORMAT: &str = "presigned store 3\n";
const SECOND_FORMAT: &str = "presigned store 2\n";
const FIRST_FORMAT: &str = "presigned store 1\n";
/// What may stand in a directory that is to become a store.
const OWN_NAMES: [&str; 11] = [
    "backup",
    "lock",
    "hold",
    "index",
    "index.new",
    "incoming",
    "blobs",
    "format.new",
    "credentials.toml",
    "credentials.toml.new",
    "lost+found",
];

/// Why a store could not be opened; one line for anyone who started it.
#[derive(Debug)]
pub enum OpenError {
    /// The directory cannot be made, read or written.
    Directory(PathBuf, io::Error),
    /// It holds other things.
    NotAStore(PathBuf),
    /// It was written by another version.
    UnknownFormat(PathBuf, String),
    /// Another process has it open, that of this id if it has told.
    Locked(PathBuf, Option<u32>),
    /// There is nothing.
    Missing(PathBuf),
    /// It is not a directory.
    NotADirectory(PathBuf),
    /// A backup into it was begun and not finished.
    UnfinishedBackup(PathBuf),
    /// It is a store of its own, which a backup must not replace.
    NotABackup(PathBuf),
    /// There are blobs, and no index that says what they are.
    NoIndex(PathBuf),
    /// The index cannot be opened.
    Index(PathBuf, String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => write!(f, "cannot use the directory {}: {error}", path.display()),
            Self::NotAStore(path) => {
                write!(f, "{} is not empty and is not a store of presigned", path.display())
            }
            Self::UnknownFormat(path, found) => write!(
                f,
                "the store in {} has the format {found:?}, which this version does not know",
                path.display()
            ),
            Self::Locked(path, Some(holder)) => {
                write!(f, "the store in {} is in use by process {holder}", path.display())
            }
            Self::Locked(path, None) => {
                write!(f, "the store in {} is in use by another process", path.display())
            }
            Self::Missing(path) => write!(f, "there is no {}: name the directory of a store", path.display()),
            Self::NotADirectory(path) => {
                write!(f, "{} is a file, not the directory of a store", path.display())
            }
            Self::UnfinishedBackup(path) => {
                write!(f, "the backup in {} was not finished: run it again", path.display())
            }
            Self::NotABackup(path) => write!(
                f,
                "{} is a store and no backup, or has been served since it was one: choose another directory",
                path.display()
            ),
            Self::NoIndex(path) => write!(
                f,
                "there is no index in {}, but there are blobs: put it back from a backup",
                path.display()
            ),
            Self::Index(path, error) => write!(f, "cannot open the index in {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// Makes the directory of a store, unless it is there.
fn make_directory(root: &Path) -> Result<(), OpenError> {
    private::directory(root).map_err(|error| match root.is_file() {
        true => OpenError::NotADirectory(root.to_owned()),
        false => OpenError::Directory(root.to_owned(), error),
    })
}

/// The paths of a store.
#[derive(Clone, Debug)]
pub(in crate::store::local) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Opens the directory of a store that is there, and takes its lock.
    pub(in crate::store::local) fn open_existing(root: &Path) -> Result<(Self, File), OpenError> {
        let layout = Self { root: root.to_owned() };
        fs::metadata(layout.format()).map_err(|error| layout.no_store(error))?;
        Self::open(root)
    }

    /// What it means that the format cannot be read.
    fn no_store(&self, error: io::Error) -> OpenError {
        let root = self.root.clone();
        match (fs::metadata(&root), error.kind()) {
            (Ok(found), _) if !found.is_dir() => OpenError::NotADirectory(root),
            (Err(missing), _) if missing.kind() == io::ErrorKind::NotFound => OpenError::Missing(root),
            (Ok(_), io::ErrorKind::NotFound) => OpenError::NotAStore(root),
            _ => OpenError::Directory(root, error),
        }
    }

    /// Opens the directory, makes it a store if it is new, and takes its lock, which the returned file holds.
    pub(in crate::store::local) fn open(root: &Path) -> Result<(Self, File), OpenError> {
        let layout = Self { root: root.to_owned() };
        layout.refuse_unfinished()?;
        let is_old = layout.format().exists();
        let opened = Self::open_any(root)?;
        if is_old {
            layout.refuse_half()?;
        }
        Ok(opened)
    }

    /// A store of which half is gone would be served as an empty one, or with nothing but errors.
    fn refuse_half(&self) -> Result<(), OpenError> {
        let shards = fs::read_dir(self.blobs()).map_err(|error| OpenError::Directory(self.blobs(), error))?;
        let holds_blobs = |shard: io::Result<fs::DirEntry>| {
            let files = shard.and_then(|shard| fs::read_dir(shard.path()));
            files.is_ok_and(|mut files| files.next().is_some())
        };
        // A start that was interrupted may have made the format and no index yet; but then there are no blobs.
        match self.index().join("data.mdb").exists() || !shards.into_iter().any(holds_blobs) {
            true => Ok(()),
            false => Err(OpenError::NoIndex(self.index())),
        }
    }

    /// The same for a backup, which may be unfinished, and may replace nothing but an earlier one.
    pub(in crate::store::local) fn open_for_backup(root: &Path) -> Result<(Self, File), OpenError> {
        let layout = Self { root: root.to_owned() };
        if layout.format().exists() && !layout.backup_mark().exists() {
            return Err(OpenError::NotABackup(root.to_owned()));
        }
        let fail = |error| OpenError::Directory(root.to_owned(), error);
        if !layout.format().exists() {
            make_directory(root)?;
            layout.refuse_foreign_files()?;
        }
        // Marked before it is made a store, so that a backup that is interrupted can be resumed.
        let marked = private::create(&layout.backup_mark()).and_then(|mark| mark.sync_all());
        marked.and_then(|()| File::open(root)?.sync_all()).map_err(fail)?;
        Self::open_any(root)
    }

    /// Notes that the store is about to have a life of its own: no backup may replace it any more.
    pub(in crate::store::local) fn forget_backup(&self) -> io::Result<()> {
        match fs::remove_file(self.backup_mark()) {
            Ok(()) => File::open(&self.root)?.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The second backup into a directory leaves the first one in place until it is whole; the first one is nothing
    /// before that.
    fn refuse_unfinished(&self) -> Result<(), OpenError> {
        match self.new_index().exists() && !self.index().join("data.mdb").exists() {
            true => Err(OpenError::UnfinishedBackup(self.root.clone())),
            false => Ok(()),
        }
    }

    fn open_any(root: &Path) -> Result<(Self, File), OpenError> {
        let fail = |error| OpenError::Directory(root.to_owned(), error);
        make_directory(root)?;
        let layout = Self { root: root.to_owned() };
        match fs::read_to_string(layout.format()) {
            Ok(format)
                if [FORMAT, FOURTH_FORMAT, THIRD_FORMAT, SECOND_FORMAT, FIRST_FORMAT]
                    .contains(&format.as_str()) => {}
            Ok(format) => {
                return Err(OpenError::UnknownFormat(root.to_owned(), format.trim().to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => layout.refuse_foreign_files()?,
            Err(error) => return Err(layout.no_store(error)),
        }
        let mut lock = private::open(&root.join("lock")).map_err(fail)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Without it the message says less.
                let _ = lock.read_to_string(&mut holder);
                return Err(OpenError::Locked(root.to_owned(), holder.trim().parse().ok()));
            }
            Err(error) => return Err(fail(error.into())),
        }
        // For anyone who finds the store taken.
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(fail)?;
        if !layout.format().exists() {
            layout.create().map_err(fail)?;
        }
        Ok((layout, lock))
    }

    /// The layout of a store that is there, anyone who has it open, and a hold on it: for as long as the returned file
    /// is open, no blob is removed.
    pub(in crate::store::local) fn visit(root: &Path) -> Result<(Self, File), OpenError> {
        let fail = |error| OpenError::Directory(root.to_owned(), error);
        let layout = Self { root: root.to_owned() };
        match fs::read_to_string(layout.format()) {
            Ok(format) if format == FORMAT => {}
            Ok(format) => return Err(OpenError::UnknownFormat(root.to_owned(), format.trim().to_owned())),
            Err(error) => return Err(layout.no_store(error)),
        }
        layout.refuse_unfinished()?;
        let hold = layout.hold_file().map_err(fail)?;
        flock(&hold, FlockOperation::LockShared).map_err(|error| fail(error.into()))?;
        Ok((layout, hold))
    }

    /// The right to remove blobs, for as long as the returned file is open; `None` while someone holds them.
    pub(in crate::store::local) fn unheld(&self) -> io::Result<Option<File>> {
        let hold = self.hold_file()?;
        match flock(&hold, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(hold)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn hold_file(&self) -> io::Result<File> {
        private::open(&self.root.join("hold"))
    }

    /// Refuses a directory that holds anything but what may stand in one that is to become a store.
    fn refuse_foreign_files(&self) -> Result<(), OpenError> {
        let fail = |error| OpenError::Directory(self.root.clone(), error);
        for entry in fs::read_dir(&self.root).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            if !OWN_NAMES.iter().any(|own| *own == name) {
                return Err(OpenError::NotAStore(self.root.clone()));
            }
        }
        Ok(())
    }

    /// Makes the folders, and last of all the format file: without it nothing counts as written.
    fn create(&self) -> io::Result<()> {
        for folder in [self.index(), self.incoming(), self.blobs()] {
            private::directory(&folder)?;
        }
        for shard in 0..=u8::MAX {
            private::directory(&self.blobs().join(hex_encode(&[shard])))?;
        }
        File::open(self.blobs())?.sync_all()?;
        self.write_format()?;
        // The directory itself may be as new as what is in it.
        match fs::canonicalize(&self.root)?.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Which version of the format the store is of.
    pub(in crate::store::local) fn version(&self) -> io::Result<u8> {
        Ok(match fs::read_to_string(self.format())?.as_str() {
            FIRST_FORMAT => 1,
            SECOND_FORMAT => 2,
            THIRD_FORMAT => 3,
            FOURTH_FORMAT => 4,
            _ => VERSION,
        })
    }

    /// Makes the store one of today's format, durably.
    pub(in crate::store::local) fn write_format(&self) -> io::Result<()> {
        private::replace(&self.format(), FORMAT.as_bytes())?;
        File::open(&self.root)?.sync_all()
    }

    fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    pub(in crate::store::local) fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// Says that the directory is a backup that no one has served.
    fn backup_mark(&self) -> PathBuf {
        self.root.join("backup")
    }

    /// The index of a backup that is being made.
    pub(in crate::store::local) fn new_index(&self) -> PathBuf {
        self.root.join("index.new")
    }

    pub(in crate::store::local) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    pub(in crate::store::local) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Where a blob is until its commit has been carried out.
    pub(in crate::store::local) fn incoming_blob(&self, id: BlobId) -> PathBuf {
        self.incoming().join(id.to_string())
    }

    /// Opens a blob where it is: in its place, or for a moment still in the incoming folder.
    pub(in crate::store::local) fn open_blob(&self, medium: &dyn Medium, blob: BlobId) -> io::Result<File> {
        let (place, incoming) = (self.blob(blob), self.incoming_blob(blob));
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match medium.open(&place) {
            Err(error) if missing(&error) => match medium.open(&incoming) {
                // It was moved between the two looks.
                Err(error) if missing(&error) => medium.open(&place),
                other => other,
            },
            other => other,
        }
    }

    /// Opens the blob of a segment, if it is long enough: a mapping beyond the end of a file is a trap.
    ///
    /// # Errors
    /// `UnexpectedEof` if it is not, and the file system's.
    pub(in crate::store::local) fn open_segment(
        &self,
        medium: &dyn Medium,
        segment: &Segment,
    ) -> io::Result<File> {
        let file = self.open_blob(medium, segment.blob())?;
        match file.metadata()?.len() < segment.offset + segment.length {
            true => {
                let text = format!("blob {} is too short", segment.blob());
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
            }
            false => Ok(file),
        }
    }

    pub(in crate::store::local) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder a blob ends in.
    pub(in crate::store::local) fn shard(&self, id: BlobId) -> PathBuf {
        let [first, ..] = id.0;
        self.blobs().join(hex_encode(&[first]))
    }

    /// Where a blob ends.
    pub(in crate::store::local) fn blob(&self, id: BlobId) -> PathBuf {
        self.shard(id).join(id.to_string())
    }
}
