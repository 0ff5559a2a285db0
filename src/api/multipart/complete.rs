//! Completing an upload.

use crate::api::asked::named_checksum_type;
use crate::api::call::ObjectCall;
use crate::api::error::from_store;
use crate::api::intake::{Intake, receive_document};
use crate::api::reply::{Reply, xml};
use crate::api::show::{add_version, write_checksum};
use crate::auth::BodyKind;
use crate::s3::checksum::Algorithm;
use crate::s3::condition::WriteCondition;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{ETag, PartNumber};
use crate::s3::target::Style;
use crate::s3::uri::{Slash, encode};
use crate::s3::xml::{Element, Writer};
use crate::store::model::{Completion, NamedPart};

/// Most bytes of the document of a completion: 10,000 parts, each with an ETag and the longest checksum.
const COMPLETION_BYTES_MAX: u64 = 3 * 1024 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub(in crate::api) async fn complete(call: &ObjectCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let request = call.request();
    let name = call.upload_name()?;
    let condition = WriteCondition::from_request(request)?;
    let known = call.store().check_upload(name.clone(), call.now).await;
    known.map_err(|error| from_store(error, request))?;
    let document = receive_document(call, body, BodyKind::Completion, COMPLETION_BYTES_MAX).await?;
    if document.is_empty() {
        return Err(ErrorCode::InvalidRequest.with_message("You must specify at least one part"));
    }
    let completion = Completion {
        parts: named_parts(&document)?,
        size: object_size(call)?,
        checksum: object_checksum(call)?,
        checksum_type: named_checksum_type(request)?,
    };
    let written = call.store().complete_upload(name, completion, condition, call.now).await;
    let written = written.map_err(|error| from_store(error, request))?;
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

fn object_size(call: &ObjectCall<'_>) -> Result<Option<u64>, Error> {
    let Some(text) = call.request().amz("x-amz-mp-object-size") else {
        return Ok(None);
    };
    text.parse().map(Some).ok().ok_or_else(|| {
        let message = format!("Value for x-amz-mp-object-size header is invalid: '{text}'");
        ErrorCode::InvalidRequest.with_message(message)
    })
}

/// The checksum of the whole object; its document has none of its own.
fn object_checksum(call: &ObjectCall<'_>) -> Result<Option<(Algorithm, String)>, Error> {
    let is_unknown = |name: &http::HeaderName| {
        let suffix = name.as_str().strip_prefix("x-amz-checksum-");
        suffix.is_some_and(|suffix| !["algorithm", "mode", "type"].contains(&suffix))
            && Algorithm::of_header(name.as_str()).is_none()
    };
    if call.request().headers().keys().any(is_unknown) {
        return Err(ErrorCode::InvalidRequest
            .with_message("The algorithm type you specified in x-amz-checksum- header is invalid."));
    }
    let given = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        call.request().header(algorithm.header()).map(|text| (algorithm, text.into_owned()))
    });
    let given: Vec<_> = given.collect();
    match given.len() {
        0 | 1 => Ok(given.into_iter().next()),
        _ => Err(ErrorCode::InvalidRequest.with_message(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )),
    }
}

/// The URL of the object, as it was addressed.
fn location(call: &ObjectCall<'_>) -> String {
    let request = call.request();
    let key = encode(call.key().as_str(), Slash::Escape);
    let scheme = request.arrival().scheme().name();
    match request.style() {
        Style::Path => format!("{scheme}://{}/{}/{key}", request.host(), call.bucket()),
        Style::VirtualHosted => format!("{scheme}://{}/{key}", request.host()),
    }
}
