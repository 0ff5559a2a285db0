//! `presigned export`: the objects of a bucket as plain files.

use std::path::PathBuf;

use super::progress::Progress;
use super::{Failure, bucket_name, say};
use crate::store::local::tools::Snapshot;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Bucket whose current objects are laid out
    bucket: String,
    /// Directory for the files: a new one, or that of an earlier export, which is brought up to date
    #[arg(value_name = "DEST")]
    to: PathBuf,
    /// Directory of the store, which may be being served
    #[arg(long, default_value = "data", env = "PRESIGNED_DIR")]
    dir: PathBuf,
    /// Make files that may be changed: without this, a file may be a hard link to the body in the store, is read-only,
    /// and must not be changed in place
    #[arg(long)]
    copy: bool,
}

/// Prints every object that has no file; fails if there is one.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bucket = bucket_name(&arguments.bucket)?;
    let snapshot = Snapshot::open(&arguments.dir)?;
    let mut export = snapshot.export(&bucket, &arguments.to, arguments.copy)?;
    let total = if Progress::is_seen() { snapshot.object_bytes(&bucket)? } else { 0 };
    let mut progress = Progress::new(total, None);
    while let Some(refused) = export.page(&mut |bytes| progress.advance(bytes))? {
        for refused in refused {
            progress.say(&format!("refused: {}: {}", refused.key.escape_debug(), refused.why))?;
        }
    }
    let exported = export.finish()?;
    drop(progress);
    say(&format!(
        "{}: {} files of {} bytes were made, {} were there already, {} removed",
        arguments.to.display(),
        exported.made,
        exported.made_bytes,
        exported.kept,
        exported.removed
    ))?;
    match exported.refused {
        0 => Ok(()),
        refused => Err(format!("refused: {refused}; these objects have no file").into()),
    }
}
