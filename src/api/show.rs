//! How an answer shows an object: its ETag, its version, its checksum, its owner, when it expires.

use http::header::{ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::call::ObjectCall;
use crate::clock::Timestamp;
use crate::s3::checksum::{Algorithm, ChecksumType};
use crate::s3::lifecycle::Candidate;
use crate::s3::name::{ETag, VersionId};
use crate::s3::tagging::Tags;
use crate::s3::uri::{Slash, encode};
use crate::s3::xml::Writer;
use crate::store::model::{ObjectChecksum, Summary};

pub(super) fn add_etag(headers: &mut HeaderMap, etag: &ETag) {
    headers.extend(HeaderValue::try_from(etag.quoted()).ok().map(|value| (ETAG, value)));
}

pub(super) fn add_modified(headers: &mut HeaderMap, modified: Timestamp) {
    headers.extend(HeaderValue::try_from(modified.http_date()).ok().map(|value| (LAST_MODIFIED, value)));
}

/// Shows the version that was made or met, if the bucket has versions.
pub(super) fn add_version(headers: &mut HeaderMap, version: Option<VersionId>) {
    add_version_as(headers, "x-amz-version-id", version);
}

/// Shows which version was copied, unless it is one that has no id of its own.
pub(super) fn add_source_version(headers: &mut HeaderMap, version: Option<VersionId>) {
    let version = version.filter(|version| *version != VersionId::NULL);
    add_version_as(headers, "x-amz-copy-source-version-id", version);
}

fn add_version_as(headers: &mut HeaderMap, name: &'static str, version: Option<VersionId>) {
    let value = version.and_then(|version| HeaderValue::try_from(version.to_string()).ok());
    headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
}

/// The two headers that show a checksum.
pub(super) fn add_checksum(headers: &mut HeaderMap, checksum: &ObjectChecksum) {
    let name = HeaderName::from_static(checksum.value.algorithm().header());
    headers.extend(HeaderValue::try_from(checksum.text()).ok().map(|value| (name, value)));
    headers.insert("x-amz-checksum-type", HeaderValue::from_static(checksum.kind.name()));
}

/// The elements that show a checksum.
pub(super) fn write_checksum(writer: &mut Writer, checksum: Option<&ObjectChecksum>) {
    if let Some(checksum) = checksum {
        writer.element(checksum.value.algorithm().element(), checksum.text());
        writer.element("ChecksumType", checksum.kind.name());
    }
}

/// The elements that show how a checksum is computed, without its value.
pub(super) fn write_checksum_kind(writer: &mut Writer, kind: Option<(Algorithm, ChecksumType)>) {
    if let Some((algorithm, kind)) = kind {
        writer.element("ChecksumAlgorithm", algorithm.name()).element("ChecksumType", kind.name());
    }
}

/// Shows an owner: that of a bucket owns everything in it. S3 has shown only ids since 2025.
pub(super) fn write_owner(writer: &mut Writer, owner: &str) {
    writer.open("Owner").element("ID", owner).close("Owner");
}

/// Says when an object of the addressed bucket expires, if a rule has a date for it.
pub(super) async fn add_expiration(
    headers: &mut HeaderMap,
    call: &ObjectCall<'_>,
    size: u64,
    tags: &Tags,
    modified: Timestamp,
) {
    let rules = match call.context.bucket_rules.rules(call.store(), call.owned).await {
        Ok(rules) => rules,
        // What was asked for is done, whether or not it can be said when it ends.
        Err(error) => {
            tracing::error!(bucket = %call.bucket(), %error, "the lifecycle cannot be read");
            return;
        }
    };
    let candidate = Candidate { key: call.key().as_str(), size, tags };
    let value = rules.lifecycle.expiry(candidate, modified).and_then(|(date, rule)| {
        let rule = encode(rule, Slash::Escape);
        HeaderValue::try_from(format!("expiry-date=\"{}\", rule-id=\"{rule}\"", date.http_date())).ok()
    });
    headers.extend(value.map(|value| (HeaderName::from_static("x-amz-expiration"), value)));
}

pub(super) fn write_summary(writer: &mut Writer, object: &Summary, owner: Option<&str>) {
    writer.element("LastModified", object.modified.iso_listed());
    writer.element("ETag", object.etag.quoted());
    write_checksum_kind(writer, object.checksum);
    writer.element("Size", object.size);
    if let Some(owner) = owner {
        write_owner(writer, owner);
    }
    writer.element("StorageClass", &object.storage_class);
}
