//! Operations on a bucket.

pub(super) mod lifecycle;
pub(super) mod tagging;
pub(super) mod versioning;

mod create;

pub(super) use create::create;

use http::{HeaderName, HeaderValue};

use super::call::BucketCall;
use super::error::from_store;
use super::regions::{FIRST_REGION, add_arn, region_of};
use super::reply::{Reply, no_content, xml};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::xml::{NAMESPACE, Writer};
use crate::store;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(super) fn head(call: &BucketCall<'_>) -> Reply {
    let mut reply = xml(String::new());
    let region = region_of(call, call.owned);
    let headers = reply.headers_mut();
    headers.insert(HeaderName::from_static("x-amz-access-point-alias"), HeaderValue::from_static("false"));
    let value = HeaderValue::from_str(region).ok();
    headers.extend(value.map(|value| (HeaderName::from_static("x-amz-bucket-region"), value)));
    add_arn(&mut reply, call.bucket());
    reply
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>
pub(super) async fn delete(call: &BucketCall<'_>) -> Result<Reply, Error> {
    let deleted = call.store().delete_bucket(call.bucket().clone()).await;
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other error is said as always")]
    deleted.map_err(|error| match error {
        store::Error::BucketNotEmpty if call.has_versions() => ErrorCode::BucketNotEmpty
            .with_message(
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
            )
            .with("BucketName", call.bucket().as_str()),
        error => from_store(error, call.request()),
    })?;
    Ok(no_content())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
pub(super) fn location(call: &BucketCall<'_>) -> Reply {
    let region = call.owned.location.as_deref().unwrap_or(&call.rules.region);
    let element = format!("LocationConstraint xmlns=\"{NAMESPACE}\"");
    let mut writer = Writer::plain();
    match region {
        FIRST_REGION => writer.empty(&element),
        region => writer.open(&element).text(region).close("LocationConstraint"),
    };
    xml(writer.finish())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html>
///
/// The owner of a bucket pays for it: another rule cannot be set yet.
pub(super) fn request_payment() -> Reply {
    let mut writer = Writer::answer("RequestPaymentConfiguration");
    writer.element("Payer", "BucketOwner").close("RequestPaymentConfiguration");
    xml(writer.finish())
}
