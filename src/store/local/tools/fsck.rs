//! The examination of a whole store, for anyone who asks; it reads every record, and no file.

use std::collections::{HashMap, HashSet};
use std::fs;

use heed::RoTxn;

use super::report::{Problem, Report};
use crate::s3::name::{BucketName, VersionId};
use crate::store::Error;
use crate::store::local::blobs::layout::Layout;
use crate::store::local::blobs::medium::Medium;
use crate::store::local::blobs::segment::{BlobId, Segment};
use crate::store::local::index::record::{
    BlobRecord, BucketRecord, Head, ObjectRecord, StoredBody, decode, encode,
};
use crate::store::local::index::tables::{Index, parse_upload_key};
use crate::store::local::index::upload_record::{PartRecord, UploadRecord};
use crate::store::local::index::usage_record::UsageRecord;
use crate::store::local::index::versions::{Version, parse_version_key};

/// Examines structure, references, sizes and files; reads no bodies but those in the index. The store must not be in use.
///
/// # Errors
/// That the index or the folders cannot be read at all.
pub(in crate::store::local) fn audit(index: &Index, layout: &Layout) -> Result<Report, Error> {
    let mut audit =
        Audit { index, layout, report: Report::default(), references: HashMap::new(), used: HashMap::new() };
    let buckets = audit.buckets()?;
    audit.objects(&buckets)?;
    audit.versions(&buckets)?;
    audit.nulls()?;
    let uploads = audit.uploads(&buckets)?;
    audit.parts(&uploads)?;
    audit.usage(&buckets)?;
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
    /// What each bucket holds, by its id.
    used: HashMap<[u8; 4], UsageRecord>,
}

