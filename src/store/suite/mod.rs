//! What every store does, through the one face, for every engine.

#![expect(clippy::as_conversions, reason = "numbers of tests are small")]

mod expiry;
mod multipart;
mod objects;
mod versions;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::local::tools::Problem;
use super::local::{self, Settings};
use super::model::{
    Completion, Deletion, NamedPart, NewBucket, NewObject, Object, ObjectName, Part, Upload, UploadName,
    Versioning, Written,
};
use super::{CheckedBody, Error, IntakeError, Source, Store};
use crate::auth::{BodyKind, Framer, FramingProof, Keyring, Settings as AuthSettings, authenticate};
use crate::clock::Timestamp;
use crate::s3;
use crate::s3::arrival::{Arrival, Scheme};
use crate::s3::checksum::Algorithm;
use crate::s3::condition::WriteCondition;
use crate::s3::listing::Selection;
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, ObjectKey, PartNumber, UploadId};
use crate::s3::range::Span;
use crate::s3::request::Request;
use crate::s3::tagging::Tags;
use crate::s3::target::Domains;

pub(super) const MIB: usize = 1024 * 1024;

/// Runs tests of the suite on each engine.
macro_rules! on_every_engine {
    ($($test:ident)*) => {$(
        mod $test {
            use crate::store::suite::Place;

            #[tokio::test]
            async fn local() {
                super::$test(Place::local()).await;
            }

            #[tokio::test]
            async fn memory() {
                super::$test(Place::memory()).await;
            }
        }
    )*};
}
use on_every_engine;

/// A store in a place of its own, which goes with it.
pub(super) struct Place {
    /// The directory of a local store.
    folder: Option<TempDir>,
    quotas: Vec<(BucketName, u64)>,
    store: Option<Store>,
}

impl Place {
    pub(super) fn local() -> Self {
        Self::new(true, Vec::new())
    }

    pub(super) fn memory() -> Self {
        Self::new(false, Vec::new())
    }

    fn new(on_disk: bool, quotas: Vec<(BucketName, u64)>) -> Self {
        let folder = on_disk.then(|| TempDir::new().expect("a folder"));
        let mut place = Self { folder, quotas, store: None };
        place.open();
        place
    }

    /// Another one on the same engine, where buckets have quotas.
    pub(super) fn with_quota(self, quota: u64) -> Self {
        Self::new(self.folder.is_some(), vec![(bucket(), quota)])
    }

    fn open(&mut self) {
        self.store = None;
        let quotas = self.quotas.iter().cloned().collect();
        self.store = Some(match &self.folder {
            Some(folder) => {
                let settings = Settings { quotas, ..Settings::new(folder.path().to_owned()) };
                Store::Local(local::Store::open(settings).expect("opens"))
            }
            None => Store::Memory(super::memory::Store::new(quotas)),
        });
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().expect("open")
    }

    /// The blobs that have files, in place and incoming.
    fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        let mut folders: Vec<PathBuf> = self.folder.iter().map(|folder| folder.path().to_owned()).collect();
        folders = folders.iter().flat_map(|folder| [folder.join("blobs"), folder.join("incoming")]).collect();
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

    /// Waits until the reclaimer of a local store has left this many files.
    pub(super) async fn settle(&self, files: usize) {
        if self.folder.is_none() {
            return;
        }
        for _ in 0..200 {
            if self.files().len() == files {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} files instead of {files}", self.files().len());
    }

    /// What an examination of a local store finds.
    pub(super) fn problems(&mut self) -> Vec<Problem> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        self.store = None;
        let settings = Settings::new(folder.path().to_owned());
        let report = local::Store::fsck(&settings, false).expect("opens");
        self.open();
        report.problems
    }
}

/// A body that a client sends in pieces.
pub(super) struct Sent {
    framer: Framer,
    left: Bytes,
    /// Whether the rest never comes.
    waits: bool,
}

impl Source for Sent {
    async fn next(&mut self, out: &mut Vec<Bytes>) -> Result<bool, s3::Error> {
        if self.left.is_empty() {
            if self.waits {
                std::future::pending::<()>().await;
            }
            return Ok(false);
        }
        let piece = self.left.split_to(self.left.len().min(100_000));
        self.framer.push(piece, out).map(|()| true)
    }

    fn finish(self) -> Result<FramingProof, s3::Error> {
        self.framer.finish()
    }
}

/// A body of which `sent` comes, and which was announced to have so many bytes.
pub(super) fn announced(length: usize, sent: Bytes) -> CheckedBody<Sent> {
    let head = http::Request::put("/bucket/key").header("host", "localhost").header("content-length", length);
    let (head, ()) = head.body(()).expect("a head").into_parts();
    let arrival = Arrival::of(&head, [127, 0, 0, 1].into(), Scheme::Http).expect("a host");
    let request = Request::parse(head, arrival, &Domains::default()).expect("a request");
    let verified =
        authenticate(request, &Keyring::new([]), &AuthSettings::default(), now()).expect("nobody's");
    let check = verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme }).expect("a body");
    let source = Sent { framer: check.framer, left: sent, waits: false };
    CheckedBody { source, digester: check.digester, length: check.length }
}

