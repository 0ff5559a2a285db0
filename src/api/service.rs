//! The service itself: its list of buckets.

use super::call::Call;
use super::error::from_store;
use super::page::{decode_token, encode_token, max_entries, optional};
use super::regions::{accepts_any_region, arn, region_of};
use super::reply::{Reply, xml};
use super::show::write_owner;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::region::is_region;
use crate::s3::xml::Writer;

/// Most buckets of one page.
const PAGE_BUCKETS_MAX: usize = 10_000;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub(super) async fn list_buckets(call: &Call<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let limit = page_limit(query.value("max-buckets"))?;
    let prefix = query.value("prefix").unwrap_or_default();
    let after = query.value("continuation-token").and_then(optional).map(decode_token).transpose()?;
    let after = after.unwrap_or_default();
    let region = query.value("bucket-region").map(|region| known_region(call, region)).transpose()?;
    let buckets = call.store().buckets().await;
    let buckets = buckets.map_err(|error| from_store(error, call.request()))?;
    let mut selected = buckets
        .iter()
        .filter(|b| b.name.as_str().starts_with(prefix) && b.name.as_str() > after.as_str())
        .filter(|b| region.is_none_or(|region| region == region_of(call, b)))
        .peekable();
    // S3 shows regions to those that ask for a selection.
    let selects = ["max-buckets", "prefix", "continuation-token", "bucket-region"];
    let shows_region = selects.iter().any(|name| query.contains(name));
    let mut writer = Writer::answer("ListAllMyBucketsResult");
    write_owner(&mut writer, call.caller());
    writer.open("Buckets");
    let mut last = None;
    for bucket in selected.by_ref().take(limit) {
        writer.open("Bucket").element("Name", &bucket.name);
        writer.element("CreationDate", bucket.created.iso_listed());
        writer.optional("BucketRegion", shows_region.then(|| region_of(call, bucket)));
        writer.element("BucketArn", arn(&bucket.name)).close("Bucket");
        last = Some(bucket.name.as_str());
    }
    writer.close("Buckets");
    writer.optional("Prefix", optional(prefix));
    writer.optional("ContinuationToken", last.filter(|_| selected.peek().is_some()).map(encode_token));
    writer.close("ListAllMyBucketsResult");
    Ok(xml(writer.finish()))
}

/// The number of buckets of a page.
fn page_limit(text: Option<&str>) -> Result<usize, Error> {
    let limit = max_entries(text, "max-buckets", usize::MAX)?;
    match text.and_then(optional) {
        None => Ok(PAGE_BUCKETS_MAX),
        Some(_) if (1..=PAGE_BUCKETS_MAX).contains(&limit) => Ok(limit),
        Some(text) => {
            let message =
                format!("Argument max-buckets must be an integer between 1 and {PAGE_BUCKETS_MAX}.");
            Err(Error::invalid_argument(message, "max-buckets", text))
        }
    }
}

/// A region that buckets may be in.
fn known_region<'r>(call: &Call<'_>, region: &'r str) -> Result<&'r str, Error> {
    match is_region(region) || region == call.rules.region || accepts_any_region(call) {
        true => Ok(region),
        false => Err(ErrorCode::InvalidArgument
            .with_message(format!("Argument value {region} is not a valid AWS Region"))
            .with("ArgumentName", "bucket-region")),
    }
}
