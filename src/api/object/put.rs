//! Writing an object.

use crate::api::body::Body;
use crate::api::call::ObjectCall;
use crate::api::guards::{check_acl, refuse_version};
use crate::api::intake::{Intake, checked, not_taken};
use crate::api::reply::Reply;
use crate::api::show::{add_checksum, add_etag, add_expiration, add_version};
use crate::auth::BodyKind;
use crate::s3::checksum::Algorithm;
use crate::s3::error::Error;
use crate::s3::name::VersionId;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub(in crate::api) async fn put(call: &ObjectCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let request = call.request();
    let verified = call.verified();
    refuse_version(request)?;
    check_acl(request)?;
    let check = verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme })?;
    let new = call.new_object(verified.is_framed())?;
    let tags = new.tags.clone();
    let written = call.store().put_object(new, checked(call, body, check), call.now).await;
    let written = written.map_err(|error| not_taken(error, call))?;
    let mut reply = Reply::new(Body::empty());
    add_etag(reply.headers_mut(), &written.etag);
    // S3 shows a version here only if the write made a new one.
    add_version(reply.headers_mut(), written.version.filter(|version| *version != VersionId::NULL));
    add_expiration(reply.headers_mut(), call, written.size, &tags, written.modified).await;
    if let Some(checksum) = &written.checksum {
        add_checksum(reply.headers_mut(), checksum);
    }
    Ok(reply)
}
