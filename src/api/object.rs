//! Writing, copying and deleting objects.

use http::header::ETAG;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::conditions::{check_acl, check_expected_owner, parse_version, refuse_version};
use super::error::of_store;
use super::exchange::{Body, Call, Intake, Reply, no_content, xml};
use super::lifecycle::add_expiration;
use super::upload::{Place, receive, receive_document};
use super::whole::read_whole;
use crate::auth::{BodyKind, OBJECT_BYTES_MAX};
use crate::s3::checksum::{Algorithm, ChecksumType, Hasher};
use crate::s3::condition::{Conditions, Decision, WriteCondition};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ETag, KeyError, ObjectKey, VersionId};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::s3::tagging::Tags;
use crate::s3::target::key_too_long;
use crate::s3::uri::decode;
use crate::s3::xml::{Element, Writer};
use crate::store::{
    self, Content, Copy, Deleted, Deletion, NewObject, ObjectChecksum, ObjectName, ReadDigests,
};

/// Most keys of one DeleteObjects.
const DELETE_KEYS_MAX: usize = 1000;
/// Most bytes of its document: keys of 1,024 bytes, each byte written as a reference.
const DELETE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub(super) async fn put(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let request = call.request();
    let verified = call.permit.verified();
    refuse_version(request)?;
    check_acl(request)?;
    let check = verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme })?;
    let new = new_object(call, verified.is_framed())?;
    let room = call.store().reserve(call.bucket(), call.key(), None, check.length);
    let _room = room.map_err(|error| of_store(error, request))?;
    let received = receive(call, body, check, Place::Any).await?;
    let tags = new.tags.clone();
    let written = call.store().put_object(new, received, call.now).await;
    let written = written.map_err(|error| of_store(error, request))?;
    let mut reply = Reply::new(Body::empty());
    add_etag(reply.headers_mut(), &written.etag.quoted());
    // S3 shows a version here only if the write made a new one.
    add_version(reply.headers_mut(), written.version.filter(|version| *version != VersionId::NULL));
    add_expiration(reply.headers_mut(), call, written.size, &tags, written.modified);
    if let Some(checksum) = &written.checksum {
        add_checksum(reply.headers_mut(), checksum);
    }
    Ok(reply)
}

/// What a PUT or a copy says of its object; the token `aws-chunked` is no encoding if `framed`.
fn new_object(call: &Call<'_>, framed: bool) -> Result<NewObject, Error> {
    Ok(NewObject {
        bucket: call.bucket().clone(),
        key: call.key().clone(),
        metadata: Metadata::of_request(call.request(), framed)?,
        tags: named_tags(call.request())?,
        condition: WriteCondition::of_request(call.request())?,
    })
}

/// The tags of `x-amz-tagging`.
///
/// # Errors
/// As [`Tags::parse_header`].
pub(super) fn named_tags(request: &Request) -> Result<Tags, Error> {
    let tags = request.amz("x-amz-tagging").map(|text| Tags::parse_header(&text)).transpose()?;
    Ok(tags.unwrap_or_default())
}

pub(super) fn add_etag(headers: &mut HeaderMap, etag: &str) {
    headers.extend(HeaderValue::from_str(etag).ok().map(|value| (ETAG, value)));
}

/// Shows the version that was made or met, if the bucket has versions.
pub(super) fn add_version(headers: &mut HeaderMap, version: Option<VersionId>) {
    add_version_as(headers, "x-amz-version-id", version);
}

/// Shows which version was copied, unless it is one that has no id of its own.
pub(super) fn add_source_version(headers: &mut HeaderMap, version: Option<VersionId>) {
    let version = version.filter(|version| *version != VersionId::NULL);
    add_version_as(headers, "x-amz-copy-source-version-id", version);
}

fn add_version_as(headers: &mut HeaderMap, name: &'static str, version: Option<VersionId>) {
    let value = version.and_then(|version| HeaderValue::try_from(version.to_string()).ok());
    headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
}

/// The two headers that show a checksum.
pub(super) fn add_checksum(headers: &mut HeaderMap, checksum: &ObjectChecksum) {
    let name = HeaderName::from_static(checksum.value.algorithm().header());
    headers.extend(HeaderValue::try_from(checksum.text()).ok().map(|value| (name, value)));
    headers.insert("x-amz-checksum-type", HeaderValue::from_static(checksum.kind.name()));
}

