//! What can be refused of a request by its head alone, whatever is stored.

use super::guards::{
    self, check_acl, check_owner_id, check_read_headers, refuse_unsupported_headers, refuse_version,
};
use super::{asked, page};
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
#[expect(clippy::wildcard_enum_match_arm, reason = "the heads of others say nothing more")]
pub fn check_head(verified: &Verified) -> Result<(), Error> {
    let request = verified.request();
    request.target().check_name()?;
    guards::check_overrides_signed(verified)?;
    check_owner_id(request, "x-amz-expected-bucket-owner")?;
    refuse_unsupported_headers(request)?;
    guards::refuse_copy_source(request)?;
    let operation = request.operation();
    if !guards::is_served(operation) {
        return Err(guards::not_implemented(operation));
    }
    match operation {
        Operation::GetObject | Operation::HeadObject => {
            asked::named_version(request)?;
            check_read_headers(request)?;
            asked::overrides(request)?;
            asked::asked_part(request).map(drop)
        }
        Operation::GetObjectAttributes => {
            asked::named_version(request)?;
            check_read_headers(request)?;
            asked::attributes(request).map(drop)
        }
        Operation::PutObject | Operation::CopyObject => {
            refuse_version(request)?;
            check_acl(request)?;
            Metadata::from_request(request, verified.is_framed())?;
            asked::named_tags(request)?;
            WriteCondition::from_request(request)?;
            match operation == Operation::CopyObject {
                true => asked::named_source(request).map(drop),
                false => verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme }).map(drop),
            }
        }
        Operation::UploadPart | Operation::UploadPartCopy => {
            refuse_version(request)?;
            check_acl(request)?;
            asked::part_number(request)?;
            asked::upload_id(request)?;
            match operation == Operation::UploadPartCopy {
                true => asked::named_source(request).map(drop),
                false => verified.check_body(BodyKind::Part { checksum: Algorithm::Crc64Nvme }).map(drop),
            }
        }
        Operation::DeleteObject => {
            asked::named_version(request)?;
            WriteCondition::from_request(request).map(drop)
        }
        Operation::GetObjectTagging | Operation::PutObjectTagging | Operation::DeleteObjectTagging => {
            asked::named_version(request).map(drop)
        }
        Operation::AbortMultipartUpload | Operation::ListParts => asked::upload_id(request).map(drop),
        Operation::PutBucketTagging | Operation::PutBucketLifecycleConfiguration => {
            verified.check_body(BodyKind::Document { digest_required: true }).map(drop)
        }
        Operation::CreateBucket => {
            check_acl(request)?;
            guards::check_ownership(request)
        }
        Operation::ListObjects
        | Operation::ListObjectsV2
        | Operation::ListObjectVersions
        | Operation::ListMultipartUploads => page::check(request),
        _ => Ok(()),
    }
}
