//! What the server says of itself, below `/_presigned/`: a path that no bucket can have.

mod metrics;

use std::sync::Arc;

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::body::Incoming;

use crate::api::{Body, Context, Exchange, Reply};
use crate::auth::SecretKey;
use crate::peer::Peer;

/// The start of every path here.
pub const PREFIX: &str = "/_presigned/";
/// Answers 200 for as long as requests are accepted.
pub const HEALTH: &str = "/_presigned/health";
/// What is counted, for those who know the token.
const METRICS: &str = "/_presigned/metrics";

/// What may be asked, and by whom.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Bearer token required to read the metrics; unset disables the endpoint.
    pub metrics_token: Option<SecretKey>,
}

/// Answers a request below [`PREFIX`].
pub async fn handle(
    context: &Arc<Context>,
    settings: &Settings,
    request: http::Request<Incoming>,
    peer: &Peer,
) -> Reply {
    let (head, mut exchange) = Exchange::begin(context, request, peer);
    let (method, path) = (&head.method, head.uri.path());
    exchange.is_for(match path {
        HEALTH => "Health",
        METRICS => "Metrics",
        _ => "-",
    });
    let mut reply = match (method, path) {
        (&Method::GET | &Method::HEAD, HEALTH) => text(StatusCode::OK, "ok\n"),
        (&Method::GET | &Method::HEAD, METRICS) => measured(context, settings, &head.headers).await,
        (_, HEALTH | METRICS) => {
            let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            reply
        }
        _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
    };
    if method == Method::HEAD {
        *reply.body_mut() = Body::empty();
    }
    exchange.finish(context, Ok(reply), peer)
}

fn text(status: StatusCode, text: impl Into<bytes::Bytes>) -> Reply {
    let mut reply = Reply::new(Body::full(text));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    reply
}

/// The metrics name buckets and how they are used, so without a token there are none.
async fn measured(context: &Context, settings: &Settings, headers: &HeaderMap) -> Reply {
    let Some(token) = &settings.metrics_token else {
        return text(
            StatusCode::NOT_FOUND,
            "metrics are switched on by metrics_token in the configuration\n",
        );
    };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if !given.and_then(|given| std::str::from_utf8(given).ok()).is_some_and(|given| token.matches(given)) {
        let mut reply = text(StatusCode::UNAUTHORIZED, "the token of the configuration is needed\n");
        reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return reply;
    }
    match metrics::page(&context.journal.requests, &context.store).await {
        Ok(page) => text(StatusCode::OK, page),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be read");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the index cannot be read\n")
        }
    }
}
