//! The path of a request: parse, authenticate, authorize, act, answer.

mod attributes;
mod bounds;
mod bucket;
mod conditions;
mod error;
mod exchange;
mod get;
mod head;
mod id;
mod journal;
mod lifecycle;
mod list;
mod measure;
mod multipart;
mod object;
mod redact;
mod rules;
mod tagging;
mod unsent;
mod upload;
mod whole;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Method, Version};
use hyper::body::Incoming;
use scopeguard::ScopeGuard;

pub use bounds::Bounds;
pub use exchange::{Body, Context, Line, Peer, Reply, Settings, WINDOW_BYTES_MIN};
pub use head::check_head;
pub use id::RequestId;
pub use lifecycle::apply_lifecycles;
pub use measure::{Requests, metrics};
pub use rules::Lifecycles;
pub use unsent::Unsent;

use crate::auth;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use exchange::{Call, Intake};
use journal::Entry;

/// Most bytes of an unread body that are read after a refusal, so that the client sees the answer.
const DRAIN_BYTES_MAX: u64 = 1024 * 1024;
/// Longest that such reading goes on.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// Answers one request; never fails, and a panic in it ends this request only. `refusal` is why it is refused before
/// anything in it is looked at.
pub async fn handle(
    context: Arc<Context>,
    request: http::Request<Incoming>,
    peer: &Peer,
    refusal: Option<Error>,
) -> Reply {
    let id = RequestId::next();
    let method = request.method().clone();
    let version = request.version();
    // Boxed at once, since it is handed on a few times.
    let entry = Box::new(Entry::new(Arc::clone(&context.requests), id, Arc::clone(&peer.address), &request));
    let (parts, body) = request.into_parts();
    let waits = parts.headers.get(EXPECT).is_some_and(is_continue);
    let under_way = (entry, Intake::new(body));
    // Where this future is dropped, the line says how much of the body had come.
    let mut under_way = scopeguard::guard(under_way, |(mut entry, intake)| entry.received(intake.bytes));
    let (entry, intake) = &mut *under_way;
    let result = match refusal {
        Some(error) => Err(error),
        None => {
            let answered = answer(&context, parts, peer, intake, entry);
            let outcome = AssertUnwindSafe(answered).catch_unwind().await;
            outcome.unwrap_or_else(|_| Err(ErrorCode::InternalError.error().at("panic")))
        }
    };
    let (mut entry, intake) = ScopeGuard::into_inner(under_way);
    entry.received(intake.bytes);
    let refused = result.is_err();
    let mut reply = match result {
        Ok(reply) => reply,
        Err(error) => {
            entry.refused(&error);
            error::reply(&error, id, &method, &peer.unsent)
        }
    };
    entry.answered(reply.status());
    if !intake.ended {
        if refused && version < Version::HTTP_2 {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // A client that waits for `100 Continue` sends nothing, and polling would make hyper ask for it.
        if intake.polled || !waits {
            tokio::spawn(drain(intake));
        }
    }
    exchange::finish(&mut reply, id, context.clock.now());
    reply.body_mut().journal(entry);
    reply
}

fn is_continue(expect: &HeaderValue) -> bool {
    expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
}

async fn answer(
    context: &Arc<Context>,
    parts: http::request::Parts,
    peer: &Peer,
    body: &mut Intake,
    entry: &mut Entry,
) -> Result<Reply, Error> {
    let method = parts.method.clone();
    // Frames of TLS and of HTTP/2 are made in this process.
    let sends_files = peer.line.is_direct() && parts.version < Version::HTTP_2;
    let request = Request::parse(parts, &context.domains)?;
    entry.parsed(&request);
    match request.operation() {
        Operation::Preflight => return Err(preflight(context, &request)),
        // Probes for other services are signed for those, and forms sign their policy: there is nothing to verify.
        operation @ (Operation::ServicePost | Operation::PostObject) => {
            return Err(not_implemented(operation));
        }
        _ => {}
    }
    let now = context.clock.now();
    let verified = match auth::authenticate(request, &context.keyring, &context.auth, now) {
        Ok(verified) => verified,
        Err(refused) => return Err(refused.error),
    };
    entry.verified(&verified);
    let request = verified.request();
    request.target().check_name()?;
    let owned = match (request.target().bucket(), request.operation()) {
        (None, _) | (Some(_), Operation::CreateBucket) => None,
        // Whether a bucket exists is told to everybody, before any permission: so S3 does.
        (Some(name), _) => Some(context.store.bucket(name).map_err(|error| error::of_store(error, request))?),
    };
    get::check_overrides_signed(&verified)?;
    let permit = context.policy.authorize(&verified)?;
    if let Some(bucket) = &owned {
        conditions::check_expected_owner(request, "x-amz-expected-bucket-owner", bucket)?;
    }
    conditions::refuse_unsupported_headers(request)?;
    object::refuse_copy_source(request)?;
    let call = Call { context, permit, peer, sends_files, owned: owned.as_ref(), now };
    if !is_served(request.operation()) {
        return Err(not_implemented(request.operation()));
    }
    let mut reply = act(&call, body).await?;
    if method == Method::HEAD {
        *reply.body_mut() = Body::empty();
    }
    Ok(reply)
}

/// Carries out an operation. What S3 has and this server does not is refused, never silently left out.
async fn act(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    match call.request().operation() {
        Operation::ListBuckets => bucket::list_buckets(call).await,
        Operation::CreateBucket => bucket::create(call, body).await,
        Operation::HeadBucket => Ok(bucket::head(call)),
        Operation::DeleteBucket => bucket::delete(call).await,
        Operation::GetBucketVersioning => Ok(bucket::versioning(call)),
        Operation::PutBucketVersioning => bucket::put_versioning(call, body).await,
        Operation::GetBucketLifecycleConfiguration => lifecycle::get(call),
        Operation::PutBucketLifecycleConfiguration => lifecycle::put(call, body).await,
        Operation::DeleteBucketLifecycle => lifecycle::delete(call).await,
        Operation::GetBucketTagging => tagging::get_bucket(call),
        Operation::PutBucketTagging => tagging::put_bucket(call, body).await,
        Operation::DeleteBucketTagging => tagging::delete_bucket(call).await,
        Operation::GetBucketLocation => Ok(bucket::location(call)),
        Operation::ListObjects => list::objects_v1(call).await,
        Operation::ListObjectsV2 => list::objects_v2(call).await,
        Operation::ListObjectVersions => list::versions(call).await,
        Operation::ListMultipartUploads => list::uploads(call).await,
        Operation::ListParts => list::parts(call).await,
        Operation::GetObject | Operation::HeadObject => get::object(call).await,
        Operation::GetObjectAttributes => attributes::get(call),
        Operation::GetObjectTagging => tagging::get(call),
        Operation::PutObjectTagging => tagging::put(call, body).await,
        Operation::DeleteObjectTagging => tagging::delete(call).await,
        Operation::PutObject => object::put(call, body).await,
        Operation::CopyObject => object::copy(call).await,
        Operation::DeleteObject => object::delete(call).await,
        Operation::DeleteObjects => object::delete_many(call, body).await,
        Operation::CreateMultipartUpload => multipart::create(call).await,
        Operation::UploadPart => multipart::upload_part(call, body).await,
        Operation::UploadPartCopy => multipart::upload_part_copy(call).await,
        Operation::CompleteMultipartUpload => multipart::complete(call, body).await,
        Operation::AbortMultipartUpload => multipart::abort(call).await,
        operation => Err(not_implemented(operation)),
    }
}

/// Whether this server carries out an operation.
pub fn is_served(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::AbortMultipartUpload
            | Operation::CompleteMultipartUpload
            | Operation::CopyObject
            | Operation::CreateBucket
            | Operation::CreateMultipartUpload
            | Operation::DeleteBucket
            | Operation::DeleteBucketLifecycle
            | Operation::DeleteBucketTagging
            | Operation::DeleteObject
            | Operation::DeleteObjectTagging
            | Operation::DeleteObjects
            | Operation::GetBucketLifecycleConfiguration
            | Operation::GetBucketLocation
            | Operation::GetBucketTagging
            | Operation::GetBucketVersioning
            | Operation::GetObject
            | Operation::GetObjectAttributes
            | Operation::GetObjectTagging
            | Operation::HeadBucket
            | Operation::HeadObject
            | Operation::ListBuckets
            | Operation::ListMultipartUploads
            | Operation::ListObjectVersions
            | Operation::ListObjects
            | Operation::ListObjectsV2
            | Operation::ListParts
            | Operation::PutBucketLifecycleConfiguration
            | Operation::PutBucketTagging
            | Operation::PutBucketVersioning
            | Operation::PutObject
            | Operation::PutObjectTagging
            | Operation::UploadPart
            | Operation::UploadPartCopy
    )
}

