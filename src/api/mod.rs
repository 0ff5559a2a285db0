//! The path of a request: parse, authenticate, authorize, act, answer.

mod asked;
mod body;
mod bounds;
mod bucket;
mod bucket_rules;
mod call;
mod counters;
mod error;
mod exchange;
mod guards;
mod head;
mod id;
mod intake;
mod journal;
mod list;
mod multipart;
mod object;
mod page;
mod preflight;
mod redact;
mod refusal;
mod regions;
mod reply;
mod service;
mod show;
mod source;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{Method, Version};
use hyper::body::Incoming;

pub use body::Body;
pub use bounds::Bounds;
pub use bucket_rules::{BucketRules, RulesCache};
pub use call::{Context, Rules, Settings};
pub use counters::Requests;
pub use exchange::Exchange;
pub use head::check_head;
pub use id::RequestId;
pub use journal::{Journal, Record};
pub use reply::Reply;

use crate::auth::{self, Verified};
use crate::clock::Timestamp;
use crate::peer::Peer;
use crate::policy::{Actions, Ask};
use crate::s3::arrival::Arrival;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use call::{Addressed, BucketCall, Call, NewBucketCall, ObjectCall};
use guards::not_implemented;
use intake::Intake;
use journal::Entry;

/// Answers one request; never fails, and a panic in it ends this request only. An `arrival` that is an error is why it is
/// refused before anything in it is looked at.
pub async fn handle(
    context: Arc<Context>,
    request: http::Request<Incoming>,
    arrival: Result<Arrival, Error>,
    peer: &Peer,
) -> Reply {
    let (parts, mut exchange) = Exchange::begin(&context, request, peer);
    let result = match arrival {
        Err(error) => Err(error),
        Ok(arrival) => {
            let (intake, entry) = exchange.halves();
            let answered = answer(&context, parts, arrival, peer, intake, entry);
            let outcome = AssertUnwindSafe(answered).catch_unwind().await;
            outcome.unwrap_or_else(|_| Err(ErrorCode::InternalError.error().check(Check::Panic)))
        }
    };
    exchange.finish(&context, result, peer)
}

async fn answer(
    context: &Arc<Context>,
    parts: http::request::Parts,
    arrival: Arrival,
    peer: &Peer,
    body: &mut Intake,
    entry: &mut Entry,
) -> Result<Reply, Error> {
    let rules = context.rules.load_full();
    let method = parts.method.clone();
    // Frames of TLS and of HTTP/2 are made in this process.
    let sends_files = peer.line.is_direct() && parts.version < Version::HTTP_2;
    let now = context.clock.now();
    let verified = verify(context, &rules, (parts, arrival), now, entry).await?;
    let request = verified.request();
    let addressed = Addressed::find(request, &context.store).await?;
    guards::check_overrides_signed(&verified)?;
    let ask = Ask { actions: Actions::of(request), resource: addressed.resource() };
    let find = async || addressed.object(request, &context.store).await;
    let (permit, judged) = call::permit(&rules, &verified, ask, now, find).await?;
    entry.passed(Check::Policy);
    if let Some(bucket) = addressed.bucket() {
        guards::check_expected_owner(request, "x-amz-expected-bucket-owner", bucket)?;
        entry.passed(Check::BucketOwner);
    }
    guards::refuse_unsupported_headers(request)?;
    guards::refuse_copy_source(request)?;
    entry.passed(Check::Header);
    let call = &Call { context, rules: &rules, permit, peer, sends_files, now };
    let mut reply = match &addressed {
        Addressed::Service => act_on_service(call).await,
        Addressed::NewBucket(name) => bucket::create(&NewBucketCall { call, name }, body).await,
        Addressed::Bucket(owned) => act_on_bucket(&BucketCall { call, owned }, body).await,
        Addressed::Object(owned, key) => {
            let within = BucketCall { call, owned };
            act_on_object(&ObjectCall { within, key, judged: &judged }, body).await
        }
    }?;
    if method == Method::HEAD {
        *reply.body_mut() = Body::empty();
    }
    Ok(reply)
}

