//! A bucket as a tree of plain files: laid out by [`export`], taken in by [`import`].
//!
//! [`path`] is the way between keys and paths, [`manifest`] is what a file cannot say of its object, and all names
//! below the tree are reached through [`folder`], which never follows a symbolic link.

mod body;
mod export;
mod folder;
mod found;
mod import;
mod manifest;
mod path;
mod walk;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

pub use export::{Export, Exported, Refused};
pub use import::{Imported, Outcome};
pub use walk::Tree;

use crate::clock::Timestamp;
use crate::s3::name::BucketName;
use crate::store::Error;

/// Why a bucket was not exported, or a tree not imported.
#[derive(Debug)]
pub enum TreeError {
    /// The bucket does not exist.
    NoSuchBucket(BucketName),
    /// The tree is in the store, or the store in the tree; holds both.
    Overlap(PathBuf, PathBuf),
    /// The tree is not one that an export of this bucket made.
    Foreign(PathBuf),
    /// Another export into the tree is under way.
    Busy(PathBuf),
    /// A line of the manifest is not what an export writes.
    Manifest {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A folder cannot be read or written.
    Folder(PathBuf, io::Error),
    /// The store refused, or failed.
    Store(Error),
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchBucket(name) => write!(f, "there is no bucket {name}"),
            Self::Overlap(tree, store) => write!(
                f,
                "neither of {} and the store in {} may be within the other",
                tree.display(),
                store.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "{} is not empty and holds no export of this bucket: choose another directory",
                path.display()
            ),
            Self::Busy(path) => write!(f, "another export into {} is under way", path.display()),
            Self::Manifest { line, why } => write!(f, "line {line} of {} is broken: {why}", manifest::NAME),
            Self::Folder(path, error) => write!(f, "cannot use the directory {}: {error}", path.display()),
            Self::Store(Error::NoSpace) => f.write_str("the file system is full"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TreeError {}

impl From<Error> for TreeError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<heed::Error> for TreeError {
    fn from(error: heed::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<io::Error> for TreeError {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rustix::io::Errno> for TreeError {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// Keeps tree and store apart: the names in one would be taken for those of the other.
fn check_apart(tree: &Path, store: &Path) -> Result<(), TreeError> {
    let fail = |path: &Path, error| TreeError::Folder(path.to_owned(), error);
    let whole_tree = whole(tree).map_err(|error| fail(tree, error))?;
    let whole_store = whole(store).map_err(|error| fail(store, error))?;
    match whole_tree.starts_with(&whole_store) || whole_store.starts_with(&whole_tree) {
        true => Err(TreeError::Overlap(tree.to_owned(), store.to_owned())),
        false => Ok(()),
    }
}

/// A path without symbolic links, as far as it exists.
fn whole(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let found = path.ancestors().find_map(|begin| Some((begin, begin.canonicalize().ok()?)));
    Ok(match found.and_then(|(begin, found)| Some(found.join(path.strip_prefix(begin).ok()?))) {
        Some(whole) => whole,
        None => path,
    })
}

/// When a file was written last, as objects count time.
fn modified(stat: &Stat) -> Timestamp {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or_default();
    Timestamp::from_unix_millis(stat.st_mtime.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}
