//! One line in the log for each request, without secrets. What is counted of requests is counted here.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};
use hyper::body::Incoming;

use super::id::RequestId;
use super::measure::Requests;
use super::redact;
use crate::auth::{Claimed, Identity, User, Verified};
use crate::s3::error::Error;
use crate::s3::request::Request;

/// The check that a request fails whose client, or whose server, is gone too soon.
const CUT: &str = "connection cut";

/// What is known of a request so far.
#[derive(Debug)]
pub(super) struct Entry {
    requests: Arc<Requests>,
    id: RequestId,
    peer: Arc<str>,
    method: Method,
    target: String,
    host: String,
    /// Who it is; of one that is refused before its signature holds, the access key only.
    user: Option<Arc<User>>,
    access_key: String,
    /// Tells presigned URLs apart.
    url_id: String,
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
        peer: Arc<str>,
        request: &http::Request<Incoming>,
    ) -> Self {
        Self {
            requests,
            id,
            peer,
            method: request.method().clone(),
            target: redact::target(request.uri()),
            host: String::new(),
            user: None,
            access_key: String::new(),
            url_id: String::new(),
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
        self.key = request.target().key().map(|key| redact::text(key.as_str())).unwrap_or_default();
        // Who sends a URL with a name and a password before its host, sends them here.
        let host = request.host();
        self.host = redact::suspect(host.rsplit_once('@').map_or(host, |(_, host)| host));
        let claimed = Claimed::of(request);
        self.access_key = redact::access_key(claimed.access_key);
        self.url_id = claimed.url_id().unwrap_or_default();
    }

    pub(super) fn verified(&mut self, verified: &Verified) {
        self.mechanism = verified.mechanism().name();
        if let Identity::User { user, access_key } = verified.identity() {
            self.user = Some(Arc::clone(user));
            self.access_key.clear();
            self.access_key.push_str(access_key);
        }
    }

    pub(super) fn refused(&mut self, error: &Error) {
        (self.code, self.check) = (error.code().name(), error.check());
        self.unsupported = error.unsupported().map(redact::suspect);
    }

    /// So many bytes of the request's body came.
    pub(super) fn received(&mut self, bytes: u64) {
        self.bytes_in = bytes;
    }

    /// The answer is made; what is left is to send it.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// So many bytes of the answer's body were handed to the connection.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// The connection is gone, or the server ends, before all of the answer was handed on.
    pub(super) fn cut(&mut self) {
        if self.check.is_empty() {
            self.check = CUT;
        }
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
            self.check = CUT;
        }
        let time = self.started.elapsed();
        self.requests.count(self.operation, self.status, time, self.bytes_in, self.bytes_out);
        tracing::info!(
            id = %self.id,
            peer = %self.peer,
            host = self.host,
            method = self.method.as_str(),
            operation = self.operation,
            bucket = self.bucket,
            key = self.key,
            auth = self.mechanism,
            user = self.user.as_ref().map_or("", |user| &*user.id),
            access_key = self.access_key,
            url_id = self.url_id,
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
