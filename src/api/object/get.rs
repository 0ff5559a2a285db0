//! GET and HEAD of an object: conditions, ranges, parts, overridden headers.

use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, EXPIRES};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::api::asked::{asked_part, overrides};
use crate::api::body::Body;
use crate::api::call::ObjectCall;
use crate::api::error::from_store;
use crate::api::guards::check_read_headers;
use crate::api::reply::Reply;
use crate::api::show::{add_checksum, add_etag, add_expiration, add_modified, add_version};
use crate::clock::Timestamp;
use crate::s3::checksum::ChecksumType;
use crate::s3::condition::{Conditions, Decision};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{ETag, PartNumber};
use crate::s3::range::{ByteRange, Span};
use crate::s3::request::Request;
use crate::store;
use crate::store::model::{Object, ObjectChecksum, ObjectPart};

/// Headers of an answer with a few of the client's own.
const HEADERS_USUAL: usize = 16;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub(in crate::api) async fn object(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let request = call.request();
    let name = call.name()?;
    check_read_headers(request)?;
    let overrides = overrides(request)?;
    let object = call.object(&name).await?;
    match Conditions::from_request(request, call.now).for_read(&object.etag, object.modified) {
        Decision::Proceed => {}
        Decision::NotModified => return Ok(not_modified(call, &object)),
        Decision::Failed(condition) => {
            return Err(from_store(store::Error::Precondition(condition), request));
        }
    }
    if request.method() != Method::HEAD {
        object.check_readable().map_err(|error| from_store(error, request))?;
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
        add_expiration(&mut headers, call, object.size, &object.tags, object.modified).await;
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(span.length));
    headers.extend(overrides);
    let body = match request.method() == Method::HEAD {
        true => Body::empty(),
        false => {
            let reader = call.store().send(&object.body, span, call.sends_files).await;
            Body::stored(reader.map_err(|error| from_store(error, request))?)
        }
    };
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    Ok(reply)
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
fn describe(headers: &mut HeaderMap, call: &ObjectCall<'_>, object: &Object, selected: Option<Span>) {
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
        add_checksum(headers, &checksum);
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

fn identify(headers: &mut HeaderMap, call: &ObjectCall<'_>, object: &Object) {
    if call.has_versions() {
        add_version(headers, Some(object.version));
    }
    add_etag(headers, &object.etag);
    add_modified(headers, object.modified);
}

fn not_modified(call: &ObjectCall<'_>, object: &Object) -> Reply {
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
