//! What can be refused of a request by its head alone, whatever is stored.

use super::conditions::{
    check_acl, check_owner_id, check_read_headers, named_version, refuse_unsupported_headers, refuse_version,
};
use super::{attributes, bucket, get, list, multipart, object};
use crate::auth::{BodyKind, Verified};
use crate::s3::checksum::Algorithm;
use crate::s3::condition::WriteCondition;
use crate::s3::error::Error;
use crate::s3::metadata::Metadata;
use crate::s3::operation::Operation;

/// Judges the head of a request as carrying it out would, so that who makes a URL hears before who uses it.
///
/// # Errors
/// What the request would be answered.
pub fn check_head(verified: &Verified) -> Result<(), Error> {
    let request = verified.request();
    request.target().check_name()?;
    get::check_overrides_signed(verified)?;
    check_owner_id(request, "x-amz-expected-bucket-owner")?;
    refuse_unsupported_headers(request)?;
    object::refuse_copy_source(request)?;
    let operation = request.operation();
    if !super::is_served(operation) {
        return Err(super::not_implemented(operation));
    }
    match operation {
        Operation::GetObject | Operation::HeadObject => {
            named_version(request)?;
            check_read_headers(request)?;
            get::overrides(request)?;
            get::asked_part(request).map(drop)
        }
        Operation::GetObjectAttributes => {
            named_version(request)?;
            attributes::asked(request).map(drop)
        }
        Operation::PutObject | Operation::CopyObject => {
            refuse_version(request)?;
            check_acl(request)?;
            Metadata::of_request(request, verified.is_framed())?;
            object::named_tags(request)?;
            WriteCondition::of_request(request)?;
            match operation {
                Operation::CopyObject => object::named_source(request).map(drop),
                _ => verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme }).map(drop),
            }
        }
        Operation::UploadPart | Operation::UploadPartCopy => {
            refuse_version(request)?;
            check_acl(request)?;
            multipart::part_number(request)?;
            multipart::upload_id(request)?;
            match operation {
                Operation::UploadPartCopy => object::named_source(request).map(drop),
                _ => verified.check_body(BodyKind::Part { checksum: Algorithm::Crc64Nvme }).map(drop),
            }
        }
        Operation::DeleteObject => {
            named_version(request)?;
            WriteCondition::of_request(request).map(drop)
        }
        Operation::GetObjectTagging | Operation::PutObjectTagging | Operation::DeleteObjectTagging => {
            named_version(request).map(drop)
        }
        Operation::AbortMultipartUpload | Operation::ListParts => multipart::upload_id(request).map(drop),
        Operation::PutBucketTagging | Operation::PutBucketLifecycleConfiguration => {
            verified.check_body(BodyKind::Document { digest_required: true }).map(drop)
        }
        Operation::CreateBucket => {
            check_acl(request)?;
            bucket::check_ownership(request)
        }
        Operation::ListObjects
        | Operation::ListObjectsV2
        | Operation::ListObjectVersions
        | Operation::ListMultipartUploads => list::check(request),
        _ => Ok(()),
    }
}