/// A body of so many bytes, none of which ever comes.
pub(super) fn waiting(length: usize) -> CheckedBody<Sent> {
    let body = announced(length, Bytes::new());
    CheckedBody { source: Sent { waits: true, ..body.source }, ..body }
}

pub(super) fn checked(data: &Bytes) -> CheckedBody<Sent> {
    announced(data.len(), data.clone())
}

pub(super) fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("valid")
}

pub(super) fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("valid")
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_704_164_645)
}

/// Bytes that differ everywhere, and from those of another seed.
pub(super) fn body(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub(super) fn new_object(name: &str) -> NewObject {
    NewObject {
        bucket: bucket(),
        key: key(name),
        metadata: Metadata::default(),
        tags: Tags::default(),
        condition: WriteCondition::None,
    }
}

pub(super) fn object_name(name: &str) -> ObjectName {
    ObjectName { bucket: bucket(), key: key(name), version: None }
}

pub(super) fn named(name: &str, id: UploadId) -> UploadName {
    UploadName { bucket: bucket(), key: key(name), id }
}

pub(super) fn upload(name: &str, id: u8) -> Upload {
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

pub(super) async fn create(store: &Store) {
    store.create_bucket(NewBucket::new(bucket(), "main".into()), now()).await.expect("created");
}

pub(super) async fn put_if(
    store: &Store,
    name: &str,
    data: &Bytes,
    condition: WriteCondition,
) -> Result<Written, Error> {
    let new = NewObject { condition, ..new_object(name) };
    taken(store.put_object(new, checked(data), now()).await)
}

pub(super) async fn delete(store: &Store, names: &[&str]) {
    let deletion = |name: &&str| Deletion { key: key(name), version: None, condition: WriteCondition::None };
    let deletions = names.iter().map(deletion).collect();
    for deleted in store.delete_objects(bucket(), deletions, now()).await.expect("deleted") {
        deleted.expect("deleted");
    }
}

pub(super) async fn put(store: &Store, name: &str, data: &Bytes) -> Written {
    put_if(store, name, data, WriteCondition::None).await.expect("put")
}

/// What became of a body that is what its head said.
pub(super) fn taken<T>(result: Result<T, IntakeError>) -> Result<T, Error> {
    result.map_err(|error| match error {
        IntakeError::Store(error) => error,
        IntakeError::Body(error) => panic!("{error}"),
    })
}

pub(super) async fn read(store: &Store, name: &str) -> Option<Bytes> {
    match store.object(&object_name(name)).await {
        Ok(object) => Some(read_body(store, &object).await),
        Err(Error::NoSuchKey) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Both ways of reading a body.
pub(super) async fn read_body(store: &Store, object: &Object) -> Bytes {
    let whole = Span { offset: 0, length: object.size };
    let mut pieces = store.pieces(&object.body, whole).expect("opened");
    let (mut all, mut more) = (Vec::new(), true);
    while more {
        (all, more) = pieces.fold(all, |all, bytes| all.extend_from_slice(bytes)).await.expect("read");
    }
    let mut reader = store.send(&object.body, whole, false).await.expect("opened");
    let mut sent = Vec::new();
    while let Some(window) = std::future::poll_fn(|task| reader.poll_next(task)).await {
        sent.extend_from_slice(&window.expect("read"));
    }
    assert!(all == sent && reader.left() == 0);
    all.into()
}

pub(super) async fn start_upload(store: &Store, name: &str, id: u8) -> UploadId {
    store.create_upload(bucket(), upload(name, id)).await.expect("started")
}

pub(super) async fn put_part(store: &Store, name: &str, id: UploadId, number: u16, data: &Bytes) -> Part {
    let number = PartNumber::new(number).expect("valid");
    taken(store.put_part(named(name, id), number, checked(data), now()).await).expect("a part").0
}

pub(super) fn completion(parts: &[&Part]) -> Completion {
    let named = |part: &&Part| NamedPart {
        number: part.number,
        etag: Some(part.etag),
        etag_text: part.etag.to_string(),
        checksums: Vec::new(),
    };
    Completion { parts: parts.iter().map(named).collect(), ..Completion::default() }
}

pub(super) async fn complete(
    store: &Store,
    name: &str,
    id: UploadId,
    parts: &[&Part],
) -> Result<Written, Error> {
    store.complete_upload(named(name, id), completion(parts), WriteCondition::None, now()).await
}
