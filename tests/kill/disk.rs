//! What is on disk beside the index: neither too much nor too little.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::model::Blobs;

/// Longest that removed bodies may stay: the reclaimer leaves those alone that were just read.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(10);
const AIM_TIME_MAX: Duration = Duration::from_millis(100);
/// The two pages of which one says where the index begins.
const INDEX_BYTES: u64 = 2 * 4096;

/// Names in the incoming folder: uploads that the last end interrupted.
pub fn incoming(data: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(data.join("incoming")) else {
        return BTreeSet::new();
    };
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// The moment for a kill.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    Any,
    /// A while after the first name of a blob, which is before or within its commit.
    Incoming(Duration),
    /// When a commit of blobs counts, and they have not been moved to their places.
    Commit,
}

/// Waits until it is time for a kill, or for long enough.
pub fn wait_for(aim: Aim, data: &Path) {
    let started = Instant::now();
    let mut before = index(data);
    while started.elapsed() < AIM_TIME_MAX {
        match aim {
            Aim::Any => return,
            Aim::Incoming(delay) if !incoming(data).is_empty() => return std::thread::sleep(delay),
            Aim::Incoming(_) => {}
            Aim::Commit => {
                let now = index(data);
                if now != before && !incoming(data).is_empty() {
                    return;
                }
                before = now;
            }
        }
    }
}

/// The begin of the index, which changes when a commit counts.
fn index(data: &Path) -> Vec<u8> {
    let mut pages = Vec::new();
    let file = File::open(data.join("index/data.mdb")).expect("the index");
    file.take(INDEX_BYTES).read_to_end(&mut pages).expect("its first pages");
    pages
}

/// Which of these blobs are in their place.
pub fn placed(data: &Path, names: &BTreeSet<String>) -> usize {
    let is_placed = |name: &&String| data.join("blobs").join(&name[..2]).join(name.as_str()).exists();
    names.iter().filter(is_placed).count()
}

/// Sizes of all files below `blobs`, sorted.
fn sizes(data: &Path) -> Vec<u64> {
    let mut sizes = Vec::new();
    for shard in fs::read_dir(data.join("blobs")).expect("the folder of blobs") {
        for blob in fs::read_dir(shard.expect("an entry").path()).expect("a shard") {
            // One that is being removed has no size any more.
            sizes.extend(blob.expect("an entry").metadata().ok().map(|metadata| metadata.len()));
        }
    }
    sizes.sort_unstable();
    sizes
}

/// What is on disk that should not be, or the other way round.
pub fn complaint(data: &Path, needed: &Blobs) -> Option<String> {
    let mut wanted: Vec<u64> = needed.values().copied().collect();
    wanted.sort_unstable();
    let (found, incoming) = (sizes(data), incoming(data));
    let summary = |sizes: &[u64]| format!("{} blobs of {} bytes", sizes.len(), sizes.iter().sum::<u64>());
    (found != wanted || !incoming.is_empty()).then(|| {
        let (wanted, found) = (summary(&wanted), summary(&found));
        format!("needed are {wanted}, there are {found}; incoming holds {incoming:?}")
    })
}

/// Waits until the reclaimer has done its work.
pub fn settle(data: &Path, needed: &Blobs) {
    let started = Instant::now();
    while let Some(complaint) = complaint(data, needed) {
        assert!(started.elapsed() < SETTLE_TIME_MAX, "the disk does not settle: {complaint}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
