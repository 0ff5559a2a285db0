//! What a worker does next: a request, and the state that it leads to.

use std::sync::Arc;

use crate::client::{path, request};
use crate::model::{
    Blobs, Bucket, Bytes, Headers, INLINE_BYTES_MAX, Object, PART_BYTES_MIN, Part, Pending, State, Upload,
    crc64nvme, etag, sha256,
};
use crate::observe::get_object;
use crate::random::Random;
use crate::wire::Request;

/// Most uploads of a worker that are open at once.
const UPLOADS_MAX: usize = 4;
const PART_NUMBERS: [u16; 3] = [1, 2, 10_000];

/// A request, what it must be answered, and what it does.
pub struct Plan {
    pub request: Request,
    pub status: u16,
    pub answer: Answer,
    pub effect: Pending,
}

/// What the answer must hold beside its status.
pub enum Answer {
    Nothing,
    /// The `ETag` header.
    Tagged(String),
    /// The `ETag` element.
    TaggedDocument(String),
    /// The id of the upload it started.
    UploadId,
    /// This object.
    Body(crate::model::Shown),
}

/// Where a worker works, and where its choices come from.
pub struct Planner<'w> {
    pub worker: usize,
    pub state: &'w State,
    /// Buckets and the prefix of the worker's keys in each; all but the first come and go.
    pub places: &'w [(String, String)],
    /// Key names, without the prefix.
    pub keys: &'w [String],
    pub random: &'w mut Random,
    /// The number that the next body gets.
    pub bodies: &'w mut u64,
}

