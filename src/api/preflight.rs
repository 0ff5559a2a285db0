//! Preflights: what browsers ask before they send a request to another origin. No one signs them.

use super::call::Context;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::request::Request;

/// No bucket has a CORS configuration, so every preflight is refused.
pub(super) async fn refuse(context: &Context, request: &Request) -> Error {
    if request.header("origin").is_none() {
        return ErrorCode::BadRequest
            .with_message("Insufficient information. Origin request header needed.")
            .check(Check::Cors);
    }
    let asked = request.header("access-control-request-method");
    let asked = asked.as_deref();
    if let Some(method) = asked
        && !["GET", "PUT", "POST", "DELETE", "HEAD"].contains(&method)
    {
        return ErrorCode::BadRequest
            .with_message(format!("Invalid Access-Control-Request-Method: {method}"))
            .check(Check::Cors);
    }
    let method = asked.unwrap_or("OPTIONS");
    let is_there = match request.target().bucket() {
        Some(bucket) => context.store.bucket(bucket).await.is_ok(),
        None => false,
    };
    let message = match is_there {
        true => "CORSResponse: CORS is not enabled for this bucket.",
        false => "CORSResponse: Bucket not found",
    };
    ErrorCode::AccessForbidden
        .with_message(message)
        .with("Method", method)
        .with("ResourceType", "BUCKET")
        .check(Check::Cors)
}
