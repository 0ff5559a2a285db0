//! A look at a store from outside, whether or not another process serves it meanwhile.
//!
//! The index is a snapshot whenever it is read, and for as long as a visitor is there no blob is removed. So what a
//! snapshot refers to stays readable; space that deletions would free comes back when the visitor has gone.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::index::Index;
use super::layout::{Layout, OpenError};
use crate::store::Error;

/// Work that goes on for a while tells how far it is: bytes that it has dealt with since the last time. Whoever is
/// told may take their time.
pub type Step<'s> = &'s mut dyn FnMut(u64);

/// Somebody who looks at a store.
#[derive(Debug)]
pub struct Visitor {
    pub(super) layout: Layout,
    pub(super) index: Index,
    _hold: File,
}

impl Visitor {
    /// Visits the store of a directory.
    ///
    /// # Errors
    /// [`OpenError`], also for a store of the former format: whoever serves it next brings it up to date.
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
            bytes += super::record::decode::<super::record::BlobRecord>(entry?.1)?.size;
        }
        Ok(bytes)
    }
}
