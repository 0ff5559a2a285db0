//! Listing objects, in both versions of the call.

use crate::api::call::BucketCall;
use crate::api::error::from_store;
use crate::api::page::{Asked, closed, continued, encode_token, optional, write_prefixes};
use crate::api::reply::{Reply, xml};
use crate::api::show::write_summary;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::listing::{Page, Selection};
use crate::s3::xml::Writer;
use crate::store::model::Summary;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>
pub(in crate::api) async fn v1(call: &BucketCall<'_>) -> Result<Reply, Error> {
    let asked = Asked::of(call.request().query(), "max-keys")?;
    for (name, shown) in [("start-after", "startAfter"), ("continuation-token", "continuation-token")] {
        if call.request().query().contains(name) {
            let message = format!("{shown} only supported in REST.GET.BUCKET with list-type=2");
            return Err(ErrorCode::InvalidArgument.with_message(message).with("ArgumentName", name));
        }
    }
    let marker = call.request().query().value("marker").unwrap_or_default();
    let page = objects(call, asked.selection(optional(marker))).await?;
    let owner = call.bucket_owner();
    let mut writer = Writer::answer("ListBucketResult");
    writer.element("Name", call.bucket()).element("Prefix", asked.shown(&asked.prefix));
    writer.element("Marker", asked.shown(marker));
    // Without a delimiter the last key serves as the next marker.
    let next = page.next.as_deref().filter(|_| !asked.delimiter.is_empty());
    writer.optional("NextMarker", next.map(|next| asked.shown(next)));
    asked.write_limits(&mut writer, page.next.is_some(), "MaxKeys");
    write_objects(&mut writer, &asked, &page, Some(owner));
    Ok(xml(closed(writer, "ListBucketResult")))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
pub(in crate::api) async fn v2(call: &BucketCall<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let asked = Asked::of(query, "max-keys")?;
    if query.contains("marker") {
        let message = "Marker unsupported with REST.GET.BUCKET in list-type=2";
        return Err(ErrorCode::InvalidArgument.with_message(message).with("ArgumentName", "marker"));
    }
    let token = query.value("continuation-token");
    let start_after = query.value("start-after").unwrap_or_default();
    let after = continued(query)?.or_else(|| optional(start_after).map(str::to_owned));
    let page = objects(call, asked.selection(after.as_deref())).await?;
    let owner = match query.value("fetch-owner") {
        Some("true") => Some(call.bucket_owner()),
        _ => None,
    };
    let mut writer = Writer::answer("ListBucketResult");
    writer.element("Name", call.bucket()).element("Prefix", asked.shown(&asked.prefix));
    let shown_start = optional(start_after).filter(|_| token.is_none());
    writer.optional("StartAfter", shown_start.map(|after| asked.shown(after)));
    writer.optional("ContinuationToken", token);
    writer.optional("NextContinuationToken", page.next.as_deref().map(encode_token));
    writer.element("KeyCount", page.entries.len() + page.prefixes.len());
    asked.write_limits(&mut writer, page.next.is_some(), "MaxKeys");
    write_objects(&mut writer, &asked, &page, owner);
    Ok(xml(closed(writer, "ListBucketResult")))
}

async fn objects(call: &BucketCall<'_>, selection: Selection) -> Result<Page<Summary>, Error> {
    let page = call.store().list(call.bucket(), selection).await;
    page.map_err(|error| from_store(error, call.request()))
}

fn write_objects(writer: &mut Writer, asked: &Asked, page: &Page<Summary>, owner: Option<&str>) {
    for (key, object) in &page.entries {
        writer.open("Contents").element("Key", asked.shown(key));
        write_summary(writer, object, owner);
        writer.close("Contents");
    }
    write_prefixes(writer, asked, &page.prefixes);
}
