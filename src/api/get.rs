//! GET and HEAD of an object: conditions, ranges, parts, overridden headers.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::conditions::check_read_headers;
use super::error::of_store;
use super::exchange::{Body, Call, Reply};
use super::lifecycle::add_expiration;
use crate::auth::{Mechanism, Verified};
use crate::clock::Timestamp;
use crate::s3::checksum::ChecksumType;
use crate::s3::condition::{Conditions, Decision};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{ETag, PartNumber};
use crate::s3::operation::Operation;
use crate::s3::range::{ByteRange, Span};
use crate::s3::request::Request;
use crate::store::{self, Content, Object, ObjectChecksum, ObjectPart};

/// Query parameters that override headers of the answer.
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", CACHE_CONTROL),
    ("response-content-disposition", CONTENT_DISPOSITION),
    ("response-content-encoding", CONTENT_ENCODING),
    ("response-content-language", CONTENT_LANGUAGE),
    ("response-content-type", CONTENT_TYPE),
    ("response-expires", EXPIRES),
];

/// Headers of an answer with a few of the client's own.
const HEADERS_USUAL: usize = 16;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub(super) async fn object(call: &Call<'_>) -> Result<Reply, Error> {
    let request = call.request();
    let name = call.object()?;
    check_read_headers(request)?;
    let overrides = overrides(request)?;
    let object = call.store().object(&name).map_err(|error| of_store(error, request))?;
    match Conditions::of_request(request, call.now).for_read(&object.etag, object.modified) {
        Decision::Proceed => {}
        Decision::NotModified => return Ok(not_modified(call, &object)),
        Decision::Failed(condition) => {
            return Err(ErrorCode::PreconditionFailed.error().with("Condition", condition).at("condition"));
        }
    }
    if object.archived && request.method() != Method::HEAD {
        return Err(of_store(store::Error::Archived(object.metadata.storage_class().to_owned()), request));
    }
    let selected = select(request, &object)?;
    let (status, span) = match selected {
        Some(span) => (StatusCode::PARTIAL_CONTENT, span),
        None => (StatusCode::OK, Span { offset: 0, length: object.size }),
    };
    // Room for what every answer has, so that it need not grow on the way.
    let mut headers = HeaderMap::with_capacity(HEADERS_USUAL);
    describe(&mut headers, call, &object, selected);
    if name.version.is_none() {
        add_expiration(&mut headers, call, object.size, &object.tags, object.modified);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(span.length));
    headers.extend(overrides);
    let body = match (request.method() == Method::HEAD, object.content) {
        (true, _) => Body::empty(),
        (false, Content::Inline(bytes)) => Body::full(within(&bytes, span)),
        (false, Content::Blobs(_)) if span.length == 0 => Body::empty(),
        (false, Content::Blobs(body)) => {
            let reader = call.store().reader(body, span.offset, span.length);
            let reader = if call.sends_files { reader.mapped() } else { reader };
            let files = call.context.bounds.files(reader.files())?;
            Body::blobs(reader, files, span.length, call.context.settings.window_bytes_max)
                .await
                .map_err(|error| of_store(error, request))?
        }
    };
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    Ok(reply)
}

/// The bytes of a span of a body that is at hand.
pub(super) fn within(bytes: &bytes::Bytes, span: Span) -> bytes::Bytes {
    let end = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(end(span.offset)..end(span.offset + span.length))
}

/// The bytes that part number or range select; `None` for the whole object.
fn select(request: &Request, object: &Object) -> Result<Option<Span>, Error> {
    let range = request
        .header("range")
        .and_then(|range| ByteRange::parse(&range))
        .filter(|_| if_range_holds(request, object));
    let Some(asked) = asked_part(request)? else {
        let Some(range) = range else {
            return Ok(None);
        };
        let span = range.of(object.size).ok_or_else(|| {
            ErrorCode::InvalidRange
                .error()
                .with("RangeRequested", request.header("range").unwrap_or_default())
                .with("ActualObjectSize", object.size.to_string())
        })?;
        return Ok(Some(span));
    };
    let whole = [ObjectPart { size: object.size, checksum: None }];
    let parts = if object.parts.is_empty() { &whole[..] } else { &object.parts };
    let index = usize::from(asked.value()) - 1;
    let part = parts.get(index).ok_or_else(|| {
        ErrorCode::InvalidPartNumber
            .error()
            .with("ActualPartCount", parts.len().to_string())
            .with("PartNumberRequested", asked.value().to_string())
    })?;
    let offset = parts.iter().take(index).map(|part| part.size).sum();
    Ok(Some(Span { offset, length: part.size }))
}