/// Names of buckets by their ids.
type Buckets = HashMap<[u8; 4], String>;

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

    /// Looks at an object: its owner, its references, its size.
    fn object(&mut self, table: &'static str, key: &[u8], object: &[u8], value: &[u8], buckets: &Buckets) {
        let bucket = key.first_chunk().copied().unwrap_or_default();
        if !buckets.contains_key(&bucket) {
            self.problem(Problem::Stray { table, key: key.escape_ascii().to_string() });
        }
        match ObjectRecord::decode(value) {
            Ok((record, body)) => {
                if record.body == StoredBody::Inline && !record.is_of(body) {
                    self.problem(Problem::Body { object: version_name(buckets, object, &record.head) });
                }
                self.refer(record.segments());
                self.hold(bucket, UsageRecord::of(object, &record));
            }
            Err(error) => self.damaged(table, key, &error),
        }
    }

    fn hold(&mut self, bucket: [u8; 4], more: UsageRecord) {
        self.used.entry(bucket).or_default().add(more);
    }

    fn buckets(&mut self) -> Result<Buckets, Error> {
        let transaction = self.index.read()?;
        let mut ids = HashMap::new();
        for entry in self.index.buckets.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.buckets += 1;
            match decode::<BucketRecord>(value) {
                Ok(record) => {
                    ids.insert(record.id.to_be_bytes(), String::from_utf8_lossy(key).into_owned());
                }
                Err(error) => self.damaged("buckets", key, &error),
            }
        }
        Ok(ids)
    }

    fn objects(&mut self, buckets: &Buckets) -> Result<(), Error> {
        let transaction = self.index.read()?;
        for entry in self.index.objects.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.objects += 1;
            self.object("objects", key, key, value, buckets);
        }
        Ok(())
    }

    fn versions(&mut self, buckets: &Buckets) -> Result<(), Error> {
        let transaction = self.index.read()?;
        let mut last = Vec::new();
        for entry in self.index.versions.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.versions += 1;
            let read = parse_version_key(key).and_then(|(object, _)| Ok((object, Version::read(value)?)));
            let (object, version) = match read {
                Ok(read) => read,
                Err(error) => {
                    self.damaged("versions", key, &error);
                    continue;
                }
            };
            let is_object = matches!(version, Version::Object(_));
            // The newest of a key would be current if it were an object.
            if object != last && is_object && self.index.objects.get(&transaction, object)?.is_none() {
                self.problem(Problem::Order { key: object.escape_ascii().to_string() });
            }
            last = object.to_vec();
            match version {
                Version::Object(value) => self.object("versions", key, object, value, buckets),
                Version::Marker(_) => {
                    let bucket = object.first_chunk().copied().unwrap_or_default();
                    self.hold(bucket, UsageRecord::of_marker(object));
                }
            }
        }
        Ok(())
    }

    /// Every pointer to a version `null` must lead to one.
    fn nulls(&mut self) -> Result<(), Error> {
        let transaction = self.index.read()?;
        for entry in self.index.nulls.iter(&transaction)? {
            let (object, position) = entry?;
            let key = [object, b"\0", position].concat();
            let version = self.index.versions.get(&transaction, &key)?.map(Version::read);
            let null = match version {
                Some(Ok(Version::Marker(marker))) => marker.version.is_none(),
                Some(Ok(Version::Object(value))) => {
                    ObjectRecord::decode_head(value).is_ok_and(|head| head.version() == VersionId::NULL)
                }
                Some(Err(_)) | None => false,
            };
            if !null {
                self.problem(Problem::Order { key: object.escape_ascii().to_string() });
            }
        }
        Ok(())
    }

    /// Compares what buckets are said to hold with what was found.
    fn usage(&mut self, buckets: &Buckets) -> Result<(), Error> {
        let transaction = self.index.read()?;
        let mut wrong = Vec::new();
        for (id, name) in buckets {
            let counted = self.index.usage(&transaction, u32::from_be_bytes(*id))?;
            let found = self.used.get(id).copied().unwrap_or_default();
            if counted != found {
                wrong.push(Problem::Usage {
                    bucket: name.clone(),
                    counted: counted.usage(),
                    found: found.usage(),
                });
            }
        }
        self.report.problems.extend(wrong);
        Ok(())
    }

    /// Ids of uploads, and of their buckets.
    fn uploads(&mut self, buckets: &Buckets) -> Result<HashMap<[u8; 16], [u8; 4]>, Error> {
        let transaction = self.index.read()?;
        let mut ids = HashMap::new();
        for entry in self.index.uploads.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.uploads += 1;
            let (bucket, rest) = key.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
            if !buckets.contains_key(bucket) {
                self.problem(Problem::Stray { table: "uploads", key: key.escape_ascii().to_string() });
            }
            let read = parse_upload_key(rest).and_then(|(_, id)| Ok((id, decode::<UploadRecord>(value)?)));
            match read {
                Ok((id, record)) => {
                    self.hold(*bucket, UsageRecord::of_upload(key, &record));
                    ids.insert(*id.as_bytes(), *bucket);
                }
                Err(error) => self.damaged("uploads", key, &error),
            }
        }
        Ok(ids)
    }

    fn parts(&mut self, uploads: &HashMap<[u8; 16], [u8; 4]>) -> Result<(), Error> {
        let transaction = self.index.read()?;
        for entry in self.index.parts.iter(&transaction)? {
            let (key, value) = entry?;
            self.report.parts += 1;
            let bucket = key.first_chunk().and_then(|upload| uploads.get(upload));
            if bucket.is_none() {
                self.problem(Problem::Stray { table: "parts", key: key.escape_ascii().to_string() });
            }
            match decode::<PartRecord>(value) {
                Ok(record) => {
                    self.refer(&record.segments);
                    self.hold(bucket.copied().unwrap_or_default(), UsageRecord::of_part(record.size));
                }
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
                Ok(file) if file.len() == record.size => {
                    // What a scrub found.
                    if self.index.damaged.get(&transaction, key)?.is_some() {
                        self.problem(Problem::Damaged { blob: blob.to_string(), objects: Vec::new() });
                    }
                }
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
            if let Problem::Missing { blob, objects }
            | Problem::Damaged { blob, objects }
            | Problem::Size { blob, objects, .. } = problem
                && let Some(blob) = BlobId::parse(blob)
            {
                damaged.insert(blob, objects);
            }
        }
        let blobs: HashSet<BlobId> = damaged.keys().copied().collect();
        for (blob, name) in referring(self.index, &blobs)? {
            if let Some(names) = damaged.get_mut(&blob) {
                names.push(name);
            }
        }
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

/// The names of objects for anyone who reads a report.
pub(in crate::store::local) struct Names(Buckets);

impl Names {
    /// # Errors
    /// The index's. A bucket whose record cannot be read has no name.
    pub(in crate::store::local) fn of(index: &Index, transaction: &RoTxn<'_>) -> Result<Self, Error> {
        let mut buckets = Buckets::new();
        for entry in index.buckets.iter(transaction)? {
            let (name, value) = entry?;
            if let Ok(record) = decode::<BucketRecord>(value) {
                buckets.insert(record.id.to_be_bytes(), String::from_utf8_lossy(name).into_owned());
            }
        }
        Ok(Self(buckets))
    }

    fn object(&self, key: &[u8]) -> String {
        object_name(&self.0, key)
    }

    pub(in crate::store::local) fn version(&self, key: &[u8], head: &Head) -> String {
        version_name(&self.0, key, head)
    }
}

/// `s3://bucket/key`, of a key of the table.
fn object_name(buckets: &Buckets, key: &[u8]) -> String {
    let (bucket, key) = key.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
    let bucket = buckets.get(bucket).map(String::as_str).unwrap_or("?");
    format!("s3://{bucket}/{}", String::from_utf8_lossy(key))
}

/// The same, and which version.
fn version_name(buckets: &Buckets, key: &[u8], head: &Head) -> String {
    format!("{} version {}", object_name(buckets, key), head.version())
}

/// Who refers to these blobs: each blob with the name of an object, a version or a part, once. Looks at every record,
/// unless no blob is asked for.
///
/// # Errors
/// The index's.
pub(in crate::store::local) fn referring(
    index: &Index,
    blobs: &HashSet<BlobId>,
) -> Result<Vec<(BlobId, String)>, Error> {
    let mut found = Vec::new();
    if blobs.is_empty() {
        return Ok(found);
    }
    let transaction = index.read()?;
    let names = Names::of(index, &transaction)?;
    let mut refer = |segments: &[Segment], name: &dyn Fn() -> String| {
        let met: HashSet<BlobId> =
            segments.iter().map(Segment::blob).filter(|blob| blobs.contains(blob)).collect();
        found.extend(met.into_iter().map(|blob| (blob, name())));
    };
    for entry in index.objects.iter(&transaction)? {
        let (key, value) = entry?;
        if let Ok((record, _)) = ObjectRecord::decode(value) {
            refer(record.segments(), &|| names.object(key));
        }
    }
    for entry in index.versions.iter(&transaction)? {
        let (key, value) = entry?;
        if let (Ok((object, _)), Ok(Version::Object(value))) = (parse_version_key(key), Version::read(value))
            && let Ok((record, _)) = ObjectRecord::decode(value)
        {
            refer(record.segments(), &|| names.version(object, &record.head));
        }
    }
    for entry in index.parts.iter(&transaction)? {
        let (key, value) = entry?;
        if let Ok(part) = decode::<PartRecord>(value) {
            refer(&part.segments, &|| format!("part {}", crate::s3::name::hex_encode(key)));
        }
    }
    Ok(found)
}

/// Mends what is safe: wrong counts of blobs that have files and of what buckets hold, and files to which nothing
/// refers.
///
/// # Errors
/// The file system's and the index's.
pub(in crate::store::local) fn repair(
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
                    index.damaged.delete(&mut transaction.raw, &blob.0)?;
                    index.garbage.put(&mut transaction.raw, &blob.0, &[])?;
                }
                &references => {
                    let known: Option<BlobRecord> =
                        index.blobs.get(&transaction.raw, &blob.0)?.map(decode).transpose()?;
                    let checksum = known.and_then(|known| known.checksum);
                    let value = encode(&BlobRecord { references, size: file.len(), checksum })?;
                    index.blobs.put(&mut transaction.raw, &blob.0, &value)?;
                    // A count that was too low may have made it garbage.
                    index.garbage.delete(&mut transaction.raw, &blob.0)?;
                }
            }
        }
    }
    for problem in &report.problems {
        if let Problem::Usage { bucket, found, .. } = problem
            && let Some(bucket) = BucketName::parse(bucket)
        {
            let found = UsageRecord {
                versions: found.versions,
                bytes: found.bytes,
                record_bytes: found.record_bytes,
            };
            let value = encode(&found)?;
            let id = transaction.bucket(&bucket)?.id;
            index.usage.put(&mut transaction.raw, &id.to_be_bytes(), &value)?;
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
