//! Operations on buckets.

use http::header::{CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};

use super::conditions::check_acl;
use super::error::of_store;
use super::exchange::{Body, Call, Intake, Reply, blocking, no_content, xml};
use super::list::{max_entries, optional};
use super::upload::receive_document;
use crate::auth::BodyKind;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::listing::PAGE_KEYS_MAX;
use crate::s3::xml::{Element, Writer};
use crate::store::{self, Versioning};

/// Region whose name an answer leaves out, and where making one's own bucket again is no error.
const FIRST_REGION: &str = "us-east-1";

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub(super) async fn list_buckets(call: &Call<'_>) -> Result<Reply, Error> {
    let query = call.request().query();
    let limit = max_entries(query.value("max-buckets"), "max-buckets", 10 * PAGE_KEYS_MAX)?;
    let prefix = query.value("prefix").unwrap_or_default();
    let after = query.value("continuation-token").unwrap_or_default();
    let store = call.store().clone();
    let buckets = blocking(move || store.buckets()).await?;
    let buckets = buckets.map_err(|error| of_store(error, call.request()))?;
    let mut selected =
        buckets.iter().filter(|b| b.name.as_str().starts_with(prefix) && b.name.as_str() > after).peekable();
    let mut writer = Writer::answer("ListAllMyBucketsResult");
    let caller = call.caller();
    writer.open("Owner").element("ID", caller).element("DisplayName", call.context.display_name(caller));
    writer.close("Owner").open("Buckets");
    let mut last = None;
    for bucket in selected.by_ref().take(limit) {
        writer
            .open("Bucket")
            .element("Name", &bucket.name)
            .element("CreationDate", bucket.created.iso_millis());
        writer.close("Bucket");
        last = Some(bucket.name.as_str());
    }
    writer.close("Buckets");
    writer.optional("Prefix", optional(prefix));
    writer.optional("ContinuationToken", last.filter(|_| selected.peek().is_some()));
    writer.close("ListAllMyBucketsResult");
    Ok(xml(writer.finish()))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub(super) async fn create(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    check_acl(call.request())?;
    // Without either header there is no body.
    let headers = call.request().headers();
    if headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) || !body.ended {
        let document = receive_document(call, body, BodyKind::Document { digest_required: false }).await?;
        if !document.is_empty() {
            check_location(call, &document)?;
        }
    }
    let created = call.store().create_bucket(call.bucket().clone(), call.caller().to_owned(), call.now).await;
    match created {
        Ok(()) => {}
        Err(store::Error::BucketExists(owner)) if owner == call.caller() => {
            if call.context.settings.region != FIRST_REGION {
                return Err(ErrorCode::BucketAlreadyOwnedByYou
                    .error()
                    .with("BucketName", call.bucket().as_str()));
            }
        }
        Err(error) => return Err(of_store(error, call.request())),
    }
    let mut reply = Reply::new(Body::empty());
    if let Ok(location) = HeaderValue::from_str(&format!("/{}", call.bucket())) {
        reply.headers_mut().insert(LOCATION, location);
    }
    Ok(reply)
}

/// A bucket can only be made where this server is.
fn check_location(call: &Call<'_>, document: &[u8]) -> Result<(), Error> {
    let configuration = Element::parse(document, "CreateBucketConfiguration")?;
    let region = &call.context.settings.region;
    match configuration.child("LocationConstraint").map(str::trim) {
        None | Some("") => Ok(()),
        Some(named) if named == region || call.context.auth.region == crate::auth::RegionRule::Any => Ok(()),
        Some(named) => Err(ErrorCode::IllegalLocationConstraintException.says(format!(
            "The {named} location constraint is incompatible for the region specific endpoint this request was sent to."
        ))),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(super) fn head(call: &Call<'_>) -> Reply {
    let mut reply = Reply::new(Body::empty());
    if let Ok(region) = HeaderValue::from_str(&call.context.settings.region) {
        reply.headers_mut().insert(HeaderName::from_static("x-amz-bucket-region"), region);
    }
    reply
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Error> {
    let deleted = call.store().delete_bucket(call.bucket().clone()).await;
    deleted.map_err(|error| match error {
        store::Error::BucketNotEmpty if call.has_versions() => ErrorCode::BucketNotEmpty
            .says("The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
            .with("BucketName", call.bucket().as_str()),
        error => of_store(error, call.request()),
    })?;
    Ok(no_content())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
///
/// Of a bucket where versioning was never switched on S3 says nothing.
pub(super) fn versioning(call: &Call<'_>) -> Reply {
    let status = match call.owned.map_or(Versioning::Off, |bucket| bucket.versioning) {
        Versioning::Off => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    let mut writer = Writer::answer("VersioningConfiguration");
    writer.optional("Status", status).close("VersioningConfiguration");
    xml(writer.finish())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
pub(super) async fn put_versioning(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let document = receive_document(call, body, BodyKind::Document { digest_required: false }).await?;
    let configuration = Element::parse(&document, "VersioningConfiguration")?;
    if configuration.child("MfaDelete").is_some_and(|delete| delete.trim() == "Enabled") {
        return Err(Error::not_implemented("MfaDelete is not implemented here").at("versioning"));
    }
    let versioning = match configuration.child("Status").map(str::trim) {
        None | Some("") => return Err(ErrorCode::IllegalVersioningConfigurationException.error()),
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(ErrorCode::MalformedXML.error()),
    };
    let set = call.store().set_versioning(call.bucket().clone(), versioning).await;
    set.map_err(|error| of_store(error, call.request()))?;
    Ok(Reply::new(Body::empty()))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
pub(super) fn location(call: &Call<'_>) -> Reply {
    let region = call.context.settings.region.as_str();
    let mut writer = Writer::plain();
    let namespace = crate::s3::xml::NAMESPACE;
    writer.open(&format!("LocationConstraint xmlns=\"{namespace}\""));
    writer.text(if region == FIRST_REGION { "" } else { region }).close("LocationConstraint");
    xml(writer.finish())
}
