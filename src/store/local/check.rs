//! What a start has to put right, which is only what was under way; and the whole examination, for whoever asks.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::index::{Index, parse_upload_key};
use super::layout::{BlobId, Layout};
use super::medium::Medium;
use super::record::{
    BlobRecord, BucketRecord, ObjectRecord, PartRecord, Segment, UploadRecord, decode, encode,
};
use crate::store::Error;

/// Settles the blobs whose commit was interrupted, and gives the garbage that is still to be removed.
///
/// # Errors
/// The file system's and the index's.
pub(super) fn recover(index: &Index, layout: &Layout, medium: &dyn Medium) -> Result<Vec<BlobId>, Error> {
    settle_incoming(index, layout, medium)?;
    let transaction = index.read()?;
    let mut garbage = Vec::new();
    for entry in index.garbage.iter(&transaction)? {
        let (key, _) = entry?;
        garbage.extend(key.try_into().ok().map(BlobId));
    }
    Ok(garbage)
}

/// A blob that is counted was committed and goes to its place; any other goes away.
fn settle_incoming(index: &Index, layout: &Layout, medium: &dyn Medium) -> Result<(), Error> {
    let transaction = index.read()?;
    let names = medium.names(&layout.incoming())?;
    if names.is_empty() {
        return Ok(());
    }
    for name in names {
        let path = layout.incoming().join(&name);
        let blob = BlobId::parse(&name);
        let counted = match blob {
            Some(blob) => index.blobs.get(&transaction, &blob.0)?.is_some(),
            None => false,
        };
        match blob.filter(|_| counted) {
            Some(blob) => {
                medium.rename(&path, &layout.blob(blob))?;
                // Renaming a file to another of its own names does nothing; the first name must go.
                medium.remove(&path)?;
            }
            None => medium.remove(&path)?,
        }
        tracing::info!(name, kept = counted, "settled an interrupted upload");
    }
    medium.sync_folder(&layout.incoming()).map_err(|error: io::Error| error.into())
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A record cannot be read; table and key.
    Record { table: &'static str, key: String, error: String },
    /// A record belongs to a bucket or an upload that is not there; table and key.
    Stray { table: &'static str, key: String },
    /// The file of a blob is not there: objects are damaged.
    Missing { blob: String, objects: Vec<String> },
    /// The file of a blob has another size: objects are damaged.
    Size { blob: String, recorded: u64, found: u64, objects: Vec<String> },
    /// References are counted wrongly.
    Count { blob: String, counted: u32, found: u32 },
    /// A file to which nothing refers.
    Orphan { path: PathBuf },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { table, key, error } => write!(f, "damaged record in {table}, {key}: {error}"),
            Self::Stray { table, key } => write!(f, "record without an owner in {table}, {key}"),
            Self::Missing { blob, objects } => {
                write!(f, "blob {blob} has no file; damaged: {}", objects.join(", "))
            }
            Self::Size { blob, recorded, found, objects } => {
                let damaged = objects.join(", ");
                write!(f, "blob {blob} has {found} bytes instead of {recorded}; damaged: {damaged}")
            }
            Self::Count { blob, counted, found } => {
                write!(f, "blob {blob} is counted {counted} times and referred to {found} times")
            }
            Self::Orphan { path } => write!(f, "nothing refers to {}", path.display()),
        }
    }
}

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub buckets: u64,
    pub objects: u64,
    pub uploads: u64,
    pub parts: u64,
    pub blobs: u64,
    pub blob_bytes: u64,
    pub problems: Vec<Problem>,
    /// How many further problems were mended.
    pub mended: usize,
}

/// Examines structure, references, sizes and files; reads no bodies. The store must not be in use.
///
/// # Errors
/// That the index or the folders cannot be read at all.
pub(super) fn audit(index: &Index, layout: &Layout) -> Result<Report, Error> {
    let mut audit = Audit { index, layout, report: Report::default(), references: HashMap::new() };
    let buckets = audit.buckets()?;
    audit.objects(&buckets)?;
    let uploads = audit.uploads(&buckets)?;
    audit.parts(&uploads)?;
    audit.blobs()?;
    audit.name_damaged()?;
    audit.files()?;
    Ok(audit.report)
}

