//! The names of headers over HTTP/1.1 as S3 spells them. Names have no case (RFC 9110 5.1), but some clients look
//! for `ETag: "` in the raw head, and lose objects without a word if they do not find it.
//!
//! hyper writes the names of an answer as they were in the request whose extensions the answer carries. So a head
//! with all of S3's spellings is parsed once, in memory, and its extensions go with every answer.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED, SERVER};
use http::{Extensions, HeaderName};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

/// The standard headers of most answers: the fewer names go along, the less it costs.
const USUAL: [&str; 8] = [
    "Accept-Ranges",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Date",
    "ETag",
    "Last-Modified",
    "Server",
];
/// The others. Those that begin with `x-amz-` S3 writes in lower case, as hyper does.
const OTHERS: [&str; 17] = [
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Allow",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Range",
    "Expires",
    "Location",
    "Transfer-Encoding",
    "Vary",
    "WWW-Authenticate",
];

/// Room for either head, and for what hyper answers to it.
const PIPE_BYTES: usize = 4096;

/// What makes hyper spell names as S3 does.
#[derive(Clone, Debug, Default)]
pub(super) struct Spelling {
    usual: Extensions,
    all: Extensions,
}

impl Spelling {
    /// Has the names parsed.
    pub(super) async fn learn() -> Self {
        let all = learn(USUAL.into_iter().chain(OTHERS)).await;
        Self { usual: learn(USUAL.into_iter()).await, all }
    }

    /// Lets the names of an answer be spelled.
    pub(super) fn apply<B>(&self, reply: &mut http::Response<B>) {
        let is_usual = |name: &HeaderName| {
            matches!(
                *name,
                ACCEPT_RANGES | CONTENT_LENGTH | CONTENT_TYPE | DATE | ETAG | LAST_MODIFIED | SERVER
            ) || name.as_str().starts_with("x-amz-")
        };
        let spelled = if reply.headers().keys().all(is_usual) { &self.usual } else { &self.all };
        reply.extensions_mut().extend(spelled.clone());
    }
}

/// The extensions of a request with these headers.
async fn learn(names: impl Iterator<Item = &'static str>) -> Extensions {
    let mut head = String::from("GET / HTTP/1.1\r\n");
    for name in names {
        let value = match name {
            "Content-Length" => "0",
            "Connection" => "close",
            "Transfer-Encoding" => "chunked",
            _ => "",
        };
        head.extend([name, ": ", value, "\r\n"]);
    }
    // The end of the head, and of a body in chunks.
    head.push_str("\r\n0\r\n\r\n");
    let (mut client, server) = tokio::io::duplex(PIPE_BYTES);
    let learned = Arc::new(OnceLock::new());
    let extensions = Arc::clone(&learned);
    let service = service_fn(move |request: http::Request<Incoming>| {
        // There is one request.
        let _ = extensions.set(request.extensions().clone());
        async { Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new())) }
    });
    let connection = http1::Builder::new()
        .preserve_header_case(true)
        .keep_alive(false)
        .serve_connection(TokioIo::new(server), service);
    // Neither can fail in memory; if the head were not taken, names would be in lower case, which a test sees.
    let write = async { client.write_all(head.as_bytes()).await };
    let _ = tokio::join!(connection, write);
    Arc::into_inner(learned).and_then(OnceLock::into_inner).unwrap_or_default()
}
