//! Errors on their way to the client: the one table from the store's errors to S3's, and the answer they make.

use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};

use super::exchange::{Body, Reply};
use super::id::{RequestId, host_id};
use super::redact;
use super::unsent::Unsent;
use crate::clock::Timestamp;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::VersionId;
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::s3::xml::Writer;
use crate::store;

/// What the store refused, as S3 says it of this request.
pub(super) fn of_store(error: store::Error, request: &Request) -> Error {
    use store::Error as E;
    let bucket = request.target().bucket().map(|bucket| bucket.as_str()).unwrap_or_default();
    let key = request.target().key().map(|key| key.as_str()).unwrap_or_default();
    let upload = request.query().value("uploadId").unwrap_or_default();
    match error {
        E::NoSuchBucket => ErrorCode::NoSuchBucket.error().with("BucketName", bucket),
        // Seen of this operation alone.
        E::NoSuchKey if request.operation() == Operation::GetObjectTagging => {
            ErrorCode::NoSuchKey.error().with("Key", format!("{bucket}/{key}"))
        }
        E::NoSuchKey | E::NothingToMatch => ErrorCode::NoSuchKey.error().with("Key", key),
        E::NoSuchVersion => {
            let version = request.query().value("versionId").unwrap_or_default();
            ErrorCode::NoSuchVersion.error().with("Key", key).with("VersionId", version)
        }
        E::DeleteMarker { version, modified, named } => delete_marker(request, key, version, modified, named),
        E::QuotaExceeded { quota } => ErrorCode::QuotaExceeded
            .error()
            .with("BucketName", bucket)
            .with("QuotaBytes", quota.to_string())
            .at("quota"),
        E::ConditionConflict(condition) => ErrorCode::ConditionalRequestConflict
            .error()
            .with("Condition", condition)
            .with("Key", key)
            .at("condition"),
        E::Archived(class) => {
            ErrorCode::InvalidObjectState.error().with("StorageClass", class).at("storage class")
        }
        E::Damaged => {
            tracing::error!(bucket, key = redact::text(key), "a body is damaged and was not sent");
            ErrorCode::InternalError.error().at("damaged")
        }
        E::NoSuchUpload => ErrorCode::NoSuchUpload.error().with("UploadId", upload),
        E::BucketExists(_) => ErrorCode::BucketAlreadyExists.error().with("BucketName", bucket),
        E::BucketNotEmpty => ErrorCode::BucketNotEmpty.error().with("BucketName", bucket),
        E::Precondition(condition) => {
            ErrorCode::PreconditionFailed.error().with("Condition", condition).at("condition")
        }
        E::Conflict => ErrorCode::ConditionalRequestConflict.error().with("Key", key),
        E::InvalidPart { number, etag } => ErrorCode::InvalidPart
            .error()
            .with("UploadId", upload)
            .with("PartNumber", number.value().to_string())
            .with("ETag", unquoted(&etag)),
        E::InvalidPartOrder => ErrorCode::InvalidPartOrder.error().with("UploadId", upload),
        E::PartTooSmall { number, etag, size } => ErrorCode::EntityTooSmall
            .error()
            .with("ProposedSize", size.to_string())
            .with("MinSizeAllowed", store::PART_BYTES_MIN.to_string())
            .with("PartNumber", number.value().to_string())
            .with("ETag", unquoted(&etag)),
        E::ObjectTooLarge { size } => ErrorCode::EntityTooLarge
            .error()
            .with("ProposedSize", size.to_string())
            .with("MaxSizeAllowed", store::COMPLETED_BYTES_MAX.to_string()),
        E::SizeMismatch { named, computed } => ErrorCode::InvalidRequest.says(format!(
            "The provided 'x-amz-mp-object-size' header value {named} does not match what was computed: {computed}"
        )),
        E::Checksum { bad_digest: true, message } => ErrorCode::BadDigest.says(message).at("checksum"),
        E::Checksum { bad_digest: false, message } => ErrorCode::InvalidRequest.says(message).at("checksum"),
        E::NoSpace => ErrorCode::InsufficientStorage.error().at("space"),
        E::Io(error) => {
            tracing::error!(bucket, key = redact::text(key), %error, "input or output failed");
            ErrorCode::InternalError.error().at("storage")
        }
        E::Index(error) => {
            tracing::error!(bucket, key = redact::text(key), error, "the index failed");
            ErrorCode::InternalError.error().at("index")
        }
    }
}

/// A tag as errors show it.
fn unquoted(etag: &str) -> &str {
    etag.trim().trim_matches('"')
}

/// What is said of a delete marker: it is no object where it is the current version, and cannot be read where it is
/// named.
fn delete_marker(
    request: &Request,
    key: &str,
    version: VersionId,
    modified: Timestamp,
    named: bool,
) -> Error {
    // Tags are of an object, which a marker is not, whether or not it is named.
    let tags = matches!(
        request.operation(),
        Operation::GetObjectTagging | Operation::PutObjectTagging | Operation::DeleteObjectTagging
    );
    let error = match named || tags {
        false => ErrorCode::NoSuchKey.error().with("Key", key),
        true => ErrorCode::MethodNotAllowed
            .error()
            .with("Method", request.method().as_str())
            .with("ResourceType", "DeleteMarker")
            .header("allow", "DELETE")
            .header("last-modified", modified.http_date()),
    };
    error
        .header("x-amz-delete-marker", "true")
        .header("x-amz-version-id", version.to_string())
        .at("delete marker")
}

/// The answer of a refusal; without its document if too much waits for the client already.
pub(super) fn reply(error: &Error, id: RequestId, method: &Method, unsent: &Unsent) -> Reply {
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = error.code().status();
    if let Some(reason) = error.bare_reason() {
        if let Ok(reason) = hyper::ext::ReasonPhrase::try_from(reason.as_bytes()) {
            reply.extensions_mut().insert(reason);
        }
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return reply;
    }
    let headers = reply.headers_mut();
    if let Some(region) = error.detail("Region").and_then(|region| HeaderValue::from_str(region).ok()) {
        headers.insert(HeaderName::from_static("x-amz-bucket-region"), region);
    }
    for (name, value) in error.headers() {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if method != Method::HEAD {
        let document = document(error, id);
        if let Some(reserved) = unsent.reserve(document.len()) {
            *reply.body_mut() = Body::reserved(document, reserved);
        }
    }
    reply
}

/// Most bytes of an element, as it is written: all of them together make less than 32 KiB. A refusal repeats what a
/// client sent, and may be asked for without any key.
fn bytes_max(element: &str) -> usize {
    match element {
        "CanonicalRequest" => 6 * 1024,
        "CanonicalRequestBytes" => 10 * 1024,
        "StringToSign" => 3 * 1024,
        "StringToSignBytes" => 6 * 1024,
        _ => 2048,
    }
}

fn document(error: &Error, id: RequestId) -> String {
    let mut writer = Writer::plain();
    writer.open("Error").element("Code", error.code().name());
    writer.element_within("Message", error.message(), bytes_max("Message"));
    for (element, value) in error.details() {
        writer.element_within(element, value, bytes_max(element));
    }
    writer.element("RequestId", id).element("HostId", host_id()).close("Error");
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_shape_of_s3() {
        let error = ErrorCode::NoSuchKey.error().with("Key", "a<b");
        let text = document(&error, RequestId::next());
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key><RequestId>";
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with("</HostId></Error>"), "{text}");
    }
}
