//! GetObjectAttributes: what is known of an object, without its body.

use crate::api::asked::attributes;
use crate::api::call::ObjectCall;
use crate::api::guards::check_read_headers;
use crate::api::page::max_entries;
use crate::api::reply::{Reply, xml};
use crate::api::show::{add_modified, add_version, write_checksum};
use crate::s3::checksum::ChecksumType;
use crate::s3::error::Error;
use crate::s3::listing::PAGE_KEYS_MAX;
use crate::s3::xml::Writer;
use crate::store::model::{Object, ObjectChecksum};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>
pub(in crate::api) async fn get(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let request = call.request();
    let name = call.name()?;
    check_read_headers(request)?;
    let asked_names = attributes(request)?;
    let object = call.object(&name).await?;
    let mut writer = Writer::answer("GetObjectAttributesResponse");
    for name in asked_names {
        match name {
            "ETag" => {
                writer.element(name, object.etag);
            }
            "Checksum" => write_checksum_attribute(&mut writer, &object),
            "ObjectParts" => write_parts(&mut writer, call, &object)?,
            "StorageClass" => {
                writer.element(name, object.metadata.storage_class());
            }
            _ => {
                writer.element(name, object.size);
            }
        }
    }
    writer.close("GetObjectAttributesResponse");
    let mut reply = xml(writer.finish());
    add_version(reply.headers_mut(), call.has_versions().then_some(object.version));
    add_modified(reply.headers_mut(), object.modified);
    Ok(reply)
}

fn write_checksum_attribute(writer: &mut Writer, object: &Object) {
    // Here S3 leaves out how many parts a composite one is made of.
    let checksum = object.checksum.map(|checksum| ObjectChecksum { parts: None, ..checksum });
    if checksum.is_some() {
        writer.open("Checksum");
        write_checksum(writer, checksum.as_ref());
        writer.close("Checksum");
    }
}

/// The number of parts; and the parts, if the object's checksum is made of theirs.
fn write_parts(writer: &mut Writer, call: &ObjectCall<'_>, object: &Object) -> Result<(), Error> {
    let limit = max_entries(call.request().amz("x-amz-max-parts").as_deref(), "max-parts", PAGE_KEYS_MAX)?;
    let marker = call.request().amz("x-amz-part-number-marker");
    let marker = max_entries(marker.as_deref(), "part-number-marker", usize::MAX)?;
    // Without one the listing begins with the first part.
    let marker = if marker == usize::MAX { 0 } else { marker };
    if object.parts.is_empty() {
        return Ok(());
    }
    writer.open("ObjectParts").element("PartsCount", object.parts.len());
    if object.checksum.is_some_and(|checksum| checksum.kind == ChecksumType::Composite) {
        let page: Vec<_> = (1..).zip(&object.parts).skip(marker).take(limit).collect();
        let last = page.last().map_or(0, |(number, _)| *number);
        writer.element("PartNumberMarker", marker).element("NextPartNumberMarker", last);
        writer.element("MaxParts", limit).element("IsTruncated", marker + page.len() < object.parts.len());
        for (number, part) in page {
            writer.open("Part").element("PartNumber", number).element("Size", part.size);
            if let Some(checksum) = part.checksum {
                writer.element(checksum.algorithm().element(), checksum.base64());
            }
            writer.close("Part");
        }
    }
    writer.close("ObjectParts");
    Ok(())
}
