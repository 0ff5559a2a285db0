//! The simulated disk: what a process sees of it, what is synced, and what a power cut leaves.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::auth::BodyProof;
use crate::s3::checksum::Algorithm;
use crate::store::Error;
use crate::store::local::Store;
use crate::store::local::blobs::blob::Received;
use crate::store::local::blobs::layout::Layout;
use crate::store::local::blobs::medium::{Adoption, Medium, NewFile, Syncer};

/// What happens at the call that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
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
pub(super) struct State {
    pub calls: usize,
    pub fault: Option<(usize, Fault)>,
    dead: bool,
    /// Contents of files, and how much of each is synced.
    files: Vec<(Vec<u8>, usize)>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since the folders they touch were synced.
    pending: Vec<Change>,
    /// The index as its last commit left it.
    pub index: Vec<u8>,
    pub index_file: PathBuf,
}

#[derive(Clone, Debug)]
pub(super) struct Sim(pub Arc<Mutex<State>>);

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

    pub(super) fn calls(&self) -> usize {
        self.0.lock().expect("unpoisoned").calls
    }

    pub(super) fn is_dead(&self) -> bool {
        self.0.lock().expect("unpoisoned").dead
    }

    /// Puts what a power cut leaves into a fresh folder: all that was synced, and as much of the rest as chance has
    /// it.
    pub(super) fn leave(&self, from: &Path, to: &Path, random: &mut Random) {
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

    fn adopt(&self, _: &Path, _: &str, source: &File, _: Adoption) -> io::Result<Option<Box<dyn NewFile>>> {
        let (sim, mut source, mut content) = (self.clone(), source.try_clone()?, Vec::new());
        source.rewind()?;
        source.read_to_end(&mut content)?;
        self.call(move |state| {
            state.files.push((content, 0));
            let file = SimFile { sim, file: state.files.len() - 1 };
            Ok(Some(Box::new(file) as Box<dyn NewFile>))
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

/// A body that an import takes in without copying it.
pub(super) fn adopt(store: &Store, body: &[u8]) -> Result<Received, Error> {
    let path = scratch().join(format!("adopted-{}", unique()));
    fs::write(&path, body)?;
    let source = File::open(&path)?;
    fs::remove_file(path)?;
    let writer = store.adopting_writer(&source, body.len() as u64, Adoption::Link)?;
    let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
    digester.update(body);
    writer.expect("the simulated disk does it").finish(digester.finish())
}

/// A generator of numbers that a seed determines.
#[derive(Clone, Debug)]
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below the limit")
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

pub(super) fn unique() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A folder in memory where there is one: real syncs are not what is tested here.
pub(super) fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}
