//! What is kept of each request: one value, and its readers. One writes the line of the log, one counts, and one keeps the
//! last requests, for those who ask what happened.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use hyper::body::Incoming;

use super::counters::Requests;
use super::id::RequestId;
use super::redact;
use crate::auth::{Claimed, Identity, Trace, User, Verified};
use crate::s3::check::{Check, Steps};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::request::Request;

/// Where requests are recorded.
#[derive(Debug, Default)]
pub struct Journal {
    /// What is counted of them.
    pub requests: Requests,
    /// The last of them, the oldest first.
    ring: Mutex<VecDeque<Arc<Record>>>,
    /// How many of them are kept.
    kept_max: usize,
}

impl Journal {
    /// A journal that keeps so many of the last requests.
    pub fn keeping(kept_max: usize) -> Self {
        Self { kept_max, ..Self::default() }
    }

    fn record(&self, record: Record) {
        record.log();
        let Record { operation, status, time, bytes_in, bytes_out, .. } = record;
        self.requests.count(operation, status, time, (bytes_in, bytes_out));
        if self.kept_max > 0 {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            if ring.len() >= self.kept_max {
                ring.pop_front();
            }
            ring.push_back(Arc::new(record));
        }
    }

    /// The last requests, the oldest first.
    pub fn kept(&self) -> Vec<Arc<Record>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// What is known of a request. Without secrets: texts of the client are as the log shows them.
#[derive(Debug, Default)]
pub struct Record {
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
    /// The checks that held.
    steps: Steps,
    /// The refusal: its code, and the check that failed if that is not all there is to say.
    refused: Option<(ErrorCode, Option<Check>)>,
    /// What ended the answer before its end.
    cut: Option<Check>,
    /// The header or parameter that is not implemented.
    unsupported: Option<String>,
    bytes_in: u64,
    bytes_out: u64,
    /// 0 if the connection went before there was an answer.
    status: u16,
    time: Duration,
}

impl Record {
    /// The checks that the request passed, in their order.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The status of the answer; 0 if the connection went before there was one.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The word for the check that failed; empty if none did.
    pub fn failed_check(&self) -> &'static str {
        let refused = self.refused.map(|(code, check)| check.map_or(code.name(), Check::name));
        self.cut.map(Check::name).or(refused).unwrap_or_default()
    }

    /// Writes the line of the log.
    fn log(&self) {
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
            micros = u64::try_from(self.time.as_micros()).unwrap_or(u64::MAX),
            code = self.refused.map_or("", |(code, _)| code.name()),
            check = self.failed_check(),
            unsupported = self.unsupported,
            target = self.target,
            "request"
        );
    }
}

/// A request under way. It is recorded when nothing more can come of it: its answer was sent, or the connection is gone.
#[derive(Debug)]
pub(super) struct Entry {
    journal: Arc<Journal>,
    record: Record,
    started: Instant,
}

impl Entry {
    pub(super) fn new(
        journal: Arc<Journal>,
        id: RequestId,
        peer: Arc<str>,
        request: &http::Request<Incoming>,
    ) -> Self {
        let record = Record {
            id,
            peer,
            method: request.method().clone(),
            target: redact::target(request.uri()),
            operation: "-",
            mechanism: "-",
            ..Record::default()
        };
        Self { journal, record, started: Instant::now() }
    }

    /// What a request is for that is not one of S3's.
    pub(super) fn is_for(&mut self, operation: &'static str) {
        self.record.operation = operation;
    }

    pub(super) fn parsed(&mut self, request: &Request) {
        let record = &mut self.record;
        // Who sends a URL with a name and a password before its host, sends them here.
        let host = request.arrival().host();
        record.host = redact::suspect(host.rsplit_once('@').map_or(host, |(_, host)| host));
        let claimed = Claimed::of(request);
        record.access_key = redact::access_key(claimed.access_key);
        record.url_id = claimed.url_id().unwrap_or_default();
        self.addresses(request);
    }

    /// What the request addresses, under the name that it is read as signed for.
    fn addresses(&mut self, request: &Request) {
        let record = &mut self.record;
        record.operation = request.operation().name();
        record.bucket = request.target().bucket().map(ToString::to_string).unwrap_or_default();
        record.key = request.target().key().map(|key| redact::text(key.as_str())).unwrap_or_default();
    }

    /// The checks of an examination that held.
    pub(super) fn examined(&mut self, trace: &Trace) {
        self.record.steps = trace.steps;
    }

    pub(super) fn verified(&mut self, verified: &Verified) {
        if verified.request().is_read_otherwise() {
            self.addresses(verified.request());
        }
        let record = &mut self.record;
        record.mechanism = verified.mechanism().name();
        if let Identity::User { user, access_key } = verified.identity() {
            record.user = Some(Arc::clone(user));
            record.access_key.clear();
            record.access_key.push_str(access_key);
        }
    }

    /// One more check held.
    pub(super) fn passed(&mut self, check: Check) {
        self.record.steps.pass(check);
    }

    pub(super) fn refused(&mut self, error: &Error) {
        self.record.refused = Some((error.code(), error.failed_check()));
        self.record.unsupported = error.unsupported().map(redact::suspect);
    }

    /// So many bytes of the request's body came.
    pub(super) fn received(&mut self, bytes: u64) {
        self.record.bytes_in = bytes;
    }

    /// The answer is made; what is left is to send it.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.record.status = status.as_u16();
    }

    /// So many bytes of the answer's body were handed to the connection.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.record.bytes_out += crate::size::bytes(bytes);
    }

    /// The connection is gone, or the server ends, before all of the answer was handed on.
    pub(super) fn cut(&mut self) {
        if self.record.refused.is_none() && self.record.cut.is_none() {
            self.record.cut = Some(Check::ConnectionCut);
        }
    }

    /// Reading the body failed when part of it had been sent.
    pub(super) fn broke_off(&mut self, error: &std::io::Error) {
        let Record { id, bucket, key, .. } = &self.record;
        tracing::error!(%id, bucket, key, %error, "reading a body failed; the connection is cut");
        self.record.cut = Some(Check::Storage);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut record = std::mem::take(&mut self.record);
        if record.status == 0 {
            record.cut = Some(Check::ConnectionCut);
        }
        record.time = self.started.elapsed();
        self.journal.record(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_requests_are_kept() {
        let journal = Journal::keeping(2);
        for status in [200, 403, 404] {
            let refused = (status != 200).then_some((ErrorCode::AccessDenied, Some(Check::Policy)));
            journal.record(Record { status, refused, operation: "GetObject", ..Record::default() });
        }
        let kept: Vec<_> =
            journal.kept().iter().map(|record| (record.status(), record.failed_check())).collect();
        assert_eq!(kept, [(403, "policy"), (404, "policy")]);
        let forgetful = Journal::default();
        forgetful.record(Record::default());
        assert!(forgetful.kept().is_empty());
    }
}
