//! Operations on buckets.

use http::header::{CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};

use super::bounds::Document;
use super::conditions::check_acl;
use super::error::of_store;
use super::exchange::{Body, Call, Intake, Reply, blocking, no_content, xml};
use super::list::{decode_token, encode_token, max_entries, optional};
use super::tagging::TAGGING_BYTES_MAX;
use super::upload::receive_document;
use crate::auth::{BodyKind, RegionRule};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::BucketName;
use crate::s3::region::is_region;
use crate::s3::request::Request;
use crate::s3::tagging::Tags;
use crate::s3::xml::{Element, NAMESPACE, Writer};
use crate::store::{self, Bucket, NewBucket, Versioning};

/// Region whose name an answer leaves out, and where making one's own bucket again is no error.
const FIRST_REGION: &str = "us-east-1";
/// The oldest name of a location, and the region that it means.
const EU: &str = "EU";
const EU_REGION: &str = "eu-west-1";

/// Most bytes of the document of a new bucket, which may have tags, and of a versioning configuration.
const CREATION_BYTES_MAX: u64 = TAGGING_BYTES_MAX;
const VERSIONING_BYTES_MAX: u64 = 4 * 1024;

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
    let store = call.store().clone();
    let buckets = blocking(move || store.buckets()).await?;
    let buckets = buckets.map_err(|error| of_store(error, call.request()))?;
    let mut selected = buckets
        .iter()
        .filter(|b| b.name.as_str().starts_with(prefix) && b.name.as_str() > after.as_str())
        .filter(|b| region.is_none_or(|region| region == region_of(call, b)))
        .peekable();
    // S3 shows regions to those that ask for a selection.
    let selects = ["max-buckets", "prefix", "continuation-token", "bucket-region"];
    let shows_region = selects.iter().any(|name| query.contains(name));
    let mut writer = Writer::answer("ListAllMyBucketsResult");
    writer.open("Owner").element("ID", call.caller()).close("Owner").open("Buckets");
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
    match is_region(region) || region == call.context.settings.region || accepts_any_region(call) {
        true => Ok(region),
        false => Err(ErrorCode::InvalidArgument
            .says(format!("Argument value {region} is not a valid AWS Region"))
            .with("ArgumentName", "bucket-region")),
    }
}

fn accepts_any_region(call: &Call<'_>) -> bool {
    call.context.auth.region == RegionRule::Any
}

/// The region of a bucket.
fn region_of<'c>(call: &Call<'c>, bucket: &'c Bucket) -> &'c str {
    match bucket.location.as_deref() {
        None => &call.context.settings.region,
        Some(EU) => EU_REGION,
        Some(region) => region,
    }
}

fn arn(name: &BucketName) -> String {
    format!("arn:aws:s3:::{name}")
}

