//! The path of a request: parse, authenticate, authorize, act, answer.

mod bucket;
mod conditions;
mod error;
mod exchange;
mod get;
mod journal;
mod list;
mod multipart;
mod object;
mod upload;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Method, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;

pub use exchange::{Body, Context, Reply, RequestId, Settings};

use crate::auth::{self, Identity};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use exchange::Call;
use journal::Entry;

/// Most bytes of an unread body that are read after a refusal, so that the client sees the answer.
const DRAIN_BYTES_MAX: u64 = 1024 * 1024;
/// Longest that such reading goes on.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// Answers one request; never fails, and a panic in it ends this request only.
pub async fn handle(
    context: Arc<Context>,
    request: http::Request<Incoming>,
    peer: std::net::SocketAddr,
) -> Reply {
    let started = Instant::now();
    let id = RequestId::next();
    let method = request.method().clone();
    let version = request.version();
    let mut entry = Entry::new(id, peer, &request);
    let (parts, incoming) = request.into_parts();
    let mut body = Some(incoming);
    let outcome = AssertUnwindSafe(answer(&context, parts, &mut body, &mut entry)).catch_unwind().await;
    let result = outcome.unwrap_or_else(|_| Err(ErrorCode::InternalError.error().at("panic")));
    let refused = result.is_err();
    let mut reply = match result {
        Ok(reply) => reply,
        Err(error) => {
            entry.refused(&error);
            error::reply(&error, id, &method)
        }
    };
    if let Some(body) = body.filter(|body| !body.is_end_stream()) {
        if refused && version < Version::HTTP_2 {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // A client that waits for `100 Continue` sends nothing, and polling would make hyper ask for it.
        if !entry.expects_continue {
            tokio::spawn(drain(body));
        }
    }
    exchange::finish(&mut reply, id, context.clock.now());
    entry.finish(reply.status(), reply.body().size_hint().exact(), started.elapsed());
    reply
}

async fn answer(
    context: &Arc<Context>,
    parts: http::request::Parts,
    body: &mut Option<Incoming>,
    entry: &mut Entry,
) -> Result<Reply, Error> {
    if let Some(expect) = parts.headers.get(EXPECT)
        && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        let mut reply = Reply::new(Body::empty());
        *reply.status_mut() = StatusCode::EXPECTATION_FAILED;
        return Ok(reply);
    }
    let method = parts.method.clone();
    let request = Request::parse(parts, &context.domains)?;
    entry.parsed(&request);
    if request.operation() == Operation::Preflight {
        return Err(preflight(context, &request));
    }
    let now = context.clock.now();
    let verified = match auth::authenticate(request, &context.keyring, &context.auth, now) {
        Ok(verified) => verified,
        Err(refused) => return Err(refused.error),
    };
    entry.verified(&verified);
    if let (Identity::Anonymous, Some(bucket)) = (verified.identity(), verified.request().target().bucket()) {
        // Whether a bucket exists is told to everybody, as S3 does.
        context.store.bucket(bucket).map_err(|error| error::of_store(error, verified.request()))?;
    }
    let permit = context.policy.authorize(&verified)?;
    let call = Call { context, permit, now };
    conditions::check_expected_owner(&call)?;
    let mut reply = act(&call, body).await?;
    if method == Method::HEAD {
        *reply.body_mut() = Body::empty();
    }
    Ok(reply)
}

/// Carries out an operation. What S3 has and this server does not is refused, never silently left out.
async fn act(call: &Call<'_>, body: &mut Option<Incoming>) -> Result<Reply, Error> {
    match call.request().operation() {
        Operation::ListBuckets => bucket::list_buckets(call).await,
        Operation::CreateBucket => bucket::create(call, body).await,
        Operation::HeadBucket => bucket::head(call),
        Operation::DeleteBucket => bucket::delete(call).await,
        Operation::GetBucketLocation => bucket::location(call),
        Operation::ListObjects => list::objects_v1(call).await,
        Operation::ListObjectsV2 => list::objects_v2(call).await,
        Operation::ListObjectVersions => list::versions(call).await,
        Operation::ListMultipartUploads => list::uploads(call).await,
        Operation::ListParts => list::parts(call).await,
        Operation::GetObject | Operation::HeadObject => get::object(call),
        Operation::PutObject => object::put(call, body).await,
        Operation::CopyObject => object::copy(call).await,
        Operation::DeleteObject => object::delete(call).await,
        Operation::DeleteObjects => object::delete_many(call, body).await,
        Operation::CreateMultipartUpload => multipart::create(call).await,
        Operation::UploadPart => multipart::upload_part(call, body).await,
        Operation::UploadPartCopy => multipart::upload_part_copy(call).await,
        Operation::CompleteMultipartUpload => multipart::complete(call, body).await,
        Operation::AbortMultipartUpload => multipart::abort(call).await,
        _ => Err(ErrorCode::NotImplemented
            .says("A header or query you provided requested a function that is not implemented.")
            .at("operation")),
    }
}

/// No bucket has a CORS configuration, so every preflight is refused.
fn preflight(context: &Context, request: &Request) -> Error {
    if request.header("origin").is_none() {
        return ErrorCode::BadRequest
            .says("Insufficient information. Origin request header needed.")
            .at("cors");
    }
    let method = request.header("access-control-request-method").unwrap_or("OPTIONS");
    let message = match request.target().bucket().map(|bucket| context.store.bucket(bucket)) {
        Some(Ok(_)) => "CORSResponse: CORS is not enabled for this bucket.",
        _ => "CORSResponse: Bucket not found",
    };
    ErrorCode::AccessForbidden.says(message).with("Method", method).with("ResourceType", "BUCKET").at("cors")
}

/// Reads on for a while, so that closing the connection does not take the answer with it.
async fn drain(mut body: Incoming) {
    use http_body_util::BodyExt as _;
    let mut left = DRAIN_BYTES_MAX;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, bytes::Bytes::len) as u64;
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Both outcomes are the end of it.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, read).await;
}
