//! Answers: what every one carries, and the usual shapes.

use http::header::{CONTENT_TYPE, DATE, SERVER};
use http::{HeaderName, HeaderValue, StatusCode};

use super::body::Body;
use super::id::{RequestId, host_id};
use crate::clock::Timestamp;

/// An answer.
pub type Reply = http::Response<Body>;

/// Adds what every answer carries.
pub(super) fn finish(reply: &mut Reply, id: RequestId, now: Timestamp) {
    let headers = reply.headers_mut();
    let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("-"));
    headers.insert(HeaderName::from_static("x-amz-request-id"), value(id.to_string()));
    headers.insert(HeaderName::from_static("x-amz-id-2"), HeaderValue::from_static(host_id()));
    headers.insert(SERVER, HeaderValue::from_static("presigned"));
    headers.insert(DATE, value(now.http_date()));
}

/// 204, as deletions are answered.
pub(super) fn no_content() -> Reply {
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// An answer that is a document.
pub(super) fn xml(document: String) -> Reply {
    let mut reply = Reply::new(Body::full(document));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    reply
}
