//! Power cuts and failing disks, simulated: a medium that keeps what was synced, and loses the rest as it likes.
//!
//! For every call that a workload makes on its medium, the workload is run once more and the power cut at that
//! call. What had been synced is there afterwards; of what had not, any part may be. The store is opened on that
//! and held against a model: acknowledged writes are there whole, the unacknowledged one whole or not at all,
//! nothing is leaked, and all references are counted right.
//!
//! `PRESIGNED_CRASH_SEEDS` sets how many workloads are run (each with every cut); `PRESIGNED_CRASH_SEED` the first.

mod disk;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;

use disk::{Fault, Random, Sim, State, scratch, unique};

use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::s3::checksum::Algorithm;
use crate::s3::condition::{Conditions, WriteCondition};
use crate::s3::listing::Selection;
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::s3::tagging::Tags;
use crate::store::body::Kept as Stored;
use crate::store::local::blobs::blob::Received;
use crate::store::local::*;
use crate::store::model::{
    Bucket, Completion, Copy, Deletion, ListedVersion, NamedPart, NewBucket, NewObject, Object, ObjectName,
    Part, Upload, UploadName, Versioning,
};

fn settings(directory: &Path) -> Settings {
    Settings { inline_bytes_max: 1000, ..Settings::new(directory.to_owned()) }
}

fn bucket(number: usize) -> BucketName {
    BucketName::parse(&format!("bucket{number}")).expect("valid")
}

fn key(number: usize) -> ObjectKey {
    ObjectKey::parse(&format!("key{number}")).expect("valid")
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_704_164_645)
}

const KEYS: usize = 4;

/// A version as it should be: whether it is `null`, its ETag, and its body unless it is a delete marker.
type Kept = (bool, usize, Option<Vec<u8>>);

/// What a bucket should hold: the versions of each key, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    versioning: Versioning,
    keys: BTreeMap<usize, Vec<Kept>>,
}

/// What a store should hold.
type Model = BTreeMap<usize, Held>;

impl Held {
    fn write(&mut self, key: usize, tag: usize, body: Option<Vec<u8>>) {
        let versions = self.keys.entry(key).or_default();
        if self.versioning != Versioning::Enabled {
            versions.retain(|(null, _, _)| !null);
        }
        if self.versioning != Versioning::Off || body.is_some() {
            versions.insert(0, (self.versioning != Versioning::Enabled, tag, body));
        }
        self.keys.retain(|_, versions| !versions.is_empty());
    }

    fn current(&self, key: usize) -> Option<(usize, Vec<u8>)> {
        let (_, tag, body) = self.keys.get(&key)?.first()?;
        body.clone().map(|body| (*tag, body))
    }
}

/// One thing that a client asks for.
#[derive(Clone, Debug)]
enum Step {
    CreateBucket(usize),
    DeleteBucket(usize),
    SetVersioning(usize, Versioning),
    Put(usize, usize, Vec<u8>),
    Delete(usize, usize),
    /// The n-th version of a key, the newest being the first.
    DeleteVersion(usize, usize, usize),
    Tag(usize, usize, usize),
    Copy((usize, usize), (usize, usize)),
    /// A whole upload, completed or not.
    Upload(usize, usize, Vec<Vec<u8>>, bool),
}

impl Step {
    fn random(random: &mut Random) -> Self {
        let (b, k) = (random.below(2), random.below(KEYS));
        match random.below(16) {
            0 => Self::CreateBucket(b),
            1 => Self::DeleteBucket(1),
            2 => Self::SetVersioning(b, [Versioning::Enabled, Versioning::Suspended][random.below(2)]),
            3..=7 => Self::Put(b, k, body(random)),
            8 => Self::Delete(b, k),
            9 | 10 => Self::DeleteVersion(b, k, random.below(3)),
            11 => Self::Tag(b, k, 1 + random.below(9)),
            12 | 13 => Self::Copy((b, k), (random.below(2), random.below(KEYS))),
            _ => {
                // Only the last part may be small, and large ones would be slow.
                let parts = (0..1 + random.below(2)).map(|_| body(random)).take(1).collect();
                Self::Upload(b, k, parts, random.coin())
            }
        }
    }

