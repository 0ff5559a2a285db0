//! Multipart uploads.

pub(super) mod complete;
pub(super) mod part;

use super::asked::{named_algorithm, named_checksum_type, named_tags};
use super::call::ObjectCall;
use super::error::from_store;
use super::guards::{check_acl, refuse_version};
use super::reply::{Reply, no_content, xml};
use crate::s3::check::Check;
use crate::s3::checksum::{Algorithm, ChecksumType};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::metadata::Metadata;
use crate::s3::name::UploadId;
use crate::s3::xml::Writer;
use crate::store::model::Upload;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
pub(super) async fn create(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let upload = Upload {
        key: call.key().clone(),
        id: new_upload_id(call)?,
        initiated: call.now,
        metadata: Metadata::from_request(request, false)?,
        tags: named_tags(request)?,
        checksum: chosen_checksum(call)?,
        initiator: call.caller().to_owned(),
    };
    let checksum = upload.checksum;
    let created = call.store().create_upload(call.bucket().clone(), upload).await;
    let id = created.map_err(|error| from_store(error, request))?;
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

fn new_upload_id(call: &ObjectCall<'_>) -> Result<UploadId, Error> {
    let mut random = [0; 6];
    getrandom::fill(&mut random)
        .ok()
        .ok_or_else(|| ErrorCode::InternalError.error().check(Check::Randomness))?;
    Ok(UploadId::new(call.now.unix_millis(), random, call.key()))
}

/// The checksum that an upload is started with.
fn chosen_checksum(call: &ObjectCall<'_>) -> Result<Option<(Algorithm, ChecksumType)>, Error> {
    let request = call.request();
    let Some(algorithm) = named_algorithm(request)? else {
        return match request.amz("x-amz-checksum-type") {
            None => Ok(None),
            Some(_) => Err(ErrorCode::InvalidRequest.with_message(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let usual = match algorithm == Algorithm::Crc64Nvme {
        true => ChecksumType::FullObject,
        false => ChecksumType::Composite,
    };
    let kind = named_checksum_type(request)?.unwrap_or(usual);
    let possible = match kind {
        ChecksumType::Composite => algorithm != Algorithm::Crc64Nvme,
        ChecksumType::FullObject => algorithm.combines(),
    };
    match possible {
        true => Ok(Some((algorithm, kind))),
        false => Err(ErrorCode::InvalidRequest.with_message(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.lower_name()
        ))),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
pub(super) async fn abort(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let aborted = call.store().abort_upload(call.upload_name()?, call.now).await;
    aborted.map_err(|error| from_store(error, call.request()))?;
    Ok(no_content())
}
