//! A copy of a store that can be served itself, made while the store may be served.
//!
//! The copy of the index is of one moment, and every blob it refers to is kept for as long as the snapshot is there.
//! Blobs never change, so those that an earlier backup brought are not copied again. The order makes every
//! interruption harmless: blobs first, then the index in one rename, then the blobs of the former index that the new
//! one does not have.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::fsck::referring;
use super::report::place;
use super::scrub::{Found, is_damage, read_blob};
use super::snapshot::{Snapshot, Step};
use crate::private;
use crate::store::Error;
use crate::store::local::blobs::layout::{Layout, OpenError};
use crate::store::local::blobs::medium::Disk;
use crate::store::local::blobs::segment::BlobId;
use crate::store::local::index::record::{BlobRecord, decode};
use crate::store::local::index::tables::Index;

/// What is copied besides index and blobs: without it anyone who serves the copy would make other keys.
const CREDENTIALS: &str = "credentials.toml";

/// What a backup did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// Blobs that the backup holds.
    pub blobs: u64,
    /// Those of them that were copied now.
    pub copied: u64,
    /// Bytes of those.
    pub copied_bytes: u64,
    /// Blobs of an earlier backup that nothing refers to any more.
    pub removed: u64,
    /// Objects, versions and parts that the backup has as damaged as the store has them, by name, each with its file.
    pub damaged: Vec<String>,
}

impl Snapshot {
    /// Copies the store into a directory that is empty, or that an earlier backup was made in.
    ///
    /// # Errors
    /// [`OpenError`] if the directory is in use or is something else, and what reading and writing fail with.
    pub fn backup(&self, to: &Path, step: Step<'_>) -> Result<Backup, BackupError> {
        if to.canonicalize().is_ok_and(|to| self.directory().canonicalize().is_ok_and(|from| from == to)) {
            return Err(io::Error::other("a store cannot be backed up into itself").into());
        }
        let (target, _lock) = Layout::open_for_backup(to)?;
        let fresh = target.new_index();
        remove_folder(&fresh)?;
        private::directory(&fresh)?;
        self.index.copy_into(&fresh)?;
        let index = Index::open(&fresh).map_err(Error::from)?;
        let mut backup = Backup::default();
        let damaged = self.copy_blobs(&index, &target, &mut backup, step)?;
        mark(&index, &damaged)?;
        let named = referring(&index, &damaged)?.into_iter();
        backup.damaged = named.map(|(blob, name)| format!("{name}: {}", place(&blob.to_string()))).collect();
        self.copy_credentials(to)?;
        // Closed, so that nothing but the data is left of it.
        drop(index);
        let _ = fs::remove_file(fresh.join("lock.mdb"));
        File::open(&fresh)?.sync_all()?;
        // Blobs that an interrupted backup brought may have their names and nothing more yet.
        rustix::fs::syncfs(File::open(to)?).map_err(io::Error::from)?;
        renameat_with(CWD, &fresh, CWD, target.index(), RenameFlags::EXCHANGE).map_err(io::Error::from)?;
        File::open(to)?.sync_all()?;
        target.write_format()?;
        remove_folder(&fresh)?;
        // Unless someone reads the backup, as a scrub does; then the next one removes them.
        if let Some(_unheld) = target.unheld()? {
            remove_orphans(&target, &mut backup)?;
        }
        Ok(backup)
    }

    /// Copies what an earlier backup did not bring, and gives the blobs that are damaged in the backup. One that is gone,
    /// or not whole, keeps nothing else from being copied.
    fn copy_blobs(
        &self,
        index: &Index,
        target: &Layout,
        backup: &mut Backup,
        step: Step<'_>,
    ) -> Result<HashSet<BlobId>, BackupError> {
        let (transaction, mut damaged) = (index.read()?, HashSet::new());
        let mut shard = None;
        for entry in index.blobs.iter(&transaction)? {
            let (key, value) = entry?;
            let record: BlobRecord = decode(value)?;
            let broken = |_| Error::Index("the id of a blob is broken".to_owned());
            let blob = BlobId(<[u8; 16]>::try_from(key).map_err(broken)?);
            backup.blobs += 1;
            // An earlier backup may have one from before it was damaged.
            let is_damaged = index.damaged.get(&transaction, key)?.is_some();
            let place = target.blob(blob);
            if fs::symlink_metadata(&place).is_ok_and(|file| file.is_file() && file.len() == record.size) {
                if !is_damaged {
                    step(record.size);
                    continue;
                }
                if read_blob(target, blob, &record, step)? == Found::Whole {
                    continue;
                }
            }
            // Ids come in order, so each folder is synced once.
            let folder = target.shard(blob);
            if shard.as_ref().is_some_and(|last| *last != folder) {
                sync_shard(shard.as_deref())?;
            }
            refuse_link(&folder)?;
            shard = Some(folder);
            let is_copied = self.copy_blob(blob, &record, &place, step)?;
            if is_copied {
                backup.copied += 1;
                backup.copied_bytes += record.size;
            }
            if is_damaged || !is_copied {
                damaged.insert(blob);
            }
        }
        sync_shard(shard.as_deref())?;
        Ok(damaged)
    }

