//! Lays the current objects of a bucket out as files, also while the store is served.
//!
//! Objects are read page by page, each as it is at that moment: the tree as a whole is not of one moment. A file is
//! made under a name of the exporter's own and renamed when it is whole. It is made of the blob without copying it where
//! that can be had: by sharing its blocks, or else as another name of the blob.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Bound;
use std::path::Path;

use rustix::fs::{FileType, FlockOperation, Stat, flock, renameat, syncfs};
use rustix::io::Errno;

use super::body::{UNFINISHED, make};
use super::folder::{Folder, Root, in_the_way, kind, look, make_file, open_file, remove};
use super::found::Found;
use super::manifest::{self, Row, Rows};
use super::path::{path_of, split};
use super::{TreeError, check_apart, modified, size};
use crate::private;
use crate::s3::name::{BucketName, ObjectKey};
use crate::store::local::index::tables::{object_key, prefixed};
use crate::store::local::tools::snapshot::{Snapshot, Step};

/// How many objects are looked at in one snapshot, and how many bytes of theirs are held.
const PAGE_ROWS: usize = 256;
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Longest path that systems take, with the NUL after it.
const PATH_BYTES_MAX: usize = 4096;

/// An object that has no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The key of the object.
    pub key: String,
    /// Why it was not exported.
    pub why: String,
}

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files that were made.
    pub made: u64,
    /// Bytes of the files that were made.
    pub made_bytes: u64,
    /// Files that were there already.
    pub kept: u64,
    /// Objects that cannot be files.
    pub refused: u64,
    /// Files of an earlier export whose objects are gone.
    pub removed: u64,
}

/// An export under way.
#[derive(Debug)]
pub struct Export<'v> {
    snapshot: &'v Snapshot,
    bucket: u32,
    root: Root,
    /// No file is to be another name of a blob.
    copy: bool,
    /// Whether sharing blocks is worth another try.
    clones: bool,
    manifest: BufWriter<File>,
    /// The key after which it goes on.
    after: Option<Vec<u8>>,
    /// The folder that was used last, and its path.
    folder: Option<(String, Folder)>,
    exported: Exported,
}

/// What became of an object.
enum Laid {
    Made(String),
    Kept(String),
    Refused(String),
}

impl Snapshot {
    /// Begins to lay a bucket out below a directory.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn export(&self, bucket: &BucketName, to: &Path, copy: bool) -> Result<Export<'_>, TreeError> {
        let id = self.bucket_id(bucket)?;
        let fail = |error| TreeError::Folder(to.to_owned(), error);
        // Before anything is made, and again when all of the path exists.
        check_apart(to, self.layout.root())?;
        let root = Root::make(to).map_err(fail)?;
        check_apart(to, self.layout.root())?;
        match flock(&root.folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(TreeError::Busy(to.to_owned())),
            locked => locked.map_err(|error| fail(error.into()))?,
        }
        claim(&root, bucket)?;
        for unfinished in [UNFINISHED, manifest::UNFINISHED] {
            remove(&root.folder, unfinished).map_err(fail)?;
        }
        let file = make_file(&root.folder, manifest::UNFINISHED).map_err(fail)?;
        let mut export = Export {
            snapshot: self,
            bucket: id,
            root,
            copy,
            clones: true,
            manifest: BufWriter::new(file),
            after: None,
            folder: None,
            exported: Exported::default(),
        };
        // What is gone goes first, since a file may be where a folder is to be.
        export.remove_gone()?;
        Ok(export)
    }
}

/// Names the bucket that a tree is of.
pub(super) const OWNER: &str = ".presigned-bucket";

/// Makes a tree that of a bucket, if nothing is in it; any other must be of this bucket already. What is under the
/// paths of keys is replaced, and keys are chosen by anyone who may upload.
fn claim(root: &Root, bucket: &BucketName) -> Result<(), TreeError> {
    let fail = |error| TreeError::Folder(root.path.clone(), error);
    let owner = root.path.join(OWNER);
    match std::fs::read_to_string(&owner) {
        Ok(name) if name.trim_end() == bucket.as_str() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(_) => return Err(TreeError::Foreign(root.path.clone())),
        Err(error) => return Err(fail(error)),
    }
    if std::fs::read_dir(&root.path).map_err(fail)?.next().is_some() {
        return Err(TreeError::Foreign(root.path.clone()));
    }
    private::replace(&owner, format!("{bucket}\n").as_bytes()).map_err(fail)
}

