//! The one table from the store's errors to S3's.

use super::redact;
use crate::clock::Timestamp;
use crate::s3::check::Check;
use crate::s3::checksum::ChecksumType;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::VersionId;
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::store::{self, ChecksumFault};

/// What the store refused, as S3 says it of this request.
pub(super) fn from_store(error: store::Error, request: &Request) -> Error {
    use store::Error as E;
    let bucket = request.target().bucket().map(|bucket| bucket.as_str()).unwrap_or_default();
    let key = request.target().key().map(|key| key.as_str()).unwrap_or_default();
    let upload = request.query().value("uploadId").unwrap_or_default();
    match error {
        E::NoSuchBucket => ErrorCode::NoSuchBucket.error().with("BucketName", bucket),
        E::NoSuchKey => no_such_key(request, bucket, key),
        E::NothingToMatch => ErrorCode::NoSuchKey.error().with("Key", key),
        E::NoSuchVersion => {
            let version = request.query().value("versionId").unwrap_or_default();
            ErrorCode::NoSuchVersion.error().with("Key", key).with("VersionId", version)
        }
        E::DeleteMarker { version, modified, named } => delete_marker(request, key, version, modified, named),
        E::QuotaExceeded { quota } => ErrorCode::QuotaExceeded
            .error()
            .with("BucketName", bucket)
            .with("QuotaBytes", quota.to_string())
            .check(Check::Quota),
        E::ConditionConflict(condition) => ErrorCode::ConditionalRequestConflict
            .error()
            .with("Condition", condition)
            .with("Key", key)
            .check(Check::Condition),
        E::Archived(class) => {
            ErrorCode::InvalidObjectState.error().with("StorageClass", class).check(Check::StorageClass)
        }
        E::Damaged => {
            tracing::error!(bucket, key = redact::text(key), "a body is damaged and was not sent");
            ErrorCode::InternalError.error().check(Check::Damaged)
        }
        E::NoSuchUpload => ErrorCode::NoSuchUpload.error().with("UploadId", upload),
        E::BucketExists(_) => ErrorCode::BucketAlreadyExists.error().with("BucketName", bucket),
        E::BucketNotEmpty => ErrorCode::BucketNotEmpty.error().with("BucketName", bucket),
        E::Precondition(condition) => {
            ErrorCode::PreconditionFailed.error().with("Condition", condition).check(Check::Condition)
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
            .with("MinSizeAllowed", store::model::PART_BYTES_MIN.to_string())
            .with("PartNumber", number.value().to_string())
            .with("ETag", unquoted(&etag)),
        E::ObjectTooLarge { size } => ErrorCode::EntityTooLarge
            .error()
            .with("ProposedSize", size.to_string())
            .with("MaxSizeAllowed", store::model::COMPLETED_BYTES_MAX.to_string()),
        E::SizeMismatch { named, computed } => ErrorCode::InvalidRequest.with_message(format!(
            "The provided 'x-amz-mp-object-size' header value {named} does not match what was computed: {computed}"
        )),
        E::Checksum(fault) => bad_checksum(fault).check(Check::Checksum),
        E::Busy => ErrorCode::SlowDown.error().check(Check::OpenFiles),
        E::NoSpace => ErrorCode::InsufficientStorage.error().check(Check::Space),
        E::Io(error) => {
            tracing::error!(bucket, key = redact::text(key), %error, "input or output failed");
            ErrorCode::InternalError.error().check(Check::Storage)
        }
        E::Index(error) => {
            tracing::error!(bucket, key = redact::text(key), error, "the index failed");
            ErrorCode::InternalError.error().check(Check::Index)
        }
    }
}

/// That there is no object. With its bucket S3 was seen to name it for one operation alone.
fn no_such_key(request: &Request, bucket: &str, key: &str) -> Error {
    match request.operation() == Operation::GetObjectTagging {
        true => ErrorCode::NoSuchKey.error().with("Key", format!("{bucket}/{key}")),
        false => ErrorCode::NoSuchKey.error().with("Key", key),
    }
}

/// What is said of a checksum of a completion.
fn bad_checksum(fault: ChecksumFault) -> Error {
    match fault {
        ChecksumFault::Type(chosen) => ErrorCode::InvalidRequest.with_message(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            chosen.map_or("null", ChecksumType::name)
        )),
        ChecksumFault::Missing { algorithm, part } => ErrorCode::InvalidRequest.with_message(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {} in the request.",
            algorithm.lower_name(),
            part.value()
        )),
        ChecksumFault::OfPart { algorithm, part } => ErrorCode::BadDigest.with_message(format!(
            "The {} you specified for part {} did not match what we received.",
            algorithm.lower_name(),
            part.value()
        )),
        ChecksumFault::Whole(algorithm) => ErrorCode::BadDigest.with_message(format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.lower_name()
        )),
    }
}

/// An ETag as errors show it.
fn unquoted(etag: &str) -> &str {
    etag.trim().trim_matches('"')
}

/// What is said of a delete marker: it is not an object where it is the current version, and cannot be read where it is
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
        .check(Check::DeleteMarker)
}