/// The elements that show a checksum.
pub(super) fn write_checksum(writer: &mut Writer, checksum: Option<&ObjectChecksum>) {
    if let Some(checksum) = checksum {
        writer.element(checksum.value.algorithm().element(), checksum.text());
        writer.element("ChecksumType", checksum.kind.name());
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub(super) async fn copy(call: &Call<'_>) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let source = copy_source(call)?;
    let keep_metadata = !replaces(call, "x-amz-metadata-directive", "Unknown metadata directive.")?;
    let keep_tags = !replaces(call, "x-amz-tagging-directive", "Unknown tagging directive.")?;
    // Encryption would be another change.
    let changes = ["x-amz-storage-class", "x-amz-website-redirect-location"];
    let unchanged = keep_metadata
        && source.version.is_none()
        && changes.iter().all(|change| request.amz(change).is_none());
    if unchanged && source.bucket == *call.bucket() && source.key == *call.key() {
        return Err(ErrorCode::InvalidRequest.says("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."));
    }
    let copy = Copy {
        digests: copied_digests(call, &source).await?,
        source_conditions: Conditions::of_copy_source(request, call.now),
        // Also validates a storage class that is given without replacing anything else.
        target: new_object(call, false)?,
        source: source.clone(),
        keep_metadata,
        keep_tags,
    };
    let copied = call.store().copy_object(copy, call.now).await;
    let copied = copied.map_err(|error| of_source(error, &source, call))?;
    let mut writer = Writer::answer("CopyObjectResult");
    writer.element("LastModified", copied.modified.iso_listed()).element("ETag", copied.etag.quoted());
    write_checksum(&mut writer, copied.checksum.as_ref());
    writer.close("CopyObjectResult");
    let mut reply = xml(writer.finish());
    add_version(reply.headers_mut(), copied.version);
    add_source_version(reply.headers_mut(), copied.source_version);
    Ok(reply)
}

/// Whether a directive says `REPLACE`.
fn replaces(call: &Call<'_>, name: &'static str, message: &'static str) -> Result<bool, Error> {
    match call.request().amz(name).as_deref() {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Error::invalid_argument(message, name, other)),
    }
}

/// What the store refused of the source of a copy.
pub(super) fn of_source(error: store::Error, source: &ObjectName, call: &Call<'_>) -> Error {
    let key = source.key.as_str();
    match error {
        store::Error::NoSuchKey => ErrorCode::NoSuchKey.error().with("Key", key),
        store::Error::NoSuchVersion => {
            let version = source.version.map(|version| version.to_string()).unwrap_or_default();
            ErrorCode::NoSuchVersion.error().with("Key", key).with("VersionId", version)
        }
        store::Error::DeleteMarker { named: true, .. } => ErrorCode::InvalidRequest.says(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        store::Error::DeleteMarker { version, .. } => ErrorCode::NoSuchKey
            .error()
            .with("Key", key)
            .header("x-amz-delete-marker", "true")
            .header("x-amz-version-id", version.to_string()),
        error => of_store(error, call.request()),
    }
}

/// Refuses a copy source where nothing is copied, and a body where something is.
///
/// # Errors
/// `InvalidArgument`, `InvalidRequest`.
pub(super) fn refuse_copy_source(request: &Request) -> Result<(), Error> {
    let copies = matches!(request.operation(), Operation::CopyObject | Operation::UploadPartCopy);
    let has_body = request.content_length().is_some_and(|length| length > 0)
        || request.headers().contains_key(http::header::TRANSFER_ENCODING);
    if copies && has_body {
        let message = "The request included a body. Requests of this type must not include a non-empty body.";
        return Err(ErrorCode::InvalidRequest.says(message).at("copy source"));
    }
    match request.amz(COPY_SOURCE).filter(|_| !copies) {
        Some(source) => {
            let message = "You can only specify a copy source header for copy requests.";
            Err(Error::invalid_argument(message, COPY_SOURCE, source).at("copy source"))
        }
        None => Ok(()),
    }
}

/// The algorithm of `x-amz-checksum-algorithm`.
///
/// # Errors
/// `InvalidRequest` for one that is none.
pub(super) fn named_algorithm(request: &Request) -> Result<Option<Algorithm>, Error> {
    let Some(name) = request.amz("x-amz-checksum-algorithm") else {
        return Ok(None);
    };
    let algorithm = Algorithm::parse(&name);
    algorithm.map(Some).ok_or_else(|| {
        ErrorCode::InvalidRequest.says("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    })
}

/// A copy keeps tag and checksum of its source, unless that was uploaded in parts, whose tag and checksum a body that
/// comes in one go cannot have, or another checksum is asked for: the source is then read.
async fn copied_digests(call: &Call<'_>, source: &ObjectName) -> Result<Option<ReadDigests>, Error> {
    let named = named_algorithm(call.request())?;
    let failed = |error| of_source(error, source, call);
    let object = call.store().object(source).map_err(failed)?;
    check_source_size(object.size)?;
    let stored = object.checksum.filter(|checksum| checksum.kind == ChecksumType::FullObject);
    let own = stored.map(|stored| stored.value.algorithm());
    let in_parts = object.etag.parts().is_some();
    let algorithm = named.or(object.checksum.map(|checksum| checksum.value.algorithm()));
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    // What will be refused is not read first.
    let conditions = Conditions::of_copy_source(call.request(), call.now);
    let refused = conditions.for_copy_source(&object.etag, object.modified) != Decision::Proceed;
    if object.archived || refused || (!in_parts && named.is_none_or(|named| own == Some(named))) {
        return Ok(None);
    }
    // What is read is compared with what was stored, or a damaged body would get a checksum that holds.
    type Hashers = (Hasher, Option<Hasher>, Option<Hasher>);
    let mut hashers: Hashers =
        (Hasher::new(algorithm), in_parts.then(|| Hasher::new(Algorithm::Md5)), own.map(Hasher::new));
    let take = |(hasher, md5, again): &mut Hashers, bytes: &[u8]| {
        hasher.update(bytes);
        md5.iter_mut().chain(again).for_each(|hasher| hasher.update(bytes));
    };
    match object.content {
        Content::Inline(bytes) => take(&mut hashers, &bytes),
        Content::Blobs(body) => {
            let reader = call.store().reader(body, 0, object.size);
            hashers = read_whole(call, reader, hashers, take, failed).await?;
        }
    }
    let (hasher, md5, again) = hashers;
    if again.map(Hasher::finish) != stored.map(|stored| stored.value) {
        return Err(failed(store::Error::Damaged));
    }
    let md5 = md5.and_then(|md5| md5.finish().bytes().try_into().ok());
    let etag = md5.map_or(object.etag, ETag::single);
    Ok(Some(ReadDigests { etag, checksum: hasher.finish(), source: (object.etag, object.modified) }))
}

/// Checks that what is copied at once is not larger than what can be uploaded at once.
///
/// # Errors
/// `InvalidRequest`.
pub(super) fn check_source_size(bytes: u64) -> Result<(), Error> {
    match bytes > OBJECT_BYTES_MAX {
        true => Err(ErrorCode::InvalidRequest.says(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {OBJECT_BYTES_MAX}"
        ))),
        false => Ok(()),
    }
}

const COPY_SOURCE: &str = "x-amz-copy-source";

/// The object that is copied.
///
/// # Errors
/// As [`named_source`]; `NoSuchBucket` if it is in none.
pub(super) fn copy_source(call: &Call<'_>) -> Result<ObjectName, Error> {
    let source = named_source(call.request())?;
    match call.store().bucket(&source.bucket) {
        Ok(owned) => {
            check_expected_owner(call.request(), "x-amz-source-expected-bucket-owner", &owned)?;
            Ok(source)
        }
        Err(store::Error::NoSuchBucket) => {
            Err(ErrorCode::NoSuchBucket.error().with("BucketName", source.bucket.as_str()))
        }
        Err(error) => Err(of_store(error, call.request())),
    }
}

/// The object that `x-amz-copy-source` names: `/bucket/key`, percent-encoded, perhaps with `?versionId=`.
///
/// # Errors
/// `InvalidArgument` if it names none.
pub(super) fn named_source(request: &Request) -> Result<ObjectName, Error> {
    let header = request.amz(COPY_SOURCE).unwrap_or_default();
    let refuse =
        |message: &'static str| Error::invalid_argument(message, COPY_SOURCE, COPY_SOURCE).at("copy source");
    let (path, version) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(parse_version(version, COPY_SOURCE)?)),
        None => (header.as_ref(), None),
    };
    // A whole URL is taken for its path, whatever its host.
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| path.strip_prefix(scheme));
    let path = after_scheme.map_or(path, |rest| rest.split_once('/').map_or("", |(_, path)| path));
    let decoded = decode(path).map_err(|_| refuse("Invalid copy source encoding"))?;
    let decoded = decoded.strip_prefix('/').unwrap_or(&decoded);
    let (bucket, key) = decoded.split_once('/').unwrap_or((decoded, ""));
    if bucket.is_empty() {
        return Err(refuse("Invalid copy source bucket name"));
    }
    if key.is_empty() {
        return Err(refuse("Invalid copy source object key"));
    }
    let bucket = BucketName::parse(bucket).ok_or_else(|| refuse("Invalid copy source bucket name"))?;
    let key = ObjectKey::parse(key).map_err(|error| match error {
        KeyError::TooLong(size) => key_too_long(size),
        KeyError::Empty | KeyError::Nul => refuse("Invalid copy source object key"),
    })?;
    Ok(ObjectName { bucket, key, version })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Error> {
    let ObjectName { bucket, key, version } = call.object()?;
    let deletion = Deletion { key, version, condition: WriteCondition::of_request(call.request())? };
    let deleted = call.store().delete_object(bucket, deletion, call.now).await;
    let deleted = deleted.map_err(|error| of_store(error, call.request()))?;
    let mut reply = no_content();
    add_version(reply.headers_mut(), deleted.version);
    if deleted.marker {
        reply.headers_mut().insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    }
    Ok(reply)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub(super) async fn delete_many(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let document =
        receive_document(call, body, BodyKind::Document { digest_required: true }, DELETE_BYTES_MAX).await?;
    let request = Element::parse(&document, "Delete")?;
    let quiet = request.child("Quiet")?.is_some_and(|quiet| quiet.trim() == "true");
    let named = request.children()?.iter().filter(|child| child.name() != "Quiet");
    let named: Vec<Entry<'_>> = named.map(Entry::read).collect::<Result<_, _>>()?;
    if named.is_empty() || named.len() > DELETE_KEYS_MAX {
        return Err(ErrorCode::MalformedXML.error());
    }
    let mut deletions = Vec::with_capacity(named.len());
    let mut wanted = Vec::with_capacity(named.len());
    for entry in named {
        let deletion = entry.deletion();
        wanted.push((entry.key, entry.version, deletion.as_ref().err().cloned()));
        deletions.extend(deletion.ok());
    }
    let deleted = call.store().delete_objects(call.bucket().clone(), deletions, call.now).await;
    let mut deleted = deleted.map_err(|error| of_store(error, call.request()))?.into_iter();
    let mut writer = Writer::answer("DeleteResult");
    for (key, version, refused) in wanted {
        // Those that were not refused before have been carried out, in this order.
        let result = match refused {
            Some(error) => Err(error),
            None => match deleted.next() {
                Some(result) => result.map_err(|error| of_store(error, call.request())),
                None => Err(ErrorCode::InternalError.error()),
            },
        };
        match result {
            Ok(_) if quiet => {}
            Ok(deleted) => write_deleted(&mut writer, key, version, deleted),
            Err(error) => {
                writer.open("Error").element("Key", key).optional("VersionId", version);
                writer
                    .element("Code", error.code().name())
                    .element("Message", error.message())
                    .close("Error");
            }
        }
    }
    writer.close("DeleteResult");
    Ok(xml(writer.finish()))
}

fn write_deleted(writer: &mut Writer, key: &str, version: Option<&str>, deleted: Deleted) {
    writer.open("Deleted").element("Key", key).optional("VersionId", version);
    if deleted.marker {
        writer.element("DeleteMarker", true).optional("DeleteMarkerVersionId", deleted.version);
    }
    writer.close("Deleted");
}

/// One entry of a DeleteObjects.
struct Entry<'d> {
    key: &'d str,
    version: Option<&'d str>,
    etag: Option<&'d str>,
    /// Whether it has conditions that S3 takes of directory buckets only.
    of_directory: bool,
}

impl<'d> Entry<'d> {
    /// Reads it; what is not known may be meant to restrict what goes.
    fn read(element: &'d Element) -> Result<Self, Error> {
        let malformed = || ErrorCode::MalformedXML.error();
        let known = ["Key", "VersionId", "ETag", "LastModifiedTime", "Size"];
        let is_known = |child: &Element| known.contains(&child.name());
        if element.name() != "Object" || !element.children()?.iter().all(is_known) {
            return Err(malformed());
        }
        Ok(Self {
            key: element.child("Key")?.ok_or_else(malformed)?,
            version: element.child("VersionId")?,
            etag: element.child("ETag")?,
            of_directory: element.child("LastModifiedTime")?.is_some() || element.child("Size")?.is_some(),
        })
    }

    /// What it asks for, unless that cannot be done.
    fn deletion(&self) -> Result<Deletion, Error> {
        let version = self.version.map(VersionId::parse);
        if version == Some(None) {
            return Err(ErrorCode::NoSuchVersion.error());
        }
        if self.of_directory {
            return Err(Error::not_implemented("LastModifiedTime and Size are for directory buckets"));
        }
        let key = ObjectKey::parse(self.key).map_err(|error| match error {
            KeyError::TooLong(size) => key_too_long(size),
            KeyError::Empty | KeyError::Nul => {
                Error::invalid_argument("User key must have a length greater than 0.", "key", "")
            }
        })?;
        let condition = self.etag.map_or(WriteCondition::None, WriteCondition::matching);
        Ok(Deletion { key, version: version.flatten(), condition })
    }
}
