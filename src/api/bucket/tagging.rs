//! Tags of buckets.

use crate::api::asked::TAGGING_BYTES_MAX;
use crate::api::call::BucketCall;
use crate::api::intake::{Intake, receive_document};
use crate::api::reply::{Reply, no_content, xml};
use crate::auth::BodyKind;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::tagging::{BUCKET_TAGS_MAX, Tags};
use crate::store::model::Setting;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
pub(in crate::api) async fn get(call: &BucketCall<'_>) -> Result<Reply, Error> {
    match call.setting(Setting::Tagging).await? {
        Some(document) => Ok(xml(document)),
        None => Err(ErrorCode::NoSuchTagSet.error().with("BucketName", call.bucket().as_str())),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>
pub(in crate::api) async fn put(call: &BucketCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let kind = BodyKind::Document { digest_required: true };
    let document = receive_document(call, body, kind, TAGGING_BYTES_MAX).await?;
    let tags = Tags::parse_document(&document, BUCKET_TAGS_MAX)?;
    // No tags are as if there had never been any.
    set(call, Some(tags.document()).filter(|_| !tags.is_empty())).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>
pub(in crate::api) async fn delete(call: &BucketCall<'_>) -> Result<Reply, Error> {
    set(call, None).await
}

async fn set(call: &BucketCall<'_>, document: Option<String>) -> Result<Reply, Error> {
    call.set_setting(Setting::Tagging, document).await?;
    Ok(no_content())
}
