//! What the disk can do: the rate of `fdatasync`, and of storing one file per object.

use std::fs::{self, File, OpenOptions};
use std::io::{Result, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{XattrFlags, fsetxattr};

use crate::drive::Outcome;

const RECORD_BYTES: usize = 4096;
const OBJECT_BYTES: usize = 1024;
const FOLDERS: usize = 256;

/// Appends a record and syncs, again and again.
pub fn fdatasync(folder: &Path, time: Duration) -> Result<Outcome> {
    let path = folder.join("log");
    let mut file = File::create(&path)?;
    let outcome = measure(1, time, |_, _| {
        (&file).write_all(&[7; RECORD_BYTES])?;
        file.sync_data()
    })?;
    file.flush()?;
    fs::remove_file(path)?;
    Ok(outcome)
}

/// Write, setxattr, fsync, rename, fsync the folder: what durability costs a server that keeps a file per object.
pub fn files(folder: &Path, threads: usize, time: Duration) -> Result<Outcome> {
    let root = folder.join("files");
    let folders: Vec<_> = (0..FOLDERS).map(|at| root.join(format!("{at:02x}"))).collect();
    for folder in &folders {
        fs::create_dir_all(folder)?;
    }
    let outcome = measure(threads, time, |thread, at| {
        let folder = &folders[(at * 31 + thread * 7) % FOLDERS];
        let (temporary, name) =
            (folder.join(format!("{thread}-{at}.new")), folder.join(format!("{thread}-{at}")));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(&[7; OBJECT_BYTES])?;
        fsetxattr(&file, "user.etag", b"9e107d9d372bb6826bd81d3542a419d6", XattrFlags::empty())?;
        file.sync_all()?;
        fs::rename(&temporary, &name)?;
        File::open(folder)?.sync_all()
    });
    fs::remove_dir_all(root)?;
    outcome
}

fn measure(
    threads: usize,
    time: Duration,
    once: impl Fn(usize, usize) -> Result<()> + Sync,
) -> Result<Outcome> {
    let began = Instant::now();
    let counts = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let once = &once;
                scope.spawn(move || {
                    let mut micros = Vec::new();
                    while began.elapsed() < time {
                        let start = Instant::now();
                        once(thread, micros.len())?;
                        micros.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                    }
                    Ok(micros)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<Vec<_>>>()
    })?;
    let micros = counts.concat();
    let seconds = began.elapsed().as_secs_f64();
    Ok(Outcome { operations: micros.len(), seconds, micros, ..Outcome::default() })
}
