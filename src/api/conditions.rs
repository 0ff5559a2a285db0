//! What requests ask for beside their operation: owners, ACLs, versions, and the functions that are not there.

use super::exchange::Call;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::request::Request;

/// Checks `x-amz-expected-bucket-owner`, and that of a copy's source.
pub(super) fn check_expected_owner(call: &Call<'_>) -> Result<(), Error> {
    let request = call.request();
    let Some(bucket) = request.target().bucket() else {
        return Ok(());
    };
    let expected = request.amz("x-amz-expected-bucket-owner");
    let Some(expected) = expected else {
        return Ok(());
    };
    match call.store().bucket(bucket) {
        Ok(bucket) if bucket.owner != expected => Err(ErrorCode::AccessDenied.error().at("bucket owner")),
        // A bucket that is not there is the operation's to report.
        _ => Ok(()),
    }
}

/// Headers that ask for something this server does not do. To ignore them would be a wrong 200.
const UNSUPPORTED_ON_WRITE: [&str; 6] = [
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-tagging",
    "x-amz-write-offset-bytes",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-copy-source-server-side-encryption",
];

/// Refuses a write that asks for what is not there.
///
/// # Errors
/// `NotImplemented` with the header, `AccessControlListNotSupported` for an ACL that would give others access.
pub(super) fn check_write_headers(request: &Request) -> Result<(), Error> {
    let in_headers = request.headers().keys().map(|name| name.as_str().to_owned());
    let in_query = request.query().iter().map(|(name, _)| name.to_ascii_lowercase());
    for name in in_headers.chain(in_query).filter(|name| name.starts_with("x-amz-")) {
        if UNSUPPORTED_ON_WRITE.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(ErrorCode::NotImplemented.error().with("Header", name).at("header"));
        }
        if name.starts_with("x-amz-grant-") {
            return Err(acl_not_supported());
        }
    }
    match request.amz("x-amz-acl").as_deref() {
        None | Some("private" | "bucket-owner-full-control" | "bucket-owner-read") => Ok(()),
        Some(
            "public-read" | "public-read-write" | "authenticated-read" | "aws-exec-read"
            | "log-delivery-write",
        ) => Err(acl_not_supported()),
        Some(other) => Err(Error::invalid_argument("", "x-amz-acl", other)),
    }
}

fn acl_not_supported() -> Error {
    ErrorCode::AccessControlListNotSupported.error().at("acl")
}

/// Buckets are not versioned: of every object there is the version `null`.
///
/// # Errors
/// `InvalidArgument` for any other.
pub(super) fn check_version(request: &Request) -> Result<(), Error> {
    match request.query().value("versionId") {
        None | Some("null" | "") => Ok(()),
        Some(other) => Err(Error::invalid_argument("Invalid version id specified", "versionId", other)),
    }
}
