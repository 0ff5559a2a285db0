//! The parts of an upload, sent or copied.

use crate::api::asked::{named_source, part_number};
use crate::api::body::Body;
use crate::api::call::ObjectCall;
use crate::api::error::from_store;
use crate::api::guards::{check_acl, refuse_version};
use crate::api::intake::{Intake, checked, not_taken};
use crate::api::reply::{Reply, xml};
use crate::api::show::{add_checksum, add_etag, add_source_version};
use crate::api::source::{Source, check_source_size, read_whole};
use crate::auth::{BodyCheck, BodyKind, BodyProof};
use crate::s3::checksum::{Algorithm, ChecksumType};
use crate::s3::condition::{Conditions, Decision};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{PartNumber, VersionId};
use crate::s3::range::{Span, parse_copy_range};
use crate::s3::xml::Writer;
use crate::store;
use crate::store::model::{ObjectChecksum, Part, Upload};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
pub(in crate::api) async fn upload_part(call: &ObjectCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let number = part_number(request)?;
    let upload = call.upload().await?;
    let fallback = upload.checksum.map_or(Algorithm::Crc64Nvme, |(algorithm, _)| algorithm);
    let check = call.verified().check_body(BodyKind::Part { checksum: fallback })?;
    check_part_algorithm(&upload, &check)?;
    let body = checked(call, body, check);
    let stored = call.store().put_part(call.upload_name()?, number, body, call.now).await;
    let (part, shown) = stored.map_err(|error| not_taken(error, call))?;
    let mut reply = Reply::new(Body::empty());
    add_etag(reply.headers_mut(), &part.etag);
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
        given => Err(ErrorCode::InvalidRequest.with_message(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.lower_name(),
            given.map_or("null", Algorithm::lower_name)
        ))),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
pub(in crate::api) async fn upload_part_copy(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let number = part_number(request)?;
    let upload = call.upload().await?;
    let named = named_source(request)?;
    let source = Source::find(call, &named).await?;
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
    call: &ObjectCall<'_>,
    upload: &Upload,
    number: PartNumber,
    source: &Source<'_>,
) -> Result<(Part, Option<VersionId>), Error> {
    let request = call.request();
    let failed = |error| source.refused(error, call);
    let object = source.object(call).await?;
    object.check_readable().map_err(|error| from_store(error, request))?;
    let version = source.bucket.has_versions().then_some(object.version);
    if let Decision::Failed(condition) =
        Conditions::of_copy_source(request, call.now).for_copy_source(&object.etag, object.modified)
    {
        return Err(from_store(store::Error::Precondition(condition), request));
    }
    let span = copied_span(call, object.size)?;
    let algorithm = upload.checksum.map_or(Algorithm::Crc64Nvme, |(algorithm, _)| algorithm);
    let digester = BodyProof::digester(algorithm);
    let digester =
        read_whole(call, (&object.body, span), digester, |digester, bytes| digester.update(bytes), failed)
            .await?;
    let (name, proof) = (call.upload_name()?, digester.finish());
    let part = call.store().copy_part(name, number, (&object.body, span), proof, call.now).await;
    Ok((part.map_err(|error| from_store(error, request))?, version))
}

fn copied_span(call: &ObjectCall<'_>, size: u64) -> Result<Span, Error> {
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
        return Err(ErrorCode::InvalidRequest
            .with_message("The specified copy range is invalid for the source object size"));
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
