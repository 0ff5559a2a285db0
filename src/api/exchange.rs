//! A request from its head to its answer, anyone who answers it: what is recorded of it, what every answer carries, and what
//! becomes of a body that no one read.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Method, Version};
use hyper::body::Incoming;

use super::call::Context;
use super::id::RequestId;
use super::intake::Intake;
use super::journal::Entry;
use super::refusal;
use super::reply::{self, Reply};
use crate::peer::Peer;
use crate::s3::error::Error;

/// Most bytes of an unread body that are read after a refusal, so that the client sees the answer.
const DRAIN_BYTES_MAX: u64 = 1024 * 1024;
/// Longest that such reading goes on.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// A request under way. Where it is dropped, the line says how much of the body had come.
pub struct Exchange {
    id: RequestId,
    method: Method,
    version: Version,
    /// Whether the client waits to be told that its body is wanted.
    waits: bool,
    /// `None` once it is answered.
    open: Option<(Box<Entry>, Intake)>,
}

impl Exchange {
    /// Begins with a request; gives its head.
    pub fn begin(
        context: &Context,
        request: http::Request<Incoming>,
        peer: &Peer,
    ) -> (http::request::Parts, Self) {
        let id = RequestId::next();
        // Boxed at once, since it is handed on a few times.
        let entry =
            Box::new(Entry::new(Arc::clone(&context.journal), id, Arc::clone(&peer.address), &request));
        let (parts, body) = request.into_parts();
        let waits = parts.headers.get(EXPECT).is_some_and(is_continue);
        let (method, version) = (parts.method.clone(), parts.version);
        (parts, Self { id, method, version, waits, open: Some((entry, Intake::new(body))) })
    }

    /// The body that comes, and what is recorded.
    pub(super) fn halves(&mut self) -> (&mut Intake, &mut Entry) {
        let (entry, intake) = self.open.as_mut().expect("it is finished by value");
        (intake, entry)
    }

    /// Records what a request is for that is not one of S3's.
    pub fn is_for(&mut self, operation: &'static str) {
        self.halves().1.is_for(operation);
    }

    /// The answer, to be sent.
    pub fn finish(mut self, context: &Context, result: Result<Reply, Error>, peer: &Peer) -> Reply {
        let (mut entry, intake) = self.open.take().expect("it is finished once");
        entry.received(intake.bytes);
        let refused = result.is_err();
        let mut reply = match result {
            Ok(reply) => reply,
            Err(error) => {
                entry.refused(&error);
                refusal::reply(&error, self.id, &self.method, &peer.unsent)
            }
        };
        entry.answered(reply.status());
        if !intake.ended {
            if refused && self.version < Version::HTTP_2 {
                reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // A client that waits for `100 Continue` sends nothing, and polling would make hyper ask for it.
            if intake.polled || !self.waits {
                context.tasks.spawn(drain(intake));
            }
        }
        reply::finish(&mut reply, self.id, context.clock.now());
        reply.body_mut().journal(entry);
        reply
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some((entry, intake)) = &mut self.open {
            entry.received(intake.bytes);
        }
    }
}

fn is_continue(expect: &HeaderValue) -> bool {
    expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
}

/// Reads on for a while, so that closing the connection does not take the answer with it.
async fn drain(mut body: Intake) {
    let end = body.bytes + DRAIN_BYTES_MAX;
    let read = async { while body.bytes < end && body.next().await.is_some() {} };
    // Both outcomes are the end of it.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, read).await;
}
