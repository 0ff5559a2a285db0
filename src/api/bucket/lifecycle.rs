//! The lifecycle configuration of a bucket.

use http::{HeaderName, HeaderValue};

use crate::api::body::Body;
use crate::api::call::BucketCall;
use crate::api::intake::{Intake, receive_document};
use crate::api::reply::{Reply, no_content, xml};
use crate::auth::BodyKind;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::lifecycle::Lifecycle;
use crate::store::model::Setting;

/// Most bytes of a configuration: 1,000 rules, each with a prefix of the longest kind.
const LIFECYCLE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>
pub(in crate::api) async fn get(call: &BucketCall<'_>) -> Result<Reply, Error> {
    match call.setting(Setting::Lifecycle).await? {
        Some(document) => {
            let size = call.setting(Setting::TransitionSize).await?;
            let mut reply = xml(document);
            add_transition_size(&mut reply, size.as_deref());
            Ok(reply)
        }
        None => {
            Err(ErrorCode::NoSuchLifecycleConfiguration.error().with("BucketName", call.bucket().as_str()))
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
pub(in crate::api) async fn put(call: &BucketCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let document =
        receive_document(call, body, BodyKind::Document { digest_required: true }, LIFECYCLE_BYTES_MAX)
            .await?;
    let document = Lifecycle::parse(&document)?.document();
    // What is kept must be readable again.
    Lifecycle::parse(document.as_bytes())?;
    let size = transition_size(call)?;
    call.set_setting(Setting::TransitionSize, size.clone()).await?;
    call.set_setting(Setting::Lifecycle, Some(document)).await?;
    let mut reply = Reply::new(Body::empty());
    add_transition_size(&mut reply, size.as_deref());
    Ok(reply)
}

/// The smallest size of objects that transitions are for, if nothing else is said.
const TRANSITION_SIZE_DEFAULT: &str = "all_storage_classes_128K";

const TRANSITION_SIZE: &str = "x-amz-transition-default-minimum-object-size";

/// The smallest size of objects that transitions are for, unless it is the default. There are no transitions here, so
/// that it is only kept and shown.
fn transition_size(call: &BucketCall<'_>) -> Result<Option<String>, Error> {
    match call.request().amz(TRANSITION_SIZE).as_deref() {
        None | Some(TRANSITION_SIZE_DEFAULT) => Ok(None),
        Some(other @ "varies_by_storage_class") => Ok(Some(other.to_owned())),
        Some(other) => Err(ErrorCode::InvalidRequest
            .with_message(format!("Invalid TransitionDefaultMinimumObjectSize found: {other}"))
            .check(Check::Lifecycle)),
    }
}

fn add_transition_size(reply: &mut Reply, size: Option<&str>) {
    let value = HeaderValue::from_str(size.unwrap_or(TRANSITION_SIZE_DEFAULT)).ok();
    reply.headers_mut().extend(value.map(|value| (HeaderName::from_static(TRANSITION_SIZE), value)));
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html>
pub(in crate::api) async fn delete(call: &BucketCall<'_>) -> Result<Reply, Error> {
    call.set_setting(Setting::Lifecycle, None).await?;
    Ok(no_content())
}