    /// What it does to the model if it succeeds.
    fn apply(&self, model: &mut Model) {
        let mut write = |b: &usize, k: &usize, tag: usize, body: Option<Vec<u8>>| {
            if let Some(held) = model.get_mut(b) {
                held.write(*k, tag, body);
            }
        };
        match self {
            Self::CreateBucket(b) => {
                let empty = Held { versioning: Versioning::Off, keys: BTreeMap::new() };
                model.entry(*b).or_insert(empty);
            }
            Self::DeleteBucket(b) => {
                model.remove(b);
            }
            Self::SetVersioning(b, versioning) => {
                model.get_mut(b).into_iter().for_each(|held| held.versioning = *versioning);
            }
            Self::Put(b, k, body) => write(b, k, 0, Some(body.clone())),
            Self::Delete(b, k) => write(b, k, 0, None),
            Self::DeleteVersion(b, k, nth) => {
                let Some(held) = model.get_mut(b) else { return };
                if let Some(versions) = held.keys.get_mut(k).filter(|versions| *nth < versions.len()) {
                    versions.remove(*nth);
                }
                held.keys.retain(|_, versions| !versions.is_empty());
            }
            Self::Tag(b, k, tag) => {
                let versions = model.get_mut(b).and_then(|held| held.keys.get_mut(k));
                if let Some((_, old, Some(_))) = versions.and_then(|versions| versions.first_mut()) {
                    *old = *tag;
                }
            }
            Self::Copy((b, k), (to, at)) => {
                if let Some((tag, body)) = model.get(b).and_then(|held| held.current(*k)) {
                    write_to(model, *to, *at, tag, body);
                }
            }
            Self::Upload(b, k, parts, true) => write(b, k, 0, Some(parts.concat())),
            Self::Upload(_, _, _, false) => {}
        }
    }

    async fn run(&self, store: &Store) -> Result<(), Error> {
        match self {
            Self::CreateBucket(b) => {
                store.create_bucket(NewBucket::new(bucket(*b), "main".into()), now()).await
            }
            Self::DeleteBucket(b) => store.delete_bucket(bucket(*b)).await,
            Self::SetVersioning(b, versioning) => store.set_versioning(bucket(*b), *versioning).await,
            Self::Put(b, k, body) => {
                let received =
                    if body.len() > 2000 { disk::adopt(store, body)? } else { receive(store, body, false)? };
                store.publish_object(new_object(*b, *k), received, now()).await.map(|_| ())
            }
            Self::Delete(b, k) => delete(store, *b, *k, None).await,
            Self::DeleteVersion(b, k, nth) => {
                let versions = versions(store, *b)?;
                let of_key = versions.iter().filter(|(name, _)| *name == key(*k).as_str());
                match of_key.map(|(_, entry)| entry.version).nth(*nth) {
                    Some(version) => delete(store, *b, *k, Some(version)).await,
                    None => Ok(()),
                }
            }
            Self::Tag(b, k, tag) => {
                let tags = Tags::parse_header(&format!("tag={tag}")).expect("valid");
                store.tag_object(object_name(*b, *k, None), tags).await.map(|_| ())
            }
            Self::Copy((b, k), (to, at)) => {
                let copy = Copy {
                    source: object_name(*b, *k, None),
                    source_conditions: Conditions::default(),
                    target: new_object(*to, *at),
                    keep_metadata: true,
                    keep_tags: true,
                    tags_permitted: true,
                    judged: None,
                    digests: None,
                };
                store.copy_object(copy, now()).await.map(|_| ())
            }
            Self::Upload(b, k, parts, complete) => upload(store, *b, *k, parts, *complete).await,
        }
    }
}

fn write_to(model: &mut Model, b: usize, k: usize, tag: usize, body: Vec<u8>) {
    if let Some(held) = model.get_mut(&b) {
        held.write(k, tag, Some(body));
    }
}

fn object_name(b: usize, k: usize, version: Option<VersionId>) -> ObjectName {
    ObjectName { bucket: bucket(b), key: key(k), version }
}

fn new_object(b: usize, k: usize) -> NewObject {
    NewObject {
        bucket: bucket(b),
        key: key(k),
        metadata: Metadata::default(),
        tags: Tags::default(),
        condition: WriteCondition::None,
    }
}

async fn delete(store: &Store, b: usize, k: usize, version: Option<VersionId>) -> Result<(), Error> {
    let deletion = Deletion { key: key(k), version, condition: WriteCondition::None };
    store.delete_object(bucket(b), deletion, now()).await.map(|_| ())
}

/// All versions in a bucket.
fn versions(store: &Store, b: usize) -> Result<Vec<(String, ListedVersion)>, Error> {
    let selection = Selection { limit: 1000, ..Selection::default() };
    Ok(store.versions(&bucket(b), &selection, None)?.entries)
}

/// A body, inline or not.
fn body(random: &mut Random) -> Vec<u8> {
    let length = [10, 1000, 1001, 3000][random.below(4)];
    let first = random.next().to_le_bytes();
    first.iter().copied().cycle().take(length).collect()
}

fn receive(store: &Store, body: &[u8], always_blob: bool) -> Result<Received, Error> {
    let inline = if always_blob { None } else { store.inline_writer(body.len() as u64) };
    let mut writer = inline.map_or_else(|| store.blob_writer(), Ok)?;
    let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
    digester.update(body);
    let half = body.len() / 2;
    for piece in [&body[..half], &body[half..]] {
        writer.write(&[Bytes::copy_from_slice(piece)])?;
    }
    writer.finish(digester.finish())
}

