//! Writing, copying and deleting objects.

use http::header::ETAG;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::conditions::{check_expected_owner, check_version, check_write_headers};
use super::error::of_store;
use super::exchange::{Body, Call, Intake, Reply, xml};
use super::upload::{Place, receive, receive_document};
use crate::auth::BodyKind;
use crate::s3::checksum::Algorithm;
use crate::s3::condition::{Conditions, WriteCondition};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, KeyError, ObjectKey};
use crate::s3::target::key_too_long;
use crate::s3::uri::decode;
use crate::s3::xml::{Element, Writer};
use crate::store::{CopiedMetadata, ObjectChecksum};

/// Most keys of one DeleteObjects.
const DELETE_KEYS_MAX: usize = 1000;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub(super) async fn put(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let request = call.request();
    let verified = call.permit.verified();
    check_write_headers(request)?;
    let check = verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme })?;
    let metadata = Metadata::of_request(request, verified.is_framed())?;
    let condition = write_condition(call)?;
    let received = receive(call, body, check, Place::Any).await?;
    let (bucket, key) = (call.bucket().clone(), call.key().clone());
    let written = call.store().put_object(bucket, key, received, metadata, condition, call.now).await;
    let written = written.map_err(|error| of_store(error, request))?;
    let mut reply = Reply::new(Body::empty());
    add_etag(reply.headers_mut(), &written.etag.quoted());
    if let Some(checksum) = &written.checksum {
        add_checksum(reply.headers_mut(), checksum);
    }
    Ok(reply)
}

/// The condition of a write.
///
/// # Errors
/// `NotImplemented` for tags in `If-None-Match`, which S3 takes on reads only.
pub(super) fn write_condition(call: &Call<'_>) -> Result<WriteCondition, Error> {
    match Conditions::of_request(call.request()).for_write() {
        WriteCondition::Unsupported => {
            Err(ErrorCode::NotImplemented.error().with("Header", "If-None-Match").at("condition"))
        }
        condition => Ok(condition),
    }
}

pub(super) fn add_etag(headers: &mut HeaderMap, etag: &str) {
    headers.extend(HeaderValue::from_str(etag).ok().map(|value| (ETAG, value)));
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
    check_write_headers(request)?;
    let source = copy_source(call)?;
    let target = (call.bucket().clone(), call.key().clone());
    let replace = match request.amz("x-amz-metadata-directive").as_deref() {
        None | Some("COPY") => false,
        Some("REPLACE") => true,
        Some(other) => {
            let message = "Unknown metadata directive.";
            return Err(Error::invalid_argument(message, "x-amz-metadata-directive", other));
        }
    };
    let class = request.amz("x-amz-storage-class");
    if source == target && !replace && class.is_none() {
        return Err(ErrorCode::InvalidRequest.says("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."));
    }
    // Also validates a storage class that is given without replacing anything else.
    let named = Metadata::of_request(request, false)?;
    let metadata = match replace {
        true => CopiedMetadata::Replace(named),
        false => CopiedMetadata::Keep { storage_class: class.map(|class| class.into_owned()) },
    };
    check_copy_checksum(call, &source)?;
    let conditions = Conditions::of_copy_source(request);
    let condition = write_condition(call)?;
    let missing = source.1.clone();
    let copied = call.store().copy_object(source, target, metadata, conditions, condition, call.now).await;
    let copied = copied.map_err(|error| match error {
        crate::store::Error::NoSuchKey => ErrorCode::NoSuchKey.error().with("Key", missing.as_str()),
        error => of_store(error, request),
    })?;
    let mut writer = Writer::answer("CopyObjectResult");
    writer.element("LastModified", copied.modified.iso_millis()).element("ETag", copied.etag.quoted());
    write_checksum(&mut writer, copied.checksum.as_ref());
    writer.close("CopyObjectResult");
    Ok(xml(writer.finish()))
}

/// A copy keeps the checksum of its source; computing another is not offered.
fn check_copy_checksum(call: &Call<'_>, source: &(BucketName, ObjectKey)) -> Result<(), Error> {
    let Some(asked) = call.request().amz("x-amz-checksum-algorithm") else {
        return Ok(());
    };
    let stored = match call.store().object(&source.0, &source.1) {
        Ok(object) => object.checksum.map(|checksum| checksum.value.algorithm()),
        // That there is no source is for the copy itself to say.
        Err(_) => return Ok(()),
    };
    match Algorithm::parse(&asked) {
        Some(algorithm) if Some(algorithm) == stored => Ok(()),
        _ => Err(ErrorCode::NotImplemented.error().with("Header", "x-amz-checksum-algorithm").at("header")),
    }
}

