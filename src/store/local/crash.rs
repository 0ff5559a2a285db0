//! Power cuts and failing disks, simulated: a medium that keeps what was synced, and loses the rest as it likes.
//!
//! For every call that a workload makes on its medium, the workload is run once more and the power cut at that
//! call. What had been synced is there afterwards; of what had not, any part may be. The store is opened on that
//! and held against a model: acknowledged writes are there whole, the unacknowledged one whole or not at all,
//! nothing is leaked, and all references are counted right.
//!
//! `PRESIGNED_CRASH_SEEDS` sets how many workloads are run (each with every cut); `PRESIGNED_CRASH_SEED` the first.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::medium::{NewFile, Syncer};
use super::*;
use crate::auth::BodyProof;
use crate::clock::Timestamp;
use crate::s3::checksum::Algorithm;
use crate::s3::condition::{Conditions, WriteCondition};
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ObjectKey, PartNumber, UploadId};
use crate::store::{Completion, Content, CopiedMetadata, NamedPart, Part, Upload, UploadName};

/// A generator of numbers that a seed determines.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below the limit")
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// What happens at the call that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The power goes before it is carried out.
    CutBefore,
    /// The power goes when it has been carried out, and before anybody hears of it.
    CutAfter,
    /// It fails with this kind of error, and everything goes on.
    Fail(io::ErrorKind),
}

