//! What must be there: buckets, objects and uploads as the acknowledged requests made them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

pub type Bytes = Arc<Vec<u8>>;
pub type Headers = BTreeMap<String, String>;
/// Blobs that the store needs for a body, with their sizes: numbers of the model, not names of the store.
pub type Blobs = BTreeMap<u64, u64>;

/// Bodies up to this size need no file, but parts always do.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;
/// Smallest part that is not the last.
pub const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// An object as S3 shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    pub etag: String,
    /// Metadata and checksums.
    pub headers: Headers,
    pub bytes: Bytes,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, begin) = (self.bytes.len(), self.bytes.iter().take(8).collect::<Vec<_>>());
        write!(f, "{} {size} bytes from {begin:02x?}, {:?}", self.etag, self.headers)
    }
}

#[derive(Clone, Debug)]
pub struct Object {
    pub shown: Shown,
    pub blobs: Blobs,
}

/// A part as S3 lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPart {
    pub etag: String,
    pub size: usize,
    pub checksum: String,
}

#[derive(Clone)]
pub struct Part {
    pub bytes: Bytes,
    pub md5: [u8; 16],
    pub blobs: Blobs,
}

#[derive(Clone)]
pub struct Upload {
    pub key: String,
    pub metadata: Headers,
    pub parts: BTreeMap<u16, Part>,
}

#[derive(Clone, Default)]
pub struct Bucket {
    pub objects: BTreeMap<String, Object>,
    /// By id.
    pub uploads: BTreeMap<String, Upload>,
}

/// Everything that belongs to one worker.
#[derive(Clone, Default)]
pub struct State {
    pub buckets: BTreeMap<String, Bucket>,
}

/// A state as S3 shows it.
pub type View = BTreeMap<String, BucketView>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketView {
    pub objects: BTreeMap<String, Shown>,
    /// Key and parts by id.
    pub uploads: BTreeMap<String, (String, BTreeMap<u16, ShownPart>)>,
}

/// A request whose answer never came.
#[derive(Clone)]
pub struct Pending {
    pub what: String,
    /// What is there if it was carried out.
    pub after: State,
    /// The bucket of an upload that it starts, whose id nobody was told.
    pub starts: Option<(String, Upload)>,
}

impl Object {
    /// An object of one body.
    pub fn new(bytes: Bytes, metadata: Headers, checksum: (&str, String), blob: u64) -> Self {
        let needs_blob = bytes.len() > INLINE_BYTES_MAX;
        let blobs = needs_blob.then_some((blob, bytes.len() as u64)).into_iter().collect();
        let etag = etag(&bytes);
        Self { shown: Shown { etag, headers: with_checksum(metadata, checksum), bytes }, blobs }
    }
}

impl Part {
    pub fn new(bytes: Bytes, blobs: Blobs) -> Self {
        Self { md5: Md5::digest(bytes.as_slice()).into(), bytes, blobs }
    }

    pub fn etag(&self) -> String {
        format!("\"{}\"", hex(&self.md5))
    }

    pub fn shown(&self) -> ShownPart {
        ShownPart { etag: self.etag(), size: self.bytes.len(), checksum: crc64nvme(&self.bytes) }
    }
}

impl Upload {
    /// The object that these parts make.
    pub fn completed(&self, numbers: &[u16]) -> Object {
        let mut digests = Md5::new();
        let (mut bytes, mut blobs) = (Vec::new(), Blobs::new());
        for number in numbers {
            let part = &self.parts[number];
            digests.update(part.md5);
            bytes.extend_from_slice(&part.bytes);
            blobs.extend(&part.blobs);
        }
        let etag = format!("\"{}-{}\"", hex(&digests.finalize()), numbers.len());
        let checksum = ("crc64nvme", crc64nvme(&bytes));
        let headers = with_checksum(self.metadata.clone(), checksum);
        Object { shown: Shown { etag, headers, bytes: bytes.into() }, blobs }
    }
}

