//! A look at a store from outside, whether or not another process serves it meanwhile.
//!
//! What is read of the index is of one moment, and while a snapshot is held no blob is removed. So what it refers to
//! stays readable; space that deletions would free comes back when it is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::store::Error;
use crate::store::local::blobs::layout::{Layout, OpenError};
use crate::store::local::index::tables::Index;

/// Work that goes on for a while tells how far it is: bytes that it has dealt with since the last time. Anyone who is
/// told may take their time.
pub type Step<'s> = &'s mut dyn FnMut(u64);

/// A store as it is read next to the process that serves it.
#[derive(Debug)]
pub struct Snapshot {
    pub(in crate::store::local) layout: Layout,
    pub(in crate::store::local) index: Index,
    _hold: File,
}

impl Snapshot {
    /// Visits the store of a directory.
    ///
    /// # Errors
    /// [`OpenError`], also for a store of the former format: anyone who serves it next brings it up to date.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let (layout, hold) = Layout::visit(directory)?;
        let fail =
            |error: heed::Error| OpenError::Index(directory.to_owned(), Error::from(error).to_string());
        let index = Index::open(&layout.index()).map_err(fail)?;
        Ok(Self { layout, index, _hold: hold })
    }

    /// The directory of the store.
    pub fn directory(&self) -> PathBuf {
        self.layout.root().to_owned()
    }

    /// How many bytes the blobs have together. Looks at every record of a blob.
    ///
    /// # Errors
    /// The index's.
    pub fn blob_bytes(&self) -> Result<u64, Error> {
        let transaction = self.index.read()?;
        let mut bytes = 0;
        for entry in self.index.blobs.iter(&transaction)? {
            bytes += crate::store::local::index::record::decode::<
                crate::store::local::index::record::BlobRecord,
            >(entry?.1)?
            .size;
        }
        Ok(bytes)
    }
}
