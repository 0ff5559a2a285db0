//! The body of an object as a file of its own.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

use rustix::fs::{
    AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_OMIT, fchmod, fstat, futimens, ioctl_ficlone, linkat,
};

use super::folder::{Root, make_file, remove};
use super::found::{Found, Whole};
use crate::clock::Timestamp;
use crate::store::local::blobs::medium::{Disk, descriptor};
use crate::store::local::blobs::segment::Segment;
use crate::store::local::index::record::StoredBody;
use crate::store::local::tools::snapshot::{Snapshot, Step};

/// The name of a file that is being made, in the root of the tree.
pub(super) const UNFINISHED: &str = ".presigned-file.new";
/// How much is copied before it is told.
const COPY_BYTES: u64 = 64 * 1024 * 1024;

/// Makes the file of an object under the exporter's own name, whole and with the object's time.
pub(super) fn make(
    found: &Found,
    snapshot: &Snapshot,
    root: &Root,
    copy: bool,
    clones: &mut bool,
    step: Step<'_>,
) -> io::Result<()> {
    let length = found.record.head.size;
    let segments = found.record.segments();
    let mut whole = None;
    if let (Whole::Yes | Whole::Alone, [segment]) = (found.blob, segments) {
        whole = Some(snapshot.layout.open_segment(&Disk, segment)?);
    }
    if let Some(blob) = &whole {
        if *clones {
            let file = make_file(&root.folder, UNFINISHED)?;
            if ioctl_ficlone(&file, blob).is_ok() {
                step(length);
                return set_time(&file, found.modified());
            }
            // The tree is below one folder, as the blobs are: what failed once fails again.
            *clones = false;
            remove(&root.folder, UNFINISHED)?;
        }
        let link = !copy && found.blob == Whole::Alone;
        if link && link_to(blob, root, found.modified()).is_ok() {
            step(length);
            return Ok(());
        }
    }
    let mut file = make_file(&root.folder, UNFINISHED)?;
    match found.record.body {
        StoredBody::Inline => {
            file.write_all(&found.inline)?;
            step(length);
        }
        StoredBody::Segments(_) => {
            for segment in segments {
                append(&mut file, snapshot, segment, step)?;
            }
        }
    }
    set_time(&file, found.modified())
}

/// Appends a run of a blob; the kernel shares the blocks where it can.
fn append(to: &mut File, snapshot: &Snapshot, segment: &Segment, step: Step<'_>) -> io::Result<()> {
    let mut from = snapshot.layout.open_segment(&Disk, segment)?;
    from.seek(io::SeekFrom::Start(segment.offset))?;
    let mut left = segment.length;
    while left > 0 {
        let bytes = io::copy(&mut io::Read::take(&mut from, left.min(COPY_BYTES)), to)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= bytes;
        step(bytes);
    }
    Ok(())
}

/// Makes the file as another name of a blob. From then on no one may write to it.
fn link_to(blob: &File, root: &Root, at: Timestamp) -> io::Result<()> {
    let mode = Mode::from_raw_mode(fstat(blob)?.st_mode);
    let writable = Mode::WUSR | Mode::WGRP | Mode::WOTH;
    if mode.intersects(writable) {
        fchmod(blob, mode - writable)?;
    }
    set_time(blob, at)?;
    Ok(linkat(CWD, descriptor(blob).as_str(), &root.folder, UNFINISHED, AtFlags::SYMLINK_FOLLOW)?)
}

fn set_time(file: &File, at: Timestamp) -> io::Result<()> {
    let nanos = at.unix_millis().rem_euclid(1000) * 1_000_000;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: at.unix_seconds(), tv_nsec: nanos },
    };
    Ok(futimens(file, &times)?)
}