/// The part that the request asks for.
///
/// # Errors
/// `InvalidRequest` beside a range, `InvalidArgument` for what is no number of a part.
pub(super) fn asked_part(request: &Request) -> Result<Option<PartNumber>, Error> {
    let Some(number) = request.query().value("partNumber") else {
        return Ok(None);
    };
    if request.header("range").is_some() {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(ErrorCode::InvalidRequest.says(message));
    }
    PartNumber::parse(number).map(Some).ok_or_else(|| invalid_part_number(number))
}

/// `InvalidArgument` for a part number.
pub(super) fn invalid_part_number(number: &str) -> Error {
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    Error::invalid_argument(message, "partNumber", number)
}

/// RFC 9110 13.1.5: a range holds only for the representation that the client has the rest of.
fn if_range_holds(request: &Request, object: &Object) -> bool {
    match request.header("if-range").as_deref() {
        None => true,
        Some(tag) if tag.starts_with('"') => ETag::parse(tag) == Some(object.etag),
        Some(date) => Timestamp::parse_http_date(date)
            .is_some_and(|date| date.unix_seconds() == object.modified.unix_seconds()),
    }
}

/// Everything the answer says of the object.
fn describe(headers: &mut HeaderMap, call: &Call<'_>, object: &Object, selected: Option<Span>) {
    let request = call.request();
    headers.extend(object.metadata.headers());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    identify(headers, call, object);
    if !object.tags.is_empty() {
        headers.insert("x-amz-tagging-count", HeaderValue::from(object.tags.entries().len()));
    }
    if let Some(span) = selected {
        // An empty part of an empty object has no last byte to name.
        let last = (span.offset + span.length).saturating_sub(1);
        let range = format!("bytes {}-{last}/{}", span.offset, object.size);
        headers.extend(
            HeaderValue::try_from(range).ok().filter(|_| span.length > 0).map(|v| (CONTENT_RANGE, v)),
        );
    }
    if request.query().contains("partNumber") && !object.parts.is_empty() {
        headers.insert("x-amz-mp-parts-count", HeaderValue::from(object.parts.len()));
    }
    let asked = request.amz("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    if asked && let Some(checksum) = shown_checksum(request, object, selected) {
        super::object::add_checksum(headers, &checksum);
    }
}

/// The checksum of what is sent: that of a part if the object's is made of those, that of the object if all of it is
/// sent.
fn shown_checksum(request: &Request, object: &Object, selected: Option<Span>) -> Option<ObjectChecksum> {
    let checksum = object.checksum?;
    let part = request.query().value("partNumber").and_then(PartNumber::parse);
    if let (Some(number), ChecksumType::Composite) = (part, checksum.kind) {
        let part = object.parts.get(usize::from(number.value()) - 1)?;
        return part.checksum.map(|value| ObjectChecksum { value, kind: checksum.kind, parts: None });
    }
    let whole = Span { offset: 0, length: object.size };
    Some(checksum).filter(|_| selected.is_none_or(|span| span == whole))
}

fn identify(headers: &mut HeaderMap, call: &Call<'_>, object: &Object) {
    if call.has_versions() {
        super::object::add_version(headers, Some(object.version));
    }
    let text = |text: String| HeaderValue::try_from(text).ok();
    headers.extend(text(object.etag.quoted()).map(|value| (ETAG, value)));
    headers.extend(text(object.modified.http_date()).map(|value| (LAST_MODIFIED, value)));
}

fn not_modified(call: &Call<'_>, object: &Object) -> Reply {
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = StatusCode::NOT_MODIFIED;
    identify(reply.headers_mut(), call, object);
    for (name, value) in object.metadata.headers() {
        if name == CACHE_CONTROL || name == EXPIRES {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
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
            .says("Request specific response headers cannot be used for anonymous GET requests.")),
        false => Ok(()),
    }
}

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
