//! What requests ask for beside their operation: owners, ACLs, versions, and the functions that are not there.

use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::VersionId;
use crate::s3::request::Request;
use crate::store::Bucket;

/// Checks that a bucket belongs to whom the client expects, if it says so in this header.
///
/// # Errors
/// `AccessDenied`.
pub(super) fn check_expected_owner(request: &Request, header: &str, bucket: &Bucket) -> Result<(), Error> {
    match request.amz(header) {
        Some(expected) if expected != bucket.owner => Err(ErrorCode::AccessDenied.error().at("bucket owner")),
        _ => Ok(()),
    }
}

/// Headers that ask for something this server does not do. To ignore them would be a wrong 200.
const UNSUPPORTED_ON_WRITE: [&str; 4] = [
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-write-offset-bytes",
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
        let unsupported = match name.as_str() {
            "x-amz-bucket-object-lock-enabled" => {
                request.amz(&name).is_some_and(|value| !value.eq_ignore_ascii_case("false"))
            }
            name => UNSUPPORTED_ON_WRITE.iter().any(|prefix| name.starts_with(prefix)),
        };
        if unsupported {
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
