//! Tags of objects and of buckets.

use super::error::of_store;
use super::exchange::{Body, Call, Intake, Reply, no_content, xml};
use super::object::add_version;
use super::upload::receive_document;
use crate::auth::BodyKind;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::VersionId;
use crate::s3::tagging::{BUCKET_TAGS_MAX, OBJECT_TAGS_MAX, Tags};
use crate::store::Setting;

/// Most bytes of a document with tags: 50 of them, each of 384 characters of 4 bytes.
pub(super) const TAGGING_BYTES_MAX: u64 = 128 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>
pub(super) fn get(call: &Call<'_>) -> Result<Reply, Error> {
    let object = call.store().object(&call.object()?).map_err(|error| of_store(error, call.request()))?;
    let mut reply = xml(object.tags.document());
    add_version(reply.headers_mut(), call.has_versions().then_some(object.version));
    Ok(reply)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>
pub(super) async fn put(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    // Judged before the document, as everything that a URL says.
    call.store().object(&call.object()?).map_err(|error| of_store(error, call.request()))?;
    // Of an object S3 takes them without a digest.
    let kind = BodyKind::Document { digest_required: false };
    let document = receive_document(call, body, kind, TAGGING_BYTES_MAX).await?;
    let version = tag(call, Tags::parse_document(&document, OBJECT_TAGS_MAX)?).await?;
    let mut reply = Reply::new(Body::empty());
    add_version(reply.headers_mut(), version);
    Ok(reply)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Error> {
    let version = tag(call, Tags::default()).await?;
    let mut reply = no_content();
    add_version(reply.headers_mut(), version);
    Ok(reply)
}

async fn tag(call: &Call<'_>, tags: Tags) -> Result<Option<VersionId>, Error> {
    let tagged = call.store().tag_object(call.object()?, tags).await;
    tagged.map_err(|error| of_store(error, call.request()))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
pub(super) fn get_bucket(call: &Call<'_>) -> Result<Reply, Error> {
    let stored = call.store().setting(call.bucket(), Setting::Tagging);
    match stored.map_err(|error| of_store(error, call.request()))? {
        Some(document) => Ok(xml(document)),
        None => Err(ErrorCode::NoSuchTagSet.error().with("BucketName", call.bucket().as_str())),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>
pub(super) async fn put_bucket(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let kind = BodyKind::Document { digest_required: true };
    let document = receive_document(call, body, kind, TAGGING_BYTES_MAX).await?;
    let tags = Tags::parse_document(&document, BUCKET_TAGS_MAX)?;
    // No tags are as if there had never been any.
    set_bucket(call, Some(tags.document()).filter(|_| !tags.is_empty())).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>
pub(super) async fn delete_bucket(call: &Call<'_>) -> Result<Reply, Error> {
    set_bucket(call, None).await
}

async fn set_bucket(call: &Call<'_>, document: Option<String>) -> Result<Reply, Error> {
    let set = call.store().set_setting(call.bucket().clone(), Setting::Tagging, document).await;
    set.map_err(|error| of_store(error, call.request()))?;
    Ok(no_content())
}
