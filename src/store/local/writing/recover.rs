//! What a start has to put right: only what was under way, and the format of an older version.

use std::collections::HashMap;
use std::io;

use crate::store::Error;
use crate::store::local::blobs::layout::{Layout, VERSION};
use crate::store::local::blobs::medium::Medium;
use crate::store::local::blobs::segment::BlobId;
use crate::store::local::index::record::{ObjectRecord, decode, encode};
use crate::store::local::index::tables::Index;
use crate::store::local::index::upload_record::PartRecord;
use crate::store::local::index::usage_record::UsageRecord;
use crate::store::local::index::versions::{Version, parse_version_key};

/// The first format in which everything was counted that is counted today.
const COUNTED: u8 = 4;

/// Settles the blobs whose commit was interrupted, and gives the garbage that is still to be removed.
///
/// # Errors
/// The file system's and the index's.
pub(in crate::store::local) fn recover(
    index: &Index,
    layout: &Layout,
    medium: &dyn Medium,
) -> Result<Vec<BlobId>, Error> {
    settle_incoming(index, layout, medium)?;
    let transaction = index.read()?;
    let mut garbage = Vec::new();
    for entry in index.garbage.iter(&transaction)? {
        let (key, _) = entry?;
        // What is counted is not removed, whatever else is said of it.
        if index.blobs.get(&transaction, key)?.is_none() {
            garbage.extend(key.try_into().ok().map(BlobId));
        }
    }
    Ok(garbage)
}

/// A blob that is counted was committed and goes to its place; any other goes away.
fn settle_incoming(index: &Index, layout: &Layout, medium: &dyn Medium) -> Result<(), Error> {
    let transaction = index.read()?;
    let names = medium.names(&layout.incoming())?;
    if names.is_empty() {
        return Ok(());
    }
    for name in names {
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

/// Brings a store of a former format up to date: counts what its buckets hold, of the first format everything and of the
/// others what records take up. Records stay as they are and are understood. A crash before the end leaves a store of the
/// former format.
///
/// # Errors
/// The file system's and the index's.
pub(in crate::store::local) fn upgrade(index: &Index, layout: &Layout) -> Result<(), Error> {
    let version = layout.version()?;
    if version < COUNTED {
        tracing::info!("counting what buckets hold, to bring the store to the format of this version");
        count(index)?;
    }
    if version < VERSION {
        layout.write_format()?;
    }
    Ok(())
}

/// Counts what buckets hold.
fn count(index: &Index) -> Result<(), Error> {
    let mut transaction = index.write()?;
    // An earlier attempt may have been cut off before the end, and an older program at work since.
    index.usage.clear(&mut transaction.raw)?;
    for (bucket, usage) in used(index, &transaction.raw)? {
        index.usage.put(&mut transaction.raw, &bucket, &encode(&usage)?)?;
    }
    Ok(transaction.raw.commit()?)
}

/// What each bucket holds, by its id.
fn used(index: &Index, transaction: &heed::RoTxn<'_>) -> Result<HashMap<[u8; 4], UsageRecord>, Error> {
    let mut used: HashMap<[u8; 4], UsageRecord> = HashMap::new();
    let mut hold = |key: &[u8], held: UsageRecord| {
        used.entry(*key.first_chunk().unwrap_or(&[0; 4])).or_default().add(held);
    };
    for entry in index.objects.iter(transaction)? {
        let (key, value) = entry?;
        hold(key, UsageRecord::of(key, &ObjectRecord::decode(value)?.0));
    }
    for entry in index.versions.iter(transaction)? {
        let (key, value) = entry?;
        let (object, _) = parse_version_key(key)?;
        match Version::read(value)? {
            Version::Object(value) => hold(object, UsageRecord::of(object, &ObjectRecord::decode(value)?.0)),
            Version::Marker(_) => hold(object, UsageRecord::of_marker(object)),
        }
    }
    for entry in index.uploads.iter(transaction)? {
        let (key, value) = entry?;
        hold(key, UsageRecord::of_upload(key, &decode(value)?));
        let (_, id) = key.split_last_chunk::<16>().unwrap_or((&[], &[0; 16]));
        for part in index.parts.prefix_iter(transaction, id)? {
            hold(key, UsageRecord::of_part(decode::<PartRecord>(part?.1)?.size));
        }
    }
    Ok(used)
}
