//! Multipart uploads.

use super::conditions::{check_acl, refuse_version};
use super::error::of_store;
use super::exchange::{Body, Call, Intake, Reply, blocking, no_content, xml};
use super::get::invalid_part_number;
use super::object::{
    add_checksum, add_etag, add_source_version, add_version, check_source_size, copy_source, named_algorithm,
    named_tags, of_source, write_checksum,
};
use super::upload::{Place, receive, receive_document};
use super::whole::read_whole;
use crate::auth::{BodyCheck, BodyKind, BodyProof};
use crate::s3::checksum::{Algorithm, ChecksumType};
use crate::s3::condition::{Conditions, Decision, WriteCondition};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::metadata::Metadata;
use crate::s3::name::{ETag, PartNumber, UploadId, VersionId};
use crate::s3::range::{Span, parse_copy_range};
use crate::s3::request::Request;
use crate::s3::target::Style;
use crate::s3::uri::{Slash, encode};
use crate::s3::xml::{Element, Writer};
use crate::store::{
    self, Completion, Content, NamedPart, ObjectChecksum, ObjectName, Part, Upload, UploadName, Versioning,
};

/// Most bytes of the document of a completion: 10,000 parts, each with a tag and the longest checksum.
const COMPLETION_BYTES_MAX: u64 = 3 * 1024 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
pub(super) async fn create(call: &Call<'_>) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let upload = Upload {
        key: call.key().clone(),
        id: new_upload_id(call)?,
        initiated: call.now,
        metadata: Metadata::of_request(request, false)?,
        tags: named_tags(request)?,
        checksum: chosen_checksum(call)?,
        initiator: call.caller().to_owned(),
    };
    let checksum = upload.checksum;
    let created = call.store().create_upload(call.bucket().clone(), upload).await;
    let id = created.map_err(|error| of_store(error, request))?;
    let mut writer = Writer::answer("InitiateMultipartUploadResult");
    writer.element("Bucket", call.bucket()).element("Key", call.key()).element("UploadId", id);
    writer.close("InitiateMultipartUploadResult");
    let mut reply = xml(writer.finish());
    if let Some((algorithm, kind)) = checksum {
        let headers = reply.headers_mut();
        headers.insert("x-amz-checksum-algorithm", http::HeaderValue::from_static(algorithm.name()));
        headers.insert("x-amz-checksum-type", http::HeaderValue::from_static(kind.name()));
    }
    Ok(reply)
}

fn new_upload_id(call: &Call<'_>) -> Result<UploadId, Error> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(|_| ErrorCode::InternalError.error().at("randomness"))?;
    Ok(UploadId::new(call.now.unix_millis(), random, call.key()))
}

