//! Making a bucket.

use http::HeaderValue;
use http::header::{CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};

use crate::api::asked::TAGGING_BYTES_MAX;
use crate::api::body::Body;
use crate::api::bounds::Document;
use crate::api::call::NewBucketCall;
use crate::api::error::from_store;
use crate::api::guards::{check_acl, check_ownership};
use crate::api::intake::{Intake, receive_document};
use crate::api::regions::{EU, EU_REGION, FIRST_REGION, accepts_any_region, add_arn};
use crate::api::reply::Reply;
use crate::auth::BodyKind;
use crate::policy::{Actions, Ask, Resource};
use crate::s3::action::Action;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::region::is_region;
use crate::s3::tagging::Tags;
use crate::s3::xml::Element;
use crate::store;
use crate::store::model::NewBucket;

/// Most bytes of the document of a new bucket, which may have tags, and of a versioning configuration.
const CREATION_BYTES_MAX: u64 = TAGGING_BYTES_MAX;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub(in crate::api) async fn create(call: &NewBucketCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
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
    if !tags.is_empty() {
        let ask = Ask { actions: Actions::one(Action::TAG_RESOURCE), resource: Resource::Bucket(call.name) };
        call.ask(ask, None).await?;
    }
    let elsewhere = location.is_some();
    let new = NewBucket {
        name: call.name.clone(),
        owner: call.caller().to_owned(),
        location,
        tagging: Some(tags.document()).filter(|_| !tags.is_empty()),
    };
    match call.store().create_bucket(new, call.now).await {
        Ok(()) => {}
        Err(store::Error::BucketExists(owner)) if owner == call.caller() => {
            // In the first region one's own bucket may be made again, unless it would get tags.
            let there =
                call.store().bucket(call.name).await.map_err(|error| from_store(error, call.request()))?;
            let is_first = call.rules.region == FIRST_REGION;
            if !is_first || elsewhere || there.location.is_some() || !tags.is_empty() {
                return Err(ErrorCode::BucketAlreadyOwnedByYou
                    .error()
                    .with("BucketName", call.name.as_str()));
            }
        }
        Err(error) => return Err(from_store(error, call.request())),
    }
    let mut reply = Reply::new(Body::empty());
    if let Ok(location) = HeaderValue::from_str(&format!("/{}", call.name)) {
        reply.headers_mut().insert(LOCATION, location);
    }
    add_arn(&mut reply, call.name);
    Ok(reply)
}

/// What the document of a new bucket says: where it is to be, unless that follows from the server, and its tags.
fn configuration(call: &NewBucketCall<'_>, document: &[u8]) -> Result<(Option<String>, Tags), Error> {
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
                .check(Check::Bucket));
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
fn location_of(call: &NewBucketCall<'_>, named: Option<&str>) -> Result<Option<String>, Error> {
    let region = call.rules.region.as_str();
    let illegal = |what: &str| {
        ErrorCode::IllegalLocationConstraintException.with_message(format!(
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
