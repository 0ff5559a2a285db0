//! The head of a request, parsed once: what it addresses and asks, with its headers and query side by side.
//! Nothing in it is believed yet.

use std::borrow::Cow;
use std::fmt;

use http::header::ValueIter;
use http::{HeaderMap, HeaderValue, Method};

use super::arrival::Arrival;
use super::error::{Error, ErrorCode};
use super::operation::Operation;
use super::target::{self, Domains, Style, Target};
use super::uri::{DecodeError, Path, Query};

/// Most bytes that the target and the headers of a request may have together.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Largest body of one PUT: 5 GiB.
pub const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// Most parameters of a query.
pub const QUERY_PARAMETERS_MAX: usize = 1000;

/// A parsed request head.
///
/// It is read as if it had been signed under the name it was sent to; [`Request::read_otherwise`] goes on to the other
/// names of its [`Arrival`]. The reading whose signature matches is the request.
#[derive(Clone)]
pub struct Request {
    method: Method,
    query: Query,
    headers: HeaderMap,
    has_amz_headers: bool,
    arrival: Arrival,
    first: Reading,
    others: Vec<Reading>,
    /// Which reading counts: 0 for the first one.
    chosen: usize,
}

/// One way to read a request: a name and a path under which it may have been signed, and what that addresses.
#[derive(Clone)]
struct Reading {
    /// `None` for the host as received.
    host: Option<String>,
    path: Path,
    target: Target,
    style: Style,
    operation: Operation,
}

/// Says what is addressed and how, and nothing of query and headers: signatures and tokens are among them.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut request = f.debug_struct("Request");
        request
            .field("method", &self.method)
            .field("target", self.target())
            .field("operation", &self.operation());
        request.finish_non_exhaustive()
    }
}

impl Request {
    /// Parses a head; `domains` are those whose subdomains are buckets.
    ///
    /// # Errors
    /// Returns S3's errors for a target that is not a URI, bucket or key, for a method the target does not answer to,
    /// and for a head beyond [`HEAD_BYTES_MAX`]: those of the host as received, if no other name makes a request of it.
    pub fn parse(head: http::request::Parts, arrival: Arrival, domains: &Domains) -> Result<Self, Error> {
        let http::request::Parts { method, uri, headers, .. } = head;
        let head_bytes = uri.path().len()
            + uri.query().map_or(0, str::len)
            + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
        if head_bytes > HEAD_BYTES_MAX {
            return Err(ErrorCode::RequestHeaderSectionTooLarge
                .error()
                .with("MaxSizeAllowed", HEAD_BYTES_MAX.to_string()));
        }
        let refuse = |error| match error {
            DecodeError::InvalidEscape => Error::bare("Invalid URI: isHexDigit"),
            DecodeError::InvalidText => ErrorCode::InvalidURI.error().with("URI", uri.path()),
        };
        let path = Path::parse(uri.path()).map_err(refuse)?;
        let query = Query::parse(uri.query().unwrap_or_default()).map_err(refuse)?;
        if query.len() > QUERY_PARAMETERS_MAX {
            return Err(ErrorCode::InvalidURI.error().with("URI", uri.path()));
        }
        let has_amz_headers = headers.keys().any(|name| is_amz(name.as_str()));
        let copy_source = (has_amz_headers && headers.contains_key("x-amz-copy-source"))
            || query.value_any_case("x-amz-copy-source").is_some();
        let read = |host: Option<&String>, path: Path| {
            let (target, style) =
                target::resolve(host.map_or(arrival.host(), String::as_str), &path, domains)?;
            let operation = Operation::find(&method, &target, &query, copy_source)?;
            Ok(Reading { host: host.cloned(), path, target, style, operation })
        };
        let others: Vec<_> =
            arrival.names().iter().filter_map(|name| read(Some(name), path.clone()).ok()).collect();
        let mut others = others.into_iter();
        let first = read(None, path).or_else(|error: Error| others.next().ok_or(error))?;
        let others = others.collect();
        Ok(Self { method, query, headers, has_amz_headers, arrival, first, others, chosen: 0 })
    }

    fn reading(&self) -> &Reading {
        self.chosen.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }

    /// Reads the request under the next name of its arrival; `false`, and as at first, after the last one.
    pub fn read_otherwise(&mut self) -> bool {
        self.chosen = if self.chosen < self.others.len() { self.chosen + 1 } else { 0 };
        self.chosen > 0
    }

    /// Whether it is read under another name than the one it was sent to.
    pub fn is_read_otherwise(&self) -> bool {
        self.reading().host.is_some()
    }

    /// How the request reached the server.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The authority that this reading is of, with its port if it had one; empty if there was none.
    pub fn host(&self) -> &str {
        self.reading().host.as_deref().unwrap_or(self.arrival.host())
    }

    /// The path that this reading is of.
    pub fn path(&self) -> &Path {
        &self.reading().path
    }

    /// The query.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What is addressed.
    pub fn target(&self) -> &Target {
        &self.reading().target
    }

    /// Where the bucket's name stands.
    pub fn style(&self) -> Style {
        self.reading().style
    }

    /// What is asked for.
    pub fn operation(&self) -> Operation {
        self.reading().operation
    }

    /// The value of a header, all its lines joined as they are signed, if it is text.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut lines = self.lines(name)?.map(|value| std::str::from_utf8(value.as_bytes()));
        let first = lines.next()?.ok()?;
        lines.try_fold(Cow::Borrowed(first), |all, next| Some(Cow::Owned(format!("{all},{}", next.ok()?))))
    }

    /// All lines of a header, joined, each byte a character as ISO-8859-1 has it: what HTTP gives no other meaning.
    pub fn latin1(&self, name: &str) -> Option<String> {
        let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        joined(self.lines(name)?.map(text).map(Cow::Owned)).map(Cow::into_owned)
    }

    /// An `x-amz-*` value, as [`Request::anywhere`].
    ///
    /// Presigners hoist such headers into the query, where they are signed like everything else. Checksums are
    /// the exception: in a query S3 ignores them, so they are to be read with [`Request::header`].
    pub fn amz(&self, name: &str) -> Option<Cow<'_, str>> {
        self.anywhere(name)
    }

    /// The value of a header wherever the client put it: all lines of the header, joined, else the query parameter
    /// of that name in any case, which S3 honours alike. `name` is in lower case; what is not UTF-8 is replaced.
    pub fn anywhere(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = |value| String::from_utf8_lossy(HeaderValue::as_bytes(value));
        let header = self.lines(name).and_then(|lines| joined(lines.map(text)));
        header.or_else(|| self.query.value_any_case(name).map(Cow::Borrowed))
    }

    /// The lines of a header. Most are asked for in vain: a presigned URL comes with none of S3's own.
    fn lines(&self, name: &str) -> Option<ValueIter<'_, HeaderValue>> {
        (self.has_amz_headers || !is_amz(name)).then(|| self.headers.get_all(name).iter())
    }

    /// Whether there is a header of S3's own.
    pub fn has_amz_headers(&self) -> bool {
        self.has_amz_headers
    }

    /// The declared length of the body: `Content-Length`, if it is a number.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length").and_then(|text| text.trim().parse().ok())
    }
}

/// The lines of one header as they are signed.
fn joined<'v>(mut lines: impl Iterator<Item = Cow<'v, str>>) -> Option<Cow<'v, str>> {
    let first = lines.next()?;
    Some(lines.fold(first, |all, next| Cow::Owned(format!("{all},{next}"))))
}

/// Whether a name is one of S3's own, in any case.
pub fn is_amz(name: &str) -> bool {
    name.as_bytes().get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"x-amz-"))
}
