//! `presigned import`: a tree of plain files as the objects of a bucket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::progress::Progress;
use super::{Failure, bucket_name, credentials, say};
use crate::clock::Clock;
use crate::store::local::tools::{Imported, Outcome, Tree};
use crate::store::local::{Settings, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory of the files; if an export made it, objects get the metadata and tags they had
    #[arg(value_name = "FILES")]
    from: PathBuf,
    /// Bucket to take them into, which is made if it is not there
    bucket: String,
    /// Store directory; must not be in use by a server
    #[arg(long, default_value = "data", env = "PRESIGNED_DIR")]
    dir: PathBuf,
    /// Take files above 16 KiB in as hard links where possible: they become read-only, and must never be changed in
    /// place afterwards
    #[arg(long)]
    link: bool,
}

/// How many files met with what.
#[derive(Default)]
struct Tally {
    taken: u64,
    taken_bytes: u64,
    kept: u64,
    skipped: u64,
    refused: u64,
    /// That standard output failed.
    failure: Option<Failure>,
}

/// Prints every file that was not taken in; fails if one was refused.
pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let bucket = bucket_name(&arguments.bucket)?;
    let tree = Arc::new(Tree::open(&arguments.from, &arguments.dir)?);
    let store = Store::open(Settings::new(arguments.dir.clone()))?;
    let owner = owner(&arguments.dir)?;
    let mut progress = Progress::new(if Progress::is_seen() { tree.bytes() } else { 0 }, None);
    let mut tally = Tally::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut tell = |imported| tally.count(&imported, &mut progress);
    let import = store.import(Arc::clone(&tree), (bucket, owner), arguments.link, Clock::System, &mut tell);
    runtime.block_on(import)?;
    drop(progress);
    if let Some(failure) = tally.failure {
        return Err(failure);
    }
    let Tally { taken, taken_bytes, kept, skipped, refused, .. } = tally;
    say(&format!(
        "{taken} files of {taken_bytes} bytes were taken in, {kept} were there already, {skipped} skipped"
    ))?;
    if tree.without_file() > 0 {
        say(&format!("{} objects of the manifest have no file", tree.without_file()))?;
    }
    match refused {
        0 => Ok(()),
        refused => Err(format!("refused: {refused}").into()),
    }
}

impl Tally {
    fn count(&mut self, imported: &Imported, progress: &mut Progress) {
        let path = imported.path.escape_debug();
        let said = match &imported.outcome {
            Outcome::Taken(bytes) => {
                self.taken += 1;
                self.taken_bytes += bytes;
                progress.advance(*bytes);
                Ok(())
            }
            Outcome::Kept(bytes) => {
                self.kept += 1;
                progress.advance(*bytes);
                Ok(())
            }
            Outcome::Skipped(what) => {
                self.skipped += 1;
                progress.say(&format!("skipped: {path}: {what}"))
            }
            Outcome::Refused(why) => {
                self.refused += 1;
                progress.say(&format!("refused: {path}: {why}"))
            }
        };
        if let Err(failure) = said {
            self.failure.get_or_insert(failure);
        }
    }
}

/// Who gets the bucket if it is made: the user that the store was given, or will be.
fn owner(directory: &Path) -> Result<String, Failure> {
    let users = credentials::kept(directory)?.unwrap_or_default();
    Ok(users.first().map_or_else(|| "main".to_owned(), |user| user.id.clone()))
}
