//! The names of headers over HTTP/1.1 as S3 spells them. Names have no case (RFC 9110 5.1), but some clients look
//! for `ETag: "` in the raw head, and lose objects without a word if they do not find it.
//!
//! hyper writes the names of an answer as they were in the request whose extensions the answer carries. So a head
//! with all of S3's spellings is parsed once, in memory, and its extensions go with every answer.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use http::Extensions;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use crate::api::Reply;

/// Every standard header that answers carry. Those that begin with `x-amz-` S3 writes in lower case, as hyper does.
const HEAD: &str = "GET / HTTP/1.1\r\n\
    Accept-Ranges: \r\n\
    Access-Control-Allow-Credentials: \r\n\
    Access-Control-Allow-Headers: \r\n\
    Access-Control-Allow-Methods: \r\n\
    Access-Control-Allow-Origin: \r\n\
    Access-Control-Expose-Headers: \r\n\
    Access-Control-Max-Age: \r\n\
    Allow: \r\n\
    Cache-Control: \r\n\
    Connection: close\r\n\
    Content-Disposition: \r\n\
    Content-Encoding: \r\n\
    Content-Language: \r\n\
    Content-Length: 0\r\n\
    Content-Range: \r\n\
    Content-Type: \r\n\
    Date: \r\n\
    ETag: \r\n\
    Expires: \r\n\
    Last-Modified: \r\n\
    Location: \r\n\
    Server: \r\n\
    Transfer-Encoding: chunked\r\n\
    Vary: \r\n\
    \r\n\
    0\r\n\r\n";

/// What makes hyper spell names as S3 does.
#[derive(Clone, Debug, Default)]
pub(super) struct Spelling(Extensions);

impl Spelling {
    /// Has the head parsed.
    pub(super) async fn learn() -> Self {
        let (mut client, server) = tokio::io::duplex(HEAD.len());
        let learned = Arc::new(OnceLock::new());
        let extensions = Arc::clone(&learned);
        let service = service_fn(move |request: http::Request<Incoming>| {
            // There is one request.
            let _ = extensions.set(request.extensions().clone());
            async { Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new())) }
        });
        let connection =
            http1::Builder::new().preserve_header_case(true).serve_connection(TokioIo::new(server), service);
        // Neither can fail in memory; if the head were not taken, names would be in lower case, which a test sees.
        let write = async { client.write_all(HEAD.as_bytes()).await };
        let _ = tokio::join!(connection, write);
        Self(Arc::into_inner(learned).and_then(OnceLock::into_inner).unwrap_or_default())
    }

    /// Lets the names of an answer be spelled.
    pub(super) fn apply(&self, reply: &mut Reply) {
        reply.extensions_mut().extend(self.0.clone());
    }
}
