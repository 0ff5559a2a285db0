//! `presigned fsck`: examines a store that no one serves, and mends what is safe to mend.

use std::path::PathBuf;

use super::{Failure, say};
use crate::store::local::{Settings, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory of the store
    #[arg(default_value = "data", env = "PRESIGNED_DIR")]
    dir: PathBuf,
    /// Mend wrong reference counts, and remove files to which nothing refers
    #[arg(long)]
    repair: bool,
}

/// Prints what was found; fails if something is left that is not as it should be.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let directory = arguments.dir.clone();
    let settings = Settings::new(directory);
    let report = Store::fsck(&settings, arguments.repair)?;
    for problem in &report.problems {
        say(problem)?;
    }
    say(&format!(
        "{} buckets, {} objects, {} older versions and delete markers, {} uploads with {} parts, {} blobs of {} bytes",
        report.buckets,
        report.objects,
        report.versions,
        report.uploads,
        report.parts,
        report.blobs,
        report.blob_bytes
    ))?;
    if report.mended > 0 {
        say(&format!("mended: {}", report.mended))?;
    }
    match (report.problems.len(), arguments.repair) {
        (0, _) => Ok(()),
        (found, false) => {
            Err(format!("problems found: {found}; --repair mends counts and removes orphans").into())
        }
        (left, true) => {
            Err(format!("problems left: {left}; what is damaged must come from a backup, or be deleted")
                .into())
        }
    }
}
