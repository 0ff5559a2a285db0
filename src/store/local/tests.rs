//! What the engine does, through its public face, on a real file system.

mod backup;
mod expire;
mod multipart;
mod scale;
mod tree;
mod versions;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::s3::checksum::{Algorithm, ChecksumType};
use crate::s3::condition::{Conditions, WriteCondition};
use crate::s3::listing::Selection;
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, ObjectKey, PartNumber, UploadId};
use crate::s3::tagging::Tags;
use crate::store::{
    Completion, Content, Copy, Deletion, NamedPart, NewBucket, NewObject, ObjectName, Part, Upload,
    UploadName, Written,
};

const MIB: usize = 1024 * 1024;

/// A store in a folder of its own, which goes with it.
struct Place {
    folder: PathBuf,
    store: Option<Store>,
}

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("presigned-store-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let mut place = Self { folder, store: None };
        place.reopen();
        place
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Store::open(Settings::of(self.folder.clone())).expect("opens"));
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

impl Drop for Place {
    fn drop(&mut self) {
        self.close();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("valid")
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("valid")
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_704_164_645)
}

/// Bytes that differ everywhere, and from those of another seed.
fn body(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn received(mut writer: Writer, data: &Bytes) -> Received {
    let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
    digester.update(data);
    writer.write(std::slice::from_ref(data)).expect("written");
    writer.finish(digester.finish()).expect("finished")
}

async fn create(store: &Store) {
    store.create_bucket(NewBucket::of(bucket(), "main".into()), now()).await.expect("created");
}

async fn put_if(
    store: &Store,
    name: &str,
    data: &Bytes,
    condition: WriteCondition,
) -> Result<Written, Error> {
    let writer = store.inline_writer(data.len() as u64);
    let received = received(writer.map_or_else(|| store.blob_writer(), Ok).expect("a writer"), data);
    store.put_object(NewObject { condition, ..new_object(name) }, received, now()).await
}

fn new_object(name: &str) -> NewObject {
    NewObject {
        bucket: bucket(),
        key: key(name),
        metadata: Metadata::default(),
        tags: Tags::default(),
        condition: WriteCondition::None,
    }
}

fn object_name(name: &str) -> ObjectName {
    ObjectName { bucket: bucket(), key: key(name), version: None }
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
    Some(read_content(store, object.content, object.size))
}

fn read_content(store: &Store, content: Content, size: u64) -> Bytes {
    match content {
        Content::Inline(bytes) => bytes,
        Content::Blobs(pinned) => {
            let mut reader = store.reader(pinned, 0, size);
            let (mut all, mut window) = (Vec::new(), Vec::new());
            while reader.read(&mut window).expect("readable") {
                all.extend_from_slice(&window);
            }
            all.into()
        }
    }
}

fn named(name: &str, id: UploadId) -> UploadName {
    UploadName { bucket: bucket(), key: key(name), id }
}

fn upload(name: &str, id: u8) -> Upload {
    Upload {
        key: key(name),
        id: UploadId::from_bytes([id; 16]),
        initiated: now(),
        metadata: Metadata::default(),
        tags: Tags::default(),
        checksum: None,
        initiator: "main".into(),
    }
}

async fn start_upload(store: &Store, name: &str, id: u8) -> UploadId {
    store.create_upload(bucket(), upload(name, id)).await.expect("started")
}

async fn put_part(store: &Store, name: &str, id: UploadId, number: u16, data: &Bytes) -> Part {
    let received = received(store.blob_writer().expect("a writer"), data);
    let number = PartNumber::new(number).expect("valid");
    store.put_part(named(name, id), number, received, now()).await.expect("a part")
}

fn completion(parts: &[&Part]) -> Completion {
    let named = |part: &&Part| NamedPart {
        number: part.number,
        etag: Some(part.etag),
        etag_text: part.etag.to_string(),
        checksums: Vec::new(),
    };
    Completion { parts: parts.iter().map(named).collect(), ..Completion::default() }
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
async fn any_key_goes() {
    let place = Place::new();
    create(place.store()).await;
    let long = "k".repeat(1024);
    let names = ["a", "a/b", "a/", "//", "..", "../x", "/", "a b+%", "\u{65e5}\u{672c}", "\u{1}", &long];
    for (seed, name) in names.iter().enumerate() {
        put(place.store(), name, &body(seed as u64, 20_000)).await;
    }
    for (seed, name) in names.iter().enumerate() {
        assert_eq!(read(place.store(), name), Some(body(seed as u64, 20_000)), "{name}");
    }
    let selection = Selection { limit: 1000, ..Selection::default() };
    let page = place.store().list(&bucket(), &selection).expect("a page");
    let listed: Vec<String> = page.entries.into_iter().map(|(key, _)| key).collect();
    let mut expected: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    expected.sort();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn what_is_replaced_or_deleted_leaves_no_file() {
    let place = Place::new();
    let store = place.store();
    create(store).await;
    put(store, "k", &body(1, MIB)).await;
    put(store, "k", &body(2, MIB)).await;
    place.settle(1);
    put(store, "k", &body(3, 10)).await;
    place.settle(0);
    put(store, "k", &body(4, MIB)).await;
    delete(store, &["k", "missing"]).await;
    place.settle(0);
    assert_eq!(read(store, "k"), None);
}

#[tokio::test]
async fn a_reader_sees_its_object_whole_whatever_happens() {
    let place = Place::new();
    let store = place.store();
    create(store).await;
    put(store, "k", &body(1, 20 * MIB)).await;
    let object = store.object(&object_name("k")).expect("there");
    delete(store, &["k"]).await;
    // Longer than the reclaimer waits: the pin must keep the file.
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(place.files().len(), 1);
    assert_eq!(read_content(store, object.content, object.size), body(1, 20 * MIB));
    place.settle(0);
}

#[tokio::test]
async fn conditions_are_decided_with_the_write() {
    let place = Place::new();
    let store = place.store();
    create(store).await;
    let absent = || WriteCondition::Absent;
    let first = put_if(store, "k", &body(1, MIB), absent()).await.expect("first");
    assert!(matches!(
        put_if(store, "k", &body(2, MIB), absent()).await,
        Err(Error::Precondition("If-None-Match"))
    ));
    let tagged = |etag| WriteCondition::Tagged(Some(etag));
    let other = ETag::single([1; 16]);
    assert!(matches!(
        put_if(store, "k", &body(2, 5), tagged(other)).await,
        Err(Error::Precondition("If-Match"))
    ));
    assert!(matches!(put_if(store, "l", &body(2, 5), tagged(other)).await, Err(Error::NothingToMatch)));
    assert_eq!(read(store, "k"), Some(body(1, MIB)));
    place.settle(1);
    put_if(store, "k", &body(3, 5), tagged(first.etag)).await.expect("matched");
    // Of many at once exactly one wins.
    let racers = (0..32).map(|seed| {
        let store = store.clone();
        tokio::spawn(async move { put_if(&store, "race", &body(seed, 20_000), WriteCondition::Absent).await })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += usize::from(racer.await.expect("ran").is_ok());
    }
    assert_eq!(won, 1);
    place.settle(1);
}

#[tokio::test]
async fn copies_share_blobs_and_count_them() {
    let place = Place::new();
    let store = place.store();
    create(store).await;
    put(store, "big", &body(1, MIB)).await;
    put(store, "small", &body(2, 10)).await;
    let copy = async |from: &str, to: &str| {
        let copy = Copy {
            source: object_name(from),
            source_conditions: Conditions::default(),
            target: new_object(to),
            keep_metadata: true,
            keep_tags: true,
            digests: None,
        };
        store.copy_object(copy, now()).await
    };
    for (from, to) in [("big", "big2"), ("big2", "big3"), ("small", "small2"), ("big3", "big3")] {
        copy(from, to).await.expect("copied");
    }
    assert_eq!(place.files().len(), 1);
    delete(store, &["big", "big2"]).await;
    assert_eq!(read(store, "big3"), Some(body(1, MIB)));
    assert_eq!(read(store, "small2"), Some(body(2, 10)));
    assert!(matches!(copy("big", "x").await, Err(Error::NoSuchKey)));
    delete(store, &["big3"]).await;
    place.settle(0);
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
    // Killed before the commit: nobody refers to these.
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
    let settings = Settings { inline_bytes_max: 0, ..Settings::of(place.folder.clone()) };
    assert!(matches!(Store::check(&settings, false), Err(OpenError::Locked(..))));
    place.close();
    let clean = Store::check(&settings, false).expect("examined");
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
        let blob =
            segment::BlobId::parse(files[2].file_name().and_then(|name| name.to_str()).expect("a name"));
        transaction.retain(&[segment::Segment::new(blob.expect("an id"), 0, 1)]).expect("counted");
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
        kinds(&Store::check(&settings, false).expect("examined")),
        ["count", "missing", "orphan", "size"]
    );
    let report = Store::check(&settings, true).expect("mended");
    assert_eq!((kinds(&report), report.mended), (vec!["missing", "size"], 2));
    assert!(!orphan.exists());
}

#[test]
fn a_directory_that_is_no_store_is_refused() {
    let place = Place::new();
    let settings = |directory: &Path| Settings { inline_bytes_max: 0, ..Settings::of(directory.to_owned()) };
    assert!(matches!(Store::open(settings(&place.folder)), Err(OpenError::Locked(..))));
    let other = place.folder.join("other");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("letter.txt"), "dear").expect("written");
    assert!(matches!(Store::open(settings(&other)), Err(OpenError::NotAStore(_))));
    fs::write(other.join("format"), "presigned store 999\n").expect("written");
    assert!(matches!(Store::open(settings(&other)), Err(OpenError::UnknownFormat(..))));
    assert!(matches!(Store::open(settings(&other.join("letter.txt"))), Err(OpenError::NotADirectory(_))));
}