#[derive(Debug)]
enum Change {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Change {
    fn touches(&self, folder: &Path) -> bool {
        let within = |path: &PathBuf| path.parent() == Some(folder);
        match self {
            Self::Link(path, _) | Self::Remove(path) => within(path),
            Self::Rename(from, to) => within(from) || within(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

/// The disk: what a process sees of it, and what would be left of that.
#[derive(Debug, Default)]
struct State {
    calls: usize,
    fault: Option<(usize, Fault)>,
    dead: bool,
    /// Contents of files, and how much of each is synced.
    files: Vec<(Vec<u8>, usize)>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since the folders they touch were synced.
    pending: Vec<Change>,
    /// The index as its last commit left it.
    index: Vec<u8>,
    index_file: PathBuf,
}

#[derive(Clone, Debug)]
struct Sim(Arc<Mutex<State>>);

#[derive(Debug)]
struct SimFile {
    sim: Sim,
    file: usize,
}

fn power() -> io::Error {
    io::Error::other("the power is gone")
}

impl Sim {
    /// Counts a call and carries it out, unless the fault is due.
    fn call<T>(&self, action: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock().expect("unpoisoned");
        if state.dead {
            return Err(power());
        }
        state.calls += 1;
        match state.fault.filter(|(at, _)| *at == state.calls).map(|(_, fault)| fault) {
            None => action(&mut state),
            Some(Fault::Fail(kind)) => Err(kind.into()),
            Some(Fault::CutBefore) => {
                state.dead = true;
                Err(power())
            }
            Some(Fault::CutAfter) => {
                action(&mut state)?;
                state.dead = true;
                Err(power())
            }
        }
    }

    fn calls(&self) -> usize {
        self.0.lock().expect("unpoisoned").calls
    }

    fn is_dead(&self) -> bool {
        self.0.lock().expect("unpoisoned").dead
    }

    /// Puts what a power cut leaves into a fresh folder: all that was synced, and as much of the rest as chance has
    /// it.
    fn leave(&self, from: &Path, to: &Path, random: &mut Random) {
        let state = self.0.lock().expect("unpoisoned");
        let mut names = state.synced_names.clone();
        for change in &state.pending {
            if !state.dead || random.coin() {
                change.apply(&mut names);
            }
        }
        drop(Layout::open(to).expect("a fresh store"));
        fs::write(to.join("index").join("data.mdb"), &state.index).expect("written");
        for (path, file) in names {
            let (content, synced) = &state.files[file];
            let mut content = content.clone();
            if state.dead && *synced < content.len() {
                // Torn: some of what was not synced is missing, and some is what was there before.
                let keep = synced + random.below(content.len() - synced + 1);
                content[*synced..keep].fill(0);
                content.truncate(keep);
            }
            let place = to.join(path.strip_prefix(from).expect("below the store"));
            fs::write(place, content).expect("written");
        }
    }
}

impl Medium for Sim {
    fn create(&self, _: &Path, _: &str) -> io::Result<Box<dyn NewFile>> {
        let sim = self.clone();
        self.call(move |state| {
            state.files.push((Vec::new(), 0));
            let file = SimFile { sim, file: state.files.len() - 1 };
            Ok(Box::new(file) as Box<dyn NewFile>)
        })
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let state = self.0.lock().expect("unpoisoned");
        let file = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let copy = scratch().join(format!("open-{}", unique()));
        fs::write(&copy, &state.files[*file].0)?;
        let opened = File::open(&copy);
        fs::remove_file(copy)?;
        opened
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|state| {
            if !state.names.contains_key(from) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let change = Change::Rename(from.to_owned(), to.to_owned());
            change.apply(&mut state.names);
            state.pending.push(change);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(|state| {
            let change = Change::Remove(path.to_owned());
            change.apply(&mut state.names);
            state.pending.push(change);
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|state| {
            for change in state.pending.extract_if(.., |change| change.touches(folder)) {
                change.apply(&mut state.synced_names);
            }
            Ok(())
        })
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock().expect("unpoisoned");
        let within = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(within.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn is_full(&self, _: &Path) -> bool {
        false
    }

    fn commit(&self, commit: Box<dyn FnOnce() -> Result<(), Error> + '_>) -> Result<(), Error> {
        let committed = self.call(|state| {
            commit().map_err(|error| io::Error::other(error.to_string()))?;
            state.index = fs::read(&state.index_file)?;
            Ok(())
        });
        Ok(committed?)
    }
}

impl NewFile for SimFile {
    fn append(&mut self, data: &[Bytes]) -> io::Result<()> {
        self.sim.call(|state| {
            state.files[self.file].0.extend(data.concat());
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sim.call(|state| {
            let (content, synced) = &mut state.files[self.file];
            *synced = content.len();
            Ok(())
        })
    }

    fn syncer(&self) -> io::Result<Box<dyn Syncer>> {
        Ok(Box::new(SimFile { sim: self.sim.clone(), file: self.file }))
    }

    fn link(&mut self, path: &Path) -> io::Result<()> {
        self.sim.call(|state| {
            let change = Change::Link(path.to_owned(), self.file);
            change.apply(&mut state.names);
            state.pending.push(change);
            Ok(())
        })
    }
}

impl Syncer for SimFile {
    fn sync(&mut self) -> io::Result<()> {
        NewFile::sync(self)
    }
}

fn unique() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A folder in memory where there is one: real syncs are not what is tested here.
fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

fn settings(directory: &Path) -> Settings {
    Settings { directory: directory.to_owned(), inline_bytes_max: 1000 }
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

/// What a store should hold: for each bucket that exists, the body of each key.
type Model = BTreeMap<usize, HashMap<usize, Vec<u8>>>;

/// One thing that a client asks for.
#[derive(Clone, Debug)]
enum Step {
    CreateBucket(usize),
    DeleteBucket(usize),
    Put(usize, usize, Vec<u8>),
    Delete(usize, usize),
    Copy((usize, usize), (usize, usize)),
    /// A whole upload, completed or not.
    Upload(usize, usize, Vec<Vec<u8>>, bool),
}

impl Step {
    fn random(random: &mut Random) -> Self {
        let (b, k) = (random.below(2), random.below(KEYS));
        match random.below(12) {
            0 => Self::CreateBucket(b),
            1 => Self::DeleteBucket(1),
            2..=6 => Self::Put(b, k, body(random)),
            7 => Self::Delete(b, k),
            8 | 9 => Self::Copy((b, k), (random.below(2), random.below(KEYS))),
            _ => {
                // Only the last part may be small, and large ones would be slow.
                let parts = (0..1 + random.below(2)).map(|_| body(random)).take(1).collect();
                Self::Upload(b, k, parts, random.coin())
            }
        }
    }

    /// What it does to the model if it succeeds.
    fn apply(&self, model: &mut Model) {
        let put = |model: &mut Model, b: usize, k: usize, body: Vec<u8>| {
            if let Some(bucket) = model.get_mut(&b) {
                bucket.insert(k, body);
            }
        };
        match self {
            Self::CreateBucket(b) => {
                model.entry(*b).or_default();
            }
            Self::DeleteBucket(b) => {
                model.remove(b);
            }
            Self::Put(b, k, body) => put(model, *b, *k, body.clone()),
            Self::Delete(b, k) => {
                model.get_mut(b).map(|bucket| bucket.remove(k));
            }
            Self::Copy((b, k), (to, at)) => {
                if let Some(body) = model.get(b).and_then(|bucket| bucket.get(k)).cloned() {
                    put(model, *to, *at, body);
                }
            }
            Self::Upload(b, k, parts, true) => put(model, *b, *k, parts.concat()),
            Self::Upload(_, _, _, false) => {}
        }
    }

    async fn run(&self, store: &Store) -> Result<(), Error> {
        match self {
            Self::CreateBucket(b) => store.create_bucket(bucket(*b), "main".into(), now()).await,
            Self::DeleteBucket(b) => store.delete_bucket(bucket(*b)).await,
            Self::Put(b, k, body) => {
                let received = receive(store, body, false)?;
                let (b, k) = (bucket(*b), key(*k));
                let put = store.put_object(b, k, received, Metadata::default(), WriteCondition::None, now());
                put.await.map(|_| ())
            }
            Self::Delete(b, k) => store.delete_objects(bucket(*b), vec![key(*k)]).await,
            Self::Copy((b, k), (to, at)) => {
                let (from, to) = ((bucket(*b), key(*k)), (bucket(*to), key(*at)));
                let keep = CopiedMetadata::Keep { storage_class: None };
                let conditions = (Conditions::default(), WriteCondition::None);
                store.copy_object(from, to, keep, conditions.0, conditions.1, now()).await.map(|_| ())
            }
            Self::Upload(b, k, parts, complete) => upload(store, *b, *k, parts, *complete).await,
        }
    }
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
        checksum: None,
        initiator: "main".into(),
    };
    let name = UploadName { bucket: bucket(b), key: key(k), id: upload.id };
    store.create_upload(bucket(b), upload).await?;
    let mut named = Vec::new();
    for (number, body) in (1..).zip(parts) {
        let number = PartNumber::new(number).expect("valid");
        let received = receive(store, body, true)?;
        let part: Part = store.put_part(name.clone(), number, received, now()).await?;
        let (etag, etag_text) = (Some(part.etag), part.etag.to_string());
        named.push(NamedPart { number, etag, etag_text, checksums: Vec::new() });
    }
    if !complete {
        return store.abort_upload(name).await;
    }
    let completion = Completion { parts: named, ..Completion::default() };
    store.complete_upload(name, completion, WriteCondition::None, now()).await.map(|_| ())
}

/// The steps of a workload: first a bucket, so that most of the others find one.
fn workload(seed: u64) -> Vec<Step> {
    let mut random = Random(seed);
    let steps = (0..14).map(|_| Step::random(&mut random)).collect::<Vec<_>>();
    [vec![Step::CreateBucket(0), Step::CreateBucket(1)], steps].concat()
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

/// Runs a workload up to its fault. Steps are taken one by one, or the last of each pair beside the first.
fn run(steps: &[Step], fault: Option<(usize, Fault)>, paired: bool) -> Outcome {
    let folder = scratch().join(format!("presigned-crash-{}-{}", std::process::id(), unique()));
    let state = State { index_file: folder.join("index").join("data.mdb"), ..State::default() };
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
            // Nobody heard of it, so it may have happened or not.
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
    let report = Store::check(&settings(&place), false).expect("opens");
    assert_eq!(report.problems, [], "{what}");
    assert_eq!(fs::read_dir(place.join("incoming")).expect("a folder").count(), 0, "{what}");
    fs::remove_dir_all(place).expect("removed");
}

/// Everything in a store, read.
fn contents(store: &Store, what: &str) -> Model {
    let mut model = Model::new();
    for b in 0..2 {
        if store.bucket(&bucket(b)).is_err() {
            continue;
        }
        let bodies = model.entry(b).or_default();
        for k in 0..KEYS {
            let object = match store.object(&bucket(b), &key(k)) {
                Ok(object) => object,
                Err(Error::NoSuchKey) => continue,
                Err(error) => panic!("{what}: {error}"),
            };
            let mut body = Vec::new();
            match object.content {
                Content::Inline(bytes) => body.extend_from_slice(&bytes),
                Content::Blobs(pinned) => {
                    let mut reader = store.reader(pinned, 0, object.size);
                    while let Some(window) = reader.next_window().unwrap_or_else(|e| panic!("{what}: {e}")) {
                        body.extend_from_slice(&window);
                    }
                }
            }
            let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
            digester.update(&body);
            let proof = digester.finish();
            let stored = object.checksum.map(|checksum| checksum.value);
            assert_eq!(stored.as_ref(), proof.checksum(), "{what}: checksum of key{k}");
            bodies.insert(k, body);
        }
    }
    model
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
}

#[test]
fn a_power_cut_at_every_call_loses_nothing() {
    every_seed(&[Fault::CutBefore, Fault::CutAfter], 1);
}

#[test]
fn a_failure_of_every_call_stores_nothing_and_ends_nothing() {
    every_seed(&[Fault::Fail(io::ErrorKind::StorageFull), Fault::Fail(io::ErrorKind::Other)], 1);
}