    /// Copies a blob under another name first, so that one that has its name is whole; `false` if it is not.
    fn copy_blob(&self, blob: BlobId, record: &BlobRecord, place: &Path, step: Step<'_>) -> io::Result<bool> {
        let mut from = match self.layout.open_blob(&Disk, blob) {
            Err(error) if is_damage(&error) => return Ok(false),
            opened => opened?,
        };
        let unfinished = place.with_extension("new");
        let mut to = private::create(&unfinished)?;
        let mut copied = 0;
        // By pieces, so that anyone who watches sees it move; the kernel shares the blocks where it can.
        loop {
            let bytes = match io::copy(&mut io::Read::take(&mut from, 64 * 1024 * 1024), &mut to) {
                // Of a blob that the disk does not give, nothing is copied.
                Err(error) if is_damage(&error) && self.is_unreadable(blob) => 0,
                copied => copied?,
            };
            if bytes == 0 {
                break;
            }
            copied += bytes;
            step(bytes);
        }
        if copied != record.size {
            fs::remove_file(unfinished)?;
            return Ok(false);
        }
        to.set_permissions(fs::Permissions::from_mode(0o400))?;
        to.sync_all()?;
        fs::rename(unfinished, place)?;
        Ok(true)
    }

    /// Whether it is this blob that cannot be read, and not the copy that cannot be written.
    fn is_unreadable(&self, blob: BlobId) -> bool {
        let read =
            self.layout.open_blob(&Disk, blob).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
        read.is_err_and(|error| is_damage(&error))
    }

    fn copy_credentials(&self, to: &Path) -> io::Result<()> {
        let text = match fs::read(self.directory().join(CREDENTIALS)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        private::replace(&to.join(CREDENTIALS), &text)
    }
}

/// Writes down which blobs of the backup are damaged: those that an earlier backup has whole are not.
fn mark(index: &Index, damaged: &HashSet<BlobId>) -> Result<(), BackupError> {
    let mut transaction = index.write()?;
    index.damaged.clear(&mut transaction.raw)?;
    for blob in damaged {
        index.damaged.put(&mut transaction.raw, &blob.0, &[])?;
    }
    Ok(transaction.raw.commit()?)
}

/// Nothing is written to where a link leads.
fn refuse_link(folder: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(folder)?.is_symlink() {
        true => Err(io::Error::other(format!("{} is a link", folder.display())).into()),
        false => Ok(()),
    }
}

fn sync_shard(folder: Option<&Path>) -> io::Result<()> {
    folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes what an earlier backup brought and the present one does not have.
fn remove_orphans(target: &Layout, backup: &mut Backup) -> Result<(), BackupError> {
    let index = Index::open(&target.index()).map_err(Error::from)?;
    let transaction = index.read()?;
    for shard in fs::read_dir(target.blobs())? {
        for file in fs::read_dir(shard?.path())? {
            let file = file?;
            let blob = file.file_name().to_str().and_then(BlobId::parse);
            let known = match blob {
                Some(blob) => index.blobs.get(&transaction, &blob.0).map_err(Error::from)?.is_some(),
                None => false,
            };
            if !known {
                fs::remove_file(file.path())?;
                backup.removed += 1;
            }
        }
    }
    Ok(())
}

/// Why a backup was not made.
#[derive(Debug)]
pub enum BackupError {
    /// The store, or the backup, cannot be opened.
    Open(OpenError),
    /// The index failed.
    Store(Error),
}

impl std::fmt::Display for BackupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}

impl From<OpenError> for BackupError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<Error> for BackupError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<heed::Error> for BackupError {
    fn from(error: heed::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}
