//! What a start has to put right: only what was under way, never the whole store.

use std::io;

use super::index::Index;
use super::layout::{BlobId, Layout};
use super::medium::Medium;
use crate::store::Error;

/// Settles the blobs whose commit was interrupted, and gives the garbage that is still to be removed.
///
/// # Errors
/// The file system's and the index's.
pub(super) fn recover(index: &Index, layout: &Layout, medium: &dyn Medium) -> Result<Vec<BlobId>, Error> {
    settle_incoming(index, layout, medium)?;
    let transaction = index.read()?;
    let mut garbage = Vec::new();
    for entry in index.garbage.iter(&transaction)? {
        let (key, _) = entry?;
        garbage.extend(key.try_into().ok().map(BlobId));
    }
    Ok(garbage)
}

/// A blob that is counted was committed and goes to its place; any other goes away.
fn settle_incoming(index: &Index, layout: &Layout, medium: &dyn Medium) -> Result<(), Error> {
    let transaction = index.read()?;
    for name in medium.names(&layout.incoming())? {
        let path = layout.incoming().join(&name);
        let blob = BlobId::parse(&name);
        let counted = match blob {
            Some(blob) => index.blobs.get(&transaction, &blob.0)?.is_some(),
            None => false,
        };
        match blob.filter(|_| counted) {
            Some(blob) => {
                medium.rename(&path, &layout.blob(blob))?;
                // Renaming a file to another of its own names does nothing; the first name must go.
                medium.remove(&path)?;
            }
            None => medium.remove(&path)?,
        }
        tracing::info!(name, kept = counted, "settled an interrupted upload");
    }
    medium.sync_folder(&layout.incoming()).map_err(|error: io::Error| error.into())
}
