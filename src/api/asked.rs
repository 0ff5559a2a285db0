//! What requests ask for besides their operation: parts, versions, tags, checksums, uploads, the source of a copy.

use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
};
use http::{HeaderName, HeaderValue};

use super::error::from_store;
use crate::s3::check::Check;
use crate::s3::checksum::{Algorithm, ChecksumType};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{BucketName, KeyError, ObjectKey, PartNumber, UploadId, VersionId};
use crate::s3::request::Request;
use crate::s3::tagging::Tags;
use crate::s3::target::key_too_long;
use crate::s3::uri::decode;
use crate::store;
use crate::store::model::ObjectName;

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

/// The tags of `x-amz-tagging`.
///
/// # Errors
/// As [`Tags::parse_header`].
pub(super) fn named_tags(request: &Request) -> Result<Tags, Error> {
    let tags = request.amz("x-amz-tagging").map(|text| Tags::parse_header(&text)).transpose()?;
    Ok(tags.unwrap_or_default())
}

/// The algorithm of `x-amz-checksum-algorithm`.
///
/// # Errors
/// Returns `InvalidRequest` for an unknown algorithm.
pub(super) fn named_algorithm(request: &Request) -> Result<Option<Algorithm>, Error> {
    let Some(name) = request.amz("x-amz-checksum-algorithm") else {
        return Ok(None);
    };
    let algorithm = Algorithm::parse(&name);
    algorithm.map(Some).ok_or_else(|| {
        ErrorCode::InvalidRequest.with_message("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    })
}

/// The type of `x-amz-checksum-type`.
///
/// # Errors
/// Returns `InvalidRequest` for an unknown type.
pub(super) fn named_checksum_type(request: &Request) -> Result<Option<ChecksumType>, Error> {
    let Some(name) = request.amz("x-amz-checksum-type") else {
        return Ok(None);
    };
    let message = "Value for x-amz-checksum-type header is invalid.";
    ChecksumType::parse(&name).map(Some).ok_or_else(|| ErrorCode::InvalidRequest.with_message(message))
}

/// The part that the request asks for.
///
/// # Errors
/// `InvalidRequest` next to a range, `InvalidArgument` for what is not a number of a part.
pub(super) fn asked_part(request: &Request) -> Result<Option<PartNumber>, Error> {
    let Some(number) = request.query().value("partNumber") else {
        return Ok(None);
    };
    if request.header("range").is_some() {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(ErrorCode::InvalidRequest.with_message(message));
    }
    PartNumber::parse(number).map(Some).ok_or_else(|| invalid_part_number(number))
}

/// `InvalidArgument` for a part number.
pub(super) fn invalid_part_number(number: &str) -> Error {
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    Error::invalid_argument(message, "partNumber", number)
}

/// The number of the part that the request names.
///
/// # Errors
/// `InvalidArgument`.
pub(super) fn part_number(request: &Request) -> Result<PartNumber, Error> {
    let text = request.query().value("partNumber").unwrap_or_default();
    PartNumber::parse(text).ok_or_else(|| invalid_part_number(text))
}

/// The id of the upload that the request names.
///
/// # Errors
/// Returns `NoSuchUpload` for a text that cannot be an id.
pub(super) fn upload_id(request: &Request) -> Result<UploadId, Error> {
    let text = request.query().value("uploadId").unwrap_or_default();
    UploadId::parse(text).ok_or_else(|| from_store(store::Error::NoSuchUpload, request))
}

/// Query parameters that override headers of the answer.
pub(super) const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", CACHE_CONTROL),
    ("response-content-disposition", CONTENT_DISPOSITION),
    ("response-content-encoding", CONTENT_ENCODING),
    ("response-content-language", CONTENT_LANGUAGE),
    ("response-content-type", CONTENT_TYPE),
    ("response-expires", EXPIRES),
];

/// The overridden headers.
///
/// # Errors
/// `InvalidArgument` for what cannot be in a header.
pub(super) fn overrides(request: &Request) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (parameter, name) in OVERRIDES {
        let Some(value) = request.query().value(parameter) else {
            continue;
        };
        let latin1: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let value = latin1.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()).ok_or_else(|| {
            Error::invalid_argument("Header value cannot be represented using ISO-8859-1.", parameter, value)
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

const ATTRIBUTES: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

/// The names of the attributes that are asked for, in the order of S3, whatever that of the request.
///
/// # Errors
/// `InvalidRequest` if there are none, `InvalidArgument` for one that is not known.
pub(super) fn attributes(request: &Request) -> Result<Vec<&'static str>, Error> {
    let asked = request.amz("x-amz-object-attributes").unwrap_or_default();
    if asked.is_empty() {
        return Err(ErrorCode::InvalidRequest
            .with_message("Missing required header for this request: x-amz-object-attributes"));
    }
    let names: Vec<&str> = asked.split(',').map(str::trim).collect();
    if names.iter().any(|name| !ATTRIBUTES.contains(name)) {
        let message = "Invalid attribute name specified.";
        return Err(Error::invalid_argument(message, "x-amz-object-attributes", asked.as_ref()));
    }
    Ok(ATTRIBUTES.into_iter().filter(|name| names.contains(name)).collect())
}

pub(super) const COPY_SOURCE: &str = "x-amz-copy-source";

/// The object that `x-amz-copy-source` names: `/bucket/key`, percent-encoded, perhaps with `?versionId=`.
///
/// # Errors
/// `InvalidArgument` if it names none.
pub(super) fn named_source(request: &Request) -> Result<ObjectName, Error> {
    let header = request.amz(COPY_SOURCE).unwrap_or_default();
    let refuse = |message: &'static str| {
        Error::invalid_argument(message, COPY_SOURCE, COPY_SOURCE).check(Check::CopySource)
    };
    let (path, version) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(parse_version(version, COPY_SOURCE)?)),
        None => (header.as_ref(), None),
    };
    // A whole URL is taken for its path, whatever its host.
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| path.strip_prefix(scheme));
    let path = after_scheme.map_or(path, |rest| rest.split_once('/').map_or("", |(_, path)| path));
    let decoded = decode(path).ok().ok_or_else(|| refuse("Invalid copy source encoding"))?;
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

/// Most bytes of a document with tags: 50 of them, each of 384 characters of 4 bytes.
pub(super) const TAGGING_BYTES_MAX: u64 = 128 * 1024;
