//! One line in the log for each request, without secrets: signatures in query strings are struck out. What is
//! counted of requests is counted here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};
use hyper::body::Incoming;

use super::id::RequestId;
use super::measure::Requests;
use crate::auth::Verified;
use crate::s3::error::Error;
use crate::s3::request::Request;

/// What is known of a request so far.
#[derive(Debug)]
pub(super) struct Entry {
    requests: Arc<Requests>,
    id: RequestId,
    peer: SocketAddr,
    method: Method,
    target: String,
    operation: &'static str,
    mechanism: &'static str,
    bucket: String,
    key: String,
    code: &'static str,
    check: &'static str,
    /// The header or parameter that is not implemented.
    unsupported: Option<String>,
    bytes_in: u64,
    bytes_out: u64,
    status: u16,
    started: Instant,
}

impl Entry {
    pub(super) fn new(
        requests: Arc<Requests>,
        id: RequestId,
        peer: SocketAddr,
        request: &http::Request<Incoming>,
    ) -> Self {
        Self {
            requests,
            id,
            peer,
            method: request.method().clone(),
            target: redacted(request.uri()),
            operation: "-",
            mechanism: "-",
            bucket: String::new(),
            key: String::new(),
            code: "",
            check: "",
            unsupported: None,
            bytes_in: 0,
            bytes_out: 0,
            status: 0,
            started: Instant::now(),
        }
    }

    pub(super) fn parsed(&mut self, request: &Request) {
        self.operation = request.operation().name();
        self.bucket = request.target().bucket().map(ToString::to_string).unwrap_or_default();
        self.key = request.target().key().map(ToString::to_string).unwrap_or_default();
    }

    pub(super) fn verified(&mut self, verified: &Verified) {
        self.mechanism = verified.mechanism().name();
    }

    pub(super) fn refused(&mut self, error: &Error) {
        (self.code, self.check) = (error.code().name(), error.check());
        self.unsupported = error.unsupported().map(str::to_owned);
    }

    /// The answer is made; what is left is to send it.
    pub(super) fn answered(&mut self, status: StatusCode, bytes_in: u64) {
        self.status = status.as_u16();
        self.bytes_in = bytes_in;
    }

    /// So many bytes of the answer's body were handed to the connection.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Reading the body failed when part of it had been sent.
    pub(super) fn broke_off(&mut self, error: &std::io::Error) {
        self.check = "storage";
        tracing::error!(id = %self.id, bucket = self.bucket, key = self.key, %error, "reading a body failed; the connection is cut");
    }
}

/// The line is written when nothing more can come of the request: its answer was sent, or the connection is gone.
impl Drop for Entry {
    fn drop(&mut self) {
        if self.status == 0 {
            self.check = "connection cut";
        }
        let time = self.started.elapsed();
        self.requests.count(self.operation, self.status, time, self.bytes_in, self.bytes_out);
        tracing::info!(
            id = %self.id,
            peer = %self.peer,
            method = self.method.as_str(),
            operation = self.operation,
            bucket = self.bucket,
            key = self.key,
            auth = self.mechanism,
            status = self.status,
            bytes_in = self.bytes_in,
            bytes_out = self.bytes_out,
            micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
            code = self.code,
            check = self.check,
            unsupported = self.unsupported,
            target = self.target,
            "request"
        );
    }
}

/// Parameters whose values let somebody else act, or prove that they could.
const SECRET_PARAMETERS: [&str; 3] = ["x-amz-signature", "x-amz-security-token", "signature"];

/// The target of a request with the values of secret parameters struck out.
fn redacted(uri: &http::Uri) -> String {
    let Some(query) = uri.query() else {
        return uri.path().to_owned();
    };
    let mut out = String::with_capacity(uri.path().len() + 1 + query.len());
    out.extend([uri.path(), "?"]);
    for (position, piece) in query.split('&').enumerate() {
        if position > 0 {
            out.push('&');
        }
        let name = piece.split_once('=').map_or(piece, |(name, _)| name);
        match crate::s3::uri::decode(name) {
            Ok(decoded) if SECRET_PARAMETERS.iter().any(|secret| decoded.eq_ignore_ascii_case(secret)) => {
                out.extend([name, "=..."]);
            }
            Ok(_) => out.push_str(piece),
            Err(_) => out.push_str("..."),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_struck_out() {
        let uri =
            "/b/k?a=1&X-Amz-Signature=abc&%58-amz-security-token=t&Signature=x&b".parse().expect("a target");
        assert_eq!(redacted(&uri), "/b/k?a=1&X-Amz-Signature=...&%58-amz-security-token=...&Signature=...&b");
    }
}
