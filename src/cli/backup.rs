//! `presigned backup`: a copy of a store that can be served itself.

use std::path::PathBuf;

use super::progress::Progress;
use super::{Failure, say};
use crate::store::local::tools::Snapshot;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory of the copy: an empty one, or that of an earlier backup, which is brought up to date
    dest: PathBuf,
    /// Directory of the store, which may be being served
    #[arg(long, default_value = "data", env = "PRESIGNED_DIR")]
    dir: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let snapshot = Snapshot::open(&arguments.dir)?;
    let mut progress = Progress::new(snapshot.blob_bytes()?, None);
    let backup = snapshot.backup(&arguments.dest, &mut |bytes| progress.advance(bytes))?;
    drop(progress);
    say(&format!(
        "{} holds {} blobs; {} of {} bytes were copied, {} removed",
        arguments.dest.display(),
        backup.blobs,
        backup.copied,
        backup.copied_bytes,
        backup.removed
    ))?;
    for name in &backup.damaged {
        say(&format!("damaged: {name}"))?;
    }
    match backup.damaged.len() {
        0 => Ok(()),
        damaged => Err(format!(
            "damaged: {damaged}; the backup has everything else, and these as the store has them"
        )
        .into()),
    }
}