/// The checksum that an upload is started with.
fn chosen_checksum(call: &Call<'_>) -> Result<Option<(Algorithm, ChecksumType)>, Error> {
    let request = call.request();
    let kind = request.amz("x-amz-checksum-type");
    let Some(algorithm) = named_algorithm(request)? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(ErrorCode::InvalidRequest.says(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let kind = match kind.as_deref() {
        None if algorithm == Algorithm::Crc64Nvme => ChecksumType::FullObject,
        None => ChecksumType::Composite,
        Some(kind) => ChecksumType::parse(kind).ok_or_else(|| {
            ErrorCode::InvalidRequest.says("Value for x-amz-checksum-type header is invalid.")
        })?,
    };
    let possible = match kind {
        ChecksumType::Composite => algorithm != Algorithm::Crc64Nvme,
        ChecksumType::FullObject => algorithm.combines(),
    };
    match possible {
        true => Ok(Some((algorithm, kind))),
        false => Err(ErrorCode::InvalidRequest.says(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.lower_name()
        ))),
    }
}

/// The upload that the request names.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchUpload`.
pub(super) fn upload(call: &Call<'_>) -> Result<Upload, Error> {
    call.store().upload(upload_name(call)?).map_err(|error| of_store(error, call.request()))
}

/// The upload as the request names it.
fn upload_name(call: &Call<'_>) -> Result<UploadName, Error> {
    let id = upload_id(call.request())?;
    Ok(UploadName { bucket: call.bucket().clone(), key: call.key().clone(), id })
}

/// The id of the upload that the request names.
///
/// # Errors
/// `NoSuchUpload` for what is none.
pub(super) fn upload_id(request: &Request) -> Result<UploadId, Error> {
    let text = request.query().value("uploadId").unwrap_or_default();
    UploadId::parse(text).ok_or_else(|| of_store(store::Error::NoSuchUpload, request))
}

/// The number of the part that the request names.
///
/// # Errors
/// `InvalidArgument`.
pub(super) fn part_number(request: &Request) -> Result<PartNumber, Error> {
    let text = request.query().value("partNumber").unwrap_or_default();
    PartNumber::parse(text).ok_or_else(|| invalid_part_number(text))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
pub(super) async fn upload_part(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let number = part_number(request)?;
    let upload = upload(call)?;
    let fallback = upload.checksum.map_or(Algorithm::Crc64Nvme, |(algorithm, _)| algorithm);
    let check = call.permit.verified().check_body(BodyKind::Part { checksum: fallback })?;
    check_part_algorithm(&upload, &check)?;
    let room = call.store().reserve(call.bucket(), call.key(), Some((upload.id, number)), check.length);
    let _room = room.map_err(|error| of_store(error, request))?;
    let received = receive(call, body, check, Place::Blob).await?;
    let shown = received.shown_checksum();
    let part = call.store().put_part(upload_name(call)?, number, received, call.now).await;
    let part = part.map_err(|error| of_store(error, request))?;
    let mut reply = Reply::new(Body::empty());
    add_etag(reply.headers_mut(), &part.etag.quoted());
    if let Some(value) = shown {
        add_checksum(reply.headers_mut(), &ObjectChecksum::full(value));
        reply.headers_mut().remove("x-amz-checksum-type");
    }
    Ok(reply)
}

/// A part must come with the checksum its upload was started with. Over a whole object the server can compute
/// what the client leaves out; and to an upload without a choice, as SDKs start them whose parts have checksums
/// by default, every checksum is welcome.
fn check_part_algorithm(upload: &Upload, check: &BodyCheck) -> Result<(), Error> {
    let Some((expected, kind)) = upload.checksum else {
        return Ok(());
    };
    match check.announced {
        Some(given) if given == expected => Ok(()),
        None if kind == ChecksumType::FullObject => Ok(()),
        given => Err(ErrorCode::InvalidRequest.says(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.lower_name(),
            given.map_or("null", Algorithm::lower_name)
        ))),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
pub(super) async fn upload_part_copy(call: &Call<'_>) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let number = part_number(request)?;
    let upload = upload(call)?;
    let source = copy_source(call)?;
    let (part, version) = copy_part(call, &upload, number, &source).await?;
    let mut writer = Writer::answer("CopyPartResult");
    writer.element("LastModified", part.modified.iso_listed()).element("ETag", part.etag.quoted());
    if let Some(checksum) = part.checksum.filter(|_| upload.checksum.is_some()) {
        writer.element(checksum.algorithm().element(), checksum.base64());
    }
    writer.close("CopyPartResult");
    let mut reply = xml(writer.finish());
    add_source_version(reply.headers_mut(), version);
    Ok(reply)
}

/// Reads the source for its digests, and makes a part that refers to its blobs. Gives the version it read as well,
/// if its bucket has versions.
async fn copy_part(
    call: &Call<'_>,
    upload: &Upload,
    number: PartNumber,
    source: &ObjectName,
) -> Result<(Part, Option<VersionId>), Error> {
    let request = call.request();
    let failed = |error| of_source(error, source, call);
    let from = call.store().bucket(&source.bucket).map_err(failed)?;
    let object = call.store().object(source).map_err(failed)?;
    if object.archived {
        return Err(of_store(store::Error::Archived(object.metadata.storage_class().to_owned()), request));
    }
    let version = (from.versioning != Versioning::Off).then_some(object.version);
    if let Decision::Failed(condition) =
        Conditions::of_copy_source(request, call.now).for_copy_source(&object.etag, object.modified)
    {
        return Err(ErrorCode::PreconditionFailed.error().with("Condition", condition).at("condition"));
    }
    let span = copied_span(call, object.size)?;
    let algorithm = upload.checksum.map_or(Algorithm::Crc64Nvme, |(algorithm, _)| algorithm);
    let mut digester = BodyProof::digester(algorithm);
    let store = call.store().clone();
    let name = upload_name(call)?;
    let part = match object.content {
        Content::Inline(bytes) => {
            let data = vec![super::get::within(&bytes, span)];
            let received = blocking(move || {
                let mut writer = store.blob_writer()?;
                writer.write(&data)?;
                data.iter().for_each(|piece| digester.update(piece));
                writer.finish(digester.finish())
            });
            let received = received.await?.map_err(failed)?;
            call.store().put_part(name, number, received, call.now).await
        }
        Content::Blobs(body) => {
            let reader = store.reader(body.clone(), span.offset, span.length);
            let digester =
                read_whole(call, reader, digester, |digester, bytes| digester.update(bytes), failed).await?;
            call.store().copy_part(name, number, (body, span.offset), digester.finish(), call.now).await
        }
    };
    Ok((part.map_err(|error| of_store(error, request))?, version))
}

fn copied_span(call: &Call<'_>, size: u64) -> Result<Span, Error> {
    let Some(text) = call.request().amz("x-amz-copy-source-range") else {
        check_source_size(size)?;
        return Ok(Span { offset: 0, length: size });
    };
    let (first, last) = parse_copy_range(&text).ok_or_else(|| {
        Error::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            text.as_ref(),
        )
    })?;
    if first >= size {
        return Err(
            ErrorCode::InvalidRequest.says("The specified copy range is invalid for the source object size")
        );
    }
    if last >= size {
        return Err(Error::invalid_argument(
            format!("Range specified is not valid for source object of size: {size}"),
            "x-amz-copy-source-range",
            text.as_ref(),
        ));
    }
    Ok(Span { offset: first, length: last - first + 1 })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub(super) async fn complete(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let request = call.request();
    let name = upload_name(call)?;
    let condition = WriteCondition::of_request(request)?;
    let known = call.store().check_upload(name.clone(), call.now);
    known.map_err(|error| of_store(error, request))?;
    let document = receive_document(call, body, BodyKind::Completion, COMPLETION_BYTES_MAX).await?;
    if document.is_empty() {
        return Err(ErrorCode::InvalidRequest.says("You must specify at least one part"));
    }
    let completion = Completion {
        parts: named_parts(&document)?,
        size: object_size(call)?,
        checksum: object_checksum(call)?,
        checksum_type: object_checksum_type(call)?,
    };
    let written = call.store().complete_upload(name, completion, condition, call.now).await;
    let written = written.map_err(|error| of_store(error, request))?;
    let mut writer = Writer::answer("CompleteMultipartUploadResult");
    writer.element("Location", location(call)).element("Bucket", call.bucket()).element("Key", call.key());
    writer.element("ETag", written.etag.quoted());
    write_checksum(&mut writer, written.checksum.as_ref());
    writer.close("CompleteMultipartUploadResult");
    let mut reply = xml(writer.finish());
    add_version(reply.headers_mut(), written.version);
    Ok(reply)
}

fn named_parts(document: &[u8]) -> Result<Vec<NamedPart>, Error> {
    let malformed = || ErrorCode::MalformedXML.error();
    let root = Element::parse(document, "CompleteMultipartUpload")?;
    let mut parts = Vec::new();
    for part in root.children()? {
        // A part that is misspelt would be missing from the object, a checksum that is not known not be compared.
        let is_checksum = |name: &str| name.starts_with("Checksum");
        let is_known = |name: &str| Algorithm::ALL.iter().any(|algorithm| algorithm.element() == name);
        let odd = part.children()?.iter().any(|child| is_checksum(child.name()) && !is_known(child.name()));
        if part.name() != "Part" || odd {
            return Err(malformed());
        }
        let number_text = part.child("PartNumber")?.unwrap_or_default().trim();
        if number_text.parse::<i64>().is_ok_and(|number| number < 1) {
            let message = "PartNumber must be >= 1";
            return Err(Error::invalid_argument(message, "PartNumber", number_text));
        }
        let number = PartNumber::parse(number_text);
        let etag_text = part.child("ETag")?.ok_or_else(malformed)?;
        let mut checksums = Vec::new();
        for algorithm in Algorithm::ALL {
            let text = part.child(algorithm.element())?;
            checksums.extend(text.map(|text| (algorithm, text.trim().to_owned())));
        }
        parts.push(NamedPart {
            number: number.ok_or_else(malformed)?,
            etag: ETag::parse(etag_text),
            etag_text: etag_text.to_owned(),
            checksums,
        });
    }
    if parts.is_empty() { Err(malformed()) } else { Ok(parts) }
}

fn object_size(call: &Call<'_>) -> Result<Option<u64>, Error> {
    let Some(text) = call.request().amz("x-amz-mp-object-size") else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        let message = format!("Value for x-amz-mp-object-size header is invalid: '{text}'");
        ErrorCode::InvalidRequest.says(message)
    })
}

fn object_checksum_type(call: &Call<'_>) -> Result<Option<ChecksumType>, Error> {
    let Some(text) = call.request().amz("x-amz-checksum-type") else {
        return Ok(None);
    };
    let kind = ChecksumType::parse(&text);
    let invalid = || ErrorCode::InvalidRequest.says("Value for x-amz-checksum-type header is invalid.");
    kind.map(Some).ok_or_else(invalid)
}

/// The checksum of the whole object; its document has none of its own.
fn object_checksum(call: &Call<'_>) -> Result<Option<(Algorithm, String)>, Error> {
    let is_unknown = |name: &http::HeaderName| {
        let suffix = name.as_str().strip_prefix("x-amz-checksum-");
        suffix.is_some_and(|suffix| !["algorithm", "mode", "type"].contains(&suffix))
            && Algorithm::of_header(name.as_str()).is_none()
    };
    if call.request().headers().keys().any(is_unknown) {
        return Err(ErrorCode::InvalidRequest
            .says("The algorithm type you specified in x-amz-checksum- header is invalid."));
    }
    let given = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        call.request().header(algorithm.header()).map(|text| (algorithm, text.into_owned()))
    });
    let given: Vec<_> = given.collect();
    match given.len() {
        0 | 1 => Ok(given.into_iter().next()),
        _ => Err(ErrorCode::InvalidRequest
            .says("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")),
    }
}

/// The URL of the object, as it was addressed.
fn location(call: &Call<'_>) -> String {
    let request = call.request();
    let key = encode(call.key().as_str(), Slash::Escape);
    let scheme = call.context.settings.scheme;
    match request.style() {
        Style::Path => format!("{scheme}://{}/{}/{key}", request.host(), call.bucket()),
        Style::VirtualHosted => format!("{scheme}://{}/{key}", request.host()),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
pub(super) async fn abort(call: &Call<'_>) -> Result<Reply, Error> {
    let aborted = call.store().abort_upload(upload_name(call)?, call.now).await;
    aborted.map_err(|error| of_store(error, call.request()))?;
    Ok(no_content())
}
