//! What all handlers share: the context they work in, the call they answer, the reply they give.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, SERVER};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::JoinHandle;

use super::bounds::{Bounds, Taken};
use super::conditions::named_version;
use super::id::{RequestId, host_id};
use super::journal::Entry;
use super::measure::Requests;
use super::rules::Lifecycles;
use super::unsent::{Reserved, Unsent};
use crate::auth::{self, Keyring, SecretKey, User};
use crate::clock::{Clock, Timestamp};
use crate::policy::{Permit, Policy};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{BucketName, ObjectKey};
use crate::s3::request::Request;
use crate::s3::target::Domains;
use crate::store::{self, BlobReader, Bucket, ObjectName, Store, Versioning};

/// An answer.
pub type Reply = http::Response<Body>;

/// Who sends requests: the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address, as the log shows it.
    pub address: Arc<str>,
    /// What waits for it.
    pub unsent: Unsent,
    pub line: Arc<dyn Line>,
}

/// What a connection is, to who answers its requests.
pub trait Line: Debug + Send + Sync {
    /// Whether the other end has closed it. One that has only said that it will send no more counts as gone: nobody can
    /// tell the difference.
    fn is_gone(&self) -> bool;
    /// Whether what is handed to it goes to the kernel as it is, untouched: then it may be a mapping of a file.
    fn is_direct(&self) -> bool;
}

/// How requests are answered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region that buckets are said to be in.
    pub region: String,
    /// `http` or `https`, for URLs in answers.
    pub scheme: &'static str,
    /// How long a body may stand still before the request is given up.
    pub body_stall_max: Duration,
    /// Largest window of a download, in bytes; two of them are in memory for each.
    pub window_bytes_max: u64,
    /// What who asks for the metrics must know; without one there are none.
    pub metrics_token: Option<SecretKey>,
}

/// What every request is answered with.
#[derive(Debug)]
pub struct Context {
    pub store: Store,
    pub keyring: Keyring,
    pub users: Vec<Arc<User>>,
    pub auth: auth::Settings,
    pub policy: Policy,
    pub domains: Domains,
    pub clock: Clock,
    pub settings: Settings,
    pub requests: Arc<Requests>,
    pub lifecycles: Lifecycles,
    pub bounds: Bounds,
}

impl Context {
    /// The name of the user with this id, for answers that show an owner.
    pub(super) fn display_name<'c>(&'c self, id: &'c str) -> &'c str {
        self.users.iter().find(|user| user.id == id).map_or(id, |user| &user.display_name)
    }
}

/// A permitted request on its way through a handler.
pub(super) struct Call<'c> {
    pub context: &'c Arc<Context>,
    pub permit: Permit<'c>,
    pub peer: &'c Peer,
    /// Whether windows of files are handed to the kernel as they are.
    pub sends_files: bool,
    /// The addressed bucket, unless the operation makes one or needs none.
    pub owned: Option<&'c Bucket>,
    pub now: Timestamp,
}

impl<'c> Call<'c> {
    pub(super) fn request(&self) -> &'c Request {
        self.permit.verified().request()
    }

    pub(super) fn store(&self) -> &'c Store {
        &self.context.store
    }

    /// The bucket of an operation that has one: the operation table sees to it.
    pub(super) fn bucket(&self) -> &'c BucketName {
        self.request().target().bucket().expect("the operation acts on a bucket")
    }

    /// The key of an operation that has one: the operation table sees to it.
    pub(super) fn key(&self) -> &'c ObjectKey {
        self.request().target().key().expect("the operation acts on an object")
    }

    /// The canonical id of the owner of the bucket, who owns everything in it.
    pub(super) fn bucket_owner(&self) -> &'c str {
        self.owned.map(|bucket| bucket.owner.as_str()).unwrap_or_default()
    }

    /// The object that the request addresses.
    ///
    /// # Errors
    /// `InvalidArgument` for a version that cannot be.
    pub(super) fn object(&self) -> Result<ObjectName, Error> {
        let version = named_version(self.request())?;
        Ok(ObjectName { bucket: self.bucket().clone(), key: self.key().clone(), version })
    }

    /// Whether versioning was ever switched on in the addressed bucket.
    pub(super) fn has_versions(&self) -> bool {
        self.owned.is_some_and(|bucket| bucket.versioning != Versioning::Off)
    }

    /// The canonical id of the caller.
    pub(super) fn caller(&self) -> &'c str {
        match self.permit.verified().identity() {
            auth::Identity::User { user, .. } => &user.id,
            auth::Identity::Anonymous => "anonymous",
        }
    }
}

