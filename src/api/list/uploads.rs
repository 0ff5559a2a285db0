//! Listing unfinished uploads and their parts.

use crate::api::call::{BucketCall, Call, ObjectCall};
use crate::api::error::from_store;
use crate::api::page::{Asked, closed, max_entries, optional, write_prefixes};
use crate::api::reply::{Reply, xml};
use crate::api::show::{write_checksum_kind, write_owner};
use crate::s3::error::Error;
use crate::s3::listing::PAGE_KEYS_MAX;
use crate::s3::name::{ObjectKey, UploadId};
use crate::s3::xml::Writer;
use crate::store::model::{Upload, UploadName};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
pub(in crate::api) async fn uploads(call: &BucketCall<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let asked = Asked::of(query, "max-uploads")?;
    let key_marker = query.value("key-marker").unwrap_or_default();
    // Without a key the id says nothing.
    let id_marker = query.value("upload-id-marker").filter(|_| !key_marker.is_empty()).unwrap_or_default();
    let after = match optional(id_marker) {
        Some(marker) => Some(upload_marker(call, key_marker, marker).await?),
        None => None,
    };
    let selection = asked.selection(optional(key_marker));
    let page = call.store().uploads(call.bucket(), selection, after).await;
    let page = page.map_err(|error| from_store(error, call.request()))?;
    let mut writer = Writer::answer("ListMultipartUploadsResult");
    writer.element("Bucket", call.bucket()).element("KeyMarker", asked.shown(key_marker));
    writer.element("UploadIdMarker", id_marker);
    // Of the last page, too, and empty if it shows no upload.
    let last = page.entries.last().filter(|(key, _)| page.next.as_ref().is_none_or(|next| key == next));
    let next = page.next.as_deref().or(last.map(|(key, _)| key.as_str())).unwrap_or_default();
    writer.element("NextKeyMarker", asked.shown(next));
    writer.element("NextUploadIdMarker", last.map(|(_, upload)| upload.id.to_string()).unwrap_or_default());
    writer.optional("Prefix", optional(&asked.prefix).map(|prefix| asked.shown(prefix)));
    asked.write_limits(&mut writer, page.next.is_some(), "MaxUploads");
    let owner = call.bucket_owner();
    for (_, upload) in &page.entries {
        write_upload(&mut writer, call, &asked, upload, owner);
    }
    write_prefixes(&mut writer, &asked, &page.prefixes);
    Ok(xml(closed(writer, "ListMultipartUploadsResult")))
}

/// The upload that a page ends with, as the next page names it.
///
/// # Errors
/// `InvalidArgument` for one of another key. One that has ended meanwhile still tells where its page ended.
async fn upload_marker(call: &BucketCall<'_>, key: &str, marker: &str) -> Result<UploadId, Error> {
    let (id, key) = (UploadId::parse(marker), ObjectKey::parse(key).ok());
    let is_there = async |id, key| {
        call.store().upload(UploadName { bucket: call.bucket().clone(), key, id }).await.is_ok()
    };
    match id.zip(key) {
        Some((id, key)) if id.is_of(&key) || is_there(id, key.clone()).await => Ok(id),
        _ => Err(Error::invalid_argument("Invalid uploadId marker", "upload-id-marker", marker)),
    }
}

fn write_upload(writer: &mut Writer, call: &BucketCall<'_>, asked: &Asked, upload: &Upload, owner: &str) {
    writer.open("Upload").element("Key", asked.shown(upload.key.as_str())).element("UploadId", upload.id);
    write_initiator(writer, call, &upload.initiator);
    write_owner(writer, owner);
    writer.element("StorageClass", upload.metadata.storage_class());
    writer.element("Initiated", upload.initiated.iso_listed());
    write_checksum_kind(writer, upload.checksum);
    writer.close("Upload");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
pub(in crate::api) async fn parts(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let upload = call.upload().await?;
    let limit = max_entries(query.value("max-parts"), "max-parts", PAGE_KEYS_MAX)?;
    let marker_text = query.value("part-number-marker").and_then(optional).unwrap_or("0");
    let marker = max_entries(Some(marker_text), "part-number-marker", usize::MAX)?;
    // No part has a higher number than that.
    let after = u16::try_from(marker).unwrap_or(u16::MAX);
    let parts = call.store().parts(upload.id, after, limit).await;
    let (parts, truncated) = parts.map_err(|error| from_store(error, call.request()))?;
    let mut writer = Writer::answer("ListPartsResult");
    writer.element("Bucket", call.bucket()).element("Key", call.key()).element("UploadId", upload.id);
    write_initiator(&mut writer, call, &upload.initiator);
    write_owner(&mut writer, call.bucket_owner());
    writer.element("StorageClass", upload.metadata.storage_class()).element("PartNumberMarker", marker);
    writer.element("NextPartNumberMarker", parts.last().map_or(0, |part| part.number.value()));
    writer.element("MaxParts", limit).element("IsTruncated", truncated);
    write_checksum_kind(&mut writer, upload.checksum);
    for part in parts {
        writer.open("Part").element("PartNumber", part.number.value());
        writer.element("LastModified", part.modified.iso_listed()).element("ETag", part.etag.quoted());
        writer.element("Size", part.size);
        // Without a choice at the start, parts have checksums that only the server knows of.
        if let Some(checksum) = part.checksum.filter(|_| upload.checksum.is_some()) {
            writer.element(checksum.algorithm().element(), checksum.base64());
        }
        writer.close("Part");
    }
    Ok(xml(closed(writer, "ListPartsResult")))
}

fn write_initiator(writer: &mut Writer, call: &Call<'_>, id: &str) {
    writer.open("Initiator").element("ID", id).element("DisplayName", call.rules.display_name(id));
    writer.close("Initiator");
}
