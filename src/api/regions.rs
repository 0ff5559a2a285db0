//! Where buckets are: their regions, and the names they have everywhere.

use http::{HeaderName, HeaderValue};

use super::call::Call;
use super::reply::Reply;
use crate::auth::RegionRule;
use crate::s3::name::BucketName;
use crate::store::model::Bucket;

/// Region whose name an answer leaves out, and where making one's own bucket again is no error.
pub(super) const FIRST_REGION: &str = "us-east-1";

/// The oldest name of a location, and the region that it means.
pub(super) const EU: &str = "EU";

pub(super) const EU_REGION: &str = "eu-west-1";

pub(super) fn accepts_any_region(call: &Call<'_>) -> bool {
    call.rules.auth.region == RegionRule::Any
}

/// The region of a bucket.
pub(super) fn region_of<'c>(call: &Call<'c>, bucket: &'c Bucket) -> &'c str {
    match bucket.location.as_deref() {
        None => &call.rules.region,
        Some(EU) => EU_REGION,
        Some(region) => region,
    }
}

pub(super) fn arn(name: &BucketName) -> String {
    format!("arn:aws:s3:::{name}")
}

pub(super) fn add_arn(reply: &mut Reply, name: &BucketName) {
    let value = HeaderValue::try_from(arn(name)).ok();
    reply.headers_mut().extend(value.map(|value| (HeaderName::from_static("x-amz-bucket-arn"), value)));
}
