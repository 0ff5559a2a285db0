//! What requests ask for beside their operation: owners, ACLs, versions, and the functions that are not there.

use std::borrow::Cow;

use http::{HeaderName, Method};

use crate::s3::condition::WriteCondition;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::header::{self, Treatment};
use crate::s3::name::{VersionId, account_id, is_account_id};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::store::Bucket;

/// Checks that a bucket belongs to the account that the client expects, if it says so in this header.
///
/// # Errors
/// `InvalidBucketOwnerAWSAccountID` for what is no id of an account, `AccessDenied` for another.
pub(super) fn check_expected_owner(request: &Request, header: &str, bucket: &Bucket) -> Result<(), Error> {
    check_owner_id(request, header)?;
    match request.amz(header) {
        None => Ok(()),
        Some(expected) if expected != account_id(&bucket.owner) => {
            Err(ErrorCode::AccessDenied.error().at("bucket owner"))
        }
        Some(_) => Ok(()),
    }
}

const BYPASS: &str = "x-amz-bypass-governance-retention";

/// Checks that an expected owner is named by what can be the id of an account.
///
/// # Errors
/// `InvalidBucketOwnerAWSAccountID`.
pub(super) fn check_owner_id(request: &Request, header: &str) -> Result<(), Error> {
    match request.amz(header) {
        Some(expected) if !is_account_id(&expected) => Err(ErrorCode::InvalidBucketOwnerAWSAccountID
            .says(format!(
                "The value of the expected bucket owner parameter must be an AWS Account ID... [{expected}]"
            ))
            .at("bucket owner")),
        _ => Ok(()),
    }
}

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
        return Err(Error::invalid_argument(message, BYPASS, "true").at("header"));
    }
    let in_headers = request.headers().keys().map(|name| Cow::Borrowed(name.as_str()));
    let in_query = request.query().iter().map(|(name, _)| lower_case(name));
    let unsupported = in_headers.chain(in_query).filter(|name| is_unsupported(request, name));
    // S3 was seen to name the one that comes first by name, of several.
    match unsupported.min() {
        Some(name) => Err(Error::not_implemented_header(name, None).at("header")),
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
    match request.operation() {
        Operation::CreateBucket => ErrorCode::InvalidBucketAclWithObjectOwnership,
        _ => ErrorCode::AccessControlListNotSupported,
    }
    .error()
    .at("acl")
}

/// Refuses a read with a key of the client's own: no object is encrypted with one.
///
/// # Errors
/// `InvalidRequest`.
pub(super) fn check_read_headers(request: &Request) -> Result<(), Error> {
    match request.amz("x-amz-server-side-encryption-customer-algorithm") {
        Some(_) => Err(ErrorCode::InvalidRequest
            .says("The encryption parameters are not applicable to this object.")
            .at("header")),
        None => Ok(()),
    }
}

/// The version that a request names.
///
/// # Errors
/// `InvalidArgument` for what cannot be an id of ours.
pub(super) fn named_version(request: &Request) -> Result<Option<VersionId>, Error> {
    request.query().value("versionId").map(|text| parse_version(text, "versionId")).transpose()
}

/// A version id.
///
/// # Errors
/// `InvalidArgument` with the name of the argument.
pub(super) fn parse_version(text: &str, argument: &'static str) -> Result<VersionId, Error> {
    if text.is_empty() {
        return Err(Error::invalid_argument("Version id cannot be the empty string", argument, text));
    }
    let version = VersionId::parse(text);
    version.ok_or_else(|| Error::invalid_argument("Invalid version id specified", argument, text))
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