/// Parses and examines a request. By itself, so that what is needed on the way takes up no room until the answer.
async fn verify(
    context: &Context,
    rules: &Rules,
    (parts, arrival): (http::request::Parts, Arrival),
    now: Timestamp,
    entry: &mut Entry,
) -> Result<Verified, Error> {
    let request = Request::parse(parts, arrival, &rules.domains)?;
    entry.parsed(&request);
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other request is examined")]
    match request.operation() {
        Operation::Preflight => return Err(preflight::refuse(context, &request).await),
        // Probes for other services are signed for those, and forms sign their policy: there is nothing to verify.
        operation @ (Operation::ServicePost | Operation::PostObject) => {
            return Err(not_implemented(operation));
        }
        _ => {}
    }
    let examination = auth::examine(request, &rules.keyring, &rules.auth, now);
    entry.examined(&examination.trace);
    let verified = examination.verdict.map_err(|refused| refused.error)?;
    entry.verified(&verified);
    Ok(verified)
}

/// Carries out an operation on the service. What S3 has and this server does not is refused, never silently left out.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not served is refused by name")]
async fn act_on_service(call: &Call<'_>) -> Result<Reply, Error> {
    match call.request().operation() {
        Operation::ListBuckets => service::list_buckets(call).await,
        operation => Err(not_implemented(operation)),
    }
}

/// Carries out an operation on a bucket.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not served is refused by name")]
async fn act_on_bucket(call: &BucketCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    match call.request().operation() {
        Operation::HeadBucket => Ok(bucket::head(call)),
        Operation::DeleteBucket => bucket::delete(call).await,
        Operation::GetBucketVersioning => Ok(bucket::versioning::get(call)),
        Operation::PutBucketVersioning => bucket::versioning::put(call, body).await,
        Operation::GetBucketLifecycleConfiguration => bucket::lifecycle::get(call).await,
        Operation::PutBucketLifecycleConfiguration => bucket::lifecycle::put(call, body).await,
        Operation::DeleteBucketLifecycle => bucket::lifecycle::delete(call).await,
        Operation::GetBucketTagging => bucket::tagging::get(call).await,
        Operation::PutBucketTagging => bucket::tagging::put(call, body).await,
        Operation::DeleteBucketTagging => bucket::tagging::delete(call).await,
        Operation::GetBucketLocation => Ok(bucket::location(call)),
        Operation::GetBucketRequestPayment => Ok(bucket::request_payment()),
        Operation::ListObjects => list::objects::v1(call).await,
        Operation::ListObjectsV2 => list::objects::v2(call).await,
        Operation::ListObjectVersions => list::versions::versions(call).await,
        Operation::ListMultipartUploads => list::uploads::uploads(call).await,
        Operation::DeleteObjects => object::delete::delete_many(call, body).await,
        operation => Err(not_implemented(operation)),
    }
}

/// Carries out an operation on an object.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not served is refused by name")]
async fn act_on_object(call: &ObjectCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    match call.request().operation() {
        Operation::ListParts => list::uploads::parts(call).await,
        Operation::GetObject | Operation::HeadObject => object::get::object(call).await,
        Operation::GetObjectAttributes => object::attributes::get(call).await,
        Operation::GetObjectTagging => object::tagging::get(call).await,
        Operation::PutObjectTagging => object::tagging::put(call, body).await,
        Operation::DeleteObjectTagging => object::tagging::delete(call).await,
        Operation::PutObject => object::put::put(call, body).await,
        Operation::CopyObject => object::copy::copy(call).await,
        Operation::DeleteObject => object::delete::delete(call).await,
        Operation::CreateMultipartUpload => multipart::create(call).await,
        Operation::UploadPart => multipart::part::upload_part(call, body).await,
        Operation::UploadPartCopy => multipart::part::upload_part_copy(call).await,
        Operation::CompleteMultipartUpload => multipart::complete::complete(call, body).await,
        Operation::AbortMultipartUpload => multipart::abort(call).await,
        operation => Err(not_implemented(operation)),
    }
}