/// The object that `x-amz-copy-source` names: `/bucket/key`, percent-encoded, perhaps with `?versionId=`.
///
/// # Errors
/// `InvalidArgument` if it names none, `NoSuchBucket` if it is in none.
pub(super) fn copy_source(call: &Call<'_>) -> Result<(BucketName, ObjectKey), Error> {
    let header = call.request().amz("x-amz-copy-source").unwrap_or_default();
    let refuse = |message: &'static str| {
        Error::invalid_argument(message, "x-amz-copy-source", header.as_ref()).at("copy source")
    };
    let (path, version) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (header.as_ref(), None),
    };
    if version.is_some_and(|version| !matches!(version, "" | "null")) {
        return Err(refuse("Invalid version id specified"));
    }
    let decoded = decode(path)
        .map_err(|_| refuse("Copy Source must mention the source bucket and key: sourcebucket/sourcekey"))?;
    let decoded = decoded.strip_prefix('/').unwrap_or(&decoded);
    let (bucket, key) =
        decoded.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(
            || refuse("Copy Source must mention the source bucket and key: sourcebucket/sourcekey"),
        )?;
    let bucket = BucketName::parse(bucket).ok_or_else(|| refuse("Invalid copy source bucket name"))?;
    let key = ObjectKey::parse(key).map_err(|error| match error {
        KeyError::TooLong(size) => key_too_long(size),
        KeyError::Empty | KeyError::Nul => refuse("Invalid copy source object key"),
    })?;
    match call.store().bucket(&bucket) {
        Ok(owned) => {
            check_expected_owner(call.request(), "x-amz-source-expected-bucket-owner", &owned)?;
            Ok((bucket, key))
        }
        Err(crate::store::Error::NoSuchBucket) => {
            Err(ErrorCode::NoSuchBucket.error().with("BucketName", bucket.as_str()))
        }
        Err(error) => Err(of_store(error, call.request())),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Error> {
    check_version(call.request())?;
    let condition = write_condition(call)?;
    let (bucket, key) = (call.bucket().clone(), call.key().clone());
    let deleted = call.store().delete_object(bucket, key, condition).await;
    deleted.map_err(|error| of_store(error, call.request()))?;
    Ok(no_content())
}

/// 204, as deletions are answered.
pub(super) fn no_content() -> Reply {
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub(super) async fn delete_many(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let document = receive_document(call, body, BodyKind::Document { digest_required: true }).await?;
    let request = Element::parse(&document, "Delete")?;
    let malformed = || ErrorCode::MalformedXML.error();
    let quiet = request.child("Quiet").is_some_and(|quiet| quiet.trim() == "true");
    let named: Vec<&Element> = request.children().iter().filter(|child| child.name() == "Object").collect();
    if named.is_empty() || named.len() > DELETE_KEYS_MAX {
        return Err(malformed());
    }
    let mut keys = Vec::with_capacity(named.len());
    let mut results = Vec::with_capacity(named.len());
    for object in named {
        let key = object.child("Key").ok_or_else(malformed)?;
        let version = object.child("VersionId");
        let result = named_key(key, version, object);
        keys.extend(result.as_ref().ok().cloned());
        results.push((key, version, result));
    }
    let deleted = call.store().delete_objects(call.bucket().clone(), keys).await;
    deleted.map_err(|error| of_store(error, call.request()))?;
    let mut writer = Writer::answer("DeleteResult");
    for (key, version, result) in results {
        match result {
            Ok(_) if quiet => {}
            Ok(_) => {
                writer.open("Deleted").element("Key", key).optional("VersionId", version).close("Deleted");
            }
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

/// The key of one entry of a DeleteObjects, unless the entry asks for what cannot be done.
fn named_key(key: &str, version: Option<&str>, entry: &Element) -> Result<ObjectKey, Error> {
    if version.is_some_and(|version| !matches!(version, "" | "null")) {
        return Err(ErrorCode::NoSuchVersion.error());
    }
    if ["ETag", "LastModifiedTime", "Size"].iter().any(|name| entry.child(name).is_some()) {
        return Err(ErrorCode::NotImplemented.error());
    }
    ObjectKey::parse(key).map_err(|error| match error {
        KeyError::TooLong(size) => key_too_long(size),
        KeyError::Empty | KeyError::Nul => {
            Error::invalid_argument("User key must have a length greater than 0.", "key", "")
        }
    })
}