struct Audit<'a> {
    index: &'a Index,
    layout: &'a Layout,
    report: Report,
    /// How often each blob is referred to.
    references: HashMap<BlobId, u32>,
}

impl Audit<'_> {
    fn problem(&mut self, problem: Problem) {
        self.report.problems.push(problem);
    }

    fn damaged(&mut self, table: &'static str, key: &[u8], error: &Error) {
        let key = key.escape_ascii().to_string();
        self.problem(Problem::Record { table, key, error: error.to_string() });
    }

    fn refer(&mut self, segments: &[Segment]) {
        for segment in segments {
            *self.references.entry(segment.blob()).or_insert(0) += 1;
        }
    }

    fn buckets(&mut self) -> Result<HashSet<[u8; 4]>, Error> {
        let transaction = self.index.read()?;
        let mut ids = HashSet::new();
        for entry in self.index.buckets.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.buckets += 1;
            match decode::<BucketRecord>(value) {
                Ok(record) => {
                    ids.insert(record.id.to_be_bytes());
                }
                Err(error) => self.damaged("buckets", key, &error),
            }
        }
        Ok(ids)
    }

    fn objects(&mut self, buckets: &HashSet<[u8; 4]>) -> Result<(), Error> {
        let transaction = self.index.read()?;
        for entry in self.index.objects.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.objects += 1;
            if !key.first_chunk().is_some_and(|bucket| buckets.contains(bucket)) {
                self.problem(Problem::Stray { table: "objects", key: key.escape_ascii().to_string() });
            }
            match ObjectRecord::decode(value) {
                Ok((record, _)) => self.refer(record.segments()),
                Err(error) => self.damaged("objects", key, &error),
            }
        }
        Ok(())
    }

    fn uploads(&mut self, buckets: &HashSet<[u8; 4]>) -> Result<HashSet<[u8; 16]>, Error> {
        let transaction = self.index.read()?;
        let mut ids = HashSet::new();
        for entry in self.index.uploads.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.uploads += 1;
            let (bucket, rest) = key.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
            if !buckets.contains(bucket) {
                self.problem(Problem::Stray { table: "uploads", key: key.escape_ascii().to_string() });
            }
            let read = parse_upload_key(rest).and_then(|(_, id)| decode::<UploadRecord>(value).map(|_| id));
            match read {
                Ok(id) => {
                    ids.insert(*id.as_bytes());
                }
                Err(error) => self.damaged("uploads", key, &error),
            }
        }
        Ok(ids)
    }

    fn parts(&mut self, uploads: &HashSet<[u8; 16]>) -> Result<(), Error> {
        let transaction = self.index.read()?;
        for entry in self.index.parts.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.parts += 1;
            if !key.first_chunk().is_some_and(|upload| uploads.contains(upload)) {
                self.problem(Problem::Stray { table: "parts", key: key.escape_ascii().to_string() });
            }
            match decode::<PartRecord>(value) {
                Ok(record) => self.refer(&record.segments),
                Err(error) => self.damaged("parts", key, &error),
            }
        }
        Ok(())
    }

    /// Compares what is counted with what is referred to, and with the files.
    fn blobs(&mut self) -> Result<(), Error> {
        let transaction = self.index.read()?;
        for entry in self.index.blobs.iter(&transaction)? {
            let (key, value) = entry?;
            let (Ok(id), Ok(record)) = (<[u8; 16]>::try_from(key), decode::<BlobRecord>(value)) else {
                self.damaged("blobs", key, &Error::Index("it cannot be read".to_owned()));
                continue;
            };
            let blob = BlobId(id);
            self.report.blobs += 1;
            self.report.blob_bytes += record.size;
            let found = self.references.remove(&blob).unwrap_or(0);
            if found != record.references {
                self.problem(Problem::Count { blob: blob.to_string(), counted: record.references, found });
            }
            let place = fs::metadata(self.layout.blob(blob));
            match place.or_else(|_| fs::metadata(self.layout.incoming_blob(blob))) {
                Ok(file) if file.len() == record.size => {}
                Ok(file) => self.problem(Problem::Size {
                    blob: blob.to_string(),
                    recorded: record.size,
                    found: file.len(),
                    objects: Vec::new(),
                }),
                Err(_) => {
                    self.problem(Problem::Missing { blob: blob.to_string(), objects: Vec::new() });
                }
            }
        }
        let uncounted: Vec<_> = self.references.drain().collect();
        for (blob, found) in uncounted {
            self.problem(Problem::Count { blob: blob.to_string(), counted: 0, found });
        }
        Ok(())
    }

    /// Finds the objects and parts that refer to damaged blobs; nothing is looked at if there are none.
    fn name_damaged(&mut self) -> Result<(), Error> {
        let mut damaged: HashMap<BlobId, &mut Vec<String>> = HashMap::new();
        for problem in &mut self.report.problems {
            if let Problem::Missing { blob, objects } | Problem::Size { blob, objects, .. } = problem
                && let Some(blob) = BlobId::parse(blob)
            {
                damaged.insert(blob, objects);
            }
        }
        if damaged.is_empty() {
            return Ok(());
        }
        let transaction = self.index.read()?;
        let mut buckets = HashMap::new();
        for entry in self.index.buckets.iter(&transaction)? {
            let (name, value) = entry?;
            if let Ok(record) = decode::<BucketRecord>(value) {
                buckets.insert(record.id.to_be_bytes(), String::from_utf8_lossy(name).into_owned());
            }
        }
        for entry in self.index.objects.iter(&transaction)? {
            let (key, value) = entry?;
            let (bucket, key) = key.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
            let Ok((record, _)) = ObjectRecord::decode(value) else {
                continue;
            };
            for segment in record.segments() {
                if let Some(objects) = damaged.get_mut(&segment.blob()) {
                    let bucket = buckets.get(bucket).map(String::as_str).unwrap_or("?");
                    objects.push(format!("s3://{bucket}/{}", String::from_utf8_lossy(key)));
                }
            }
        }
        for entry in self.index.parts.iter(&transaction)? {
            let (key, value) = entry?;
            for segment in decode::<PartRecord>(value).map(|part| part.segments).unwrap_or_default() {
                if let Some(objects) = damaged.get_mut(&segment.blob()) {
                    objects.push(format!("part {}", crate::s3::name::hex_encode(key)));
                }
            }
        }
        damaged.into_values().for_each(|objects| objects.dedup());
        Ok(())
    }

    /// Finds files that neither objects nor garbage account for. What is incoming is a start's to settle.
    fn files(&mut self) -> Result<(), Error> {
        let transaction = self.index.read()?;
        for shard in fs::read_dir(self.layout.blobs())? {
            for file in fs::read_dir(shard?.path())? {
                let file = file?;
                let known = match file.file_name().to_str().and_then(BlobId::parse) {
                    Some(blob) if file.path() == self.layout.blob(blob) => {
                        self.index.blobs.get(&transaction, &blob.0)?.is_some()
                            || self.index.garbage.get(&transaction, &blob.0)?.is_some()
                    }
                    _ => false,
                };
                if !known {
                    self.problem(Problem::Orphan { path: file.path() });
                }
            }
        }
        Ok(())
    }
}

/// Mends what is safe: wrong counts of blobs that have files, and files to which nothing refers.
///
/// # Errors
/// The file system's and the index's.
pub(super) fn repair(
    index: &Index,
    layout: &Layout,
    medium: &dyn Medium,
    report: &Report,
) -> Result<(), Error> {
    let mut transaction = index.write()?;
    for problem in &report.problems {
        if let Problem::Count { blob, found, .. } = problem
            && let Some(blob) = BlobId::parse(blob)
            && let Ok(file) = fs::metadata(layout.blob(blob))
        {
            match found {
                0 => {
                    index.blobs.delete(&mut transaction.raw, &blob.0)?;
                    index.garbage.put(&mut transaction.raw, &blob.0, &[])?;
                }
                &references => {
                    let value = encode(&BlobRecord { references, size: file.len() })?;
                    index.blobs.put(&mut transaction.raw, &blob.0, &value)?;
                }
            }
        }
    }
    transaction.raw.commit()?;
    for problem in &report.problems {
        if let Problem::Orphan { path } = problem {
            medium.remove(path)?;
        }
    }
    Ok(())
}
