//! Listings: objects in both versions of the call, versions, uploads, parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::conditions::parse_version;
use super::error::of_store;
use super::exchange::{Call, Reply, blocking, xml};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::listing::{PAGE_KEYS_MAX, Page, Selection};
use crate::s3::name::{ETag, ObjectKey, UploadId, VersionId};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::s3::uri::{Query, encode_form};
use crate::s3::xml::Writer;
use crate::store::{Summary, Upload, UploadName};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>
pub(super) async fn objects_v1(call: &Call<'_>) -> Result<Reply, Error> {
    let asked = Asked::of(call.request().query(), "max-keys")?;
    for (name, shown) in [("start-after", "startAfter"), ("continuation-token", "continuation-token")] {
        if call.request().query().contains(name) {
            let message = format!("{shown} only supported in REST.GET.BUCKET with list-type=2");
            return Err(ErrorCode::InvalidArgument.says(message).with("ArgumentName", name));
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
pub(super) async fn objects_v2(call: &Call<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let asked = Asked::of(query, "max-keys")?;
    if query.contains("marker") {
        let message = "Marker unsupported with REST.GET.BUCKET in list-type=2";
        return Err(ErrorCode::InvalidArgument.says(message).with("ArgumentName", "marker"));
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

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
pub(super) async fn versions(call: &Call<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let asked = Asked::of(query, "max-keys")?;
    let key_marker = query.value("key-marker").unwrap_or_default();
    let version_marker = query.value("version-id-marker").unwrap_or_default();
    let after = version_after(query)?;
    let (store, bucket) = (call.store().clone(), call.bucket().clone());
    let selection = asked.selection(optional(key_marker));
    let page = blocking(move || store.versions(&bucket, &selection, after)).await?;
    let page = page.map_err(|error| of_store(error, call.request()))?;
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
            Some(object) => write_object(&mut writer, object, Some(owner)),
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

/// The version that a page begins behind.
fn version_after(query: &Query) -> Result<Option<VersionId>, Error> {
    let key_marker = query.value("key-marker").unwrap_or_default();
    let version_marker = query.value("version-id-marker").unwrap_or_default();
    if key_marker.is_empty() && !version_marker.is_empty() {
        return Err(Error::invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
            "version-id-marker",
            version_marker,
        ));
    }
    match version_marker {
        "" if query.contains("version-id-marker") && !key_marker.is_empty() => {
            let message = "A version-id marker cannot be empty.";
            Err(Error::invalid_argument(message, "version-id-marker", ""))
        }
        "" => Ok(None),
        marker => parse_version(marker, "version-id-marker").map(Some),
    }
}

/// Judges what a listing is asked.
///
/// # Errors
/// What it would be answered, whatever is there.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    let query = request.query();
    match request.operation() {
        Operation::ListMultipartUploads => Asked::of(query, "max-uploads").map(drop),
        operation => {
            Asked::of(query, "max-keys")?;
            match operation {
                Operation::ListObjectVersions => version_after(query).map(drop),
                Operation::ListObjectsV2 => continued(query).map(drop),
                _ => Ok(()),
            }
        }
    }
}

/// The key that the page before ended with. An empty token is not as if there were none, unlike in a listing of buckets.
fn continued(query: &Query) -> Result<Option<String>, Error> {
    let token = query.value("continuation-token");
    token.map(|token| optional(token).map_or_else(|| Err(invalid_token()), decode_token)).transpose()
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
pub(super) async fn uploads(call: &Call<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let asked = Asked::of(query, "max-uploads")?;
    let key_marker = query.value("key-marker").unwrap_or_default();
    // Without a key the id says nothing.
    let id_marker = query.value("upload-id-marker").filter(|_| !key_marker.is_empty()).unwrap_or_default();
    let after = optional(id_marker).map(|marker| upload_marker(call, key_marker, marker)).transpose()?;
    let (store, bucket) = (call.store().clone(), call.bucket().clone());
    let selection = asked.selection(optional(key_marker));
    let page = blocking(move || store.uploads(&bucket, &selection, after)).await?;
    let page = page.map_err(|error| of_store(error, call.request()))?;
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
fn upload_marker(call: &Call<'_>, key: &str, marker: &str) -> Result<UploadId, Error> {
    let is_of = |id: &UploadId| {
        let key = ObjectKey::parse(key).ok();
        key.is_some_and(|key| {
            id.is_of(&key)
                || call.store().upload(UploadName { bucket: call.bucket().clone(), key, id: *id }).is_ok()
        })
    };
    UploadId::parse(marker)
        .filter(is_of)
        .ok_or_else(|| Error::invalid_argument("Invalid uploadId marker", "upload-id-marker", marker))
}

fn write_upload(writer: &mut Writer, call: &Call<'_>, asked: &Asked, upload: &Upload, owner: &str) {
    writer.open("Upload").element("Key", asked.shown(upload.key.as_str())).element("UploadId", upload.id);
    write_initiator(writer, call, &upload.initiator);
    write_owner(writer, owner);
    writer.element("StorageClass", upload.metadata.storage_class());
    writer.element("Initiated", upload.initiated.iso_listed());
    if let Some((algorithm, kind)) = upload.checksum {
        writer.element("ChecksumAlgorithm", algorithm.name()).element("ChecksumType", kind.name());
    }
    writer.close("Upload");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
pub(super) async fn parts(call: &Call<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let upload = super::multipart::upload(call)?;
    let limit = max_entries(query.value("max-parts"), "max-parts", PAGE_KEYS_MAX)?;
    let marker_text = query.value("part-number-marker").and_then(optional).unwrap_or("0");
    let marker = max_entries(Some(marker_text), "part-number-marker", usize::MAX)?;
    // No part has a higher number than that.
    let after = u16::try_from(marker).unwrap_or(u16::MAX);
    let (store, id) = (call.store().clone(), upload.id);
    let parts = blocking(move || store.parts(id, after, limit)).await?;
    let (parts, truncated) = parts.map_err(|error| of_store(error, call.request()))?;
    let mut writer = Writer::answer("ListPartsResult");
    writer.element("Bucket", call.bucket()).element("Key", call.key()).element("UploadId", upload.id);
    write_initiator(&mut writer, call, &upload.initiator);
    write_owner(&mut writer, call.bucket_owner());
    writer.element("StorageClass", upload.metadata.storage_class()).element("PartNumberMarker", marker);
    writer.element("NextPartNumberMarker", parts.last().map_or(0, |part| part.number.value()));
    writer.element("MaxParts", limit).element("IsTruncated", truncated);
    if let Some((algorithm, kind)) = upload.checksum {
        writer.element("ChecksumAlgorithm", algorithm.name()).element("ChecksumType", kind.name());
    }
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

/// What every listing is asked.
struct Asked {
    prefix: String,
    delimiter: String,
    limit: usize,
    url: bool,
}

impl Asked {
    fn of(query: &Query, limit: &'static str) -> Result<Self, Error> {
        let url = match query.value("encoding-type") {
            None => false,
            Some("url") => true,
            Some(other) => {
                return Err(Error::invalid_argument(
                    "Invalid Encoding Method specified in Request",
                    "encoding-type",
                    other,
                ));
            }
        };
        Ok(Self {
            prefix: query.value("prefix").unwrap_or_default().to_owned(),
            delimiter: query.value("delimiter").unwrap_or_default().to_owned(),
            limit: max_entries(query.value(limit), limit, PAGE_KEYS_MAX)?,
            url,
        })
    }

    fn selection(&self, after: Option<&str>) -> Selection {
        Selection {
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            after: after.map(str::to_owned),
            limit: self.limit,
        }
    }

    /// A key as the client asked to have it shown.
    fn shown(&self, key: &str) -> String {
        match self.url {
            true => encode_form(key),
            false => key.to_owned(),
        }
    }

    fn write_limits(&self, writer: &mut Writer, truncated: bool, limit: &str) {
        writer.element(limit, self.limit);
        writer.optional("Delimiter", optional(&self.delimiter).map(|delimiter| self.shown(delimiter)));
        writer.optional("EncodingType", self.url.then_some("url"));
        writer.element("IsTruncated", truncated);
    }
}

/// A limit on a page, `max` if none is given or if it is larger.
pub(super) fn max_entries(text: Option<&str>, name: &'static str, max: usize) -> Result<usize, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(max);
    };
    let number: i32 = text.parse().map_err(|_| {
        let message = format!("Provided {name} not an integer or within integer range");
        Error::invalid_argument(message, name, text)
    })?;
    usize::try_from(number).map(|number| number.min(max)).map_err(|_| {
        // Of keys S3 says the name that it has inside.
        let name = if name == "max-keys" { "maxKeys" } else { name };
        let message = format!("Argument {name} must be an integer between 0 and 2147483647");
        Error::invalid_argument(message, name, text)
    })
}

/// The text, unless it is empty.
pub(super) fn optional(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

async fn objects(call: &Call<'_>, selection: Selection) -> Result<Page<Summary>, Error> {
    let (store, bucket) = (call.store().clone(), call.bucket().clone());
    let page = blocking(move || store.list(&bucket, &selection)).await?;
    page.map_err(|error| of_store(error, call.request()))
}

/// The owner of the bucket owns everything in it. S3 has shown only ids since 2025.
fn write_owner(writer: &mut Writer, owner: &str) {
    writer.open("Owner").element("ID", owner).close("Owner");
}

fn write_initiator(writer: &mut Writer, call: &Call<'_>, id: &str) {
    writer.open("Initiator").element("ID", id).element("DisplayName", call.context.display_name(id));
    writer.close("Initiator");
}

fn write_objects(writer: &mut Writer, asked: &Asked, page: &Page<Summary>, owner: Option<&str>) {
    for (key, object) in &page.entries {
        writer.open("Contents").element("Key", asked.shown(key));
        write_object(writer, object, owner);
        writer.close("Contents");
    }
    write_prefixes(writer, asked, &page.prefixes);
}

fn write_object(writer: &mut Writer, object: &Summary, owner: Option<&str>) {
    writer.element("LastModified", object.modified.iso_listed());
    writer.element("ETag", ETag::quoted(&object.etag));
    if let Some((algorithm, kind)) = object.checksum {
        writer.element("ChecksumAlgorithm", algorithm.name()).element("ChecksumType", kind.name());
    }
    writer.element("Size", object.size);
    if let Some(owner) = owner {
        write_owner(writer, owner);
    }
    writer.element("StorageClass", &object.storage_class);
}

fn write_prefixes(writer: &mut Writer, asked: &Asked, prefixes: &[String]) {
    for prefix in prefixes {
        writer.open("CommonPrefixes").element("Prefix", asked.shown(prefix)).close("CommonPrefixes");
    }
}

fn closed(mut writer: Writer, root: &'static str) -> String {
    writer.close(root);
    writer.finish()
}

/// Where a page ends, as the next one is asked for.
pub(super) fn encode_token(last: &str) -> String {
    STANDARD.encode(last)
}

/// Where the page before ended.
///
/// # Errors
/// `InvalidArgument` for what no page ended with.
pub(super) fn decode_token(token: &str) -> Result<String, Error> {
    let last = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    last.ok_or_else(invalid_token)
}

fn invalid_token() -> Error {
    ErrorCode::InvalidArgument
        .says("The continuation token provided is incorrect")
        .with("ArgumentName", "continuation-token")
}