async fn upload(store: &Store, b: usize, k: usize, parts: &[Vec<u8>], complete: bool) -> Result<(), Error> {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(unique() as u64).to_be_bytes());
    let upload = Upload {
        key: key(k),
        id: UploadId::from_bytes(id),
        initiated: now(),
        metadata: Metadata::default(),
        tags: Tags::default(),
        checksum: None,
        initiator: "main".into(),
    };
    let name = UploadName { bucket: bucket(b), key: key(k), id: upload.id };
    store.create_upload(bucket(b), upload).await?;
    let mut named = Vec::new();
    for (number, body) in (1..).zip(parts) {
        let number = PartNumber::new(number).expect("valid");
        let received = receive(store, body, true)?;
        let part: Part = store.publish_part(name.clone(), number, received, now()).await?;
        let (etag, etag_text) = (Some(part.etag), part.etag.to_string());
        named.push(NamedPart { number, etag, etag_text, checksums: Vec::new() });
    }
    if !complete {
        return store.abort_upload(name, now()).await;
    }
    let completion = Completion { parts: named, ..Completion::default() };
    store.complete_upload(name, completion, WriteCondition::None, now()).await.map(|_| ())
}

/// The steps of a workload: first a bucket, so that most of the others find one.
fn workload(seed: u64) -> Vec<Step> {
    let mut random = Random(seed);
    let steps = (0..14).map(|_| Step::random(&mut random)).collect::<Vec<_>>();
    // In half of them one bucket keeps versions from the start.
    let versioning = if random.coin() { Versioning::Enabled } else { Versioning::Off };
    let begin = match versioning {
        Versioning::Off => vec![Step::CreateBucket(0), Step::CreateBucket(1)],
        on => vec![Step::CreateBucket(0), Step::SetVersioning(0, on)],
    };
    [begin, steps].concat()
}

/// Whether an error is the store's answer to a request that makes no sense, and so changes nothing.
fn is_refusal(error: &Error) -> bool {
    !matches!(error, Error::Io(_) | Error::Index(_) | Error::NoSpace)
}

/// A run of a workload: what must be there afterwards, each alternative whole.
struct Outcome {
    sim: Sim,
    allowed: Vec<Model>,
    folder: PathBuf,
}

/// Runs a workload up to its fault. Steps are taken one by one, or the last of each pair next to the first.
fn run(steps: &[Step], fault: Option<(usize, Fault)>, paired: bool) -> Outcome {
    let folder = scratch().join(format!("presigned-crash-{}-{}", std::process::id(), unique()));
    let mut state = State::default();
    state.index_file = folder.join("index").join("data.mdb");
    let sim = Sim(Arc::new(Mutex::new(state)));
    let store = Store::open_on(settings(&folder), Arc::new(sim.clone())).expect("opens");
    // Opening commits the tables, past the medium.
    let index = fs::read(folder.join("index").join("data.mdb")).expect("readable");
    {
        let mut state = sim.0.lock().expect("unpoisoned");
        (state.index, state.fault, state.calls) = (index, fault, 0);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut allowed = vec![Model::new()];
    for group in steps.chunks(if paired { 2 } else { 1 }) {
        let results =
            runtime.block_on(futures_util::future::join_all(group.iter().map(|step| step.run(&store))));
        // Two at once take effect in either order.
        let answered: Vec<_> = group.iter().zip(results).collect();
        let mut models = after(allowed.clone(), answered.iter());
        models.extend(after(allowed, answered.iter().rev()));
        models.sort_by_key(|model| format!("{model:?}"));
        models.dedup();
        allowed = models;
        if sim.is_dead() {
            break;
        }
    }
    drop(store);
    Outcome { sim, allowed, folder }
}

/// What may be there when steps have been taken in this order and answered like this.
fn after<'s>(
    mut allowed: Vec<Model>,
    answered: impl Iterator<Item = &'s (&'s Step, Result<(), Error>)>,
) -> Vec<Model> {
    for (step, result) in answered {
        let mut changed = allowed.clone();
        changed.iter_mut().for_each(|model| step.apply(model));
        match result {
            Ok(()) => allowed = changed,
            Err(error) if is_refusal(error) => {}
            // No one heard of it, so it may have happened or not.
            Err(_) => allowed.extend(changed),
        }
    }
    allowed
}

