//! `presigned scrub`: reads every body again, while the store is served or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::progress::Progress;
use super::{Failure, say};
use crate::config::parse_bytes;
use crate::private;
use crate::store::local::tools::{Scrub, Snapshot};

/// How often it is written down where the scrub is.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory of the store
    #[arg(default_value = "data", env = "PRESIGNED_DIR")]
    dir: PathBuf,
    /// Most bytes a second, like 50MiB; 0 for no limit
    #[arg(long, value_name = "BYTES", default_value = "100MiB")]
    rate: String,
    /// Start over instead of resuming the last scrub
    #[arg(long)]
    restart: bool,
}

/// Prints every damaged object; fails if there is one.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let rate = parse_bytes(&arguments.rate)?;
    let snapshot = Snapshot::open(&arguments.dir)?;
    let place = arguments.dir.join("scrub.json");
    let mut scrub = if arguments.restart { Scrub::default() } else { resumed(&place)? };
    let mut progress = Progress::new(snapshot.blob_bytes()?, Some(rate));
    if scrub != Scrub::default() {
        say(&format!("resuming after {} bodies", scrub.bodies))?;
        progress.skip(scrub.bytes);
    }
    let mut saved = Instant::now();
    loop {
        let found = snapshot.scrub(&mut scrub, &mut |bytes| progress.advance(bytes))?;
        for name in &found.damaged {
            progress.say(&format!("damaged: {name}"))?;
        }
        if found.is_done {
            break;
        }
        if saved.elapsed() > SAVE_INTERVAL || !found.damaged.is_empty() {
            save(&place, &scrub)?;
            saved = Instant::now();
        }
    }
    drop(progress);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    say(&format!("{} bodies of {} bytes were read", scrub.bodies, scrub.bytes))?;
    if scrub.unchecked > 0 {
        say(&format!("{} of them have no checksum, because an older version stored them", scrub.unchecked))?;
    }
    match scrub.damaged {
        0 => Ok(()),
        damaged => {
            Err(format!(
                "damaged: {damaged}; they are not served until their files have been put back into {} and scrubbed again, or they are deleted",
                arguments.dir.display()
            )
            .into())
        }
    }
}

/// Where the last scrub was interrupted, or the start.
fn resumed(place: &Path) -> Result<Scrub, Failure> {
    match fs::read(place) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|error| format!("cannot read {}: {error}; use --restart", place.display()).into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Scrub::default()),
        Err(error) => Err(error.into()),
    }
}

fn save(place: &Path, scrub: &Scrub) -> Result<(), Failure> {
    Ok(private::replace(place, &serde_json::to_vec(scrub)?)?)
}
