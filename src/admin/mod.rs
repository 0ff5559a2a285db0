//! What the server says of itself, below `/_presigned/`: a path that no bucket can have.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};

use crate::api::{Body, Reply};

/// Where everything here begins.
pub const PREFIX: &str = "/_presigned/";
/// Answers 200 for as long as requests are accepted.
pub const HEALTH: &str = "/_presigned/health";

/// Answers a request below [`PREFIX`].
pub fn handle(method: &Method, path: &str) -> Reply {
    let (status, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, HEALTH) => (StatusCode::OK, "ok\n"),
        (_, HEALTH) => (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"),
        _ => (StatusCode::NOT_FOUND, "there is nothing here\n"),
    };
    let mut reply = Reply::new(if method == Method::HEAD { Body::empty() } else { Body::full(text) });
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    reply
}