/// Opens what is left and holds it against the model.
fn check(outcome: &Outcome, random: &mut Random, what: &str) {
    let place = scratch().join(format!("presigned-crash-{}-{}", std::process::id(), unique()));
    outcome.sim.leave(&outcome.folder, &place, random);
    let store = Store::open(settings(&place)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = contents(&store, what);
    assert!(outcome.allowed.contains(&found), "{what}: unexpected contents");
    drop(store);
    // A second start finds the garbage of the first gone, or removes it.
    let store = Store::open(settings(&place)).unwrap_or_else(|error| panic!("{what}: {error}"));
    for _ in 0..500 {
        let transaction = store.engine.index.read().expect("readable");
        if store.engine.index.garbage.is_empty(&transaction).expect("readable") {
            break;
        }
        drop(transaction);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    drop(store);
    let report = Store::fsck(&settings(&place), false).expect("opens");
    assert_eq!(report.problems, [], "{what}");
    assert_eq!(fs::read_dir(place.join("incoming")).expect("a folder").count(), 0, "{what}");
    fs::remove_dir_all(place).expect("removed");
}

/// Everything in a store, read.
fn contents(store: &Store, what: &str) -> Model {
    let mut model = Model::new();
    for b in 0..2 {
        let Ok(Bucket { versioning, .. }) = store.bucket(&bucket(b)) else {
            continue;
        };
        let held = model.entry(b).or_insert(Held { versioning, keys: BTreeMap::new() });
        for (name, entry) in versions(store, b).unwrap_or_else(|error| panic!("{what}: {error}")) {
            let k = name.trim_start_matches("key").parse().expect("a key of ours");
            let kept = held.keys.entry(k).or_default();
            assert_eq!(entry.is_latest, kept.is_empty(), "{what}: latest of {name}");
            let null = entry.version == VersionId::NULL;
            let named = store.object(&object_name(b, k, Some(entry.version)));
            let current = store.object(&object_name(b, k, None));
            if entry.is_latest {
                assert_eq!(current.is_ok(), entry.object.is_some(), "{what}: current of {name}");
            }
            if entry.object.is_none() {
                assert!(matches!(named, Err(Error::DeleteMarker { named: true, .. })), "{what}: {name}");
                kept.push((null, 0, None));
                continue;
            }
            let object = named.unwrap_or_else(|error| panic!("{what}: {error}"));
            let tag = object.tags.entries().first().map_or(0, |(_, tag)| tag.parse().expect("a tag of ours"));
            kept.push((null, tag, Some(read(store, object, what))));
        }
    }
    model
}

/// The body of an object, held against its checksum.
fn read(store: &Store, object: Object, what: &str) -> Vec<u8> {
    let mut body = Vec::new();
    match object.body.0 {
        Stored::Bytes(bytes) => body.extend_from_slice(&bytes),
        Stored::Blobs(pinned) => {
            let mut reader = store.reader(pinned, 0, object.size);
            let mut window = Vec::new();
            while reader.read(&mut window).unwrap_or_else(|e| panic!("{what}: {e}")) {
                body.extend_from_slice(&window);
            }
        }
    }
    let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
    digester.update(&body);
    let stored = object.checksum.map(|checksum| checksum.value);
    assert_eq!(stored.as_ref(), digester.finish().checksum(), "{what}: a checksum");
    body
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs a workload with a fault at every call it makes.
fn every_call(seed: u64, faults: &[Fault], paired: bool) -> usize {
    let steps = workload(seed);
    let whole = run(&steps, None, paired);
    let mut random = Random(!seed);
    check(&whole, &mut random, &format!("seed {seed}, no fault"));
    fs::remove_dir_all(&whole.folder).expect("removed");
    let calls = whole.sim.calls();
    let mut runs = 0;
    for call in 1..=calls {
        for fault in faults {
            let outcome = run(&steps, Some((call, *fault)), paired);
            check(&outcome, &mut random, &format!("seed {seed}, call {call}, {fault:?}, paired {paired}"));
            fs::remove_dir_all(&outcome.folder).expect("removed");
            runs += 1;
        }
    }
    runs
}

/// Runs every seed, with a line on how many faults that were: silence would look like nothing was tried.
fn every_seed(faults: &[Fault], seeds: u64) {
    let first = number("PRESIGNED_CRASH_SEED", 1);
    let seeds = first..first + number("PRESIGNED_CRASH_SEEDS", seeds);
    let runs: usize =
        seeds.map(|seed| every_call(seed, faults, false) + every_call(seed, faults, true)).sum();
    assert!(runs > 100, "{runs} faults are none");
    // Past the test's own capture, which keeps what a test that passes says.
    writeln!(io::stderr(), "{runs} faults were survived, {faults:?}").expect("written");
}

#[test]
fn a_power_cut_at_every_call_loses_nothing() {
    every_seed(&[Fault::CutBefore, Fault::CutAfter], 1);
}

#[test]
fn a_failure_of_every_call_stores_nothing_and_ends_nothing() {
    every_seed(&[Fault::Fail(io::ErrorKind::StorageFull), Fault::Fail(io::ErrorKind::Other)], 1);
}
