//! What is refused of a request before it is carried out: owners, ACLs, versions, and the functions that are not there.

use std::borrow::Cow;

use http::{HeaderName, Method};

use super::asked::{COPY_SOURCE, OVERRIDES};
use crate::auth::{Mechanism, Verified};
use crate::s3::check::Check;
use crate::s3::condition::WriteCondition;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::header::{self, Treatment};
use crate::s3::name::{account_id, is_account_id};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::store::model::Bucket;

/// Checks that a bucket belongs to the account that the client expects, if it says so in this header.
///
/// # Errors
/// `InvalidBucketOwnerAWSAccountID` for what is not an id of an account, `AccessDenied` for another.
pub(super) fn check_expected_owner(request: &Request, header: &str, bucket: &Bucket) -> Result<(), Error> {
    check_owner_id(request, header)?;
    match request.amz(header) {
        None => Ok(()),
        Some(expected) if expected != account_id(&bucket.owner) => {
            Err(ErrorCode::AccessDenied.error().check(Check::BucketOwner))
        }
        Some(_) => Ok(()),
    }
}

/// Checks that an expected owner is named by what can be the id of an account.
///
/// # Errors
/// `InvalidBucketOwnerAWSAccountID`.
pub(super) fn check_owner_id(request: &Request, header: &str) -> Result<(), Error> {
    match request.amz(header) {
        Some(expected) if !is_account_id(&expected) => Err(ErrorCode::InvalidBucketOwnerAWSAccountID
            .with_message(format!(
                "The value of the expected bucket owner parameter must be an AWS Account ID... [{expected}]"
            ))
            .check(Check::BucketOwner)),
        _ => Ok(()),
    }
}

const BYPASS: &str = "x-amz-bypass-governance-retention";

/// Refuses a request that would change something and carries a header for what is not there. To ignore it would be a
/// wrong 200.
///
/// # Errors
/// `NotImplemented` with the header.
pub(super) fn refuse_unsupported_headers(request: &Request) -> Result<(), Error> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    if !decides_later(request.operation()) {
        WriteCondition::refuse(request)?;
    }
    let deletes = matches!(request.operation(), Operation::DeleteObject | Operation::DeleteObjects);
    if deletes && request.amz(BYPASS).is_some_and(|bypass| bypass.eq_ignore_ascii_case("true")) {
        let message = "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.";
        return Err(Error::invalid_argument(message, BYPASS, "true").check(Check::Header));
    }
    let in_headers = request.headers().keys().map(|name| Cow::Borrowed(name.as_str()));
    let in_query = request.query().iter().map(|(name, _)| lower_case(name));
    let unsupported = in_headers.chain(in_query).filter(|name| is_unsupported(request, name));
    // S3 was seen to name the one that comes first by name, of several.
    match unsupported.min() {
        Some(name) => Err(Error::not_implemented_header(name, None).check(Check::Header)),
        None => Ok(()),
    }
}

/// Whether an operation decides on `If-Match` and `If-None-Match`, or changes nothing yet that they protect: some clients
/// send the condition of an upload with its beginning as well.
fn decides_later(operation: Operation) -> bool {
    use Operation::{CompleteMultipartUpload, CopyObject, CreateMultipartUpload, DeleteObject, PutObject};
    matches!(
        operation,
        PutObject | CopyObject | CompleteMultipartUpload | DeleteObject | CreateMultipartUpload
    )
}

