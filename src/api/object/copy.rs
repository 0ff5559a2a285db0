//! Copying an object.

use crate::api::asked::{named_algorithm, named_source};
use crate::api::call::ObjectCall;
use crate::api::guards::{check_acl, refuse_version};
use crate::api::reply::{Reply, xml};
use crate::api::show::{add_source_version, add_version, write_checksum};
use crate::api::source::{Source, check_source_size, read_whole};
use crate::s3::checksum::{Algorithm, ChecksumType, Hasher};
use crate::s3::condition::{Conditions, Decision};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::ETag;
use crate::s3::range::Span;
use crate::s3::xml::Writer;
use crate::store;
use crate::store::model::{Copy, Object, ReadDigests};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub(in crate::api) async fn copy(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let request = call.request();
    refuse_version(request)?;
    check_acl(request)?;
    let named = named_source(request)?;
    let source = Source::find(call, &named).await?;
    let keep_metadata = !replaces(call, "x-amz-metadata-directive", "Unknown metadata directive.")?;
    let keep_tags = !replaces(call, "x-amz-tagging-directive", "Unknown tagging directive.")?;
    // Encryption would be another change.
    let changes = ["x-amz-storage-class", "x-amz-website-redirect-location"];
    let unchanged = keep_metadata
        && named.version.is_none()
        && changes.iter().all(|change| request.amz(change).is_none());
    if unchanged && named.bucket == *call.bucket() && named.key == *call.key() {
        return Err(ErrorCode::InvalidRequest.with_message("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."));
    }
    let algorithm = named_algorithm(request)?;
    let object = source.object(call).await?;
    let tags_permitted = keep_tags && !object.tags.is_empty();
    if tags_permitted {
        source.ask_for_tags(call).await?;
    }
    let judged = source.is_judged().then_some((object.etag, object.modified));
    let copy = Copy {
        digests: copied_digests(call, &source, object, algorithm).await?,
        source_conditions: Conditions::of_copy_source(request, call.now),
        // Also validates a storage class that is given without replacing anything else.
        target: call.new_object(false)?,
        source: named.clone(),
        keep_metadata,
        keep_tags,
        tags_permitted,
        judged,
    };
    let copied = call.store().copy_object(copy, call.now).await;
    let copied = copied.map_err(|error| source.refused(error, call))?;
    let mut writer = Writer::answer("CopyObjectResult");
    writer.element("LastModified", copied.modified.iso_listed()).element("ETag", copied.etag.quoted());
    write_checksum(&mut writer, copied.checksum.as_ref());
    writer.close("CopyObjectResult");
    let mut reply = xml(writer.finish());
    add_version(reply.headers_mut(), copied.version);
    add_source_version(reply.headers_mut(), copied.source_version);
    Ok(reply)
}

/// Whether a directive says `REPLACE`.
fn replaces(call: &ObjectCall<'_>, name: &'static str, message: &'static str) -> Result<bool, Error> {
    match call.request().amz(name).as_deref() {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Error::invalid_argument(message, name, other)),
    }
}

/// A copy keeps ETag and checksum of its source, unless that was uploaded in parts, whose ETag and checksum a body that
/// comes in one go cannot have, or another checksum is asked for: the source is then read.
async fn copied_digests(
    call: &ObjectCall<'_>,
    source: &Source<'_>,
    object: Object,
    named: Option<Algorithm>,
) -> Result<Option<ReadDigests>, Error> {
    let failed = |error| source.refused(error, call);
    check_source_size(object.size)?;
    let stored = object.checksum.filter(|checksum| checksum.kind == ChecksumType::FullObject);
    let own = stored.map(|stored| stored.value.algorithm());
    let in_parts = object.etag.parts().is_some();
    let algorithm = named.or(object.checksum.map(|checksum| checksum.value.algorithm()));
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    // What will be refused is not read first.
    let conditions = Conditions::of_copy_source(call.request(), call.now);
    let refused = conditions.for_copy_source(&object.etag, object.modified) != Decision::Proceed;
    if object.archived || refused || (!in_parts && named.is_none_or(|named| own == Some(named))) {
        return Ok(None);
    }
    // What is read is compared with what was stored, or a damaged body would get a checksum that holds.
    type Hashers = (Hasher, Option<Hasher>, Option<Hasher>);
    let hashers: Hashers =
        (Hasher::new(algorithm), in_parts.then(|| Hasher::new(Algorithm::Md5)), own.map(Hasher::new));
    let take = |(hasher, md5, again): &mut Hashers, bytes: &[u8]| {
        hasher.update(bytes);
        md5.iter_mut().chain(again).for_each(|hasher| hasher.update(bytes));
    };
    let whole = Span { offset: 0, length: object.size };
    let hashers = read_whole(call, (&object.body, whole), hashers, take, failed).await?;
    let (hasher, md5, again) = hashers;
    if again.map(Hasher::finish) != stored.map(|stored| stored.value) {
        return Err(failed(store::Error::Damaged));
    }
    let md5 = md5.and_then(|md5| md5.finish().bytes().try_into().ok());
    let etag = md5.map_or(object.etag, ETag::single);
    Ok(Some(ReadDigests { etag, checksum: hasher.finish(), source: (object.etag, object.modified) }))
}