impl Export<'_> {
    /// Lays the next objects out, and gives those that it could not; `None` at the end.
    ///
    /// # Errors
    /// [`TreeError`], where going on makes no sense.
    pub fn page(&mut self, step: Step<'_>) -> Result<Option<Vec<Refused>>, TreeError> {
        let page = self.next_page()?;
        if page.is_empty() {
            return Ok(None);
        }
        let mut refused = Vec::new();
        for found in page {
            let path = match self.lay(&found, step)? {
                Laid::Made(path) => {
                    self.exported.made += 1;
                    self.exported.made_bytes += found.record.head.size;
                    Some(path)
                }
                Laid::Kept(path) => {
                    self.exported.kept += 1;
                    step(found.record.head.size);
                    Some(path)
                }
                Laid::Refused(why) => {
                    self.exported.refused += 1;
                    refused.push(Refused { key: found.key.clone(), why });
                    None
                }
            };
            let line = serde_json::to_string(&found.row(path)).map_err(io::Error::from)?;
            writeln!(self.manifest, "{line}")?;
        }
        Ok(Some(refused))
    }

    /// Ends the export: removes what is gone, and puts the manifest in its place when all that it names is durable.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn finish(mut self) -> Result<Exported, TreeError> {
        self.manifest.flush()?;
        self.remove_gone()?;
        syncfs(&self.root.folder)?;
        let folder = &self.root.folder;
        renameat(folder, manifest::UNFINISHED, folder, manifest::NAME)?;
        rustix::fs::fsync(folder)?;
        Ok(self.exported)
    }

    fn next_page(&mut self) -> Result<Vec<Found>, TreeError> {
        let index = &self.snapshot.index;
        let transaction = index.read()?;
        let prefix = prefixed(self.bucket, b"");
        let from = match &self.after {
            Some(after) => Bound::Excluded(after.as_slice()),
            None => Bound::Included(prefix.as_slice()),
        };
        let (mut page, mut bytes) = (Vec::new(), 0);
        for row in index.objects.range(&transaction, &(from, Bound::Unbounded))?.take(PAGE_ROWS) {
            let (key, value) = row?;
            if !key.starts_with(&prefix) || bytes > PAGE_BYTES {
                break;
            }
            bytes += value.len();
            page.push(self.snapshot.found(&transaction, key, value)?);
        }
        self.after = page.last().map(|found| prefixed(self.bucket, found.key.as_bytes()));
        Ok(page)
    }

    /// Lays one object out. An error is one that further objects would meet as well.
    fn lay(&mut self, found: &Found, step: Step<'_>) -> Result<Laid, TreeError> {
        let path = match path_of(&found.key, found.is_folder) {
            Ok(path) => path,
            Err(why) => return Ok(Laid::Refused(why.to_string())),
        };
        if self.root.path.as_os_str().len() + 1 + path.len() >= PATH_BYTES_MAX {
            return Ok(Laid::Refused(format!("a path of {} bytes is too long", path.len())));
        }
        if found.is_damaged {
            return Ok(Laid::Refused("its body is damaged".to_owned()));
        }
        match self.lay_at(found, &path, step) {
            Ok(true) => Ok(Laid::Made(path)),
            Ok(false) => Ok(Laid::Kept(path)),
            Err(error) if is_of_file_system(&error) => Err(error.into()),
            Err(error) => Ok(Laid::Refused(error.to_string())),
        }
    }

    /// Makes the file of an object; `false` if it is there already.
    fn lay_at(&mut self, found: &Found, path: &str, step: Step<'_>) -> io::Result<bool> {
        let (parent, name) = split(path);
        let folder = match self.folder.take() {
            Some((last, folder)) if last == parent => folder,
            _ => self.root.make_folder(parent)?,
        };
        let folder = &self.folder.insert((parent.to_owned(), folder)).1;
        match look(folder, name)? {
            Some(there) if kind(&there) != FileType::RegularFile => return Err(in_the_way(folder, name)),
            Some(there) if found.is_file(&there) && !(self.copy && there.st_nlink > 1) => return Ok(false),
            _ => {}
        }
        let made = make(found, self.snapshot, &self.root, self.copy, &mut self.clones, step)
            .and_then(|()| Ok(renameat(&self.root.folder, UNFINISHED, folder, name)?));
        // If both are names of one file, renaming does nothing.
        remove(&self.root.folder, UNFINISHED)?;
        made.map(|()| true)
    }

    /// Removes files that the manifest of an earlier export names and whose objects are gone, or have other paths.
    /// Files that were changed since are left alone.
    fn remove_gone(&mut self) -> Result<(), TreeError> {
        let file = match open_file(&self.root.folder, manifest::NAME) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        let mut rows = Rows::new(file);
        while let Some(row) = rows.next()? {
            if let Some(path) = &row.path
                && self.is_gone(&row.key, path)?
                && self.remove_unchanged(&row, path)?
            {
                self.exported.removed += 1;
            }
        }
        Ok(())
    }

    /// Whether a file that an export made of a key is not to be there any longer.
    fn is_gone(&self, key: &str, path: &str) -> Result<bool, TreeError> {
        let Ok(key) = ObjectKey::parse(key) else {
            return Ok(false);
        };
        let of_key = |is_folder| path_of(key.as_str(), is_folder).is_ok_and(|of_key| of_key == path);
        let index = &self.snapshot.index;
        let transaction = index.read()?;
        let table_key = object_key(self.bucket, &key);
        let is_there = index.objects.get(&transaction, &table_key)?.is_some();
        let is_folder = self.snapshot.is_folder(&transaction, &table_key)?;
        Ok(match (of_key(false), of_key(true)) {
            // Anyone who wrote this, it was no export.
            (false, false) => false,
            (_, behind) => !is_there || behind != is_folder,
        })
    }

    fn remove_unchanged(&mut self, row: &Row, path: &str) -> io::Result<bool> {
        let (parent, name) = split(path);
        // A folder that is not there, or no folder any longer, holds nothing of ours.
        let Ok(folder) = self.root.folder(parent) else {
            return Ok(false);
        };
        let is_ours =
            |there: &Stat| kind(there) == FileType::RegularFile && row.is_of(size(there), modified(there));
        if !look(&folder, name)?.as_ref().is_some_and(is_ours) {
            return Ok(false);
        }
        remove(&folder, name)?;
        self.folder = None;
        self.root.remove_empty(parent)?;
        Ok(true)
    }
}

/// Whether the next file would fail for the same reason.
fn is_of_file_system(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}