impl State {
    pub fn view(&self) -> View {
        let view = |bucket: &Bucket| {
            let objects = bucket.objects.iter().map(|(key, object)| (key.clone(), object.shown.clone()));
            let parts = |upload: &Upload| {
                upload.parts.iter().map(|(number, part)| (*number, part.shown())).collect::<BTreeMap<_, _>>()
            };
            let uploads =
                bucket.uploads.iter().map(|(id, upload)| (id.clone(), (upload.key.clone(), parts(upload))));
            BucketView { objects: objects.collect(), uploads: uploads.collect() }
        };
        self.buckets.iter().map(|(name, bucket)| (name.clone(), view(bucket))).collect()
    }

    /// The blobs that all of this needs.
    pub fn blobs(&self) -> Blobs {
        let mut blobs = Blobs::new();
        for bucket in self.buckets.values() {
            bucket.objects.values().for_each(|object| blobs.extend(&object.blobs));
            let parts = bucket.uploads.values().flat_map(|upload| upload.parts.values());
            parts.for_each(|part| blobs.extend(&part.blobs));
        }
        blobs
    }

    /// What is there after a kill: this, or this and what was pending; never a mix. Also whether it was.
    pub fn settle(&self, pending: Option<&Pending>, seen: &View) -> Result<(Self, bool), String> {
        let before = self.view();
        let Some(pending) = pending else {
            return match before == *seen {
                true => Ok((self.clone(), false)),
                false => Err(format!("acknowledged, and now{}", differences(&before, seen))),
            };
        };
        let mut after = pending.after.clone();
        if let Some((bucket, upload)) = &pending.starts
            && let (Some(seen), Some(bucket)) = (seen.get(bucket), after.buckets.get_mut(bucket))
            && let Some(id) = seen.uploads.keys().find(|id| !bucket.uploads.contains_key(*id))
        {
            bucket.uploads.insert(id.clone(), upload.clone());
        }
        let after_view = after.view();
        if after_view == *seen {
            Ok((after, true))
        } else if before == *seen {
            Ok((self.clone(), false))
        } else {
            let (from_before, from_after) = (differences(&before, seen), differences(&after_view, seen));
            let what = &pending.what;
            Err(format!("{what} is half there. From before:{from_before}\nFrom after:{from_after}"))
        }
    }
}

/// What is different, a line each.
fn differences(expected: &View, seen: &View) -> String {
    fn compare<T: PartialEq + fmt::Debug>(
        out: &mut String,
        place: &str,
        expected: &BTreeMap<String, T>,
        seen: &BTreeMap<String, T>,
    ) {
        for name in expected.keys().chain(seen.keys()).collect::<BTreeSet<_>>() {
            let (expected, seen) = (expected.get(name), seen.get(name));
            if expected != seen {
                out.push_str(&format!(
                    "\n  {place} {name}:\n    expected {expected:?}\n    found    {seen:?}"
                ));
            }
        }
    }
    let mut out = String::new();
    for name in expected.keys().chain(seen.keys()).collect::<BTreeSet<_>>() {
        match (expected.get(name), seen.get(name)) {
            (Some(expected), Some(seen)) => {
                compare(&mut out, &format!("object {name}"), &expected.objects, &seen.objects);
                compare(&mut out, &format!("upload {name}"), &expected.uploads, &seen.uploads);
            }
            (expected, _) => {
                let state = if expected.is_some() { "is gone" } else { "should not be there" };
                out.push_str(&format!("\n  the bucket {name} {state}"));
            }
        }
    }
    out
}

/// The headers of metadata and a checksum.
pub fn with_checksum(mut headers: Headers, (algorithm, value): (&str, String)) -> Headers {
    headers.insert(format!("x-amz-checksum-{algorithm}"), value);
    headers.insert("x-amz-checksum-type".to_owned(), "FULL_OBJECT".to_owned());
    headers
}

/// The tag of a body that came in one go.
pub fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex(&Md5::digest(bytes)))
}

pub fn crc64nvme(bytes: &[u8]) -> String {
    let value = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes);
    STANDARD.encode(value.to_be_bytes())
}

pub fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(sha2::Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
