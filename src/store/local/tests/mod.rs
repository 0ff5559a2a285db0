//! What the engine does, through its public face, on a real file system.

#![expect(
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    reason = "numbers of tests are small, and what a test does not expect ends it"
)]

mod backup;
mod crash;
mod formats;
mod scale;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;

use super::blobs::blob::Received;
use super::blobs::segment::{BlobId, Segment};
use super::tools::*;
use super::*;
use crate::auth::BodyProof;
use crate::s3::checksum::Algorithm;
use crate::s3::condition::{Conditions, WriteCondition};
use crate::s3::listing::Selection;
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, PartNumber, UploadId};
use crate::s3::tagging::Tags;
use crate::store::model::{Copy, Deletion, NewBucket, NewObject, ObjectName, Part, Setting, Written};
use crate::store::suite::{MIB, body, bucket, completion, key, named, new_object, now, object_name, upload};

/// A store in a folder of its own, which goes with it.
struct Place {
    store: Option<Store>,
    folder: PathBuf,
    _place: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let mut place = Self { store: None, folder: place.path().to_owned(), _place: place };
        place.reopen();
        place
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Store::open(Settings::new(self.folder.clone())).expect("opens"));
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("open")
    }

    fn close(&mut self) {
        self.store = None;
    }

    /// The blobs that have files, in place and incoming.
    fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        let mut folders = vec![self.folder.join("blobs"), self.folder.join("incoming")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        files.insert(path);
                    }
                }
            }
        }
        files
    }

    /// Waits until the reclaimer has left this many files.
    fn settle(&self, files: usize) {
        for _ in 0..200 {
            if self.files().len() == files {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{} files instead of {files}", self.files().len());
    }
}

fn received(mut writer: Writer, data: &Bytes) -> Received {
    let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
    digester.update(data);
    writer.write(std::slice::from_ref(data)).expect("written");
    writer.finish(digester.finish()).expect("finished")
}

async fn create(store: &Store) {
    store.create_bucket(NewBucket::new(bucket(), "main".into()), now()).await.expect("created");
}

async fn put_if(
    store: &Store,
    name: &str,
    data: &Bytes,
    condition: WriteCondition,
) -> Result<Written, Error> {
    let writer = store.inline_writer(data.len() as u64);
    let received = received(writer.map_or_else(|| store.blob_writer(), Ok).expect("a writer"), data);
    store.publish_object(NewObject { condition, ..new_object(name) }, received, now()).await
}

async fn delete(store: &Store, names: &[&str]) {
    let deletion = |name: &&str| Deletion { key: key(name), version: None, condition: WriteCondition::None };
    let deletions = names.iter().map(deletion).collect();
    for deleted in store.delete_objects(bucket(), deletions, now()).await.expect("deleted") {
        deleted.expect("deleted");
    }
}

async fn put(store: &Store, name: &str, data: &Bytes) -> Written {
    put_if(store, name, data, WriteCondition::None).await.expect("put")
}

fn read(store: &Store, name: &str) -> Option<Bytes> {
    let object = match store.object(&object_name(name)) {
        Ok(object) => object,
        Err(Error::NoSuchKey) => return None,
        Err(error) => panic!("{error}"),
    };
    let pinned = match object.body.0 {
        Kept::Bytes(bytes) => return Some(bytes),
        Kept::Blobs(pinned) => pinned,
    };
    let mut reader = store.reader(pinned, 0, object.size);
    let (mut all, mut window) = (Vec::new(), Vec::new());
    while reader.read(&mut window).expect("readable") {
        all.extend_from_slice(&window);
    }
    Some(all.into())
}

async fn start_upload(store: &Store, name: &str, id: u8) -> UploadId {
    store.create_upload(bucket(), upload(name, id)).await.expect("started")
}

async fn put_part(store: &Store, name: &str, id: UploadId, number: u16, data: &Bytes) -> Part {
    let received = received(store.blob_writer().expect("a writer"), data);
    let number = PartNumber::new(number).expect("valid");
    store.publish_part(named(name, id), number, received, now()).await.expect("a part")
}

async fn complete(store: &Store, name: &str, id: UploadId, parts: &[&Part]) -> Result<Written, Error> {
    store.complete_upload(named(name, id), completion(parts), WriteCondition::None, now()).await
}

#[tokio::test]
async fn bodies_of_every_size_come_back_after_a_reopen() {
    let mut place = Place::new();
    create(place.store()).await;
    let sizes = [0, 1, 16 * 1024, 16 * 1024 + 1, 128 * 1024, 128 * 1024 + 1, MIB, MIB + 1, 9 * MIB + 4097];
    for size in sizes {
        let written = put(place.store(), &format!("k{size}"), &body(size as u64, size)).await;
        assert_eq!(written.size, size as u64);
    }
    for _ in 0..2 {
        for size in sizes {
            assert_eq!(read(place.store(), &format!("k{size}")), Some(body(size as u64, size)), "{size}");
        }
        place.reopen();
    }
    assert_eq!(place.files().len(), 6);
}

#[tokio::test]
async fn a_start_settles_what_was_under_way() {
    let mut place = Place::new();
    create(place.store()).await;
    put(place.store(), "k", &body(1, MIB)).await;
    place.close();
    let file = place.files().into_iter().next().expect("one blob");
    let name = file.file_name().expect("a name");
    // Killed after the commit, before the move: the blob is counted, so it goes to its place.
    fs::rename(&file, place.folder.join("incoming").join(name)).expect("moved back");
    // Killed before the commit: no one refers to these.
    fs::write(place.folder.join("incoming").join("00112233445566778899aabbccddeeff"), b"orphan")
        .expect("written");
    fs::write(place.folder.join("incoming").join("half.tmp"), b"half").expect("written");
    place.reopen();
    assert_eq!(place.files(), BTreeSet::from([file]));
    assert_eq!(read(place.store(), "k"), Some(body(1, MIB)));
}

#[tokio::test]
async fn garbage_survives_a_kill_and_goes_at_the_next_start() {
    let mut place = Place::new();
    create(place.store()).await;
    put(place.store(), "k", &body(1, MIB)).await;
    let file = place.files().into_iter().next().expect("one blob");
    let copy = fs::read(&file).expect("readable");
    // As if the process had died between the commit of the deletion and the removal of the file.
    let object = place.store().object(&object_name("k")).expect("there");
    delete(place.store(), &["k"]).await;
    place.close();
    drop(object);
    assert_eq!(fs::read(&file).expect("still there"), copy);
    place.reopen();
    place.settle(0);
}

#[tokio::test]
async fn an_examination_finds_damage_and_mends_what_is_safe() {
    let mut place = Place::new();
    create(place.store()).await;
    for name in ["a", "b", "c"] {
        put(place.store(), name, &body(1, MIB)).await;
    }
    let id = start_upload(place.store(), "k", 1).await;
    put_part(place.store(), "k", id, 1, &body(1, 10)).await;
    let settings = Settings { inline_bytes_max: 0, ..Settings::new(place.folder.clone()) };
    assert!(matches!(Store::fsck(&settings, false), Err(OpenError::Locked(..))));
    place.close();
    let clean = Store::fsck(&settings, false).expect("examined");
    assert_eq!((clean.objects, clean.parts, clean.blobs, clean.problems.len()), (3, 1, 4, 0));
    // An orphan, a wrong count, a missing file, a short one.
    let files: Vec<PathBuf> =
        place.files().into_iter().filter(|f| fs::metadata(f).expect("a file").len() > 10).collect();
    let orphan = place.folder.join("blobs/00/00112233445566778899aabbccddeeff");
    fs::write(&orphan, b"orphan").expect("written");
    fs::remove_file(&files[0]).expect("removed");
    fs::remove_file(&files[1]).expect("removed");
    fs::write(&files[1], b"short").expect("written");
    {
        let (layout, _lock) = Layout::open(&place.folder).expect("opens");
        let index = Index::open(&layout.index()).expect("opens");
        let mut transaction = index.write().expect("a transaction");
        let blob = BlobId::parse(files[2].file_name().and_then(|name| name.to_str()).expect("a name"));
        transaction.retain(&[Segment::new(blob.expect("an id"), 0, 1)]).expect("counted");
        transaction.raw.commit().expect("committed");
    }
    let kinds = |report: &Report| {
        let mut kinds: Vec<&str> = report
            .problems
            .iter()
            .map(|problem| match problem {
                Problem::Missing { .. } => "missing",
                Problem::Size { .. } => "size",
                Problem::Count { .. } => "count",
                Problem::Orphan { .. } => "orphan",
                other => panic!("{other}"),
            })
            .collect();
        kinds.sort_unstable();
        kinds
    };
    assert_eq!(
        kinds(&Store::fsck(&settings, false).expect("examined")),
        ["count", "missing", "orphan", "size"]
    );
    let report = Store::fsck(&settings, true).expect("mended");
    assert_eq!((kinds(&report), report.mended), (vec!["missing", "size"], 2));
    assert!(!orphan.exists());
}

#[test]
fn a_directory_that_is_no_store_is_refused() {
    let place = Place::new();
    let settings = |directory: &Path| Settings { inline_bytes_max: 0, ..Settings::new(directory.to_owned()) };
    assert!(matches!(Store::open(settings(&place.folder)), Err(OpenError::Locked(..))));
    let other = place.folder.join("other");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("letter.txt"), "dear").expect("written");
    assert!(matches!(Store::open(settings(&other)), Err(OpenError::NotAStore(_))));
    fs::write(other.join("format"), "presigned store 999\n").expect("written");
    assert!(matches!(Store::open(settings(&other)), Err(OpenError::UnknownFormat(..))));
    assert!(matches!(Store::open(settings(&other.join("letter.txt"))), Err(OpenError::NotADirectory(_))));
}
