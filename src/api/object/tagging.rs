//! Tags of an object.

use crate::api::asked::TAGGING_BYTES_MAX;
use crate::api::body::Body;
use crate::api::call::ObjectCall;
use crate::api::error::from_store;
use crate::api::intake::{Intake, receive_document};
use crate::api::reply::{Reply, no_content, xml};
use crate::api::show::add_version;
use crate::auth::BodyKind;
use crate::s3::error::Error;
use crate::s3::name::VersionId;
use crate::s3::tagging::{OBJECT_TAGS_MAX, Tags};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>
pub(in crate::api) async fn get(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let object = call.object(&call.name()?).await?;
    let mut reply = xml(object.tags.document());
    add_version(reply.headers_mut(), call.has_versions().then_some(object.version));
    Ok(reply)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>
pub(in crate::api) async fn put(call: &ObjectCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    // Judged before the document, as everything that a URL says.
    call.object(&call.name()?).await?;
    // Of an object S3 takes them without a digest.
    let kind = BodyKind::Document { digest_required: false };
    let document = receive_document(call, body, kind, TAGGING_BYTES_MAX).await?;
    let version = tag(call, Tags::parse_document(&document, OBJECT_TAGS_MAX)?).await?;
    let mut reply = Reply::new(Body::empty());
    add_version(reply.headers_mut(), version);
    Ok(reply)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>
pub(in crate::api) async fn delete(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let version = tag(call, Tags::default()).await?;
    let mut reply = no_content();
    add_version(reply.headers_mut(), version);
    Ok(reply)
}

async fn tag(call: &ObjectCall<'_>, tags: Tags) -> Result<Option<VersionId>, Error> {
    let tagged = call.store().tag_object(call.name()?, tags).await;
    tagged.map_err(|error| from_store(error, call.request()))
}