/// What is said of an operation that S3 has and this server has not.
pub fn not_implemented(operation: Operation) -> Error {
    let what = match operation.sub_resource() {
        Some(word) => format!("{} (the query parameter {word}) is not implemented here", operation.name()),
        None => format!("{} is not implemented here", operation.name()),
    };
    Error::not_implemented(what).at("operation")
}

/// No bucket has a CORS configuration, so every preflight is refused.
fn preflight(context: &Context, request: &Request) -> Error {
    if request.header("origin").is_none() {
        return ErrorCode::BadRequest
            .says("Insufficient information. Origin request header needed.")
            .at("cors");
    }
    let asked = request.header("access-control-request-method");
    let asked = asked.as_deref();
    if let Some(method) = asked
        && !["GET", "PUT", "POST", "DELETE", "HEAD"].contains(&method)
    {
        return ErrorCode::BadRequest
            .says(format!("Invalid Access-Control-Request-Method: {method}"))
            .at("cors");
    }
    let method = asked.unwrap_or("OPTIONS");
    let message = match request.target().bucket().map(|bucket| context.store.bucket(bucket)) {
        Some(Ok(_)) => "CORSResponse: CORS is not enabled for this bucket.",
        _ => "CORSResponse: Bucket not found",
    };
    ErrorCode::AccessForbidden.says(message).with("Method", method).with("ResourceType", "BUCKET").at("cors")
}

/// Reads on for a while, so that closing the connection does not take the answer with it.
async fn drain(mut body: Intake) {
    let end = body.bytes + DRAIN_BYTES_MAX;
    let read = async { while body.bytes < end && body.next().await.is_some() {} };
    // Both outcomes are the end of it.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, read).await;
}
