//! What operators do with the directory of a store: look at it, check it, back it up, and turn it into files.

mod backup;
mod files;
pub(super) mod fsck;
pub(super) mod report;
mod scrub;
pub(super) mod snapshot;

pub use backup::{Backup, BackupError};
pub use files::{Export, Exported, Imported, Outcome, Refused, Tree, TreeError};
pub use report::{Problem, Report};
pub use scrub::{Scrub, Scrubbed};
pub use snapshot::{Snapshot, Step};