impl Planner<'_> {
    pub fn plan(&mut self) -> Plan {
        loop {
            let plan = match self.random.below(100) {
                0..34 => self.put(),
                34..45 => self.delete(),
                45..57 => self.copy(),
                57..62 => self.get(),
                62..69 => self.create_upload(),
                69..81 => self.part(),
                81..84 => self.part_copy(),
                84..90 => self.complete(),
                90..92 => self.abort(),
                92..96 => self.create_bucket(),
                _ => self.delete_bucket(),
            };
            if let Some(plan) = plan {
                return plan;
            }
        }
    }

    fn put(&mut self) -> Option<Plan> {
        let (bucket, key) = self.place()?;
        let size = match self.random.below(100) {
            0..4 => 0,
            4..34 => self.random.within(1, 4096),
            34..40 => INLINE_BYTES_MAX,
            40..46 => INLINE_BYTES_MAX + 1,
            46..90 => self.random.within(INLINE_BYTES_MAX + 2, 120_000),
            _ => self.random.within(120_000, 700_000),
        };
        let (bytes, number) = self.body(size);
        let metadata = self.metadata(number);
        let checked = size < 40_000 && self.random.chance(40);
        let checksum = match checked {
            true => ("sha256", sha256(&bytes)),
            false => ("crc64nvme", crc64nvme(&bytes)),
        };
        let mut request = with_headers(request("PUT", &path(&bucket, &key)), &metadata);
        if checked {
            request = request.header("x-amz-checksum-sha256", &checksum.1);
        }
        let exists = self.state.buckets[&bucket].objects.contains_key(&key);
        let only_new = self.random.chance(10);
        if only_new {
            request = request.header("If-None-Match", "*");
        }
        let request = request.body(bytes.as_slice());
        let what = format!("PUT {bucket}/{key} ({size} bytes, only new: {only_new})");
        if only_new && exists {
            return Some(self.refused(request, what, 412));
        }
        let object = Object::new(bytes, metadata, checksum, number);
        let answer = Answer::Tagged(object.shown.etag.clone());
        Some(self.changes(request, what, answer, |state| {
            objects(state, &bucket).insert(key, object);
        }))
    }

    fn delete(&mut self) -> Option<Plan> {
        let (bucket, key) = self.place()?;
        let what = format!("DELETE {bucket}/{key}");
        let plan = self.changes(request("DELETE", &path(&bucket, &key)), what, Answer::Nothing, |state| {
            objects(state, &bucket).remove(&key);
        });
        Some(Plan { status: 204, ..plan })
    }

    fn copy(&mut self) -> Option<Plan> {
        let (source_bucket, source_key, mut object) = self.existing()?;
        let (bucket, key) = self.place()?;
        let to_itself = (&bucket, &key) == (&source_bucket, &source_key);
        let mut request = request("PUT", &path(&bucket, &key))
            .header("x-amz-copy-source", &path(&source_bucket, &source_key));
        let replaces = to_itself || self.random.chance(50);
        if replaces {
            let (_, number) = self.body(0);
            let metadata = self.metadata(number);
            request = with_headers(request, &metadata).header("x-amz-metadata-directive", "REPLACE");
            let mut headers = object.shown.headers;
            headers.retain(|name, _| name.starts_with("x-amz-checksum-"));
            headers.extend(metadata);
            object.shown.headers = headers;
        }
        // A copy is one body, whatever its source was uploaded in.
        object.shown.etag = etag(&object.shown.bytes);
        let what = format!("copy {source_bucket}/{source_key} to {bucket}/{key} (replacing: {replaces})");
        let answer = Answer::TaggedDocument(object.shown.etag.clone());
        Some(self.changes(request, what, answer, |state| {
            objects(state, &bucket).insert(key, object);
        }))
    }

    fn get(&mut self) -> Option<Plan> {
        let (bucket, key, object) = self.existing()?;
        let (request, what) = (get_object(&bucket, &key), format!("GET {bucket}/{key}"));
        Some(self.changes(request, what, Answer::Body(object.shown), |_| {}))
    }

    fn create_upload(&mut self) -> Option<Plan> {
        let open: usize = self.state.buckets.values().map(|bucket| bucket.uploads.len()).sum();
        let (bucket, key) = self.place().filter(|_| open < UPLOADS_MAX)?;
        let (_, number) = self.body(0);
        let metadata = self.metadata(number);
        let request = request("POST", &format!("{}?uploads=", path(&bucket, &key)));
        let request = with_headers(request, &metadata).header("x-amz-checksum-algorithm", "CRC64NVME");
        let upload = Upload { key: key.clone(), metadata, parts: Default::default() };
        let mut plan =
            self.changes(request.body(""), format!("start {bucket}/{key}"), Answer::UploadId, |_| {});
        plan.effect.starts = Some((bucket, upload));
        Some(plan)
    }

    fn part(&mut self) -> Option<Plan> {
        let (bucket, id, upload) = self.upload()?;
        let number = *self.random.pick(&PART_NUMBERS);
        // Few, since each costs as much as a hundred others.
        let large = number == 1 && self.random.chance(8);
        let size = if large { PART_BYTES_MIN } else { self.random.within(1, 60_000) };
        let (bytes, blob) = self.body(size);
        let blobs = Blobs::from([(blob, size as u64)]);
        let target = format!("{}?partNumber={number}&uploadId={id}", path(&bucket, &upload.key));
        let request = request("PUT", &target).body(bytes.as_slice());
        let part = Part::new(bytes, blobs);
        let what = format!("part {number} of {bucket}/{} {id} ({size} bytes)", upload.key);
        let answer = Answer::Tagged(part.etag());
        Some(self.changes(request, what, answer, |state| put_part(state, &bucket, &id, number, part)))
    }

    fn part_copy(&mut self) -> Option<Plan> {
        let (bucket, id, upload) = self.upload()?;
        let (source_bucket, source_key, object) = self.existing()?;
        let number = *self.random.pick(&PART_NUMBERS);
        let bytes = object.shown.bytes;
        if bytes.is_empty() {
            return None;
        }
        let blobs = match object.blobs.is_empty() {
            // What is not in a file is copied into one.
            true => Blobs::from([(self.body(0).1, bytes.len() as u64)]),
            false => object.blobs,
        };
        let part = Part::new(bytes, blobs);
        let target = format!("{}?partNumber={number}&uploadId={id}", path(&bucket, &upload.key));
        let request = request("PUT", &target).header("x-amz-copy-source", &path(&source_bucket, &source_key));
        let what = format!("part {number} of {bucket}/{} {id} from {source_bucket}/{source_key}", upload.key);
        let answer = Answer::TaggedDocument(part.etag());
        Some(self.changes(request, what, answer, |state| put_part(state, &bucket, &id, number, part)))
    }

    fn complete(&mut self) -> Option<Plan> {
        let (bucket, id, upload) = self.upload()?;
        let present: Vec<u16> = upload.parts.keys().copied().collect();
        // Every part that is large enough not to be the last, and one behind them.
        let mut named: Vec<u16> = present
            .iter()
            .copied()
            .filter(|number| upload.parts[number].bytes.len() >= PART_BYTES_MIN)
            .collect();
        let rest: Vec<u16> =
            present.into_iter().filter(|number| named.last().is_none_or(|last| number > last)).collect();
        if !rest.is_empty() {
            named.push(*self.random.pick(&rest));
        }
        if named.is_empty() {
            return None;
        }
        let elements: String = named
            .iter()
            .map(|number| {
                let etag = upload.parts[number].etag();
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
            })
            .collect();
        let document = format!("<CompleteMultipartUpload>{elements}</CompleteMultipartUpload>");
        let target = format!("{}?uploadId={id}", path(&bucket, &upload.key));
        let object = upload.completed(&named);
        let what = format!("complete {bucket}/{} {id} of {named:?}", upload.key);
        let answer = Answer::TaggedDocument(object.shown.etag.clone());
        Some(self.changes(request("POST", &target).body(document), what, answer, |state| {
            bucket_of(state, &bucket).uploads.remove(&id);
            objects(state, &bucket).insert(upload.key, object);
        }))
    }

    fn abort(&mut self) -> Option<Plan> {
        let (bucket, id, upload) = self.upload()?;
        let target = format!("{}?uploadId={id}", path(&bucket, &upload.key));
        let what = format!("abort {bucket}/{} {id}", upload.key);
        let plan = self.changes(request("DELETE", &target), what, Answer::Nothing, |state| {
            bucket_of(state, &bucket).uploads.remove(&id);
        });
        Some(Plan { status: 204, ..plan })
    }

    fn create_bucket(&mut self) -> Option<Plan> {
        let (bucket, _) = self.random.pick(&self.places[1..]).clone();
        let request = request("PUT", &format!("/{bucket}"));
        Some(self.changes(request, format!("make the bucket {bucket}"), Answer::Nothing, |state| {
            state.buckets.entry(bucket).or_default();
        }))
    }

    fn delete_bucket(&mut self) -> Option<Plan> {
        let (bucket, _) = self.random.pick(&self.places[1..]).clone();
        let content = self.state.buckets.get(&bucket)?;
        let what = format!("delete the bucket {bucket}");
        if let Some(key) = content.objects.keys().next() {
            if self.random.chance(20) {
                return Some(self.refused(request("DELETE", &format!("/{bucket}")), what, 409));
            }
            // Otherwise it would rarely be empty.
            let target = path(&bucket, key);
            let what = format!("DELETE {bucket}/{key} to empty the bucket");
            let plan = self.changes(request("DELETE", &target), what, Answer::Nothing, |state| {
                objects(state, &bucket).remove(key);
            });
            return Some(Plan { status: 204, ..plan });
        }
        let request = request("DELETE", &format!("/{bucket}"));
        let plan = self.changes(request, what, Answer::Nothing, |state| {
            state.buckets.remove(&bucket);
        });
        Some(Plan { status: 204, ..plan })
    }

    /// A bucket that is there, and one of the worker's keys in it.
    fn place(&mut self) -> Option<(String, String)> {
        // The first bucket always is; it gets half of the work.
        let at = if self.random.chance(50) { 0 } else { self.random.below(self.places.len()) };
        let (bucket, prefix) = &self.places[at];
        let key = self.random.pick(self.keys);
        self.state.buckets.contains_key(bucket).then(|| (bucket.clone(), format!("{prefix}{key}")))
    }

    fn existing(&mut self) -> Option<(String, String, Object)> {
        let all: Vec<(&String, &String, &Object)> = self
            .state
            .buckets
            .iter()
            .flat_map(|(name, bucket)| bucket.objects.iter().map(move |(key, object)| (name, key, object)))
            .collect();
        if all.is_empty() {
            return None;
        }
        let (bucket, key, object) = *self.random.pick(&all);
        Some((bucket.clone(), key.clone(), object.clone()))
    }

    fn upload(&mut self) -> Option<(String, String, Upload)> {
        let all: Vec<(&String, &String, &Upload)> = self
            .state
            .buckets
            .iter()
            .flat_map(|(name, bucket)| bucket.uploads.iter().map(move |(id, upload)| (name, id, upload)))
            .collect();
        if all.is_empty() {
            return None;
        }
        let (bucket, id, upload) = *self.random.pick(&all);
        Some((bucket.clone(), id.clone(), upload.clone()))
    }

    /// A new body, and its number.
    fn body(&mut self, size: usize) -> (Bytes, u64) {
        *self.bodies += 1;
        let number = ((self.worker as u64) << 48) | *self.bodies;
        (Arc::new(self.random.bytes(size)), number)
    }

    fn metadata(&self, number: u64) -> Headers {
        let label = format!("{number:x} of worker {}", self.worker);
        [("content-type", "text/x-test".to_owned()), ("x-amz-meta-label", label)]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn changes(
        &self,
        request: Request,
        what: String,
        answer: Answer,
        change: impl FnOnce(&mut State),
    ) -> Plan {
        let mut after = self.state.clone();
        change(&mut after);
        Plan { request, status: 200, answer, effect: Pending { what, after, starts: None } }
    }

    fn refused(&self, request: Request, what: String, status: u16) -> Plan {
        Plan { status, ..self.changes(request, what, Answer::Nothing, |_| {}) }
    }
}

fn with_headers(request: Request, headers: &Headers) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn bucket_of<'s>(state: &'s mut State, bucket: &str) -> &'s mut Bucket {
    state.buckets.get_mut(bucket).expect("the bucket is there")
}

fn objects<'s>(state: &'s mut State, bucket: &str) -> &'s mut std::collections::BTreeMap<String, Object> {
    &mut bucket_of(state, bucket).objects
}

fn put_part(state: &mut State, bucket: &str, id: &str, number: u16, part: Part) {
    let upload = bucket_of(state, bucket).uploads.get_mut(id).expect("the upload is open");
    upload.parts.insert(number, part);
}