fn add_arn(reply: &mut Reply, name: &BucketName) {
    let value = HeaderValue::try_from(arn(name)).ok();
    reply.headers_mut().extend(value.map(|value| (HeaderName::from_static("x-amz-bucket-arn"), value)));
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub(super) async fn create(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    check_acl(call.request())?;
    check_ownership(call.request())?;
    // Without either header there is no body.
    let headers = call.request().headers();
    let has_body =
        headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) || !body.ended;
    let document = match has_body {
        true => {
            receive_document(call, body, BodyKind::Document { digest_required: false }, CREATION_BYTES_MAX)
                .await?
        }
        false => Document::empty(),
    };
    let (location, tags) = configuration(call, &document)?;
    let elsewhere = location.is_some();
    let new = NewBucket {
        name: call.bucket().clone(),
        owner: call.caller().to_owned(),
        location,
        tagging: Some(tags.document()).filter(|_| !tags.is_empty()),
    };
    match call.store().create_bucket(new, call.now).await {
        Ok(()) => {}
        Err(store::Error::BucketExists(owner)) if owner == call.caller() => {
            // In the first region one's own bucket may be made again, unless it would get tags.
            let there =
                call.store().bucket(call.bucket()).map_err(|error| of_store(error, call.request()))?;
            let is_first = call.context.settings.region == FIRST_REGION;
            if !is_first || elsewhere || there.location.is_some() || !tags.is_empty() {
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
    add_arn(&mut reply, call.bucket());
    Ok(reply)
}

/// Buckets own what is in them: another rule is not to be had yet.
pub(super) fn check_ownership(request: &Request) -> Result<(), Error> {
    const NAME: &str = "x-amz-object-ownership";
    match request.amz(NAME).as_deref() {
        None | Some("BucketOwnerEnforced") => Ok(()),
        Some("ObjectWriter" | "BucketOwnerPreferred") => {
            let why = "Only BucketOwnerEnforced is implemented here";
            Err(Error::not_implemented_header(NAME, Some(why)).at("ownership"))
        }
        Some(other) => Err(ErrorCode::InvalidArgument
            .says(format!("Invalid x-amz-object-ownership header: {other}"))
            .with("ArgumentName", NAME)),
    }
}

/// What the document of a new bucket says: where it is to be, unless that follows from the server, and its tags.
fn configuration(call: &Call<'_>, document: &[u8]) -> Result<(Option<String>, Tags), Error> {
    let root = match document {
        [] => Element::default(),
        document => Element::parse(document, "CreateBucketConfiguration")?,
    };
    for element in root.children()? {
        match element.name() {
            "LocationConstraint" | "Tags" => {}
            name @ ("Location" | "Bucket") => {
                return Err(Error::not_implemented(format!(
                    "{name} in CreateBucketConfiguration is for directory buckets, which are not implemented here"
                ))
                .at("bucket"));
            }
            _ => return Err(ErrorCode::MalformedXML.error()),
        }
    }
    let tags = root.find("Tags")?.map(Tags::parse_new_bucket).transpose()?.unwrap_or_default();
    let named = root.child("LocationConstraint")?.map(str::trim).filter(|named| !named.is_empty());
    Ok((location_of(call, named)?, tags))
}

/// The location of a bucket that is asked to be there, where that is not the server's region.
///
/// # Errors
/// `InvalidLocationConstraint` for what names no other region in the first region, which is not to be named;
/// `IllegalLocationConstraintException` for another region than the server's.
fn location_of(call: &Call<'_>, named: Option<&str>) -> Result<Option<String>, Error> {
    let region = call.context.settings.region.as_str();
    let illegal = |what: &str| {
        ErrorCode::IllegalLocationConstraintException.says(format!(
            "The {what} location constraint is incompatible for the region specific endpoint this request was sent to."
        ))
    };
    match named {
        named if accepts_any_region(call) => Ok(named.filter(|named| *named != region).map(str::to_owned)),
        None if region == FIRST_REGION => Ok(None),
        None => Err(illegal("unspecified")),
        Some(EU) if region == EU_REGION => Ok(Some(EU.to_owned())),
        Some(named) if region != FIRST_REGION => {
            if named == region {
                Ok(None)
            } else {
                Err(illegal(named))
            }
        }
        Some(named) if named != FIRST_REGION && (is_region(named) || named == EU) => Err(illegal(named)),
        Some(named) => Err(ErrorCode::InvalidLocationConstraint.error().with("LocationConstraint", named)),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(super) fn head(call: &Call<'_>) -> Reply {
    let mut reply = xml(String::new());
    let region = call.owned.map_or(call.context.settings.region.as_str(), |bucket| region_of(call, bucket));
    let headers = reply.headers_mut();
    headers.insert(HeaderName::from_static("x-amz-access-point-alias"), HeaderValue::from_static("false"));
    let value = HeaderValue::from_str(region).ok();
    headers.extend(value.map(|value| (HeaderName::from_static("x-amz-bucket-region"), value)));
    add_arn(&mut reply, call.bucket());
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
    let document =
        receive_document(call, body, BodyKind::Document { digest_required: false }, VERSIONING_BYTES_MAX)
            .await?;
    let configuration = Element::parse(&document, "VersioningConfiguration")?;
    configuration.only(&["Status", "MfaDelete"])?;
    if configuration.child("MfaDelete")?.is_some_and(|delete| delete.trim() != "Disabled") {
        return Err(Error::not_implemented("MfaDelete is not implemented here").at("versioning"));
    }
    let versioning = match configuration.child("Status")?.map(str::trim) {
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
    let own = call.owned.and_then(|bucket| bucket.location.as_deref());
    let region = own.unwrap_or(&call.context.settings.region);
    let element = format!("LocationConstraint xmlns=\"{NAMESPACE}\"");
    let mut writer = Writer::plain();
    match region {
        FIRST_REGION => writer.empty(&element),
        region => writer.open(&element).text(region).close("LocationConstraint"),
    };
    xml(writer.finish())
}
