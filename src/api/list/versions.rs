//! Listing versions.

use crate::api::call::BucketCall;
use crate::api::error::from_store;
use crate::api::page::{Asked, closed, optional, version_after, write_prefixes};
use crate::api::reply::{Reply, xml};
use crate::api::show::{write_owner, write_summary};
use crate::s3::error::Error;
use crate::s3::xml::Writer;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
pub(in crate::api) async fn versions(call: &BucketCall<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let asked = Asked::of(query, "max-keys")?;
    let key_marker = query.value("key-marker").unwrap_or_default();
    let version_marker = query.value("version-id-marker").unwrap_or_default();
    let after = version_after(query)?;
    let selection = asked.selection(optional(key_marker));
    let page = call.store().versions(call.bucket(), selection, after).await;
    let page = page.map_err(|error| from_store(error, call.request()))?;
    let owner = call.bucket_owner();
    let mut writer = Writer::answer("ListVersionsResult");
    writer.element("Name", call.bucket()).element("Prefix", asked.shown(&asked.prefix));
    writer.element("KeyMarker", asked.shown(key_marker)).element("VersionIdMarker", version_marker);
    if let Some(next) = &page.next {
        writer.element("NextKeyMarker", asked.shown(next));
        // A common prefix has no version.
        let last = page.entries.last().filter(|(key, _)| key == next);
        writer.optional("NextVersionIdMarker", last.map(|(_, entry)| entry.version));
    }
    asked.write_limits(&mut writer, page.next.is_some(), "MaxKeys");
    for (key, entry) in &page.entries {
        let element = if entry.object.is_some() { "Version" } else { "DeleteMarker" };
        writer.open(element).element("Key", asked.shown(key)).element("VersionId", entry.version);
        writer.element("IsLatest", entry.is_latest);
        match &entry.object {
            Some(object) => write_summary(&mut writer, object, Some(owner)),
            None => {
                writer.element("LastModified", entry.modified.iso_listed());
                write_owner(&mut writer, owner);
            }
        }
        writer.close(element);
    }
    write_prefixes(&mut writer, &asked, &page.prefixes);
    Ok(xml(closed(writer, "ListVersionsResult")))
}