/// Adds what every answer carries.
pub(super) fn finish(reply: &mut Reply, id: RequestId, now: Timestamp) {
    let headers = reply.headers_mut();
    let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("-"));
    headers.insert(HeaderName::from_static("x-amz-request-id"), value(id.to_string()));
    headers.insert(HeaderName::from_static("x-amz-id-2"), HeaderValue::from_static(host_id()));
    headers.insert(SERVER, HeaderValue::from_static("presigned"));
    headers.insert(DATE, value(now.http_date()));
}

/// Runs a look-up that may have to wait for the disk where that holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ErrorCode::InternalError.error().at("panic"))
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

/// The body of a request, and what has become of it.
pub(super) struct Intake {
    pub body: Incoming,
    /// Whether it has been asked for: hyper then tells a waiting client to go on.
    pub polled: bool,
    pub ended: bool,
    /// Whether the connection failed before the end.
    pub broken: bool,
    /// Bytes received.
    pub bytes: u64,
}

impl Intake {
    pub(super) fn new(body: Incoming) -> Self {
        let ended = body.is_end_stream();
        Self { body, polled: false, ended, broken: false, bytes: 0 }
    }

    /// The next bytes; `None` at the end, and when the connection broke.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.polled = true;
        while !self.ended {
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.bytes += data.len() as u64;
                        return Some(data);
                    }
                }
                Some(Err(_)) => (self.ended, self.broken) = (true, true),
                None => self.ended = true,
            }
        }
        None
    }
}

/// The body of an answer.
#[derive(Debug)]
pub struct Body {
    source: Source,
    /// Goes when the body goes, sent or not, and writes its line then.
    entry: Option<Box<Entry>>,
}

#[derive(Debug)]
enum Source {
    Full(Bytes),
    /// A refusal, with its room on the connection.
    Reserved(Bytes, Reserved),
    Blobs(Box<Windows>),
}

impl Body {
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self { source: Source::Full(bytes.into()), entry: None }
    }

    /// A refusal.
    pub(super) fn reserved(document: String, reserved: Reserved) -> Self {
        Self { source: Source::Reserved(document.into(), reserved), entry: None }
    }

    /// Lets the log wait for the end of this body.
    pub(super) fn journal(&mut self, entry: Box<Entry>) {
        self.entry = Some(entry);
    }

    /// `length` bytes that come from a reader, on blocking threads; the first of them are read at once, so that a
    /// body that cannot be read is refused instead of broken off.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn blobs(
        mut reader: BlobReader,
        files: Taken,
        length: u64,
        window_bytes_max: u64,
    ) -> Result<Self, store::Error> {
        let sizes = if reader.is_mapped() { &MAPPED } else { &COPIED };
        let window_bytes_max = window_bytes_max.min(sizes.max);
        let first = sizes.first.min(window_bytes_max);
        let read = tokio::task::spawn_blocking(move || {
            let window = reader.next_window_of(first);
            (reader, window)
        });
        let (reader, window) = read.await.map_err(io::Error::other)?;
        let window = window?.ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
        let windows = Windows {
            next: Next::Idle(Some(reader)),
            window,
            left: length,
            bytes: first,
            bytes_min: sizes.min,
            bytes_max: window_bytes_max,
            since: Instant::now(),
            _files: files,
        };
        Ok(Self { source: Source::Blobs(Box::new(windows)), entry: None })
    }
}

/// Most bytes handed to the connection at once.
const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// The smallest window of a download that may be asked for.
pub const WINDOW_BYTES_MIN: u64 = 256 * 1024;