fn lower_case(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

fn is_unsupported(request: &Request, name: &str) -> bool {
    match name {
        // A part of a body, which to store as the whole would destroy the object: RFC 9110 14.5.
        "content-range" => request.method() == Method::PUT,
        // S3 has no conditions on dates here.
        "if-modified-since" | "if-unmodified-since" => true,
        "x-amz-bucket-object-lock-enabled" => is_other(request, name, "false"),
        // All buckets are in the one namespace.
        "x-amz-bucket-namespace" => is_other(request, name, "global"),
        name => name.starts_with("x-amz-") && header::treatment(name) == Some(Treatment::Refused),
    }
}

/// Whether a header says anything but this word.
fn is_other(request: &Request, name: &str, word: &str) -> bool {
    request.amz(name).is_some_and(|value| !value.eq_ignore_ascii_case(word))
}

/// Only a signed request may override headers: a link to a public object must not be able to say what it is.
///
/// # Errors
/// `InvalidRequest`.
pub(super) fn check_overrides_signed(verified: &Verified) -> Result<(), Error> {
    let reads = matches!(verified.request().operation(), Operation::GetObject | Operation::HeadObject);
    let asks = || OVERRIDES.iter().any(|(parameter, _)| verified.request().query().contains(parameter));
    match reads && verified.mechanism() == Mechanism::Anonymous && asks() {
        true => Err(ErrorCode::InvalidRequest
            .with_message("Request specific response headers cannot be used for anonymous GET requests.")),
        false => Ok(()),
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
        return Err(ErrorCode::InvalidRequest.with_message(message).check(Check::CopySource));
    }
    match request.amz(COPY_SOURCE).filter(|_| !copies) {
        Some(source) => {
            let message = "You can only specify a copy source header for copy requests.";
            Err(Error::invalid_argument(message, COPY_SOURCE, source).check(Check::CopySource))
        }
        None => Ok(()),
    }
}

/// Checks the ACL that a write gives to what it makes.
///
/// # Errors
/// `AccessControlListNotSupported` for one that would give others access, `InvalidArgument` for one that is not
/// known.
pub(super) fn check_acl(request: &Request) -> Result<(), Error> {
    let is_grant =
        |name: &str| name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-grant-"));
    let mut names =
        request.headers().keys().map(HeaderName::as_str).chain(request.query().iter().map(|(name, _)| name));
    if names.any(is_grant) {
        return Err(acl_not_supported(request));
    }
    match request.amz("x-amz-acl").as_deref() {
        None | Some("private" | "bucket-owner-full-control" | "bucket-owner-read") => Ok(()),
        Some(
            "public-read" | "public-read-write" | "authenticated-read" | "aws-exec-read"
            | "log-delivery-write",
        ) => Err(acl_not_supported(request)),
        Some(other) => Err(Error::invalid_argument("", "x-amz-acl", other)),
    }
}

fn acl_not_supported(request: &Request) -> Error {
    let code = match request.operation() == Operation::CreateBucket {
        true => ErrorCode::InvalidBucketAclWithObjectOwnership,
        false => ErrorCode::AccessControlListNotSupported,
    };
    code.error().check(Check::Acl)
}

/// Buckets own what is in them: another rule is not to be had yet.
pub(super) fn check_ownership(request: &Request) -> Result<(), Error> {
    const NAME: &str = "x-amz-object-ownership";
    match request.amz(NAME).as_deref() {
        None | Some("BucketOwnerEnforced") => Ok(()),
        Some("ObjectWriter" | "BucketOwnerPreferred") => {
            let why = "Only BucketOwnerEnforced is implemented here";
            Err(Error::not_implemented_header(NAME, Some(why)).check(Check::Ownership))
        }
        Some(other) => Err(ErrorCode::InvalidArgument
            .with_message(format!("Invalid x-amz-object-ownership header: {other}"))
            .with("ArgumentName", NAME)),
    }
}

/// Refuses a read with a key of the client's own: no object is encrypted with one.
///
/// # Errors
/// `InvalidRequest`.
pub(super) fn check_read_headers(request: &Request) -> Result<(), Error> {
    match request.amz("x-amz-server-side-encryption-customer-algorithm") {
        Some(_) => Err(ErrorCode::InvalidRequest
            .with_message("The encryption parameters are not applicable to this object.")
            .check(Check::Header)),
        None => Ok(()),
    }
}

/// Refuses a version where an operation makes a new one.
///
/// # Errors
/// `InvalidArgument`.
pub(super) fn refuse_version(request: &Request) -> Result<(), Error> {
    match request.query().value("versionId") {
        None => Ok(()),
        Some(text) => {
            Err(Error::invalid_argument("This operation does not accept a version-id.", "versionId", text))
        }
    }
}

/// Whether this server carries out an operation.
pub(super) fn is_served(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::AbortMultipartUpload
            | Operation::CompleteMultipartUpload
            | Operation::CopyObject
            | Operation::CreateBucket
            | Operation::CreateMultipartUpload
            | Operation::DeleteBucket
            | Operation::DeleteBucketLifecycle
            | Operation::DeleteBucketTagging
            | Operation::DeleteObject
            | Operation::DeleteObjectTagging
            | Operation::DeleteObjects
            | Operation::GetBucketLifecycleConfiguration
            | Operation::GetBucketLocation
            | Operation::GetBucketRequestPayment
            | Operation::GetBucketTagging
            | Operation::GetBucketVersioning
            | Operation::GetObject
            | Operation::GetObjectAttributes
            | Operation::GetObjectTagging
            | Operation::HeadBucket
            | Operation::HeadObject
            | Operation::ListBuckets
            | Operation::ListMultipartUploads
            | Operation::ListObjectVersions
            | Operation::ListObjects
            | Operation::ListObjectsV2
            | Operation::ListParts
            | Operation::PutBucketLifecycleConfiguration
            | Operation::PutBucketTagging
            | Operation::PutBucketVersioning
            | Operation::PutObject
            | Operation::PutObjectTagging
            | Operation::UploadPart
            | Operation::UploadPartCopy
    )
}

/// What is said of an operation that S3 has and this server has not.
pub(super) fn not_implemented(operation: Operation) -> Error {
    let what = match operation.sub_resource() {
        Some(word) => format!("{} (the query parameter {word}) is not implemented here", operation.name()),
        None => format!("{} is not implemented here", operation.name()),
    };
    Error::not_implemented(what).check(Check::Operation)
}