/// Sizes of windows, in bytes; two of them are in memory for each download.
struct Sizes {
    /// Small enough that the first byte leaves soon.
    first: u64,
    min: u64,
    max: u64,
}

/// Of windows that are pages of the file, which the system has in memory anyway.
const MAPPED: Sizes = Sizes { first: 1024 * 1024, min: WINDOW_BYTES_MIN, max: u64::MAX };
/// Of windows that are copies.
const COPIED: Sizes = Sizes { first: 256 * 1024, min: 64 * 1024, max: 1024 * 1024 };
/// A window that is sent sooner than this is followed by a larger one, so that the hops to other threads cost
/// nothing; one that takes four times as long by a smaller one, so that slow downloads hold little memory.
const WINDOW_TIME: Duration = Duration::from_millis(20);

/// Windows of a body, the next one being read while this one is sent.
#[derive(Debug)]
struct Windows {
    next: Next,
    window: Bytes,
    left: u64,
    /// Size of the next window, of the smallest and of the largest; when the present one came.
    bytes: u64,
    bytes_min: u64,
    bytes_max: u64,
    since: Instant,
    _files: Taken,
}

type WindowRead = (BlobReader, io::Result<Option<Bytes>>);

#[derive(Debug)]
enum Next {
    Idle(Option<BlobReader>),
    Reading(JoinHandle<WindowRead>),
}

impl Windows {
    /// Starts reading the next window, unless that is under way or everything has been read.
    fn read_ahead(&mut self) {
        if self.left > self.window.len() as u64
            && let Next::Idle(reader) = &mut self.next
            && let Some(mut reader) = reader.take()
        {
            let bytes = self.bytes;
            self.next = Next::Reading(tokio::task::spawn_blocking(move || {
                let window = reader.next_window_of(bytes);
                (reader, window)
            }));
        }
    }

    /// Sizes the next window by how long the last one took.
    fn adapt(&mut self) {
        let now = Instant::now();
        let took = now.duration_since(self.since);
        self.since = now;
        self.bytes = match took {
            took if took < WINDOW_TIME => (self.bytes * 2).min(self.bytes_max),
            took if took > WINDOW_TIME * 4 => (self.bytes / 2).max(self.bytes_min),
            _ => self.bytes,
        };
    }

    fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.read_ahead();
        if self.window.is_empty() {
            let Next::Reading(reading) = &mut self.next else {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            };
            let (reader, window) = ready!(Pin::new(reading).poll(task)).map_err(io::Error::other)?;
            self.next = Next::Idle(Some(reader));
            self.window = window?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.adapt();
            self.read_ahead();
        }
        let frame = self.window.split_to(self.window.len().min(FRAME_BYTES_MAX));
        self.left -= frame.len() as u64;
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.as_mut().filter(|_| !self.source.is_empty()) {
            entry.cut();
        }
    }
}

impl Source {
    /// Whether all of it was handed on.
    fn is_empty(&self) -> bool {
        match self {
            Self::Full(bytes) | Self::Reserved(bytes, _) => bytes.is_empty(),
            Self::Blobs(windows) => windows.left == 0,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = match &mut self.source {
            Source::Full(bytes) if bytes.is_empty() => None,
            Source::Full(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Reserved(bytes, _) if bytes.is_empty() => None,
            Source::Reserved(bytes, reserved) => {
                reserved.handed_on(bytes.len());
                Some(Ok(std::mem::take(bytes)))
            }
            Source::Blobs(windows) => ready!(windows.poll(task)),
        };
        match (&polled, &mut self.entry) {
            (Some(Ok(bytes)), Some(entry)) => entry.sent(bytes.len()),
            (Some(Err(error)), Some(entry)) => entry.broke_off(error),
            _ => {}
        }
        Poll::Ready(polled.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.source {
            Source::Full(bytes) | Source::Reserved(bytes, _) => bytes.len() as u64,
            Source::Blobs(windows) => windows.left,
        })
    }
}
